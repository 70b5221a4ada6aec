"""Cells are looked at again right before they execute, and the report tells what happened."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.backfill import Backfill
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import func, select, update

from taskops_provider.adapter import backfills
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from tests.support.airflow_db import serialized
from tests.support.replenishing import World, days, make_runs
from tests.support.warehouse import ALICE, chain, install, operate


def do(world: World, number: int, verb: str) -> None:
    control_replenishment(world.session, ALICE, number, ControlVerb(verb), datetime.now(UTC))
    world.session.commit()


def failed_runs(world: World, *numbers: int) -> None:
    world.scheduler.outcomes.update(b="failed")
    make_runs(world, "d", *numbers)
    world.scheduler.outcomes.clear()


def state_of(session, task_id: str, day: int = 1) -> str | None:
    session.expire_all()
    query = select(TI.state).where(TI.run_id == f"scheduled__{day}", TI.task_id == task_id)
    return session.scalars(query).one()


class TestWhatChangedSinceThePlan:
    @pytest.mark.parametrize("verb", ["offline", "delete"])
    def test_a_failed_cell_of_a_task_that_left_service_does_not_execute(self, session, verb):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1, 2)
        number = world.create("d.b", ranges=[days(1, 2)])
        operate(session, "offline", "d.b", downstream="run")
        if verb == "delete":
            operate(session, "delete", "d.b", downstream="run")
        shown = world.play(number)
        assert not world.executed
        assert (shown.state, shown.counts.by_state["cancelled"]) == ("failed", 2)

    def test_of_a_run_that_is_not_created_yet_neither(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.b", ranges=[days(1, 2)])
        operate(session, "offline", "d.b", downstream="skip")
        assert world.play(number).counts.by_state["cancelled"] == 2
        assert session.scalar(select(func.count()).select_from(DagRun)) == 0

    def test_a_cell_that_somebody_cleared_and_that_succeeded_does_not_execute_again(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1)
        number = world.create("d.b", ranges=[days(1, 1)])
        serialized("d", session).clear(task_ids=["b"], run_id="scheduled__1", session=session)
        session.commit()
        world.scheduler.start_queued("d", "scheduled__1")
        world.scheduler.run_to_end("d", "scheduled__1")
        assert world.executed["01-01", "b"] == 1
        shown = world.play(number)
        assert (shown.state, world.executed["01-01", "b"]) == ("success", 1)

    def test_a_held_cell_that_was_started_meanwhile_executes_once(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        operate(session, "pause", "d.b", downstream="hold")
        make_runs(world, "d", 1)
        number = world.create("d.b", ranges=[days(1, 1)])
        operate(session, "start", "d.b")
        shown = world.play(number)
        assert (shown.state, world.executed["01-01", "b"]) == ("success", 1)

    def test_what_was_skipped_for_a_gates_sake_does_not_skip_a_chosen_cell(self, session):
        """a(gated, skip) >> b >> c: b stays skipped in name, but c, which was chosen, executes."""
        install(session, [chain("d", "a", "b", "c", "e")])
        world = World(session)
        operate(session, "pause", "d.a", downstream="skip")
        make_runs(world, "d", 1)
        assert state_of(session, "b") == "skipped"
        shown = world.play(world.create("d.c", ranges=[days(1, 1)]))
        assert (shown.state, world.executed) == ("success", {("01-01", "c"): 1})

    def test_a_branch_that_was_not_chosen_is_no_success(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"a": "skipped"})
        make_runs(world, "d", 1)
        shown = world.play(world.create("d.b", ranges=[days(1, 1)], cells="all"))
        assert not world.executed
        assert (shown.state, shown.counts.by_state["skipped"]) == ("part_success", 1)

    def test_a_run_that_was_deleted(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        failed_runs(world, 1, 2)
        number = world.create("d.b", ranges=[days(1, 2)])
        session.delete(session.scalars(select(DagRun).where(DagRun.run_id == "scheduled__1")).one())
        session.commit()
        shown = world.play(number)
        assert (shown.state, world.executed) == ("part_success", {("01-02", "b"): 1})
        assert "scheduled__1: the run or its Dag was deleted" in (shown.problem or "")


class TestOneRunThatDoesNotEnd:
    def test_a_busy_run_is_passed_over(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        failed_runs(world, 1, 2, 3)
        number = world.create("d.b", ranges=[days(1, 5)])
        endless = update(DagRun).where(DagRun.run_id == "scheduled__1")
        session.execute(endless.values(state="running"))
        session.execute(update(TI).where(TI.run_id == "scheduled__1", TI.task_id == "a").values(state="deferred"))
        session.commit()
        for _ in range(40):
            world.round()
        assert world.show(number).counts.by_state == world.show(number).counts.by_state | {"success": 4, "waiting": 1}
        session.execute(update(TI).where(TI.run_id == "scheduled__1", TI.task_id == "a").values(state="success"))
        session.commit()
        assert world.play(number).state == "success"

    def test_one_in_which_only_others_are_left_keeps_nobody_waiting(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1, 2)
        number = world.create("d.b", ranges=[days(1, 2)])
        world.monitor()
        session.execute(update(TI).where(TI.run_id == "scheduled__1", TI.task_id == "c").values(state="deferred"))
        session.commit()
        for _ in range(12):
            world.round()
        assert world.show(number).counts.by_state["success"] == 2


class TestStopping:
    @pytest.mark.parametrize("verb", ["pause", "cancel"])
    def test_cleared_cells_of_a_queued_run_do_not_start(self, session, verb):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1)
        number = world.create("d.b", ranges=[days(1, 1)])
        world.monitor()
        assert (state_of(session, "b"), world.show(number).counts.by_state["active"]) == (None, 1)
        do(world, number, verb)
        for _ in range(4):
            world.round()
        assert not world.executed
        assert (state_of(session, "b"), state_of(session, "c")) == ("failed", "upstream_failed")
        assert session.scalars(select(DagRun.state)).one() == "failed"
        do(world, number, "resume" if verb == "pause" else "retry")
        assert world.play(number).state == "success"
        assert world.executed["01-01", "b"] == 1

    def test_gated_cells_are_gated_again(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        operate(session, "pause", "d.b", downstream="run")
        make_runs(world, "d", 1)
        operate(session, "start", "d.b")
        number = world.create("d.b", ranges=[days(1, 1)])
        world.monitor()
        do(world, number, "cancel")
        for _ in range(3):
            world.round()
        assert (world.show(number).state, dict(world.executed)) == ("cancelled", {})
        do(world, number, "retry")
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "b"): 1}

    def test_queued_runs_of_its_backfill_do_not_start_before_the_monitor_comes_round(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        do(world, number, "pause")
        assert session.scalars(select(Backfill.is_paused)).all() == [True]


class TestWhoMayPass:
    def test_a_forged_conf_opens_nothing(self, session):
        """Anybody who may backfill the Dag can name an old replenishment."""
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 1)])
        world.play(number)
        operate(session, "pause", "d.a")
        forged = Backfill(
            dag_id="d",
            from_date=datetime(2026, 1, 5, tzinfo=UTC),
            to_date=datetime(2026, 1, 5, tzinfo=UTC),
            max_active_runs=1,
            dag_run_conf={"taskops": {"replenishment": number}},
        )
        session.add(forged)
        session.flush()
        date = datetime(2026, 1, 5, tzinfo=UTC)
        cycle = Cycle(date, date, date, date)
        conf = {"taskops": {"replenishment": number}}
        backfills.make_run(session, serialized("d", session), cycle, forged.id, 1, conf=conf, user="eve")
        session.commit()
        pools = dict(session.execute(select(TI.task_id, TI.pool).where(TI.run_id.like("backfill__2026-01-05%"))).all())
        assert pools == {"a": "taskops_skip", "b": "default_pool"}
