"""Who acts, from where, and what they may do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class Permissions(Protocol):
    """What a user may do, as Airflow's auth manager has it."""

    def readable(self) -> frozenset[str] | None:
        """Dags the user may read; None for all."""

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        """Those of ``dag_ids`` that the user may change."""

    def deletable(self, dag_ids: Collection[str]) -> set[str]:
        """Those of ``dag_ids`` that the user may delete as workflows."""

    def may_change_settings(self) -> bool:
        """Whether the user may change settings of projects."""

    def may_read_instances(self, dag_id: str) -> bool:
        """Whether the user may see the task instances of a Dag that they may read."""

    def may_read_runs(self, dag_id: str) -> bool:
        """Whether the user may see the runs of a Dag that they may read."""

    def may_read_versions(self, dag_id: str) -> bool:
        """Whether the user may see the versions, and where their code is, of a Dag that they may read."""

    def may_read_users(self) -> bool:
        """Whether the user may see who else has an account."""

    def may_change_instances(self, dag_id: str) -> bool:
        """Whether the user may rerun and end task instances of a Dag, and set their state."""


class Everything:
    """The permissions of the command line and of the monitor: they hold the database anyway."""

    def readable(self) -> None:
        return None

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        return set(dag_ids)

    def deletable(self, dag_ids: Collection[str]) -> set[str]:
        return set(dag_ids)

    def may_change_settings(self) -> bool:
        return True

    def may_read_instances(self, dag_id: str) -> bool:
        return True

    def may_read_runs(self, dag_id: str) -> bool:
        return True

    def may_read_versions(self, dag_id: str) -> bool:
        return True

    def may_read_users(self) -> bool:
        return True

    def may_change_instances(self, dag_id: str) -> bool:
        return True


@dataclass(frozen=True)
class Actor:
    """The acting user.

    :param source: ui, cli, api, operator or monitor
    """

    name: str
    source: str
    permissions: Permissions

    def may_read(self, dag_id: str) -> bool:
        """Whether the Dag's name may be shown to the user."""
        readable = self.permissions.readable()
        return readable is None or dag_id in readable


MONITOR = Actor("taskops monitor", "monitor", Everything())
