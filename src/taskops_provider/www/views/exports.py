"""Downloads of whole lists."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import list_actions
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsExportsView(DialogView):
    """``/pluginsv2/taskops/exports``, by POST alone; the operation records have what was prepared."""

    @expose("/exports", methods=["POST"])
    def prepare(self) -> Response:
        """Ask for a download."""
        return self.answer(list_actions.request_download)
