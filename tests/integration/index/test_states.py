"""The index and what people set: owners, states, gate intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.models import GateInterval, Owner, Task, Workflow
from taskops_provider.services.index.refresh import refresh
from tests.support.airflow_db import write_dags

START = datetime(2024, 1, 1, tzinfo=UTC)
TAKEN_OFFLINE = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _write_serialized_dags_at_once(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")


@pytest.fixture
def index(session):
    """Write a Dag of the tasks with the owners given, and refresh."""

    def write(**owner_by_task):
        with DAG("d", schedule=None, start_date=START) as dag:
            for task_id, owner in owner_by_task.items():
                EmptyOperator(task_id=task_id, owner=owner)
        write_dags([dag], session)
        change = refresh(session, datetime.now(UTC))
        session.commit()
        return change

    return write


def owners(session) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in session.scalars(select(Owner).order_by(Owner.task_id, Owner.owner)):
        found.setdefault(row.task_id, []).append(row.owner)
    return found


def task(session, task_id) -> Task:
    return session.scalars(select(Task).where(Task.task_id == task_id)).one()


def intervals(session, task_id) -> list[GateInterval]:
    query = select(GateInterval).where(GateInterval.task_id == task_id).order_by(GateInterval.id)
    return list(session.scalars(query))


def take_workflow_out(session, state="offline", downstream="run"):
    """What an operation on the whole workflow leaves, as far as the index looks at it."""
    session.execute(update(Workflow).values(default_state=state))
    session.add(
        GateInterval(dag_id="d", task_id="", state=state, downstream=downstream, from_at=TAKEN_OFFLINE, operation_id=7)
    )
    session.commit()


def test_owners_follow_the_file(session, index):
    index(a="zoe, bob,,zoe ", b="bob", c="amy")
    assert owners(session) == {"": ["amy", "bob", "zoe"], "a": ["bob", "zoe"], "b": ["bob"], "c": ["amy"]}
    index(a="zoe", b="bob")
    assert owners(session) == {"": ["bob", "zoe"], "a": ["zoe"], "b": ["bob"], "c": ["amy"]}


def test_owners_set_by_hand_stay(session, index):
    index(a="amy", b="bob")
    session.execute(update(Task).where(Task.task_id == "a").values(owners_operation_id=3))
    session.execute(update(Owner).where(Owner.task_id == "a").values(owner="hand"))
    session.commit()
    index(a="zoe", b="carl")
    assert owners(session) == {"": ["carl", "hand"], "a": ["hand"], "b": ["carl"]}
    session.execute(update(Workflow).values(owners_set=True))
    session.commit()
    index(a="zoe", b="dan")
    assert owners(session) == {"": ["carl", "hand"], "a": ["hand"], "b": ["dan"]}


def test_states_of_tasks_are_never_touched(session, index):
    index(a="amy", b="bob")
    values = {
        "state": "paused",
        "downstream": "hold",
        "reason": "why",
        "ticket": "T-1",
        "resume_at": TAKEN_OFFLINE,
        "state_operation_id": 4,
        "first_run_at": START,
    }
    session.execute(update(Task).where(Task.task_id == "a").values(values))
    session.execute(update(Workflow).values(draining_since=START, saved_create_after=START))
    session.commit()
    index(a="zoe", b="bob", c="bob")
    found = task(session, "a")
    assert {name: getattr(found, name) for name in values} == values
    row = session.scalars(select(Workflow)).one()
    assert (row.draining_since, row.saved_create_after) == (START, START)
    assert task(session, "c").state == "scheduling"
    assert intervals(session, "c") == []


@pytest.mark.parametrize("state", ["offline", "deleted"])
def test_a_new_task_of_an_offline_workflow_starts_offline(session, index, state):
    index(a="amy")
    take_workflow_out(session, state)
    index(a="amy", b="bob")
    new = task(session, "b")
    assert (new.state, new.downstream, new.state_operation_id, new.is_present) == ("offline", "run", 7, True)
    (interval,) = intervals(session, "b")
    assert (interval.state, interval.downstream, interval.operation_id) == ("offline", "run", 7)
    assert (interval.from_at, interval.to_at) == (TAKEN_OFFLINE, None)
    assert task(session, "a").state == "scheduling"
    assert intervals(session, "a") == []
    assert not refresh(session, datetime.now(UTC), force=True)
    assert len(intervals(session, "b")) == 1


def test_a_closed_interval_of_the_workflow_is_not_the_one(session, index):
    """Without an open interval of the workflow the default effect holds from now on."""
    index(a="amy")
    take_workflow_out(session)
    session.execute(update(GateInterval).values(to_at=TAKEN_OFFLINE + timedelta(days=1)))
    session.commit()
    before = datetime.now(UTC)
    index(a="amy", b="bob")
    (interval,) = intervals(session, "b")
    assert (interval.downstream, interval.operation_id, interval.to_at) == ("skip", None, None)
    assert interval.from_at >= before


@pytest.mark.parametrize("state", ["offline", "deleted"])
def test_an_offline_task_that_comes_back_is_as_it_was(session, index, state):
    index(a="amy", b="bob")
    session.execute(update(Task).where(Task.task_id == "b").values(state=state, downstream="fail"))
    take_workflow_out(session)
    index(a="amy")
    index(a="amy", b="bob")
    assert (task(session, "b").state, task(session, "b").downstream) == (state, "fail")
    assert intervals(session, "b") == []


def test_a_paused_task_that_comes_back_to_an_offline_workflow_is_offline(session, index):
    """It was away when the workflow went offline: it counts as a task that appears."""
    index(a="amy", b="bob")
    session.execute(
        update(Task)
        .where(Task.task_id == "b")
        .values(state="paused", downstream="hold", resume_at=TAKEN_OFFLINE, reason="why")
    )
    session.add(GateInterval(dag_id="d", task_id="b", state="paused", downstream="hold", from_at=START, operation_id=1))
    session.commit()
    index(a="amy")
    take_workflow_out(session)
    index(a="amy", b="bob")
    back = task(session, "b")
    assert (back.state, back.downstream, back.resume_at, back.state_operation_id) == ("offline", "run", None, 7)
    old, new = intervals(session, "b")
    assert (old.state, old.to_at is not None) == ("paused", True)
    assert (new.state, new.from_at, new.to_at) == ("offline", TAKEN_OFFLINE, None)
