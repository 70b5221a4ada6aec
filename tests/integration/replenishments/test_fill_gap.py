"""Starting with ``fill_gap`` (D8), beside Airflow's own making of runs: no cycle executes twice and none is lost."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG, Asset
from airflow.utils.sqlalchemy import prohibit_commit
from sqlalchemy import func, select, update

from taskops_provider.adapter import dag_state
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.exceptions import BadInput, GapRefused
from taskops_provider.models import GateInterval, Operation, Replenishment, ReplenishmentCell
from taskops_provider.services.operations import undo
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from tests.support.airflow_db import new_session, serialized, spoil
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.dialogs import Dialogs
from tests.support.gates import resume_due_tasks
from tests.support.queries import counted_queries
from tests.support.replenishing import DAY, World
from tests.support.timetables import go_on
from tests.support.warehouse import ALICE, START, bash, chain, install, later, operate, request, stored

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def ago(days: float) -> datetime:
    """So many days before today's midnight."""
    return TODAY - days * DAY


def day(days: int) -> str:
    """The name of a cycle in ``World.executed``: 1 is the newest, due at today's midnight."""
    return f"{ago(days - 1):%m-%d}"


class Airflow(World):
    """A world whose scheduler makes runs too.

    :param is_quicker: its scheduler comes before the monitor, or after it
    """

    def __init__(self, session, *, is_quicker: bool = True, **scheduler):
        super().__init__(session, **scheduler)
        self.is_quicker = is_quicker

    def make_runs(self) -> None:
        """What the scheduler does in each loop."""
        self.session.expire_all()
        with prohibit_commit(self.session) as guard:
            self.scheduler._runner._create_dagruns_for_dags(guard, self.session)

    def round(self) -> None:
        if not self.is_quicker:
            self.monitor()
        self.make_runs()
        super().round()

    def play_out(self, number: int) -> dict:
        """Play until a replenishment is over, and the scheduler has made what it makes."""
        shown = self.play(number)
        for _ in range(4):
            self.round()
        return shown


def ran(world: World, dag_id: str, *days: int) -> None:
    """Scheduled runs of cycles, each made when it was due."""
    for number in days:
        due = ago(number - 1)
        run = world.scheduler.create_run(
            dag_id, f"scheduled__{number}", run_type="scheduled", logical_date=ago(number - 1)
        )
        world.session.execute(
            update(DagRun).where(DagRun.id == run.id).values(created_at=due, run_after=due, data_interval_end=due)
        )
        world.session.commit()
        world.scheduler.run_to_end(dag_id, f"scheduled__{number}")
    session = world.session
    session.expire_all()
    newest = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.logical_date.desc())).first()
    model = session.get(DagModel, dag_id)
    model.calculate_dagrun_date_fields(dag=serialized(dag_id, session), reference_run=newest)
    session.commit()
    world.scheduler.executed.clear()


def pause(session, *names: str, at: datetime, **options) -> None:
    apply_operation(session, ALICE, request("pause", *names, **options), now=at)
    session.commit()


def gated(world: World, dag_id: str, *days: int) -> None:
    """Runs that are made while tasks are paused."""
    for number in days:
        world.scheduler.create_run(dag_id, f"scheduled__{number}", run_type="scheduled", logical_date=ago(number - 1))
        due = ago(number - 1)
        world.session.execute(update(DagRun).where(DagRun.run_id == f"scheduled__{number}").values(created_at=due))
        world.session.commit()
        world.scheduler.run_to_end(dag_id, f"scheduled__{number}")
    world.scheduler.executed.clear()


def start(session, *names: str, **options) -> int:
    plan = operate(session, "start", *names, fill_gap=True, **options)
    assert plan.gap.replenishment_id
    return plan.gap.replenishment_id


def all_drained(session, dag_id: str) -> None:
    session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=True))
    session.commit()


