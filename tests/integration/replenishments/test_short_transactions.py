"""What a replenishment does while it keeps all other writers waiting: as much for many runs as for few (K10)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import func, select, update

from taskops_provider.models import ReplenishmentCell
from taskops_provider.services.replenishments import make_runs, settle_runs
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.execute import advance_replenishments
from tests.support.queries import WriterTransaction, writer_transactions
from tests.support.replenishing import World, days
from tests.support.warehouse import ALICE, bash, chain, install

TASKS = 30


def wide(dag_id: str, **kwargs):
    """A Dag of tasks that do not wait for each other."""
    dag = chain(dag_id, "t00", **kwargs)
    with dag:
        for number in range(1, TASKS):
            bash(f"t{number:02}")
    return dag


def rounds(session, until) -> list[WriterTransaction]:
    """Play rounds, all that starts ending at once, until nothing is left; return what was done as the only writer."""
    with writer_transactions() as found:
        for _ in range(200):
            session.expire_all()
            advance_replenishments(session, datetime.now(UTC))
            if until():
                return found
            now = datetime.now(UTC)
            session.execute(update(TaskInstance).values(state="success", end_date=now, updated_at=now))
            session.execute(update(DagRun).values(state="success", end_date=now))
            session.commit()
    raise AssertionError("it does not end")


def counts(session) -> dict[str, int]:
    return dict(session.execute(select(ReplenishmentCell.state, func.count()).group_by(ReplenishmentCell.state)).all())


def largest(transactions: list[WriterTransaction]) -> tuple[int, int]:
    """(statements, rows) of the transactions with the most of each."""
    return max(len(one.statements) for one in transactions), max(one.rows for one in transactions)


def played(session, first: int, last: int) -> tuple[int, int]:
    world = World(session)
    before = counts(session).get("success", 0)
    number = world.create("d", ranges=[days(first, last)], max_active_runs=16)
    found = rounds(session, lambda: world.show(number).ended_at)
    assert counts(session)["success"] == before + (last - first + 1) * TASKS
    return largest(found)


def test_creating_and_settling_runs_takes_as_much_at_a_time_for_many_as_for_few(session):
    install(session, [wide("d")])
    few = played(session, 1, 10)
    many = played(session, 11, 60)
    assert many[0] <= few[0] + 2
    # next to the cells their runs and backfills are written
    assert many[1] <= 1.2 * settle_runs.CELLS_A_TURN


def test_no_turn_creates_more_instances_than_it_may(session, monkeypatch):
    monkeypatch.setattr(make_runs, "INSTANCES_A_TURN", 2 * TASKS)
    monkeypatch.setattr(settle_runs, "CELLS_A_TURN", 2 * TASKS)
    install(session, [wide("d")])
    world = World(session)
    number = world.create("d", ranges=[days(1, 20)], max_active_runs=16)
    found = rounds(session, lambda: world.show(number).ended_at)
    created = [sum(one.startswith("INSERT INTO dag_run ") for one in each.statements) for each in found]
    assert (max(created), sum(created)) == (2, 20)
    settled = [
        each for each in found if any(one.startswith("UPDATE taskops_replenishment_cell") for one in each.statements)
    ]
    assert max(each.rows for each in settled) < 8 * TASKS
    assert counts(session) == {"success": 20 * TASKS}


def test_a_run_that_is_larger_than_a_turn_is_created_whole(session, monkeypatch):
    monkeypatch.setattr(make_runs, "INSTANCES_A_TURN", 5)
    monkeypatch.setattr(settle_runs, "CELLS_A_TURN", 5)
    install(session, [wide("d")])
    assert played(session, 1, 3)


@pytest.mark.parametrize("verb", [ControlVerb.PAUSE, ControlVerb.CANCEL])
def test_stopping_a_replenishment_takes_as_many_statements_for_many_runs_as_for_few(session, verb):
    install(session, [wide("d"), wide("e")])
    world = World(session)
    taken = []
    for dag_id, last in (("d", 10), ("e", 100)):
        number = world.create(dag_id, ranges=[days(1, last)], max_active_runs=4)
        advance_replenishments(session, datetime.now(UTC))
        with writer_transactions() as found:
            control_replenishment(session, ALICE, number, verb, datetime.now(UTC))
            session.commit()
        taken.append(largest(found)[0])
    assert taken[1] <= taken[0] + 2


def test_waiting_replenishments_cost_no_query_each(session):
    install(session, [wide("d"), wide("e")])
    session.execute(update(DagModel).values(is_paused=True))
    world = World(session)
    world.create("e", ranges=[days(1, 9)])
    advance_replenishments(session, datetime.now(UTC))  # e is awake from now on
    taken = []
    for more in (2, 10):
        for _ in range(more):
            number = world.create("d", ranges=[days(1, 2)])
            control_replenishment(session, ALICE, number, ControlVerb.PAUSE, datetime.now(UTC))
            session.commit()
        with writer_transactions() as found:
            advance_replenishments(session, datetime.now(UTC))
        # what is not done for one of them: heeding people's pauses, pausing again
        taken.append((len(found[0].statements), len(found[-1].statements)))
    assert taken[0] == taken[1]
