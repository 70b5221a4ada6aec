"""The task list."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import tasks
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsTasksView(TaskOpsView):
    """``/pluginsv2/taskops/tasks``, also the tab on each Dag (``?tab=dag&dag_id=...``)."""

    default_view = "list"

    @expose("/tasks")
    def list(self) -> Response:
        """Show one page of the tasks that match the filter."""
        return self.show("lists/tasks.html", tasks.tasks_page)
