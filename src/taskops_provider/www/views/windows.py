"""Windows: planned pauses and freezes, as a list and as a month."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.windows import dialogs
from taskops_provider.www.presenters.windows.page import present_windows
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsWindowsView(DialogView):
    """``/pluginsv2/taskops/windows``; its dialogs by POST alone."""

    default_view = "list"

    @expose("/windows")
    def list(self) -> Response:
        """Show the list of windows, or a month of them."""
        return self.show("windows/page.html", present_windows)

    @expose("/windows/new", methods=["POST"])
    def new(self) -> Response:
        """Show the dialog of a new window, a preview of it, or make it."""
        return self.answer(dialogs.present_new)

    @expose("/windows/edit", methods=["POST"])
    def edit(self) -> Response:
        """Show the dialog of a window, a preview of the change, or change it."""
        return self.answer(dialogs.present_edit)

    @expose("/windows/delete", methods=["POST"])
    def delete(self) -> Response:
        """Ask whether to delete a window, or delete it."""
        return self.answer(dialogs.present_delete)
