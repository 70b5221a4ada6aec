"""The dialog of a replenishment."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.domain.operations.targets import Scope
from taskops_provider.www.presenters.replenishments import dialog
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsReplenishView(DialogView):
    """``/pluginsv2/taskops/replenish/tasks``, ``.../workflows`` and ``.../instances``, by POST alone."""

    @expose("/replenish/tasks", methods=["POST"])
    def tasks(self) -> Response:
        """Plan or create a replenishment of tasks."""
        return self.answer(partial(dialog.replenish_dialog, scope=Scope.TASK))

    @expose("/replenish/workflows", methods=["POST"])
    def workflows(self) -> Response:
        """Plan or create a replenishment of whole workflows."""
        return self.answer(partial(dialog.replenish_dialog, scope=Scope.WORKFLOW))

    @expose("/replenish/instances", methods=["POST"])
    def instances(self) -> Response:
        """Plan a replenishment of the data times of instances."""
        return self.answer(dialog.instances_dialog)
