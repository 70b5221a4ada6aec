"""What a user may do, asked of Airflow's auth manager."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    ConfigurationDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.models.dag import DagModel
from airflow.models.team import Team

from taskops_provider.adapter.users import HAS_USERS

#: auth managers that judge one Dag as all: a Dag that nobody has can be asked for instead of every one
_SAME_FOR_ALL = frozenset(
    {
        "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    }
)
_NOBODYS_DAG = "taskops: no Dag has this name"


class UserPermissions:
    """The permissions of a signed-in user.

    Reading is reading the Dag and its tasks, for TaskOps shows little else: a Dag whose tasks somebody may not read is
    not there for them. A change needs to edit the Dag, deleting a workflow to delete it as well; settings
    need to edit every Dag (under FAB: the global ``can_edit`` on DAGs). Instances, runs and versions have permissions
    of their own beside it, as in Airflow (under FAB: ``can_read`` and ``can_edit`` on Task Instances, ``can_read`` on
    DAG Runs, DAG Versions, DAG Dependencies, Assets).
    """

    def __init__(self, user: Any):
        self._user = user
        # all teams. Airflow asks by team as long as a bundle belongs to one, also if ``[core] multi_team`` is off.
        # Read at once, in a session of its own: later it would meet one that has written
        self._teams = Team.get_all_team_names()

    @cached_property
    def _manager(self) -> Any:
        return get_auth_manager()

    def _may(self, method: str, dag_id: str | None = None, entity: DagAccessEntity | None = None) -> bool:
        team = DagModel.get_team_name(dag_id) if dag_id and self._teams else None
        details = DagDetails(id=dag_id, team_name=team) if dag_id else None
        return bool(
            self._manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=self._user)
        )

    def _may_all(self, method: str) -> bool:
        """Whether the user surely may do so to every Dag, without loading every ``dag_id``.

        Asking without naming a Dag is not it: reading then means "may list Dags", and FabAuthManager says yes to
        somebody who may read a single one.
        """
        return self._kind in _SAME_FOR_ALL and not self._teams and self._may(method, _NOBODYS_DAG)

    @property
    def _kind(self) -> str:
        kind = type(self._manager)
        return f"{kind.__module__}.{kind.__qualname__}"

    @cached_property
    def _dags(self) -> frozenset[str] | None:
        """Dags that the user may read, their tasks or not; None for all."""
        if self._may_all("GET"):
            return None
        return frozenset(self._manager.get_authorized_dag_ids(user=self._user, method="GET"))

    @cached_property
    def _readable(self) -> frozenset[str] | None:
        return self._readable_with(DagAccessEntity.TASK, self._dags)

    def readable(self) -> frozenset[str] | None:
        return self._readable

    @cached_property
    def _instances_readable(self) -> frozenset[str] | None:
        return self._readable_with(DagAccessEntity.TASK_INSTANCE, self._readable)

    def instances_readable(self) -> frozenset[str] | None:
        return self._instances_readable

    @cached_property
    def _runs_readable(self) -> frozenset[str] | None:
        return self._readable_with(DagAccessEntity.RUN, self._readable)

    def runs_readable(self) -> frozenset[str] | None:
        return self._runs_readable

    @cached_property
    def _dependencies_readable(self) -> frozenset[str] | None:
        return self._readable_with(DagAccessEntity.DEPENDENCIES, self._readable)

    def dependencies_readable(self) -> frozenset[str] | None:
        return self._dependencies_readable

    def _readable_with(self, entity: DagAccessEntity, dag_ids: frozenset[str] | None) -> frozenset[str] | None:
        """Those of some Dags that the user may read with what belongs to them; None for all. One query at most."""
        if dag_ids is None and self._may("GET", _NOBODYS_DAG, entity):
            return None
        if dag_ids is None:
            dag_ids = frozenset(self._manager.get_authorized_dag_ids(user=self._user, method="GET"))
        # asked for one by one, each would have its team looked up
        teams = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids)) if self._teams and dag_ids else {}
        return frozenset(
            dag_id
            for dag_id in dag_ids
            if self._manager.is_authorized_dag(
                method="GET",
                access_entity=entity,
                details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
                user=self._user,
            )
        )

    def may_list(self) -> bool:
        """Whether the user may read the tasks of any Dag at all."""
        return self._may("GET", entity=DagAccessEntity.TASK)

    def _allowed(self, method: str, dag_ids: Collection[str]) -> set[str]:
        asked = set(dag_ids)
        if not asked or self._may_all(method):
            return asked
        if self._teams:
            return asked & set(self._manager.get_authorized_dag_ids(user=self._user, method=method))
        return set(self._manager.filter_authorized_dag_ids(dag_ids=asked, user=self._user, method=method))

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        return self._allowed("PUT", dag_ids)

    def deletable(self, dag_ids: Collection[str]) -> set[str]:
        return self._allowed("DELETE", dag_ids) & self.editable(dag_ids)

    def may_change_settings(self) -> bool:
        """Whether the user may edit every Dag; of all teams, where Dags belong to teams."""
        # a manager that is asked without a team says yes to somebody who may do so in a single one
        return self._may("PUT") and all(
            self._manager.is_authorized_dag(method="PUT", details=DagDetails(team_name=team), user=self._user)
            for team in self._teams
        )

    def may_read_instances(self, dag_id: str) -> bool:
        return self._may("GET", dag_id, DagAccessEntity.TASK_INSTANCE)

    def may_read_runs(self, dag_id: str) -> bool:
        return self._may("GET", dag_id, DagAccessEntity.RUN)

    def may_read_versions(self, dag_id: str) -> bool:
        return self._may("GET", dag_id, DagAccessEntity.VERSION)

    @cached_property
    def _reads_assets(self) -> bool:
        return bool(self._manager.is_authorized_asset(method="GET", user=self._user))

    def may_read_assets(self) -> bool:
        return self._reads_assets

    def may_read_users(self) -> bool:
        return self._kind == HAS_USERS and bool(
            self._manager.is_authorized_custom_view(method="GET", resource_name="Users", user=self._user)
        )

    def may_read_addresses(self) -> bool:
        # only FabAuthManager has users with addresses; elsewhere a site's own function finds them
        return self.may_read_users() if self._kind == HAS_USERS else self.may_change_settings()

    def may_read_connections(self) -> bool:
        return bool(self._manager.is_authorized_connection(method="GET", user=self._user))

    def may_read_configuration(self) -> bool:
        details = ConfigurationDetails(section="taskops")
        return bool(self._manager.is_authorized_configuration(method="GET", details=details, user=self._user))

    def may_read_jobs(self) -> bool:
        return bool(self._manager.is_authorized_view(access_view=AccessView.JOBS, user=self._user))

    def may_change_instances(self, dag_id: str) -> bool:
        return self._may("PUT", dag_id, DagAccessEntity.TASK_INSTANCE)

    def may_change_runs(self, dag_id: str) -> bool:
        return self._may("PUT", dag_id, DagAccessEntity.RUN)

    def may_create_runs(self, dag_id: str) -> bool:
        return self._may("POST", dag_id, DagAccessEntity.RUN)
