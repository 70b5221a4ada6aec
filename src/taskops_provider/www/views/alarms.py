"""Alarms: what fired, and the rules."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.domain.operations import Scope
from taskops_provider.www.presenters import alarm_rule, alarm_rule_control, alarm_rules, alarms
from taskops_provider.www.views.dialogs import DialogView

_VERBS = ",".join(repr(verb) for verb in alarm_rules.VERBS)


class TaskOpsAlarmsView(DialogView):
    """``/pluginsv2/taskops/alarms``, ``/pluginsv2/taskops/alarm?id=3`` and ``/pluginsv2/taskops/alarm_rules``."""

    default_view = "list"

    @expose("/alarms")
    def list(self) -> Response:
        """Show one page of what fired."""
        return self.show("alarms.html", alarms.present)

    @expose("/alarm")
    def details(self) -> Response:
        """Show one alarm with the messages about it."""
        return self.show("alarm.html", alarms.present_details)

    @expose("/alarms/confirm", methods=["POST"])
    def confirm(self) -> Response:
        """Ask whether to confirm alarms, or do it."""
        return self.answer(alarms.present_confirm)

    @expose("/alarm_rules")
    def rules(self) -> Response:
        """Show one page of the rules."""
        return self.show("alarm_rules.html", alarm_rules.present)

    @expose("/alarm_rules/new", methods=["POST"])
    def new(self) -> Response:
        """Show the dialog of a new rule, or make it."""
        return self.answer(partial(alarm_rule.present_new, scope=None))

    @expose("/alarm_rules/new/tasks", methods=["POST"])
    def new_on_tasks(self) -> Response:
        """Show the dialog of a rule on selected tasks, or make it on each."""
        return self.answer(partial(alarm_rule.present_new, scope=Scope.TASK))

    @expose("/alarm_rules/new/workflows", methods=["POST"])
    def new_on_workflows(self) -> Response:
        """Show the dialog of a rule on selected workflows, or make it on each."""
        return self.answer(partial(alarm_rule.present_new, scope=Scope.WORKFLOW))

    @expose("/alarm_rules/edit", methods=["POST"])
    def edit(self) -> Response:
        """Show the dialog of a rule, or change it."""
        return self.answer(alarm_rule.present_edit)

    @expose("/alarm_rules/test", methods=["POST"])
    def test(self) -> Response:
        """Ask whether to send a test of a rule, or send it."""
        return self.answer(alarm_rule_control.present_test)

    @expose(f"/alarm_rules/<any({_VERBS}):verb>", methods=["POST"])
    def change(self, verb: str) -> Response:
        """Ask whether to turn rules on or off or to delete them, or do it."""
        return self.answer(partial(alarm_rule_control.present_change, verb=alarm_rules.VERBS[verb]))
