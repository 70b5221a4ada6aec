"""One AppBuilder view per page."""

from taskops_provider.www.views.alarms import TaskOpsAlarmsView
from taskops_provider.www.views.changes import TaskOpsChangesView
from taskops_provider.www.views.columns import TaskOpsColumnsView
from taskops_provider.www.views.diagram import TaskOpsDiagramView
from taskops_provider.www.views.exports import TaskOpsExportsView
from taskops_provider.www.views.folders import TaskOpsFoldersView
from taskops_provider.www.views.instances import TaskOpsInstancesView
from taskops_provider.www.views.operations import TaskOpsOperationsView
from taskops_provider.www.views.owners import TaskOpsOwnersView
from taskops_provider.www.views.replenish import TaskOpsReplenishView
from taskops_provider.www.views.replenishments import TaskOpsReplenishmentsView
from taskops_provider.www.views.settings import TaskOpsSettingsView
from taskops_provider.www.views.task import TaskOpsTaskView
from taskops_provider.www.views.tasks import TaskOpsTasksView
from taskops_provider.www.views.undo import TaskOpsUndoView
from taskops_provider.www.views.windows import TaskOpsWindowsView
from taskops_provider.www.views.workflow import TaskOpsWorkflowView
from taskops_provider.www.views.workflows import TaskOpsWorkflowsView

#: what the plugin registers
ALL_VIEWS = (
    TaskOpsWorkflowsView,
    TaskOpsTasksView,
    TaskOpsTaskView,
    TaskOpsInstancesView,
    TaskOpsChangesView,
    TaskOpsColumnsView,
    TaskOpsDiagramView,
    TaskOpsExportsView,
    TaskOpsFoldersView,
    TaskOpsOperationsView,
    TaskOpsOwnersView,
    TaskOpsReplenishView,
    TaskOpsReplenishmentsView,
    TaskOpsAlarmsView,
    TaskOpsSettingsView,
    TaskOpsUndoView,
    TaskOpsWindowsView,
    TaskOpsWorkflowView,
)

__all__ = [
    "ALL_VIEWS",
    "TaskOpsAlarmsView",
    "TaskOpsChangesView",
    "TaskOpsColumnsView",
    "TaskOpsDiagramView",
    "TaskOpsExportsView",
    "TaskOpsFoldersView",
    "TaskOpsInstancesView",
    "TaskOpsOperationsView",
    "TaskOpsOwnersView",
    "TaskOpsReplenishView",
    "TaskOpsReplenishmentsView",
    "TaskOpsSettingsView",
    "TaskOpsTaskView",
    "TaskOpsTasksView",
    "TaskOpsUndoView",
    "TaskOpsWindowsView",
    "TaskOpsWorkflowView",
    "TaskOpsWorkflowsView",
]
