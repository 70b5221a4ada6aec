"""Cells are looked at again right before they execute, and the report tells what happened."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.api.common.delete_dag import delete_dag
from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG
from sqlalchemy import func, select, update

from taskops_provider.adapter import backfills
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from tests.support.airflow_db import serialized, spoil
from tests.support.replenishing import World, days, make_runs
from tests.support.warehouse import ALICE, START, bash, chain, install, operate


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

    @pytest.mark.parametrize("again", ["cleared", "created again"])
    def test_a_done_cell_that_executed_since_does_not_execute_again(self, session, again):
        """With ``all`` it was to execute once, and it has."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        make_runs(world, "d", 1, 2)
        number = world.create("d.b", ranges=[days(1, 2)], cells="all")
        if again == "cleared":
            serialized("d", session).clear(task_ids=["b"], run_id="scheduled__1", session=session)
            session.commit()
            world.scheduler.start_queued("d", "scheduled__1")
            world.scheduler.run_to_end("d", "scheduled__1")
        else:
            session.delete(session.scalars(select(DagRun).where(DagRun.run_id == "scheduled__1")).one())
            session.commit()
            make_runs(world, "d", 1)
            world.scheduler.executed.append(("scheduled__1", "b", -1))
        shown = world.play(number)
        assert (shown.state, shown.counts.by_state["success"]) == ("success", 2)
        assert world.executed == {("01-01", "b"): 1, ("01-02", "b"): 1}

    def test_a_done_cell_that_a_person_marked_executes(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        make_runs(world, "d", 1)
        number = world.create("d.a", ranges=[days(1, 1)], cells="all")
        serialized("d", session).clear(task_ids=["a"], run_id="scheduled__1", session=session)
        session.execute(update(TI).where(TI.task_id == "a").values(state="success"))
        session.execute(update(DagRun).values(state="success"))
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "a"): 1}

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
        assert world.show(number).problem == "waits: d scheduled__1 has not ended"
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

    def test_one_for_which_others_leave_no_room_says_so(self, session):
        """The last of several runs may go on for ever: it is held, say."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1, 2)
        session.execute(update(DagModel).values(max_active_runs=1))
        session.execute(update(DagRun).where(DagRun.run_id == "scheduled__2").values(state="running"))
        session.execute(update(TI).where(TI.run_id == "scheduled__2", TI.task_id == "c").values(state="deferred"))
        number = world.create("d.b", ranges=[days(1, 1)])
        for _ in range(3):
            world.round()
        shown = world.show(number)
        assert (shown.state, shown.problem) == (
            "running",
            "waits: d has as many running runs as it may have (1); one of them has to end",
        )
        session.execute(update(TI).where(TI.run_id == "scheduled__2", TI.task_id == "c").values(state="success"))
        shown = world.play(number)
        assert (shown.state, shown.problem) == ("success", None)

    @pytest.mark.parametrize("way", ["ended while it was paused", "cancelled in Airflow"])
    def test_one_of_a_backfill_that_is_over_but_paused_starts(self, session, way):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"b": "failed"})
        number = world.create("d", ranges=[days(1, 1)])
        world.monitor()
        if way == "ended while it was paused":
            world.scheduler.start_queued_runs()
            do(world, number, "pause")
            session.execute(update(Backfill).values(is_paused=True))
            assert world.play(number).state == "part_success"
        else:
            assert world.play(number).state == "part_success"
            session.execute(update(Backfill).values(is_paused=True))
        world.scheduler.outcomes.clear()
        shown = world.play(world.create("d.b", ranges=[days(1, 1)]))
        assert (shown.state, world.executed["01-01", "b"]) == ("success", 2)
        assert not session.scalars(select(Backfill.id).where(Backfill.is_paused.is_(True))).all()

    def test_one_of_a_backfill_that_somebody_paused_says_so(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"b": "failed"})
        assert world.play(world.create("d", ranges=[days(1, 1)])).state == "part_success"
        number = world.create("d.b", ranges=[days(1, 1)])
        session.execute(update(Backfill).values(is_paused=True, completed_at=None))
        session.commit()
        for _ in range(3):
            world.round()
        backfill = session.scalars(select(Backfill.id)).one()
        assert (
            world.show(number).problem == f"waits: backfill {backfill} of d is paused in Airflow; unpause it to go on"
        )

    def test_who_comes_after_another_replenishment_says_so(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        first, second, third = (world.create("d.a", ranges=[days(1, day)]) for day in (3, 4, 5))
        world.monitor()
        shown = [world.show(number).problem for number in (first, second, third)]
        assert shown == [None, *(f"waits its turn: replenishment {first} has d first" for _ in (second, third))]
        assert [world.play(number).problem for number in (first, second, third)] == [None] * 3
        assert set(world.executed.values()) == {1}

    @pytest.mark.parametrize("what", ["run", "Dag"])
    def test_what_is_deleted_while_it_is_under_way_says_why(self, session, what):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 2)])
        world.monitor()
        if what == "run":
            session.delete(session.scalars(select(DagRun).order_by(DagRun.logical_date)).first())
        else:
            session.execute(update(DagRun).values(state="failed"))
            delete_dag("d", session=session)
        session.commit()
        shown = world.play(number)
        assert shown.state == ("part_success" if what == "run" else "failed")
        assert "the run or its Dag was deleted" in (shown.problem or "")

    def test_retry_creates_a_run_again_that_was_deleted(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 2)])
        world.monitor()
        session.delete(session.scalars(select(DagRun).order_by(DagRun.logical_date)).first())
        session.commit()
        assert world.play(number).state == "part_success"
        do(world, number, "retry")
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "a"): 1, ("01-02", "a"): 1}

    @pytest.mark.parametrize("effect", ["skip", "run", "fail"])
    @pytest.mark.parametrize("state", ["queued", "running"])
    def test_what_an_operation_ended_counts_neither_as_success_nor_as_skipped_by_airflow(self, session, effect, state):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        failed_runs(world, 1)
        number = world.create("d.b", ranges=[days(1, 1)])
        world.monitor()
        session.execute(update(TI).where(TI.task_id == "b").values(state=state, start_date=datetime.now(UTC)))
        session.execute(update(DagRun).values(state="running"))
        session.commit()
        operate(session, "pause", "d.b", downstream=effect, terminate_instances=True)
        shown = world.play(number)
        assert (shown.state, shown.counts.by_state["cancelled"]) == ("failed", 1)

    def test_of_two_over_the_same_cells_each_executes_once(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        numbers = [world.create(*names, ranges=[days(1, 2)]) for names in (("d.a", "d.b"), ("d.b", "d.c"))]
        assert [world.play(number).state for number in numbers] == ["success", "success"]
        assert world.executed == {(day, name): 1 for day in ("01-01", "01-02") for name in "abc"}


class TestTasksOfALaterVersion:
    """Nothing else executes: neither does a task that the Dag has had since the plan was made."""

    @staticmethod
    def newer() -> DAG:
        """b follows one task more, one more follows b, and one has nothing to do with it."""
        with DAG("d", schedule="@daily", start_date=START, catchup=False) as dag:
            a, b, c = bash("a"), bash("b"), bash("c")
            a >> b >> c
            bash("before") >> b >> bash("behind")
            bash("beside")
        return dag

    @pytest.mark.parametrize("is_paused", [False, True])
    @pytest.mark.parametrize("run", ["existing", "new"])
    def test_they_do_not_execute_and_do_not_keep_what_was_chosen_from_it(self, session, run, is_paused):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        if run == "existing":
            failed_runs(world, 1)
        session.execute(update(DagModel).values(is_paused=is_paused))
        session.commit()
        number = world.create("d.b", ranges=[days(1, 1)])
        install(session, [self.newer()])
        for _ in range(10):
            world.monitor()
            world.scheduler.start_by_limit("d")
            for run_id in session.scalars(select(DagRun.run_id).where(DagRun.state == "running")).all():
                world.scheduler.look("d", run_id)
            world.scheduler.work()
        assert world.show(number).state == "success"
        assert world.executed == {("01-01", "b"): 1}
        assert session.scalars(select(DagRun.state)).all() == ["success" if run == "new" else "failed"]


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

    @pytest.mark.parametrize("verb", ["pause", "cancel"])
    @pytest.mark.parametrize("run", ["existing", "new"])
    def test_of_a_dag_that_cannot_be_read(self, session, verb, run):
        """Who stops it needs no Dag."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        if run == "existing":
            failed_runs(world, 1)
        number = world.create("d.b", ranges=[days(1, 1)])
        world.monitor()
        spoil("d", session)
        do(world, number, verb)
        if run == "existing":
            assert (state_of(session, "b"), state_of(session, "c")) == ("failed", "upstream_failed")
        assert not world.executed

    def test_queued_runs_of_its_backfill_do_not_start_before_the_monitor_comes_round(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        do(world, number, "pause")
        assert session.scalars(select(Backfill.is_paused)).all() == [True]


class TestWhoMayPass:
    def test_a_backfill_that_airflow_gives_an_old_number_is_a_persons(self, session):
        """SQLite does so when the Dag was deleted with its backfills; ids of runs are made of their dates."""
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.play(world.create("d.a", ranges=[days(1, 1)]))
        old = session.scalars(select(Backfill.id)).one()
        delete_dag("d", session=session)
        session.commit()
        install(session, [chain("d", "a", "b")])
        date = datetime(2026, 1, 1, tzinfo=UTC)
        session.add(Backfill(id=old, dag_id="d", from_date=date, to_date=date, max_active_runs=1, dag_run_conf={}))
        session.flush()
        cycle = Cycle(date, date, date, date)
        backfills.make_run(session, serialized("d", session), cycle, old, 1, conf={}, user="eve")
        session.commit()
        assert dict(session.execute(select(TI.task_id, TI.pool)).all()) == dict.fromkeys("ab", "default_pool")

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
