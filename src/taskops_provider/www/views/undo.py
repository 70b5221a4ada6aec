"""The dialog that undoes an operation."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.operations import undo as operation_undo
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsUndoView(DialogView):
    """``/pluginsv2/taskops/undo``, by POST alone."""

    @expose("/undo", methods=["POST"])
    def undo(self) -> Response:
        """Preview or apply an undo."""
        return self.answer(operation_undo.undo_dialog)
