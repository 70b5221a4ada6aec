"""The kinds of people, and what Airflow itself lets each of them do: asked of Airflow's own API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from tests.contract.walk import rights_table as rights
from tests.contract.walk.world import Side, World
from tests.support.api import fab_user
from tests.support.apps import MEMBERS, NOBODY, READS_TASKS, TEAMS, WebApp
from tests.support.live import USERS

_NORTH = ("orders", "orders_old")
_INSTANCES = (("can_read", "Task Instances"), ("can_edit", "Task Instances"), ("can_edit", "DAG Runs"))
_RUNS = (("can_read", "DAG Runs"), ("can_create", "DAG Runs"))


def _on(*actions: str) -> tuple[tuple[str, str], ...]:
    return tuple((action, f"DAG:{dag_id}") for action in actions for dag_id in _NORTH)


_EDITS = _on("can_read", "can_edit")
#: reads everything, and changes one group of Dags
OF_MANY = "north_editor_of_many"
#: people of FabAuthManager who have permissions on one group of Dags only, who may do most of all first
FAB_ONLY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "north_of_both": (*_EDITS, *_INSTANCES, *_RUNS),
    "north_reader": (*_on("can_read"), READS_TASKS),
    "north_editor": (*_EDITS, READS_TASKS),
    "north_of_dags_alone": (*_EDITS, *_on("can_delete")),
    "north_remover": (*_on("can_read", "can_delete"), READS_TASKS),
    "north_deleter": (*_EDITS, *_on("can_delete"), READS_TASKS),
    "north_of_instances": (*_EDITS, *_INSTANCES),
    "north_of_runs": (*_EDITS, *_RUNS, READS_TASKS),
    "north_of_run_states": (*_EDITS, ("can_edit", "DAG Runs"), READS_TASKS),
    OF_MANY: (("can_read", "DAGs"), *_EDITS, *_INSTANCES, *_RUNS),
}
#: a role of FabAuthManager that people who are signed in may have too
PUBLIC = "public"


def people_of(web: WebApp, kind: str) -> tuple[str, ...]:
    """Return the names of all kinds of people of an application, those without an account last."""
    if kind == TEAMS:
        return (*MEMBERS, "")
    if kind == "simple":
        return (*USERS, "")
    made = [fab_user(web, name, *permissions, reads_tasks=False) for name, permissions in FAB_ONLY.items()]
    return (*USERS, *made, fab_user(web, PUBLIC, *_of_role(web, "Public"), reads_tasks=False), NOBODY, "")


def _of_role(web: WebApp, name: str) -> list[tuple[str, str]]:
    with web.flask.app_context():
        role = web.flask.appbuilder.sm.find_role(name)
        return [(one.action.name, one.resource.name) for one in role.permissions]


@dataclass(frozen=True)
class AirflowAct:
    """A request of Airflow's own API that needs one right."""

    method: str
    path: str
    body: Any = None


#: right -> the act that Airflow asks it for
AIRFLOW_ACTS = {
    rights.READ: AirflowAct("GET", "dags/{dag}/tasks"),
    rights.READ_INSTANCES: AirflowAct("GET", "dags/{dag}/dagRuns/~/taskInstances"),
    rights.EDIT: AirflowAct("PATCH", "dags/{dag}", {"is_paused": False}),
    rights.DELETE: AirflowAct("DELETE", "dags/{dag}"),
    rights.CREATE_RUNS: AirflowAct("POST", "dags/{dag}/dagRuns", {"logical_date": None}),
    rights.CHANGE_RUNS: AirflowAct("PATCH", "dags/{dag}/dagRuns/run_0000", {"note": "looked at"}),
    rights.CHANGE_INSTANCES: AirflowAct("POST", "dags/{dag}/clearTaskInstances", {"dry_run": True}),
}


def rights_of(client: TestClient, world: World, name: str, side: Side) -> frozenset[str]:
    """Return what a person may do in Airflow to a group of Dags."""
    if not name:
        return frozenset()

    def may(act: AirflowAct, of: Side) -> bool:
        answer = client.request(act.method, f"/api/v2/{of.fill(act.path)}", json=act.body)
        world.changed()
        assert answer.status_code in (200, 204, 403), (name, act, answer.text)
        return bool(answer.status_code != 403)

    found = {right for right, act in AIRFLOW_ACTS.items() if may(act, side)}
    if all(may(AIRFLOW_ACTS[rights.EDIT], of) for of in world.sides):
        found.add(rights.EDIT_ALL)
    if _may_list(client):
        found.add(rights.LIST)
    return frozenset({*found, rights.SIGNED_IN})


def may_read_addresses(client: TestClient, has: frozenset[str], *, is_fab: bool) -> bool:
    """Whether Airflow shows somebody the users; without FabAuthManager it has none, and who edits all may know."""
    return client.get("/auth/fab/v1/users").status_code == 200 if is_fab else rights.EDIT_ALL in has


def _may_list(client: TestClient) -> bool:
    """Whether somebody may list Dags, and read the tasks of one of those that there are."""
    answer = client.get("/api/v2/dags")
    if answer.status_code != 200:
        return False
    dag_ids = [dag["dag_id"] for dag in answer.json()["dags"]]
    return not dag_ids or any(client.get(f"/api/v2/dags/{dag_id}/tasks").status_code == 200 for dag_id in dag_ids)
