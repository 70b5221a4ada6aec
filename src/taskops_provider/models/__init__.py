"""The tables of TaskOps (prefix ``taskops_``), in a MetaData of their own."""

from taskops_provider.models.alarm import AlarmDelivery, AlarmEvent, AlarmRule
from taskops_provider.models.base import Base, metadata
from taskops_provider.models.edge import Edge
from taskops_provider.models.export import Export, ExportPiece
from taskops_provider.models.gate import CoveredScheduler, EscapedRun, GateInterval
from taskops_provider.models.instance_order import InstanceOrder
from taskops_provider.models.operation import Operation, OperationItem
from taskops_provider.models.preference import Preference
from taskops_provider.models.replenishment import (
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRole,
    ReplenishmentRun,
)
from taskops_provider.models.setting import Lease, Setting
from taskops_provider.models.task import AssetRef, Owner, Task
from taskops_provider.models.window import Window
from taskops_provider.models.workflow import Workflow

__all__ = [
    "AlarmDelivery",
    "AlarmEvent",
    "AlarmRule",
    "AssetRef",
    "Base",
    "CoveredScheduler",
    "Edge",
    "EscapedRun",
    "Export",
    "ExportPiece",
    "GateInterval",
    "InstanceOrder",
    "Lease",
    "Operation",
    "OperationItem",
    "Owner",
    "Preference",
    "Replenishment",
    "ReplenishmentCell",
    "ReplenishmentRole",
    "ReplenishmentRun",
    "Setting",
    "Task",
    "Window",
    "Workflow",
    "metadata",
]
