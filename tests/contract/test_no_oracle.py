"""Nothing that is answered, and nothing of how it is made, tells whether there is a Dag that somebody may not read, or
what goes on in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from sqlalchemy import update

from taskops_provider.models import EscapedRun, Operation
from tests.support.api import Api, fab_user, tasks, workflows
from tests.support.apps import WebApp, web_app
from tests.support.dialogs import ROOT, Dialogs
from tests.support.instances import write_runs
from tests.support.queries import counted_queries
from tests.support.warehouse import chain, install, operate

EDITOR = (
    ("can_read", "DAG:orders"),
    ("can_edit", "DAG:orders"),
    ("can_edit", "Task Instances"),
    ("can_create", "DAG Runs"),
    ("can_read", "DAG Runs"),
    ("can_edit", "DAG Runs"),
)
_RANGES = {"ranges": [{"from": "2026-01-01", "to": "2026-01-02"}], "cells": ["all"]}
#: of names, below ``{dag}``: there is one of them, which may not be read
REST: dict[str, dict[str, Any]] = {
    "tasks/pause": {"targets": tasks("{dag}.load")},
    "tasks/pause#preview": {"targets": tasks("{dag}.load"), "dry_run": True},
    "workflows/pause": {"targets": workflows("{dag}")},
    "replenishments/plan": {"tasks": tasks("{dag}.load"), **_RANGES},
    "replenishments": {"workflows": ["{dag}"], **_RANGES},
    "alarms/rules": {"dag_id": "{dag}", "task_id": "load", "kind": "failed", "recipients": {"owners": True}},
    "tasks/{dag}/load/instances/rerun": {"instances": [{"run_id": "run_0000"}]},
    "tasks/{dag}/load/instances/hold": {"instances": [{"run_id": "run_0000"}]},
    "workflows/{dag}/runs/hold": {"run_ids": ["run_0000"]},
}
READS = (
    "workflows/{dag}",
    "workflows/{dag}/diagram",
    "tasks/{dag}/load",
    "tasks/{dag}/load/why",
    "tasks/{dag}/load/lineage",
    "tasks/{dag}/load/instances",
    "tasks?dag_id={dag}",
    "holds?dag_id={dag}",
)
DIALOGS: dict[str, dict[str, str]] = {
    "change/tasks/pause": {"target": "{dag} load"},
    "change/workflows/pause": {"target": "{dag}"},
    "replenish/tasks": {"target": "{dag} load", "from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "cells": "all"},
    "replenish/workflows": {"target": "{dag}", "from": "2026-01-01T00:00", "to": "2026-01-02T00:00"},
    "alarm_rules/new/tasks": {"target": "{dag} load"},
    "instances/rerun": {"dag_id": "{dag}", "task_id": "load", "target": "-1 run_0000"},
}


@pytest.fixture
def fab(session) -> Iterator[WebApp]:
    install(session, [chain(dag_id, "extract", "clean", "load") for dag_id in ("orders", "vault")])
    with web_app("fab").active() as web:
        fab_user(web, "of_orders", *EDITOR)
        yield web


def filled(value: Any, dag_id: str) -> Any:
    if isinstance(value, dict):
        return {name: filled(one, dag_id) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, dag_id) for one in value]
    return value.replace("{dag}", dag_id) if isinstance(value, str) else value


def asked(web: WebApp, dag_id: str) -> dict[str, tuple[int, str, list[str]]]:
    """What is asked about a Dag -> status, text and what it took."""
    api, dialogs = Api(web, "of_orders"), Dialogs(web, "of_orders")
    found = {}

    def ask(name: str, method: str, address: str, **request: Any) -> None:
        with counted_queries() as statements:
            answer = api.client.request(method, address, **request)
        # whether permissions are in a cache of Airflow's does not depend on the Dag
        found[name] = (answer.status_code, re.sub(rf"\b{dag_id}\b", "{dag}", answer.text), list(statements))

    for path, body in REST.items():
        ask(path, "POST", f"/taskops/v1/{filled(path, dag_id).partition('#')[0]}", json=filled(body, dag_id))
    for path in READS:
        ask(path, "GET", f"/taskops/v1/{filled(path, dag_id)}")
    for path, fields in DIALOGS.items():
        ask(f"page {path}", "POST", f"{ROOT}/{path}", data=filled(fields, dag_id), headers=dialogs.headers)
    return found


def test_a_hidden_dag_is_refused_as_one_that_does_not_exist(fab):
    """The same words, the same status, and the same queries, for those take time."""
    asked(fab, "nowhere")
    hidden, nowhere = asked(fab, "vault"), asked(fab, "nowhere")
    assert {name: one[0] for name, one in hidden.items() if one != nowhere[name]} == {}
    assert {one[0] for one in hidden.values()} == {200, 404}


def test_the_hash_of_a_plan_does_not_count_operations_on_other_dags(fab, session):
    """Nor does anything else in a preview tell of them, and a plan that was seen before is still the same one."""
    paused = operate(session, "pause", "orders.clean").operation_id
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    plan = {"targets": tasks("orders.load"), "dry_run": True}
    form = {"target": "orders load"}
    api, dialogs = Api(fab, "of_orders"), Dialogs(fab, "of_orders")

    def seen() -> list[Any]:
        answers = [api.post(path, **plan) for path in ("tasks/pause", "tasks/offline")]
        answers.append(api.post("workflows/set-owners", targets=workflows("orders"), owners=["ann"], dry_run=True))
        instances = {"instances": [{"run_id": "run_0000"}], "dry_run": True}
        answers.append(api.post("tasks/orders/load/instances/rerun", **instances))
        answers.append(api.post("workflows/orders/runs/hold", run_ids=["run_0000"], dry_run=True))
        answers.append(api.post(f"operations/{paused}/undo", dry_run=True))
        return [*answers, dialogs.post("change/tasks/pause", **form).plan_hash]

    before = seen()
    for verb in ("pause", "start", "pause"):
        operate(session, verb, "vault.load")
    assert seen() == before
    # what changes a target since is named all the same
    number = operate(session, "set-owners", "orders.load", owners=["eve"]).operation_id
    operate(session, "pause", "orders.load")
    stale = {"targets": tasks("orders.load"), "plan_hash": before[0]["plan_hash"]}
    told = api.expect(409, "POST", "tasks/pause", json=stale)["difference"]
    assert [one["why"].rpartition(" ")[2] for one in told] == [f"{number + 1})"]
    assert session.get(Operation, number + 1).verb == "pause"


def test_runs_and_instances_are_not_told_by_holds_health_or_undo(fab, session):
    """Who reads a Dag and not its runs or instances: records of an undone hold, previews, and the checks of health."""
    write_runs(session, "orders", ["extract", "clean", "load"], range(1), "running")
    session.execute(update(DagRun).values(state="running"))
    now = datetime.now(UTC)
    for dag_id in ("orders", "vault"):
        escaped = {"found_at": now, "created_by": "trigger", "gated": 7, "executed": 8}
        session.add(EscapedRun(dag_id=dag_id, run_id=f"secret_of_{dag_id}", **escaped))
    session.commit()
    admin = Api(fab)
    undone = []
    for path, body in {
        "tasks/orders/load/instances/hold": {"instances": [{"run_id": "run_0000"}]},
        "workflows/orders/runs/hold": {"run_ids": ["run_0000"]},
    }.items():
        held = admin.post(path, **body)["operation_id"]
        undone += [held, admin.post(f"operations/{held}/undo")["operation_id"]]
    fab_user(fab, "changer", ("can_read", "DAG:orders"), ("can_edit", "DAG:orders"), ("can_edit", "DAG Runs"))
    blind, sees = Api(fab, "changer"), Api(fab, "of_orders")

    def records(api: Api) -> str:
        return str([api.get(f"operations/{number}") for number in undone])

    def previews(api: Api) -> str:
        return str([api.post("workflows/orders/runs/hold", run_ids=["run_0000"], dry_run=True)["items"]])

    assert "run_0000" in records(sees)
    assert "run_0000" not in records(blind)
    assert "of its instances" in previews(sees)
    assert "of its instances" not in previews(blind)
    assert "secret_of_orders" in str(sees.get("health/checks"))
    assert "secret_of_vault" not in str(sees.get("health/checks"))
    assert "secret_of" not in str(blind.get("health/checks"))
