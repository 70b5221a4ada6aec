"""Who may not read runs and task instances does not read them through TaskOps (issue 12, S7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from sqlalchemy import select, update

from taskops_provider.models import ReplenishmentCell
from tests.support.alarming import became, look, rule
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.instances import run_id_of, write_runs
from tests.support.pages import get
from tests.support.warehouse import install, retail

READER = (("can_read", "DAG:orders"),)
EDITOR = (*READER, ("can_edit", "DAG:orders"))
ALL_DAGS = (("can_read", "DAGs"),)
OF_INSTANCES = (*READER, ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
#: person -> permissions, may read runs, may read instances
WHO: dict[str, tuple[Any, bool, bool]] = {
    "dag_reader": (READER, False, False),
    "dag_editor": (EDITOR, False, False),
    "all_dags_reader": (ALL_DAGS, False, False),
    "instances_reader": (OF_INSTANCES, True, True),
}
SECRET = "of-the-conf"


@pytest.fixture
def fab(session) -> Iterator[WebApp]:
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    with web_app("fab").active() as web:
        yield web


@pytest.mark.parametrize("who", WHO)
def test_runs_and_instances_need_their_own_right(fab, session, who):
    permissions, runs, instances = WHO[who]
    name, admin = fab_user(fab, who, *permissions), Api(fab)
    api = Api(fab, name)
    asked = {"tasks": tasks("orders.clean"), "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}], "cells": ["all"]}
    made = admin.post("replenishments", 201, **asked, conf={"key": SECRET})
    number, record = made["replenishment_id"], made["operation_id"]
    cell_ids = session.scalars(select(ReplenishmentCell.id)).all()
    session.execute(update(ReplenishmentCell).values(state="success"))
    session.execute(update(ReplenishmentCell).where(ReplenishmentCell.id.in_(cell_ids[::2])).values(state="failed"))
    session.commit()
    of_instances = [{"run_id": run_id_of(0)}]
    became(session, "orders.clean", "success")
    ended = admin.post("tasks/orders/clean/instances/set-failed", instances=of_instances)
    rule(session, "orders.clean")
    rule(session, "orders")
    became(session, "orders.load", "failed", 1)
    became(session, "orders.clean", "failed", 1)
    look(session)
    every = admin.get("alarms/events")["total_entries"]
    assert every

    conf = {"key": SECRET} if runs else None
    assert api.get(f"replenishments/{number}")["inputs"]["conf"] == conf
    assert api.get("replenishments")["replenishments"][0]["inputs"]["conf"] == conf
    assert api.get(f"operations/{record}")["options"]["conf"] == conf
    assert bool(api.get(f"replenishments/{number}/cells")["total_entries"]) is instances
    # what became of them, too
    shown, (listed,) = api.get(f"replenishments/{number}"), api.get("replenishments")["replenishments"]
    for one in (shown, listed):
        assert bool(one["counts"]["by_class"]) is instances
        assert any(one["counts"]["by_state"].values()) is instances
        assert (one["percent_complete"], one["percent_success"]) == ((100.0, 50.0) if instances else (0.0, 0.0))
    (workflow,) = shown["workflows"]
    assert (workflow["dag_id"], bool(workflow["by_state"])) == ("orders", instances)
    assert (workflow["percent_complete"], workflow["percent_success"]) == ((100.0, 50.0) if instances else (0.0, 0.0))
    assert api.get("alarms/events")["total_entries"] == (every if instances else 0)
    (item,) = api.get(f"operations/{ended['operation_id']}")["items"]
    assert [bool(item[key]) for key in ("before", "after", "reason")] == [instances] * 3

    pages = [
        f"replenishment?id={number}",
        "replenishments",
        f"operation?id={record}",
        f"operation?id={ended['operation_id']}",
        "operations",
        "alarms",
        "workflow?dag_id=orders",
        "task?dag_id=orders&task_id=clean",
        "task/why?dag_id=orders&task_id=clean",
    ]
    text = "".join(get(fab, f"/pluginsv2/taskops/{page}", name) for page in pages)
    assert (SECRET in text) is runs
    if not runs:
        assert run_id_of(0) not in text
        assert run_id_of(1) not in text


def test_a_preview_counts_no_instances_that_may_not_be_read(fab, session):
    became(session, "orders.clean", "running", end_date=None)
    session.execute(update(DagRun).values(state="running"))
    session.commit()
    editor = Api(fab, fab_user(fab, "dag_editor", *EDITOR))
    plan = {"targets": tasks("orders.clean"), "dry_run": True}
    assert Api(fab).post("tasks/pause", **plan)["affects"]["instances"] == 1
    assert editor.post("tasks/pause", **plan)["affects"]["instances"] == 0