class TestTasksPausedAlone:
    @pytest.mark.slow
    def test_what_was_stopped_in_runs_made_meanwhile_executes_once(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = Airflow(session)
        ran(world, "d", 6, 5)
        pause(session, "d.b", at=ago(3.5))
        gated(world, "d", 4, 3, 2, 1)
        assert world.play_out(start(session, "d.b")).state == "success"
        # what else was skipped for it is not what was started
        assert world.executed == {(day(number), "b"): 1 for number in (4, 3, 2, 1)}

    @pytest.mark.slow
    def test_each_task_since_its_own_pause(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = Airflow(session)
        ran(world, "d", 6)
        pause(session, "d.a", at=ago(4.5), downstream="run")
        gated(world, "d", 5, 4)
        pause(session, "d.c", at=ago(2.5), downstream="run")
        gated(world, "d", 3, 2, 1)
        world.play_out(start(session, "d.a", "d.c"))
        wanted = {(day(number), "a"): 1 for number in (5, 4, 3, 2, 1)} | {(day(number), "c"): 1 for number in (3, 2, 1)}
        assert world.executed == wanted

    def test_missing_runs_too_execute_each_task_since_its_own_pause(self, session):
        """The roles are those of the whole replenishment; the gate is told what only passes in a run."""
        install(session, [chain("d", "a", "b", "c")])
        world = Airflow(session)
        ran(world, "d", 6)
        pause(session, "d.c", at=ago(4.5))
        pause(session, "d.a", at=ago(2.5))
        world.play_out(start(session, "d.a", "d.c"))
        made = {key: number for key, number in world.executed.items() if key[0] != day(1)}
        wanted = {(day(number), "c"): 1 for number in (5, 4, 3, 2)} | {(day(number), "a"): 1 for number in (3, 2)}
        assert made == wanted
        # the latest is Airflow's, with all tasks
        assert {task: world.executed[day(1), task] for task in "abc"} == {"a": 1, "b": 1, "c": 1}

    def test_a_run_made_before_the_pause_by_another_machines_clock_alone_counts(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        operate(session, "pause", "d.a")
        world.scheduler.create_run("d", "scheduled__1", run_type="scheduled", logical_date=START)
        world.scheduler.run_to_end("d", "scheduled__1")
        began = session.scalars(select(GateInterval.from_at)).one()
        session.execute(update(DagRun).values(created_at=began - timedelta(seconds=1)))
        session.commit()
        number = start(session, "d.a")
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "a"): 1}

    def test_what_an_earlier_pause_stopped_does_not_count_however_short_ago(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        operate(session, "pause", "d.a")
        world.scheduler.create_run("d", "scheduled__1", run_type="scheduled", logical_date=START)
        world.scheduler.run_to_end("d", "scheduled__1")
        operate(session, "start", "d.a")
        operate(session, "pause", "d.a")
        plan = operate(session, "start", "d.a", fill_gap=True)
        assert plan.gap.existing_runs == 0

    def test_held_instances_go_on_by_themselves(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = Airflow(session)
        ran(world, "d", 4)
        pause(session, "d.b", at=ago(2.5), downstream="hold")
        gated(world, "d", 3, 2, 1)
        plan = operate(session, "start", "d.b", fill_gap=True)
        assert (plan.gap.cells, plan.gap.replenishment_id) == (0, None)
        for _ in range(6):
            world.round()
        assert world.executed == {(day(number), task): 1 for number in (3, 2, 1) for task in "bc"}


class TestWorkflowsPausedAsAWhole:
    @pytest.mark.parametrize("is_quicker", [True, False], ids=["scheduler first", "monitor first"])
    @pytest.mark.parametrize("catchup", [True, False], ids=["catchup", "latest only"])
    def test_each_missed_cycle_executes_once(self, session, catchup, is_quicker):
        dag = chain("d", "a", "b")
        dag.catchup = catchup
        install(session, [dag])
        world = Airflow(session, is_quicker=is_quicker)
        ran(world, "d", 6, 5)
        pause(session, "d", at=ago(3.5))
        all_drained(session, "d")
        world.round()
        assert not world.executed
        plan = operate(session, "start", "d", fill_gap=True)
        if catchup:
            assert (plan.gap.cells, plan.gap.replenishment_id) == (0, None)
            assert plan.gap.notes == ["d catches up: 4 missed cycles are made by Airflow itself"]
            for _ in range(12):
                world.round()
        else:
            assert (plan.gap.cells, plan.gap.new_runs) == (8, 4)
            shown = world.play_out(plan.gap.replenishment_id)
            assert (shown.state, shown.percent_success) == ("success", 100.0)
        assert world.executed == {(day(number), task): 1 for number in (4, 3, 2, 1) for task in "ab"}
        dates = Counter(session.scalars(select(DagRun.logical_date).where(DagRun.dag_id == "d")))
        assert set(dates.values()) == {1}

    def test_a_dag_paused_in_airflow_alone_goes_on_after_its_newest_run(self, session):
        install(session, [chain("d", "a", "b")])
        world = Airflow(session)
        ran(world, "d", 4)
        all_drained(session, "d")
        world.play_out(start(session, "d.a"))
        assert world.executed == {(day(number), "a"): 1 for number in (3, 2, 1)}

    def test_a_run_that_failed_meanwhile_counts_and_can_be_retried(self, session):
        install(session, [chain("d", "a")])
        world = Airflow(session, outcomes={"a": "failed"})
        ran(world, "d", 2)
        pause(session, "d", at=ago(0.5))
        all_drained(session, "d")
        number = start(session, "d")
        assert world.play_out(number).state == "failed"
        assert session.scalars(select(ReplenishmentCell.was)).all() == ["failed"]
        assert world.executed == {(day(1), "a"): 1}


class TestOtherSchedules:
    def test_of_asset_schedules_only_the_runs_that_were_made(self, session):
        with DAG("d", schedule=[Asset("s3://x")], start_date=START, catchup=False) as dag:
            bash("a") >> bash("b")
        install(session, [dag])
        world = World(session)
        pause(session, "d.a", at=ago(2), downstream="run")
        for _ in range(2):
            world.scheduler.run_to_end("d", world.scheduler.create_as("asset", "d"))
        world.scheduler.executed.clear()
        plan = operate(session, "start", "d.a", fill_gap=True)
        assert (plan.gap.cells, plan.gap.new_runs, plan.gap.existing_runs) == (2, 0, 2)
        assert world.play(plan.gap.replenishment_id).state == "success"
        assert [task for _, task, _ in world.scheduler.executed] == ["a", "a"]


class TestTheOperation:
    def test_nothing_missed_starts_without(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        ran(world, "d", 1)
        operate(session, "pause", "d.a")
        shown = to_plain_data(operate(session, "start", "d.a", fill_gap=True).answer())
        assert shown["outcome"] == "success"
        assert shown["gap"] == {"cells": 0, "new_runs": 0, "existing_runs": 0, "notes": []}
        assert "replenishment_id" not in shown
        assert session.scalars(select(Replenishment)).all() == []

    def test_the_preview_counts_and_the_record_links(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        ran(world, "d", 3)
        pause(session, "d.a", at=ago(1.5))
        asked = request("start", "d.a", fill_gap=True)
        shown = preview_operation(session, ALICE, asked, datetime.now(UTC)).answer()
        assert (shown.gap.cells, shown.gap.new_runs) == (2, 2)
        assert session.scalars(select(Replenishment)).all() == []
        done = apply_operation(session, ALICE, asked, expected_hash=shown.plan_hash)
        session.commit()
        number = done.answer().replenishment_id
        options = session.get(Operation, done.operation_id).options
        assert (options["fill_gap"], options["replenishment_id"]) == (True, number)
        assert session.get(Replenishment, number).actor == "alice"

    def test_too_much_is_refused_before_anything_happens(self, session, monkeypatch):
        monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "3")
        install(session, [chain("d", "a", "b")])
        world = World(session)
        ran(world, "d", 9)
        pause(session, "d.a", at=ago(7.5))
        for act in (apply_operation, preview_operation):
            with pytest.raises(
                BadInput, match="the gap is not filled, and nothing was started: that is more than 3 cells"
            ):
                act(session, ALICE, request("start", "d.a", fill_gap=True), now=datetime.now(UTC))
            session.rollback()
        assert stored(session, "d")["a"] == "paused"

    def test_all_or_nothing(self, session, monkeypatch):
        install(session, [chain("d", "a", "b")])
        ran(World(session), "d", 3)
        pause(session, "d.a", at=ago(1.5))
        with monkeypatch.context() as patch:
            patch.setattr("taskops_provider.services.operations.apply.record_items", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                apply_operation(session, ALICE, request("start", "d.a", fill_gap=True))
            session.rollback()
        assert stored(session, "d")["a"] == "paused"
        assert session.scalars(select(Replenishment)).all() == []

    @pytest.mark.parametrize(
        ("verb", "options", "told"),
        [
            ("offline", {}, "fill_gap goes with start, and with pause that has resume_at, not with offline"),
            ("pause", {}, "fill_gap goes with a pause that has resume_at"),
            ("start", {"held": "skip"}, "held skip and fill_gap do not go together"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, session, verb, options, told):
        install(session, [chain("d", "a")])
        with pytest.raises(BadInput, match=told):
            operate(session, verb, "d.a", fill_gap=True, **options)

    def test_resume_at_fills_the_gap_where_the_pause_says_so(self, session):
        install(session, [chain("d", "a", "b")])
        world = Airflow(session)
        ran(world, "d", 3)
        pause(session, "d.a", at=ago(1.5), resume_at=ago(1), fill_gap=True)
        pause(session, "d.b", at=ago(1.5), resume_at=ago(1))
        assert resume_due_tasks(session, datetime.now(UTC))
        session.commit()
        assert stored(session, "d") == {"a": "scheduling", "b": "scheduling"}
        (made,) = session.scalars(select(Replenishment))
        assert [task["task_id"] for task in made.inputs["tasks"]] == ["a"]

    def test_resume_at_starts_even_where_the_gap_is_too_large(self, session, monkeypatch):
        monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "1")
        install(session, [chain("d", "a", "b")])
        ran(World(session), "d", 9)
        pause(session, "d.a", at=ago(7.5), resume_at=ago(1), fill_gap=True)
        assert resume_due_tasks(session, datetime.now(UTC))
        session.commit()
        assert stored(session, "d")["a"] == "scheduling"
        reason = session.scalars(select(Operation.reason).order_by(Operation.id.desc())).first()
        assert reason.startswith("resume_at has come; the gap is not filled: that is more than 1 cells")

    def test_of_a_dag_that_cannot_be_read(self, session):
        """Who starts by hand is told and may start without; `resume_at` starts even then."""
        install(session, [chain("d", "a", "b")])
        for name in ("d.a", "d.b"):
            operate(session, "pause", name, resume_at=later(hours=1), fill_gap=True)
        spoil("d", session)
        with pytest.raises(GapRefused, match="nothing was started: d cannot be read: DeserializationError"):
            operate(session, "start", "d.a", fill_gap=True)
        operate(session, "start", "d.a")
        assert resume_due_tasks(session, later(hours=2))
        assert stored(session, "d") == {"a": "scheduling", "b": "scheduling"}
        reason = session.scalars(select(Operation.reason).order_by(Operation.id.desc())).first()
        assert reason.startswith("resume_at has come; the gap is not filled: d cannot be read")

    def test_a_gap_that_is_too_large_keeps_no_other_from_being_filled(self, session, monkeypatch):
        monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "4")
        install(session, [chain("large", "a"), chain("small", "a")])
        for dag_id, days in (("large", 7.5), ("small", 1.5)):
            ran(World(session), dag_id, 9 if dag_id == "large" else 3)
            pause(session, f"{dag_id}.a", at=ago(days), resume_at=ago(1), fill_gap=True)
        assert resume_due_tasks(session, datetime.now(UTC))
        session.commit()
        assert stored(session, "large") == stored(session, "small") == {"a": "scheduling"}
        (made,) = session.scalars(select(Replenishment))
        assert [task["dag_id"] for task in made.inputs["tasks"]] == ["small"]
        reasons = session.scalars(select(Operation.reason).where(Operation.verb == "start")).all()
        assert sorted(reason.partition(";")[2][:20] for reason in reasons) == ["", " the gap is not fill"]

    def test_undo_leaves_the_replenishment_going_on(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        ran(world, "d", 3)
        pause(session, "d.a", at=ago(1.5))
        plan = operate(session, "start", "d.a", fill_gap=True)
        undo.undo(session, ALICE, plan.operation_id)
        session.commit()
        assert stored(session, "d")["a"] == "paused"
        assert world.play(plan.gap.replenishment_id).state == "success"
        assert world.executed == {(day(number), "a"): 1 for number in (2, 1)}


class TestCost:
    def test_queries_do_not_grow_with_cycles_or_tasks(self, session):
        install(session, [chain("d", *"abcdef"), chain("e", *"abcdef")])
        for dag_id in "de":
            ran(World(session), dag_id, 30)
        pause(session, "d.a", at=ago(2.5))
        pause(session, *(f"e.{task}" for task in "abcdef"), at=ago(28.5))
        numbers = []
        for names, cells in ((["d.a"], 3), ([f"e.{task}" for task in "abcdef"], 29 * 6)):
            with counted_queries(savepoints=False) as queries:
                plan = preview_operation(session, ALICE, request("start", *names, fill_gap=True), datetime.now(UTC))
            assert plan.gap.cells == cells
            numbers.append(len(queries))
        assert numbers[0] == numbers[1]


class TestTheRaceWithTheScheduler:
    @pytest.mark.postgres
    def test_no_run_is_made_while_a_gap_or_a_backfill_is(self, session):
        """The scheduler passes over a Dag that is locked; on SQLite there is one writer anyway."""
        install(session, [chain("d", "a")])
        ran(World(session), "d", 3)
        dag_state.lock_dags(session, ["d"])
        with new_session() as scheduler:
            found, *_ = DagModel.dags_needing_dagruns(scheduler)
            assert list(found) == []
            scheduler.rollback()
            session.commit()
            found, *_ = DagModel.dags_needing_dagruns(scheduler)
            assert [model.dag_id for model in found] == ["d"]


class TestSurfaces:
    """D10: one answer, whoever asks."""

    @pytest.fixture
    def missed(self, session):
        install(session, [chain("d", "a", "b")])
        ran(World(session), "d", 3)
        pause(session, "d.a", "d.b", at=ago(1.5))

    def test_command_line_and_rest(self, missed, session, capsys, monkeypatch):
        cli = Cli(capsys, monkeypatch)
        told = cli("tasks", "start", "d", "a", "--fill-gap", "--dry-run")
        assert "2 missed cells would be replenished: 2 new runs, 0 existing runs" in told.lines
        planned = cli.json("tasks", "start", "d", "a", "--fill-gap", "--dry-run")
        with web_app("simple").active() as web:
            target = {"targets": [{"dag_id": "d", "task_id": "a"}], "fill_gap": True}
            assert Api(web).post("tasks/start", **target, dry_run=True)["gap"] == planned["gap"]
            answer = Api(web).post("tasks/start", **target)
            assert answer["replenishment_id"] == session.scalars(select(Replenishment.id)).one()
        told = cli("workflows", "start", "d", "--fill-gap")
        assert f"replenishment {answer['replenishment_id'] + 1}: 2 missed cells" in told.lines

    def test_web(self, missed, session):
        """The dialog offers it to starts alone, counts in its plan, and links to what it made."""
        with web_app("simple").active() as web:
            dialogs = Dialogs(web)
            address = "change/tasks/start"
            assert 'type="checkbox" name="fill_gap"' in dialogs.post(address, target="d a").html
            part = dialogs.post(address, target="d a", fill_gap="on")
            assert "2 missed cells will be replenished" in part.words
            done = dialogs.apply(address, target="d a", fill_gap="on")
            number = session.scalars(select(Replenishment.id)).one()
            assert f"replenishment?id={number}" in done.html


@pytest.mark.parametrize("catchup", [True, False])
def test_a_delta_missed_its_own_cycles_and_no_others(session, catchup):
    """Case 6."""
    begin = datetime(2026, 3, 2, 2, 16, tzinfo=UTC)
    with DAG("hd", schedule=DAY / 24, start_date=begin, catchup=catchup, max_active_runs=50) as dag:
        bash("t")
        bash("u")
    at = begin + timedelta(hours=5, minutes=1)
    with time_machine.travel(at, tick=False):
        install(session, [dag])
        go_on(session, "hd", at)
        session.execute(update(TI).values(state="success"))
        session.execute(update(DagRun).values(_state="success"))
        session.commit()
        operate(session, "pause", "hd.t")
    made = session.scalar(select(func.count()).select_from(DagRun))
    for hours in (1, 2, 3):
        then = at + timedelta(hours=hours)
        with time_machine.travel(then, tick=False):
            go_on(session, "hd", then)
    assert session.scalar(select(func.count()).select_from(DagRun)) == made + 3
    with time_machine.travel(at + timedelta(hours=3, minutes=5), tick=False):
        gap = preview_operation(session, ALICE, request("start", "hd.t", fill_gap=True), datetime.now(UTC)).gap
    assert (gap.cells, gap.new_runs, gap.existing_runs) == (3, 0, 3)
    assert gap.notes == []
