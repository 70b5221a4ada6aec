"""A Dag that people paused stays paused for everybody but the replenishment, and no automatic act lifts their pause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG, Asset
from sqlalchemy import select, update

from taskops_provider.models import GateInterval, Task, Workflow
from taskops_provider.services.catalog.tasks import get_task
from taskops_provider.services.gate import advance_drains, sweep
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from tests.support.gates import resume_due_tasks
from tests.support.replenishing import World, days, make_runs
from tests.support.warehouse import ALICE, START, bash, chain, install, operate


def switch(session, paused: bool, dag_id: str = "d") -> None:
    """What a person does in Airflow."""
    session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=paused))
    session.commit()


def is_paused(session, dag_id: str = "d") -> bool:
    session.expire_all()
    return bool(session.scalars(select(DagModel.is_paused).where(DagModel.dag_id == dag_id)).one())


def is_woken(session, dag_id: str = "d") -> bool:
    session.expire_all()
    return session.scalars(select(Workflow.woken_at).where(Workflow.dag_id == dag_id)).one() is not None


def reached(world: World, day: int, dag_id: str = "d") -> None:
    """The scheduler creates the run of a day whatever we took away: a parse brought it back."""
    date = START + timedelta(days=day - 1)
    world.scheduler.create_run(dag_id, f"scheduled__{day}", logical_date=date, run_type="scheduled")


def play_rounds(world: World, number: int = 6) -> None:
    for _ in range(number):
        world.round()


@pytest.fixture
def woken(session) -> Any:
    """A Dag that a person paused, woken by a replenishment of its failed cell."""
    install(session, [chain("d", "a", "b", "c")])
    world = World(session, outcomes={"b": "failed"})
    make_runs(world, "d", 1, 2)
    world.scheduler.outcomes.clear()
    switch(session, True)
    world.number = world.create("d.b", ranges=[days(1, 2)])
    world.monitor()
    assert (is_paused(session), is_woken(session)) == (False, True)
    return world


class TestForeignRuns:
    def test_a_scheduled_run_waits_until_a_person_unpauses_the_dag(self, session, woken):
        reached(woken, 7)
        assert woken.play(woken.number).state == "success"
        play_rounds(woken)
        assert is_paused(session)
        assert set(woken.executed) == {("01-01", "b"), ("01-02", "b")}
        switch(session, False)
        play_rounds(woken, 12)
        assert {task_id for day, task_id in woken.executed if day == "01-07"} == {"a", "b", "c"}

    def test_nothing_of_it_executes_if_the_monitor_dies_after_the_wake(self, session, woken):
        reached(woken, 7)
        for _ in range(6):
            for run_id in session.scalars(select(DagRun.run_id).where(DagRun.state == "running")).all():
                woken.scheduler.schedule("d", run_id)
            woken.scheduler.work()
        assert not [key for key in woken.executed if key[0] == "01-07"]

    def test_one_that_assets_trigger(self, session):
        """Case 4."""
        with DAG("d", schedule=[Asset("s3://b/b")], start_date=START) as dag:
            bash("slow")
        install(session, [dag])
        world = World(session, outcomes={"slow": "failed"})
        world.scheduler.create_as("asset", "d")
        for run_id in session.scalars(select(DagRun.run_id)).all():
            world.scheduler.run_to_end("d", run_id)
        world.scheduler.outcomes.clear()
        world.scheduler.executed.clear()
        switch(session, True)
        today = datetime.now(UTC)
        whole = days(1, 1)._replace(first=today - timedelta(days=2), last=today)
        number = world.create("d.slow", ranges=[whole], cells="failed")
        world.monitor()
        second = world.scheduler.create_as("asset", "d")
        assert world.play(number).state == "success"
        assert second not in {run_id for run_id, _, _ in world.scheduler.executed}
        assert is_paused(session)

    def test_a_task_that_appears_while_a_workflow_drains(self, session):
        install(session, [chain("d", "a")])
        world = World(session)
        world.scheduler.create_run("d", "under_way")
        operate(session, "pause", "d")
        install(session, [chain("d", "a", "new")])
        reached(world, 7)
        world.scheduler.run_to_end("d", "scheduled__7")
        assert not [one for one in world.scheduler.executed if one[0] == "scheduled__7"]
        assert session.scalars(select(Workflow.draining_since)).one() is not None
        world.scheduler.run_to_end("d", "under_way")
        later = datetime.now(UTC) + timedelta(minutes=5)
        advance_drains.advance_drains(session, later)
        session.commit()
        assert is_paused(session)


class TestPersonsPauses:
    def test_one_set_while_the_dag_is_woken_is_kept(self, session, woken):
        switch(session, True)
        play_rounds(woken)
        assert (is_paused(session), dict(woken.executed)) == (True, {})
        assert "d was paused in Airflow after this replenishment was created" in (
            woken.show(woken.number).problem or ""
        )
        switch(session, False)
        assert woken.play(woken.number).state == "success"
        play_rounds(woken, 2)
        assert not is_paused(session)

    def test_one_set_during_a_replenishment_of_a_dag_that_was_not_paused(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.round()
        switch(session, True)
        play_rounds(world)
        assert is_paused(session)
        assert world.show(number).ended_at is None
        # who creates one now sees in its plan that the Dag is paused
        switch(session, False)
        assert world.play(number).state == "success"

    def test_resume_at_does_not_lift_it(self, session):
        install(session, [chain("d", "a", "b")])
        operate(session, "pause", "d.a", resume_at=datetime.now(UTC) + timedelta(seconds=1))
        switch(session, True)
        assert resume_due_tasks(session, datetime.now(UTC) + timedelta(hours=1))
        session.commit()
        assert is_paused(session)
        states = dict(session.execute(select(Task.task_id, Task.state)).all())
        assert states == {"a": "scheduling", "b": "scheduling"}

    def test_undo_does_not_lift_it(self, session):
        install(session, [chain("d", "a", "b")])
        operation = operate(session, "pause", "d.a").operation_id
        switch(session, True)
        undo(session, ALICE, operation)
        session.commit()
        assert is_paused(session)

    def test_ours_is_lifted(self, session):
        install(session, [chain("d", "a", "b")])
        operation = operate(session, "pause", "d").operation_id
        advance_drains.advance_drains(session, datetime.now(UTC))
        session.commit()
        assert is_paused(session)
        undo(session, ALICE, operation)
        session.commit()
        assert not is_paused(session)


class TestOperationsWhileWoken:
    def test_offline_of_a_task_leaves_the_pause(self, session, woken):
        operate(session, "offline", "d.c", downstream="skip")
        woken.play(woken.number)
        play_rounds(woken, 2)
        assert is_paused(session)

    def test_start_of_a_task_unpauses_for_good_and_keeps_the_others_paused(self, session, woken):
        operate(session, "start", "d.c")
        woken.play(woken.number)
        play_rounds(woken, 2)
        assert not is_paused(session)
        states = dict(session.execute(select(Task.task_id, Task.state)).all())
        assert states == {"a": "paused", "b": "paused", "c": "scheduling"}

    @pytest.mark.parametrize("way", ["resume_at", "undo", "sweep"])
    def test_a_held_task_of_a_foreign_run_waits_for_the_dag_if_it_is_started_automatically(self, session, way):
        """Its own gate is over, but for everybody the Dag is paused: so it waits as the rest of its run does."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session, outcomes={"b": "failed"})
        make_runs(world, "d", 1)
        world.scheduler.outcomes.clear()
        resume_at = datetime.now(UTC) + timedelta(minutes=5) if way == "resume_at" else None
        paused = operate(session, "pause", "d.a", downstream="hold", resume_at=resume_at).operation_id
        world.scheduler.create_run("d", "before", logical_date=START + timedelta(days=5))
        switch(session, True)
        number = world.create("d.b", ranges=[days(1, 1)])
        world.monitor()
        reached(world, 7)
        held = world.scheduler.states("d", "scheduled__7")
        if way == "resume_at":
            assert resume_due_tasks(session, resume_at + timedelta(minutes=1))
        elif way == "undo":
            undo(session, ALICE, paused)
        else:
            session.execute(update(GateInterval).values(to_at=datetime.now(UTC), held="run"))
            assert sweep.sweep_dag(session, "d", datetime.now(UTC))
        session.commit()
        assert is_woken(session)
        for _ in range(6):
            for run_id in ("before", "scheduled__7"):
                world.scheduler.schedule("d", run_id)
            world.scheduler.work()
        assert world.scheduler.states("d", "scheduled__7") == held
        # a run that was there before goes on while the Dag is awake, as its plan said
        assert ("01-06", "a") in world.executed

        assert world.play(number).state == "success"
        assert not [key for key in world.executed if key[0] == "01-07"]
        switch(session, False)
        play_rounds(world, 12)
        assert {task_id for day, task_id in world.executed if day == "01-07"} == {"a", "b", "c"}

    def test_it_shows_as_paused(self, session, woken):
        assert get_task(session, ALICE, "d", "a", datetime.now(UTC)).status == "paused"

    def test_cancel_puts_it_to_sleep(self, session, woken):
        control_replenishment(session, ALICE, woken.number, ControlVerb.CANCEL, datetime.now(UTC))
        session.commit()
        woken.monitor()
        assert (is_paused(session), is_woken(session)) == (True, False)

    def test_pausing_the_replenishment_puts_it_to_sleep(self, session, woken):
        control_replenishment(session, ALICE, woken.number, ControlVerb.PAUSE, datetime.now(UTC))
        session.commit()
        woken.monitor()
        assert is_paused(session)
        control_replenishment(session, ALICE, woken.number, ControlVerb.RESUME, datetime.now(UTC))
        session.commit()
        assert woken.play(woken.number).state == "success"
        assert session.scalars(select(TI.pool).where(TI.pool == "taskops_hold")).all() == []
