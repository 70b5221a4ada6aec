"""What somebody may not read changes nothing of what they see, field by field (issue 12).

Everything is read twice, before and after something came into being that they may not read: both readings are alike.
For somebody who may read it they differ.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from taskops_provider.models import AlarmDelivery, AssetRef, Edge, Operation, OperationItem, Task, Workflow
from taskops_provider.services.exports.rights import ExportRights
from tests.support.alarming import became, look, rule, send
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.exports import prepare
from tests.support.instances import write_runs
from tests.support.warehouse import chain, install, operate

READER = tuple(("can_read", f"DAG:{dag_id}") for dag_id in ("orders", "sales"))
EDITOR = (*READER, ("can_edit", "DAG:orders"))
INSTANCES = ("can_read", "DAG Runs")
ASSETS = ("can_read", "Assets")
DEPENDENCIES = ("can_read", "DAG Dependencies")
ALL = (*EDITOR, INSTANCES, ASSETS, DEPENDENCIES)
REST = (
    "workflows",
    "workflows?order_by=-status",
    "workflows/orders",
    "workflows/orders/diagram",
    "tasks",
    "tasks?order_by=first_run_at",
    "tasks?order_by=-first_run_at",
    "tasks?source_table=s3",
    "tasks/orders/clean",
    "tasks/orders/clean/lineage?depth=5",
    "tasks/orders/clean/why",
    "operations",
    "operations?outcome=success",
    "operations/{operation}",
    "replenishments",
    "replenishments/{replenishment}",
    "replenishments/{replenishment}/cells",
    "alarms/events",
    "alarms/rules",
    "settings/strict-mode",
)
PAGES = (
    "workflows",
    "tasks",
    "tasks?sort=-first_run_at",
    "folders",
    "workflow?dag_id=orders",
    "workflow/summary?dag_id=orders",
    "workflow/bar?dag_id=orders",
    "diagram?dag_id=orders",
    *(f"task?dag_id=orders&task_id=clean&view={view}" for view in ("info", "lineage", "lineage&mode=list")),
    "task/why?dag_id=orders&task_id=clean",
    "operations",
    "operation?id={operation}",
    "replenishments",
    "replenishment?id={replenishment}",
    "alarms",
    "settings",
)
#: what is another one in each answer, and ages
_VARIES = re.compile(r'CSRF[^>]*>|nonce="[^"]*"|name="\w*token"[^>]*>|seen [^;<]* ago|refreshed [^;<:]* ago')


@pytest.fixture
def fab(session) -> Iterator[WebApp]:
    install(session, [chain("orders", "extract", "clean", "load"), chain("sales", "sum", "tell")])
    with web_app("fab").active() as web:
        yield web


@pytest.fixture
def numbers(fab: WebApp, session: Session) -> dict[str, int]:
    """A record and a replenishment; the Dag drains, and one of its tasks is paused."""
    asked = {"tasks": tasks("orders.load"), "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}], "cells": ["all"]}
    made = Api(fab).post("replenishments", 201, **asked)
    done = operate(session, "pause", "orders.clean", downstream="hold")
    session.execute(update(Workflow).values(draining_since=datetime(2026, 1, 1, tzinfo=UTC)))
    session.commit()
    rule(session, "orders.load")
    return {"replenishment": made["replenishment_id"], "operation": done.operation_id or 0}


def everything(fab: WebApp, session: Session, name: str, numbers: dict[str, int]) -> dict[str, Any]:
    """All that somebody reads: address -> status and text."""
    api, client = Api(fab, name), fab.client(name)
    found = {}
    for path in REST:
        answer = api.ask("GET", path.format(**numbers))
        found[path] = (answer.status_code, answer.text)
    for page in PAGES:
        answer = client.get(f"/pluginsv2/taskops/{page.format(**numbers)}", headers={"HX-Request": "true"})
        found[f"page {page}"] = (answer.status_code, _VARIES.sub("", answer.text))
    for verb, body in {"pause": {}, "start": {}, "offline": {"downstream": "run"}}.items():
        plan = {"targets": tasks("orders.extract"), "dry_run": True, **body}
        answer = api.ask("POST", f"tasks/{verb}", json=plan)
        told = json.loads(answer.text)
        told.pop("plan_hash", None)
        found[f"plan {verb}"] = (answer.status_code, told)
    return found


def runs_come(session: Session) -> None:
    """Runs, instances, when tasks first ran, what was ended, what waits, an alarm."""
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    write_runs(session, "orders", ["extract", "clean", "load"], [2], "running")
    session.execute(update(DagRun).where(DagRun.run_id == "run_0002").values(state="running"))
    session.execute(update(Task).where(Task.task_id == "clean").values(first_run_at=datetime(2026, 1, 5, tzinfo=UTC)))
    session.execute(update(Task).where(Task.task_id == "load").values(first_run_at=datetime(2026, 1, 4, tzinfo=UTC)))
    session.execute(update(Operation).where(Operation.verb == "pause").values(instances_ended=3))
    session.commit()
    became(session, "orders.load", "failed", 1)
    look(session)


def assets_come(session: Session) -> None:
    """Tables that tasks read and write."""
    rows = [
        ("clean", "inlet", "s3://lake/in"),
        ("clean", "outlet", "s3://lake/out"),
        ("load", "inlet", "s3://lake/out"),
    ]
    session.execute(
        insert(AssetRef), [{"dag_id": "orders", "task_id": t, "direction": d, "asset": a} for t, d, a in rows]
    )
    session.commit()


def dependencies_come(session: Session) -> None:
    """Another Dag, which may be read too, waits for tasks of the Dag, and the other way round."""
    for up, down in ((("orders", "load"), ("sales", "sum")), (("sales", "tell"), ("orders", "extract"))):
        session.add(
            Edge(
                source_dag_id=down[0],
                up_dag_id=up[0],
                up_task_id=up[1],
                down_dag_id=down[0],
                down_task_id=down[1],
                kind="sensor",
            )
        )
    session.commit()


def _difference(before: Any, after: Any) -> list[str]:
    lines = difflib.unified_diff(*(str(one[1]).splitlines() for one in (before, after)), lineterm="", n=0)
    return [f"{before[0]} {after[0]}", *(line[:300] for line in lines)][:12]


@pytest.mark.parametrize(
    ("came", "right"), [(runs_come, INSTANCES), (assets_come, ASSETS), (dependencies_come, DEPENDENCIES)]
)
def test_what_may_not_be_read_changes_nothing_that_is_seen(
    fab, session, numbers, came: Callable[[Session], None], right
):
    without = fab_user(fab, f"lacks {right[1]}", *(one for one in ALL if one != right))
    with_it = fab_user(fab, "editor with all rights", *ALL)
    before = {name: everything(fab, session, name, numbers) for name in (without, with_it)}
    came(session)
    after = {name: everything(fab, session, name, numbers) for name in (without, with_it)}
    changed = {
        name: [path for path in before[name] if before[name][path] != after[name][path]] for name in (without, with_it)
    }
    assert {path: _difference(before[without][path], after[without][path]) for path in changed[without]} == {}
    assert len(changed[with_it]) > 3, "the readings do not reach it"
    assert all(status == 200 for status, _ in before[with_it].values())


def test_a_dag_whose_tasks_may_not_be_read_is_not_there(fab, session, numbers):
    """Airflow shows such a person the Dag's name and schedule; TaskOps shows tasks, and nothing of it."""
    api = Api(fab, fab_user(fab, "of_dags_alone", *EDITOR, reads_tasks=False))
    assert fab.client("of_dags_alone").get("/api/v2/dags/orders").status_code == 200
    assert fab.client("of_dags_alone").get("/api/v2/dags/orders/tasks").status_code == 403
    for path in ("workflows", "tasks", "operations"):
        api.refused(403, "GET", path)
    for path in ("workflows/orders", "tasks/orders/clean", "tasks/orders/clean/lineage"):
        assert api.ask("GET", path).status_code in (403, 404)
    assert api.ask("POST", "tasks/pause", json={"targets": tasks("orders.load")}).status_code in (403, 404)
    assert api.ask("POST", "tasks/pause", json={"targets": tasks("orders.nothing")}).status_code in (403, 404)


