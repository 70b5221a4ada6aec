"""The columns of a list, chosen by each person."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import list_actions
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsColumnsView(DialogView):
    """``/pluginsv2/taskops/columns``, by POST alone."""

    @expose("/columns", methods=["POST"])
    def save(self) -> Response:
        """Keep a choice of columns."""
        return self.answer(list_actions.save_columns)
