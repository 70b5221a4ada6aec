"""The tree of folders in the filter form."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import folders
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsFoldersView(TaskOpsView):
    """``/pluginsv2/taskops/folders?under=...`` or ``?q=...``: parts of a page."""

    default_view = "part"

    @expose("/folders")
    def part(self) -> Response:
        """Answer with the folders in one, or with those that a search finds."""
        return self.show("lists/folder_level.html", folders.folder_part)
