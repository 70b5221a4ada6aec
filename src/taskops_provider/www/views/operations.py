"""The operation records."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.operations import downloads, record, records
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsOperationsView(TaskOpsView):
    """``/pluginsv2/taskops/operations`` and ``/pluginsv2/taskops/operation?id=7``."""

    default_view = "list"

    @expose("/operations")
    def list(self) -> Response:
        """Show one page of the operations that match the filter."""
        return self.show("operations/records.html", records.records_page)

    @expose("/operation")
    def details(self) -> Response:
        """Show one operation and a page of its targets."""
        return self.show("operations/record.html", record.record_page)

    @expose("/operation/download")
    def download(self) -> Response:
        """Answer with how far the download behind a record is, for the page that waits for it."""
        return self.show("operations/download.html", downloads.download_part)
