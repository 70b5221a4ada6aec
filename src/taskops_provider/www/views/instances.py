"""The dialogs of the operations on task instances."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.www.presenters.instances import dialog
from taskops_provider.www.views.dialogs import DialogView

_VERBS = ",".join(repr(verb.value) for verb in InstanceVerb)
_RUN_VERBS = ",".join(repr(verb.value) for verb in RunVerb)


class TaskOpsInstancesView(DialogView):
    """``/pluginsv2/taskops/instances/<verb>`` and ``/pluginsv2/taskops/runs/<verb>``, by POST alone."""

    @expose(f"/instances/<any({_VERBS}):verb>", methods=["POST"])
    def change(self, verb: str) -> Response:
        """Preview or apply an operation on instances of a task."""
        return self.answer(partial(dialog.instances_dialog, verb=InstanceVerb(verb)))

    @expose(f"/runs/<any({_RUN_VERBS}):verb>", methods=["POST"])
    def change_runs(self, verb: str) -> Response:
        """Preview or apply an operation on whole runs."""
        return self.answer(partial(dialog.runs_dialog, verb=RunVerb(verb)))