def test_a_download_holds_what_may_be_read(fab, session):
    runs_come(session)
    assets_come(session)
    limited, whole = (Api(fab, fab_user(fab, name, *may)) for name, may in {"limited": READER, "whole": ALL}.items())
    for api, told in ((limited, False), (whole, True)):
        number = api.post("exports", 202, kind="tasks", format="json")["export_id"]
        prepare(session)
        rows = {row["task_id"]: row for row in api.get(f"exports/{number}/content")}
        assert bool(rows["clean"]["first_run_at"]) is told
        assert bool(rows["clean"]["source_tables"]) is told


def test_a_download_is_for_who_may_still_read_what_it_holds():
    everything_ = ExportRights(None, None, None, assets=True)
    some = ExportRights(frozenset("ab"), frozenset("a"), frozenset("a"), assets=False)
    assert everything_.for_table() is None
    for rights in (everything_, some):
        assert ExportRights.stored(rights.for_table()) == rights
        assert rights.is_within(everything_)
    assert not everything_.is_within(some)
    assert not some.is_within(ExportRights(frozenset("ab"), frozenset(), frozenset("a"), assets=True))
    # what an older version kept: the Dags alone, with all that there was of them
    older = ExportRights.stored(["a", "b"])
    assert not older.is_within(some)
    assert older.is_within(everything_)


