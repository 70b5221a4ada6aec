"""Who acts, from where, and what they may do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol


class Permissions(Protocol):
    """What a user may do, as Airflow's auth manager has it."""

    def readable(self) -> frozenset[str] | None:
        """Dags that the user may read, and the tasks of; None for all."""

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

    def instances_readable(self) -> frozenset[str] | None:
        """Dags whose task instances the user may see; None for all."""

    def runs_readable(self) -> frozenset[str] | None:
        """Dags whose runs the user may see; None for all."""

    def dependencies_readable(self) -> frozenset[str] | None:
        """Dags of which the user may see what they depend on and what depends on them; None for all."""

    def may_read_assets(self) -> bool:
        """Whether the user may see assets, and so which tables tasks read and write."""

    def may_read_versions(self, dag_id: str) -> bool:
        """Whether the user may see the versions, and where their code is, of a Dag that they may read."""

    def may_read_users(self) -> bool:
        """Whether the user may see who else has an account."""

    def may_read_addresses(self) -> bool:
        """Whether the user may see which e-mail address a name has, and that it has one."""

    def may_read_connections(self) -> bool:
        """Whether the user may see Airflow's connections, and so the text of errors, which may have their hosts."""

    def may_read_configuration(self) -> bool:
        """Whether the user may see the section ``[taskops]`` of Airflow's configuration."""

    def may_read_jobs(self) -> bool:
        """Whether the user may see on which hosts Airflow's components run, and so the monitor."""

    def may_change_instances(self, dag_id: str) -> bool:
        """Whether the user may rerun and end task instances of a Dag, and set their state."""

    def may_change_runs(self, dag_id: str) -> bool:
        """Whether the user may change runs of a Dag: what Airflow asks for pausing and cancelling a backfill."""

    def may_create_runs(self, dag_id: str) -> bool:
        """Whether the user may create runs of a Dag: what Airflow asks for a trigger and for a backfill."""


#: characters of a name in our tables; names of FabAuthManager have up to 512
NAME_LENGTH = 250
_DIGEST_LENGTH = 32


def recorded_name(name: str) -> str:
    """Return a name as our tables hold it: a long one is cut and ends with a digest, so that no two are the same."""
    if len(name) <= NAME_LENGTH:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: NAME_LENGTH - _DIGEST_LENGTH - 1]}~{digest}"


class UnrestrictedPermissions:
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

    def instances_readable(self) -> None:
        return None

    def runs_readable(self) -> None:
        return None

    def dependencies_readable(self) -> None:
        return None

    def may_read_assets(self) -> bool:
        return True

    def may_read_versions(self, dag_id: str) -> bool:
        return True

    def may_read_users(self) -> bool:
        return True

    def may_read_addresses(self) -> bool:
        return True

    def may_read_connections(self) -> bool:
        return True

    def may_read_configuration(self) -> bool:
        return True

    def may_read_jobs(self) -> bool:
        return True

    def may_change_instances(self, dag_id: str) -> bool:
        return True

    def may_change_runs(self, dag_id: str) -> bool:
        return True

    def may_create_runs(self, dag_id: str) -> bool:
        return True


@dataclass(frozen=True)
class Actor:
    """The acting user.

    :param source: ui, cli, api, operator or monitor
    """

    name: str
    source: str
    permissions: Permissions

    @property
    def recorded_name(self) -> str:
        """The name as records have it, by which what is somebody's own is found: see :func:`recorded_name`."""
        return recorded_name(self.name)

    def may_read(self, dag_id: str) -> bool:
        """Whether the Dag's name may be shown to the user."""
        return _is_in(dag_id, self.permissions.readable())

    def readable_of(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those of some names of Dags that may be shown to the user, whether there are such Dags or not.

        Ask before looking for the Dags: where only those that are there are asked about, a refusal takes longer for a
        hidden Dag than for none.
        """
        readable = self.permissions.readable()
        return {dag_id for dag_id in dag_ids if _is_in(dag_id, readable)}

    def may_follow(self, dag_id: str, other_dag_id: str) -> bool:
        """Whether the user may see that something of one Dag depends on something of the other.

        Inside of a Dag that they may read they see it anyway: it is what its tasks say.
        """
        if dag_id == other_dag_id:
            return self.may_read(dag_id)
        return self.may_read_dependencies(dag_id) and self.may_read_dependencies(other_dag_id)

    def may_read_dependencies(self, dag_id: str) -> bool:
        """Whether the user may see what the Dag has to do with others."""
        return _is_in(dag_id, self.permissions.dependencies_readable())

    def may_read_instances(self, dag_id: str) -> bool:
        """Whether the user may see the Dag's task instances: of many Dags without a query for each."""
        return _is_in(dag_id, self.permissions.instances_readable())

    def may_read_runs(self, dag_id: str) -> bool:
        """Whether the user may see the Dag's runs: of many Dags without a query for each."""
        return _is_in(dag_id, self.permissions.runs_readable())


def _is_in(dag_id: str, dag_ids: frozenset[str] | None) -> bool:
    return dag_ids is None or dag_id in dag_ids


#: what a replenishment needs, for who lacks it
NEEDS = "it needs to edit the Dag, to create runs of it and to change its task instances"


def replenishable(actor: Actor, dag_ids: Collection[str]) -> set[str]:
    """Return the Dags that the actor may replenish: edit, create runs of, clear instances of.

    Airflow asks the same for a backfill, a trigger and a clear.
    """
    may = actor.permissions
    return {one for one in may.editable(dag_ids) if may.may_create_runs(one) and may.may_change_instances(one)}


MONITOR = Actor("taskops monitor", "monitor", UnrestrictedPermissions())
