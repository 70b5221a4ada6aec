"""The dialogs of the operations on tasks and workflows."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.www.presenters.operations import dialog
from taskops_provider.www.views.dialogs import DialogView

_VERBS = ",".join(repr(verb.value) for verb in Verb)


class TaskOpsChangesView(DialogView):
    """``/pluginsv2/taskops/change/tasks/<verb>`` and ``.../change/workflows/<verb>``, by POST alone."""

    @expose(f"/change/tasks/<any({_VERBS}):verb>", methods=["POST"])
    def tasks(self, verb: str) -> Response:
        """Preview or apply an operation on tasks."""
        return self.answer(partial(dialog.change_dialog, scope=Scope.TASK, verb=Verb(verb)))

    @expose(f"/change/workflows/<any({_VERBS}):verb>", methods=["POST"])
    def workflows(self, verb: str) -> Response:
        """Preview or apply an operation on whole workflows."""
        return self.answer(partial(dialog.change_dialog, scope=Scope.WORKFLOW, verb=Verb(verb)))
