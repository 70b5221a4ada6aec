"""Undo restores what an operation changed where nothing newer did (requirements 5, D4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from airflow.models.dag import DagModel
from airflow.sdk import DAG
from sqlalchemy import func, select, update

from taskops_provider.domain.operations.answers import Counts
from taskops_provider.exceptions import Conflict, Forbidden, OperationPlanChanged, ResourceNotFound
from taskops_provider.models import GateInterval, Operation, Task
from taskops_provider.services.catalog import tasks, workflows
from taskops_provider.services.gate import advance_drains
from taskops_provider.services.operations.undo import preview_undo, undo
from taskops_provider.services.shared.actor import Actor
from tests.support.gates import resume_due_tasks, settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, BOB, START, Limited, bash, install, later, operate, outcomes, retail, stored


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


@pytest.mark.parametrize("how", ["by us", "by a person"])
def test_a_pause_that_comes_back_is_whose_it_was(session, how):
    """A start of one task unpauses the Dag; undone, the pause is ours where nothing but our draining had paused it."""
    end = later(hours=1)
    if how == "by us":
        operate(session, "pause", "report", resume_at=end)
        advance_drains.advance_drains(session, later())
        with DAG("report", schedule=None, start_date=START) as dag:
            bash("render") >> bash("send")
            bash("new")
        install(session, [dag])
    else:
        operate(session, "pause", "report.render", resume_at=end)
        pause_by_hand(session)
    do_undo(session, operate(session, "start", "report.render").operation_id)
    assert is_paused(session)
    assert resume_due_tasks(session, later(hours=2))
    session.commit()
    assert is_paused(session) is (how == "by a person")


def pause_by_hand(session) -> None:
    session.execute(update(DagModel).where(DagModel.dag_id == "report").values(is_paused=True))
    session.commit()


def is_paused(session) -> bool:
    session.expire_all()
    return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == "report")))


@pytest.mark.parametrize("undos", [1, 3])
def test_a_pause_that_comes_back_fills_its_gap_at_its_end(session, undos):
    """The wish to fill it is part of what the pause was, also after an undo of an undo of an undo."""
    operate(session, "pause", "orders.clean", resume_at=later(hours=1), fill_gap=True)
    number = operate(session, "start", "orders.clean").operation_id
    for _ in range(undos):
        # nobody looks up who is at the command line before the gap is filled
        number = do_undo(session, number, replace(BOB, source="cli")).operation_id
    assert stored(session, "orders")["clean"] == "paused"
    assert resume_due_tasks(session, later(hours=2))
    session.commit()
    options = session.scalars(select(Operation.options).where(Operation.verb == "start").order_by(Operation.id)).all()
    assert [bool(each.get("fill_gap")) for each in options] == [False, True]


class EditAlone(Limited):
    """May edit both Dags; change instances and create runs in sales alone."""

    def may_create_runs(self, dag_id: str) -> bool:
        return dag_id == "sales"


EDITOR = Actor("editor", "api", EditAlone(["orders", "sales"], ["orders", "sales"]))
FILLS = "its pause fills the gap at its end, and you may not do that"


@pytest.mark.parametrize("undos", [0, 2])
def test_what_comes_back_needs_the_rights_of_what_it_will_do(session, undos):
    """Nobody has runs made by undoing the start of what fills its gap, who may make none."""
    operate(session, "pause", "orders.clean", "sales.sum", resume_at=later(hours=1), fill_gap=True)
    number = operate(session, "start", "orders.clean", "sales.sum").operation_id
    for _ in range(undos):
        number = do_undo(session, number).operation_id
    plan = preview_undo(session, EDITOR, number)
    assert outcomes(plan) == {"orders.clean": "blocked", "sales.sum": "applied"}
    assert plan.items[0].after == "scheduling"
    assert plan.items[0].reason.startswith(FILLS)
    assert outcomes(do_undo(session, number, EDITOR)) == outcomes(plan)
    assert (stored(session, "orders")["clean"], stored(session, "sales")["sum"]) == ("scheduling", "paused")
    assert session.get(Operation, number).undone_by_id is None
    # what is left is for somebody who may
    assert outcomes(do_undo(session, number))["orders.clean"] == "applied"


def test_it_is_refused_where_all_of_it_needs_more(session):
    operate(session, "pause", "orders.clean", resume_at=later(hours=1), fill_gap=True)
    number = operate(session, "start", "orders.clean").operation_id
    before = session.scalar(select(func.max(Operation.id)))
    with pytest.raises(Forbidden, match=f"nothing was done with orders clean: {FILLS}"):
        undo(session, EDITOR, number)
    assert session.scalar(select(func.max(Operation.id))) == before


def test_a_pause_whose_end_has_passed_or_that_fills_nothing_needs_to_edit_alone(session):
    operate(session, "pause", "orders.clean", resume_at=later(hours=1), fill_gap=True)
    operate(session, "pause", "orders.load", resume_at=later(hours=1))
    load = operate(session, "start", "orders.load").operation_id
    clean = operate(session, "start", "orders.clean").operation_id
    assert outcomes(do_undo(session, load, EDITOR)) == {"orders.load": "applied"}
    plan = undo(session, EDITOR, clean, now=later(hours=2))
    assert outcomes(plan) == {"orders.clean": "applied"}


def test_an_undo_ends_held_instances_only_for_who_may(session, monkeypatch):
    """The second undo takes the task offline, of which an instance waits since the first."""
    operate(session, "pause", "orders.clean", downstream="hold")
    offline = operate(session, "offline", "orders.clean", downstream="skip").operation_id
    number = do_undo(session, offline).operation_id
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    monkeypatch.setattr(EditAlone, "may_change_instances", lambda self, dag_id: False)
    with pytest.raises(Forbidden, match="instances wait in it that would end"):
        undo(session, EDITOR, number)
    assert outcomes(do_undo(session, number)) == {"orders.clean": "applied"}


def test_its_preview_shows_what_targets_are_now(session):
    """Targets that are left alone keep the status that they have, which is not what the operation made of them."""
    batch = operate(session, "offline", "orders.clean", "orders.load")
    operate(session, "submit", "orders.clean")
    plan = preview_undo(session, BOB, batch.operation_id)
    shown = {item.task_id: (item.outcome, item.before, item.after) for item in plan.items}
    assert shown == {
        "clean": ("left_alone", "scheduling", "scheduling"),
        "load": ("applied", "offline", "scheduling"),
    }


def test_undoing_owners_changes_no_status(session):
    done = operate(session, "set-owners", "orders.clean", owners=("bob",))
    operate(session, "pause", "orders.clean")
    [item] = preview_undo(session, BOB, done.operation_id).items
    assert (item.outcome, item.before, item.after) == ("applied", "paused", "paused")


def test_what_was_previewed_is_what_is_undone_or_nothing(session):
    batch = operate(session, "pause", "orders.clean", "orders.load")
    seen = preview_undo(session, BOB, batch.operation_id)
    assert seen.plan_hash
    newer = operate(session, "offline", "orders.load")
    with pytest.raises(OperationPlanChanged, match=f"operation {newer.operation_id}"):
        undo(session, BOB, batch.operation_id, expected_hash=seen.plan_hash)
    session.rollback()
    assert stored(session, "orders")["clean"] == "paused"
    now = preview_undo(session, BOB, batch.operation_id)
    assert undo(session, BOB, batch.operation_id, expected_hash=now.plan_hash).counts().applied == 1