def test_hidden_dags_are_told_of_as_one(fab, session):
    """Neither lineage nor a blocked task tells how many there are."""
    install(session, [chain("orders", "extract", "clean", "load"), *(chain(f"hidden_{n}", "a", "b") for n in range(3))])
    for number in range(3):
        session.add(
            Edge(
                source_dag_id=f"hidden_{number}",
                up_dag_id="orders",
                up_task_id="load",
                down_dag_id=f"hidden_{number}",
                down_task_id="a",
                kind=("sensor", "marker", "trigger")[number],
            )
        )
    session.commit()
    Api(fab).expect(200, "PUT", "settings/strict-mode", json={"project": None, "strict_mode": True})
    name = fab_user(fab, "editor of orders", ("can_read", "DAG:orders"), ("can_edit", "DAG:orders"), DEPENDENCIES)
    api, client = Api(fab, name), fab.client(name)
    (item,) = api.post("tasks/pause", targets=tasks("orders.load"), dry_run=True)["items"]
    assert item["blocked_by"] == [{"dag_id": None, "task_id": None, "name": "others that you may not see"}]
    # an admin's record names them; a limited reader is told of one
    done = Api(fab).post("tasks/pause", targets=tasks("orders.load"))
    assert len(done["items"][0]["blocked_by"]) == 3
    (item,) = api.get(f"operations/{done['operation_id']}")["items"]
    assert len(item["blocked_by"]) == 1
    kept = session.scalars(select(OperationItem).where(OperationItem.operation_id == done["operation_id"])).one()
    assert len(kept.blocked_by) == 3
    for mode, words in {"list": "Others that you may not see", "diagram": ">Not visible"}.items():
        page = client.get(f"/pluginsv2/taskops/task?dag_id=orders&task_id=load&view=lineage&mode={mode}&depth=all").text
        assert "hidden_" not in page
        assert page.count(words) == 1, re.findall(r"[^<>]*(?:may not|visible)[^<>]*", page)
        assert "2 tasks around it" in page, "those that may be seen"


def test_numbers_of_messages_do_not_tell_that_a_name_has_an_address(fab, session):
    rule(session, "orders.load", recipients={"users": ["viewer"], "addresses": ["ops@example.com", "two@example.com"]})
    write_runs(session, "orders", ["load"], range(2))
    became(session, "orders.load", "failed", 1)
    look(session)
    send()
    name = fab_user(fab, "instances reader", *READER, INSTANCES)
    (event,) = Api(fab, name).get("alarms/events")["events"]
    assert [one["delivery_id"] for one in event["deliveries"]] == [None, None]
    (whole,) = Api(fab).get("alarms/events")["events"]
    assert [one["delivery_id"] for one in whole["deliveries"]] == sorted(session.scalars(select(AlarmDelivery.id)))
