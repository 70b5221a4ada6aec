"""Undo restores what an operation changed where nothing newer did (requirements 5, D4)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from taskops_provider.domain.operations.answers import Counts
from taskops_provider.exceptions import Conflict, ResourceNotFound
from taskops_provider.models import GateInterval, Operation, Task
from taskops_provider.services.catalog import tasks, workflows
from taskops_provider.services.operations.undo import preview_undo, undo
from tests.support.warehouse import ALICE, BOB, install, later, operate, outcomes, retail, stored


@pytest.fixture
def session(session):
    install(session, retail())
    return session


def do_undo(session, operation_id, actor=BOB):
    plan = undo(session, actor, operation_id)
    session.commit()
    return plan


def open_gates(session) -> dict[str, str]:
    query = select(GateInterval.dag_id, GateInterval.task_id, GateInterval.downstream).where(
        GateInterval.to_at.is_(None)
    )
    return {f"{row.dag_id}.{row.task_id}": row.downstream for row in session.execute(query)}


def test_a_batch_comes_back_with_everything_it_had(session):
    first = operate(session, "pause", "orders.clean", downstream="hold", reason="feed", resume_at=later(days=1))
    batch = operate(session, "offline", "orders", downstream="fail")
    assert open_gates(session) == {
        "orders.clean": "fail",
        "orders.extract": "fail",
        "orders.load": "fail",
        "orders.": "fail",
    }
    plan = do_undo(session, batch.operation_id)
    assert plan.counts() == Counts(applied=3, left_alone=0, blocked=0)
    assert stored(session, "orders") == {"clean": "paused", "extract": "scheduling", "load": "scheduling"}
    assert open_gates(session) == {"orders.clean": "hold"}
    task = session.get(Task, ("orders", "clean"))
    assert (task.downstream, task.reason) == ("hold", "feed")
    assert task.resume_at > later(hours=1)
    record = session.get(Operation, batch.operation_id)
    assert record.undone_by_id == plan.operation_id
    assert first.operation_id != plan.operation_id


def test_what_changed_since_is_left_alone(session):
    batch = operate(session, "pause", "orders.clean", "orders.load")
    newer = operate(session, "offline", "orders.load")
    plan = do_undo(session, batch.operation_id)
    assert outcomes(plan) == {"orders.clean": "applied", "orders.load": "left_alone"}
    [left] = [i for i in plan.items if i.outcome == "left_alone"]
    assert left.reason == f"changed since by operation {newer.operation_id}"
    assert stored(session, "orders") == {"clean": "scheduling", "extract": "scheduling", "load": "offline"}


def test_an_undo_can_be_undone(session):
    paused = operate(session, "pause", "orders.clean", downstream="run", reason="r")
    undone = do_undo(session, paused.operation_id)
    again = do_undo(session, undone.operation_id)
    assert again.counts().applied == 1
    assert stored(session, "orders")["clean"] == "paused"
    assert session.get(Task, ("orders", "clean")).reason == "r"
    assert open_gates(session) == {"orders.clean": "run"}


def test_owners_come_back(session):
    changed = operate(session, "set-owners", "orders.clean", owners=["carol"])
    workflow = operate(session, "set-owners", "orders", owners=["dave"])
    do_undo(session, changed.operation_id)
    do_undo(session, workflow.operation_id)
    now = later()
    assert tasks.get_task(session, ALICE, "orders", "clean", now).owners == ["ann", "bob"]
    assert workflows.get_workflow(session, ALICE, "orders", now).owners == ["ann", "bob"]


def test_it_is_refused_in_one_line(session):
    with pytest.raises(ResourceNotFound, match="operation 9999999 does not exist"):
        undo(session, ALICE, 9999999)
    session.rollback()
    refused = operate(session, "start", "orders.clean")
    with pytest.raises(Conflict, match="changed nothing"):
        undo(session, ALICE, refused.operation_id)
    session.rollback()
    paused = operate(session, "pause", "orders.clean")
    do_undo(session, paused.operation_id)
    with pytest.raises(Conflict, match="was undone already"):
        undo(session, ALICE, paused.operation_id)


def test_its_preview_changes_nothing(session):
    paused = operate(session, "pause", "orders.clean")
    plan = preview_undo(session, ALICE, paused.operation_id)
    assert outcomes(plan) == {"orders.clean": "applied"}
    assert plan.items[0].after == "scheduling"
    session.commit()
    assert stored(session, "orders")["clean"] == "paused"


def test_undoing_a_deleted_workflow_brings_it_back_offline(session):
    operate(session, "offline", "report")
    deleted = operate(session, "delete", "report", downstream="run")
    do_undo(session, deleted.operation_id)
    assert set(stored(session, "report").values()) == {"offline"}
    row = workflows.get_workflow(session, ALICE, "report", later())
    assert (row.status, row.is_deleted) == ("all_offline", False)
