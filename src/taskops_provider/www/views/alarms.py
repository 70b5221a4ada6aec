"""Alarms, and their rules."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.domain.operations.targets import Scope
from taskops_provider.www.presenters.alarms import rule_actions, rule_dialog
from taskops_provider.www.presenters.alarms.acknowledge import present_acknowledge
from taskops_provider.www.presenters.alarms.details import present_alarm
from taskops_provider.www.presenters.alarms.listing import present_alarms
from taskops_provider.www.presenters.alarms.rules import RULE_ACTIONS, present_rules
from taskops_provider.www.views.dialogs import DialogView

_ACTIONS = ",".join(map(repr, RULE_ACTIONS))


class TaskOpsAlarmsView(DialogView):
    """``/pluginsv2/taskops/alarms``, ``/pluginsv2/taskops/alarm?id=3`` and ``/pluginsv2/taskops/alarm_rules``."""

    default_view = "list"

    @expose("/alarms")
    def list(self) -> Response:
        """Show one page of the alarms."""
        return self.show("alarms/events.html", present_alarms)

    @expose("/alarm")
    def details(self) -> Response:
        """Show one alarm with the messages about it."""
        return self.show("alarms/event.html", present_alarm)

    @expose("/alarms/confirm", methods=["POST"])
    def acknowledge(self) -> Response:
        """Ask whether to acknowledge alarms, or do it."""
        return self.answer(present_acknowledge)

    @expose("/alarm_rules")
    def rules(self) -> Response:
        """Show one page of the rules."""
        return self.show("alarms/rules.html", present_rules)

    @expose("/alarm_rules/new", methods=["POST"])
    def new(self) -> Response:
        """Show the dialog of a new rule, or make it."""
        return self.answer(partial(rule_dialog.present_new, scope=None))

    @expose("/alarm_rules/new/tasks", methods=["POST"])
    def new_on_tasks(self) -> Response:
        """Show the dialog of a rule on selected tasks, or make it on each."""
        return self.answer(partial(rule_dialog.present_new, scope=Scope.TASK))

    @expose("/alarm_rules/new/workflows", methods=["POST"])
    def new_on_workflows(self) -> Response:
        """Show the dialog of a rule on selected workflows, or make it on each."""
        return self.answer(partial(rule_dialog.present_new, scope=Scope.WORKFLOW))

    @expose("/alarm_rules/edit", methods=["POST"])
    def edit(self) -> Response:
        """Show the dialog of a rule, or change it."""
        return self.answer(rule_dialog.present_edit)

    @expose("/alarm_rules/test", methods=["POST"])
    def test(self) -> Response:
        """Ask whether to send a test of a rule, or have it sent."""
        return self.answer(rule_actions.present_test)

    @expose("/alarm_rules/tested")
    def tested(self) -> Response:
        """Answer with what came of the last test of a rule, for the dialog that waits for it."""
        return self.show("alarms/test.html", rule_actions.present_tested)

    @expose(f"/alarm_rules/<any({_ACTIONS}):verb>", methods=["POST"])
    def change(self, verb: str) -> Response:
        """Ask whether to turn rules on or off or to delete them, or do it."""
        return self.answer(partial(rule_actions.present_change, action=RULE_ACTIONS[verb]))
