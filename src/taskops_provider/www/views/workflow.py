"""One workflow."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.workflow import page
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsWorkflowView(TaskOpsView):
    """``/pluginsv2/taskops/workflow?dag_id=...``, and parts of other pages."""

    default_view = "show_page"

    @expose("/workflow")
    def show_page(self) -> Response:
        """Show a workflow with all there is to know of it."""
        return self.show("workflow/page.html", page.workflow_page)

    @expose("/workflow/summary")
    def summary(self) -> Response:
        """Answer with what a row of the workflow list opens to."""
        return self.show("workflow/summary.html", page.workflow_summary)

    @expose("/workflow/bar")
    def bar(self) -> Response:
        """Answer with the state of the workflow, for the tab of its Dag."""
        return self.show("workflow/state.html", page.workflow_bar)
