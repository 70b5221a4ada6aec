"""The workflow list."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import workflows
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsWorkflowsView(TaskOpsView):
    """``/pluginsv2/taskops/workflows``."""

    default_view = "list"

    @expose("/")
    @expose("/workflows")
    def list(self) -> Response:
        """Show one page of the workflows that match the filter."""
        return self.show("lists/workflows.html", workflows.workflows_page)
