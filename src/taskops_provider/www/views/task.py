"""One task."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.task.head import task_page
from taskops_provider.www.presenters.task.why import why_page
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsTaskView(TaskOpsView):
    """``/pluginsv2/taskops/task?dag_id=...&task_id=...``, also the tab on each task (``embedded=1``)."""

    default_view = "show_page"

    @expose("/task")
    def show_page(self) -> Response:
        """Show a task: its lineage, history, curve or basic information (``view``)."""
        return self.show("task/page.html", task_page)

    @expose("/task/why")
    def why(self) -> Response:
        """Answer with why the task does not run, or its instances in one run (``run_id``)."""
        return self.show("task/why.html", why_page)
