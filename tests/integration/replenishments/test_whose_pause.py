"""A Dag that people paused stays paused for everybody but the replenishment, and no automatic act lifts their pause."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from airflow.api.common.trigger_dag import trigger_dag
from airflow.models.backfill import Backfill, ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG, Asset
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select, update

from taskops_provider.models import GateInterval, Replenishment, Task, Workflow
from taskops_provider.services.catalog.tasks import get_task
from taskops_provider.services.gate import advance_drains, sweep
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from tests.support.airflow_db import serialized
from tests.support.gates import resume_due_tasks
from tests.support.replenishing import World, days, make_runs
from tests.support.warehouse import ALICE, START, bash, chain, install, later, operate


def switch(session, paused: bool, dag_id: str = "d") -> None:
    """What a person does in Airflow."""
    session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=paused))
    session.commit()


def trigger(session, run_id: str) -> None:
    """What a person does in Airflow."""
    trigger_dag("d", run_id=run_id, triggered_by=DagRunTriggeredByType.UI, session=session)
    # SQLite's now() has no fractions of a second
    session.execute(update(DagRun).where(DagRun.run_id == run_id).values(run_after=later(minutes=-1)))
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


def control(world: World, verb: ControlVerb) -> None:
    control_replenishment(world.session, ALICE, world.number, verb, datetime.now(UTC))
    world.session.commit()


def play_versions(world: World, number: int = 14) -> None:
    """Rounds in which the scheduler brings runs in line with the newest version of their Dag."""
    for _ in range(number):
        world.scheduler.start_by_limit("d")
        for run_id in world.session.scalars(select(DagRun.run_id).where(DagRun.state == "running")).all():
            world.scheduler.look("d", run_id)
        world.scheduler.work()
        world.monitor()


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

    def test_one_that_somebody_triggers_between_two_times_at_which_the_dag_is_awake(self, session, woken):
        """The plan did not speak of it; on a paused Dag it would stand still."""
        control(woken, ControlVerb.PAUSE)
        woken.monitor()
        trigger(session, "mine")
        control(woken, ControlVerb.RESUME)
        assert woken.play(woken.number).state == "success"
        play_rounds(woken)
        assert woken.scheduler.executed_tasks("mine") == []
        assert is_paused(session)
        switch(session, False)
        play_rounds(woken, 12)
        assert woken.scheduler.executed_tasks("mine") == ["a", "b", "c"]

    @pytest.mark.parametrize("way", ["start", "switch"])
    def test_one_goes_on_if_the_workflow_drains_right_after_its_dag_was_unpaused(self, session, woken, way):
        """No monitor has come round in between: what waited for the Dag is a run of before the pause."""
        trigger(session, "mine")
        control(woken, ControlVerb.CANCEL)
        woken.monitor()
        if way == "start":
            operate(session, "start", "d")
        else:
            switch(session, False)
        operate(session, "pause", "d", downstream="fail")
        play_rounds(woken, 12)
        assert woken.scheduler.executed_tasks("mine") == ["a", "b", "c"]

    def test_one_that_was_there_before_the_plan_goes_on(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        switch(session, True)
        trigger(session, "mine")
        world.play(world.create("d.a", ranges=[days(1, 2)]))
        assert world.scheduler.executed_tasks("mine")

    def test_a_task_that_a_new_version_brings_to_a_run_that_somebody_clears_meanwhile(self, session, woken):
        """The run was there before: held, the new task would keep it, and so the replenishment, from ending."""
        with DAG("d", schedule="@daily", start_date=START, catchup=False) as dag:
            bash("a") >> bash("b") >> bash("c")
            bash("new")
        install(session, [dag])
        serialized("d", session).clear(task_ids=["a"], run_id="scheduled__2", session=session)
        session.commit()
        play_versions(woken)
        assert woken.show(woken.number).state == "success"
        assert woken.executed["01-02", "new"] == 1

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

    def test_a_task_that_appears_in_a_queued_run_of_before(self, session):
        """Nobody has looked at the run yet, and it is none that Airflow created while the workflow drains."""
        install(session, [chain("d", "a")])
        world = World(session)
        world.scheduler.create_run("d", "queued").state = "queued"
        session.commit()
        operate(session, "pause", "d")
        install(session, [chain("d", "a", "new")])
        world.scheduler.start_queued("d", "queued")
        for _ in range(4):
            world.scheduler.look("d", "queued")
            world.scheduler.work()
        assert world.scheduler.executed_tasks("queued") == ["a", "new"]
        assert world.scheduler.run_state("d", "queued") == "success"


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

    def test_one_set_after_somebody_unpaused_a_drained_dag(self, session):
        """No replenishment is there to look at it."""
        install(session, [chain("d", "a")])
        world = World(session)
        operate(session, "pause", "d", resume_at=later(hours=1))
        world.monitor()
        install(session, [chain("d", "a", "new")])
        for paused in (False, True):
            switch(session, paused)
            world.monitor()
            assert is_paused(session) is paused
        assert resume_due_tasks(session, later(hours=2))
        session.commit()
        assert is_paused(session)

    def test_what_is_replenished_automatically_waits_for_it(self, session):
        """Nobody has seen a plan that says that the Dag is paused."""
        install(session, [chain("d", "a", "b")])
        world = World(session)
        operate(session, "pause", "d.a", resume_at=later(hours=1), fill_gap=True)
        make_runs(world, "d", 1)
        switch(session, True)
        assert resume_due_tasks(session, later(hours=2))
        session.commit()
        number = session.scalars(select(Replenishment.id)).one()
        play_rounds(world)
        assert (is_paused(session), dict(world.executed)) == (True, {})
        assert world.show(number).problem == "waits: d is paused in Airflow; unpause it to go on"
        switch(session, False)
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "a"): 1}

    def test_behind_somebodys_backfill_the_dag_is_not_woken(self, session):
        """Its queued run stands still while the Dag is paused, and the Dag is paused all the time."""
        install(session, [chain("d", "a", "b")])
        world = World(session)
        switch(session, True)
        backfill(START)
        number = world.create("d.b", ranges=[days(3, 4)])
        play_rounds(world)
        assert (is_paused(session), session.scalars(select(DagRun.state)).all()) == (True, ["queued"])
        assert not session.scalars(select(Log.event).where(Log.event == "taskops.woken")).all()
        assert world.show(number).problem == "waits: another backfill of d goes on"
        switch(session, False)
        play_rounds(world)
        # the scheduler notes it twice a minute
        session.execute(update(Backfill).values(completed_at=datetime.now(UTC)))
        session.commit()
        assert world.play(number).state == "success"


def backfill(day: datetime) -> None:
    """What a person does in Airflow."""
    _create_backfill(
        dag_id="d",
        from_date=day,
        to_date=day,
        max_active_runs=1,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name="carol",
        reprocess_behavior=ReprocessBehavior.NONE,
    )


class TestPausedBackfills:
    """Our backfills are Airflow's, and people pause them there."""

    def test_a_persons_pause_stays_and_is_told(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        pause_backfills(session, True)
        play_rounds(world)
        assert (backfills_paused(session), dict(world.executed)) == ([True], {})
        told = world.show(number).problem or ""
        assert re.fullmatch(r"waits: backfill \d+ of d was paused in Airflow; unpause it to go on", told)
        pause_backfills(session, False)
        assert world.play(number).state == "success"
        assert world.show(number).problem is None

    def test_resuming_the_replenishment_lifts_ours(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        control(world, ControlVerb.PAUSE)
        play_rounds(world, 3)
        assert (backfills_paused(session), dict(world.executed)) == ([True], {})
        control(world, ControlVerb.RESUME)
        assert world.play(world.number).state == "success"

    def test_its_window_lifts_ours_and_not_a_persons(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        noon = datetime.now(UTC).replace(hour=12)
        with time_machine.travel(noon, tick=True):
            world.create("d.a", ranges=[days(1, 9)], window="11:00-13:00")
            world.monitor()
        with time_machine.travel(noon + timedelta(hours=2), tick=True):
            world.monitor()
            play_rounds(world, 3)
            assert (backfills_paused(session), dict(world.executed)) == ([True], {})
        with time_machine.travel(noon + timedelta(hours=24), tick=True):
            world.monitor()
            play_rounds(world, 3)
            assert world.executed
            pause_backfills(session, True)
            play_rounds(world, 3)
            assert backfills_paused(session) == [True]


def pause_backfills(session, paused: bool) -> None:
    """What a person does in Airflow."""
    for backfill in session.scalars(select(Backfill)):
        backfill.is_paused = paused
    session.commit()


def backfills_paused(session) -> list[bool]:
    session.expire_all()
    return list(session.scalars(select(Backfill.is_paused)))


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

    def test_start_gives_the_dag_its_next_run_back(self, session, woken):
        planned = select(DagModel.next_dagrun_create_after)
        assert session.scalars(planned).all() == [None]
        operate(session, "start", "d")
        session.expire_all()
        assert session.scalars(planned).one() is not None
        assert session.scalars(select(Workflow.saved_create_after)).one() is None

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
