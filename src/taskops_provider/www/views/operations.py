"""The operation records."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters import downloads, operation, operations
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsOperationsView(TaskOpsView):
    """``/pluginsv2/taskops/operations`` and ``/pluginsv2/taskops/operation?id=7``."""

    default_view = "list"

    @expose("/operations")
    def list(self) -> Response:
        """Show one page of the operations that match the filter."""
        return self.show("operations.html", operations.present)

    @expose("/operation")
    def details(self) -> Response:
        """Show one operation and a page of its targets."""
        return self.show("operation.html", operation.present)

    @expose("/operation/download")
    def download(self) -> Response:
        """Answer with how far the download behind a record is, for the page that waits for it."""
        return self.show("operation_download.html", downloads.present_part)
