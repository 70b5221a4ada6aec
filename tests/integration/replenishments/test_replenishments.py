"""Replenishments on Airflow's own scheduler logic: what is selected executes, once, in order, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, task
from sqlalchemy import func, select, update

from taskops_provider.domain.replenishment import DailyWindow
from taskops_provider.exceptions import BadInput, Conflict, Forbidden, ResourceNotFound
from taskops_provider.models import Replenishment
from taskops_provider.services.gate import settle
from taskops_provider.services.replenishments import make_runs as making
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment, show_replenishment
from taskops_provider.services.replenishments.listing import list_replenishments
from taskops_provider.services.shared.actor import Actor
from tests.support.replenishing import DAY, FIRST, World, asked, days, make_runs, plan
from tests.support.warehouse import ALICE, START, Limited, bash, chain, install, operate


def states(session, dag_id: str = "d") -> dict[tuple[str, str], str]:
    """(logical day, task id) -> state."""
    session.expire_all()
    query = select(DagRun.logical_date, TI.task_id, TI.state).join(TI.dag_run).where(TI.dag_id == dag_id)
    return {(f"{date:%m-%d}", task_id): str(state) for date, task_id, state in session.execute(query)}


def do(world: World, number: int, verb: str, **more):
    shown = control_replenishment(world.session, ALICE, number, ControlVerb(verb), datetime.now(UTC), **more)
    world.session.commit()
    return shown


class TestMissingRuns:
    def test_just_the_chosen_task_executes(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        shown = world.play(world.create("d.b"))
        assert shown.state == "success"
        assert (shown.percent_complete, shown.percent_success) == (100.0, 100.0)
        assert world.executed == {(f"01-0{day}", "b"): 1 for day in (1, 2, 3)}
        assert shown.counts.by_class == {"no_run": 3}

    def test_what_lies_between_two_keeps_their_order(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        world.play(world.create("d.a", "d.c", ranges=[days(1, 1)]))
        assert [task_id for _, task_id, _ in world.scheduler.executed] == ["a", "c"]

    def test_a_failure_is_a_failure_of_the_run(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session, outcomes={"b": "failed"})
        assert world.play(world.create("d.b", ranges=[days(1, 2)])).state == "failed"
        assert set(session.scalars(select(DagRun.state))) == {"failed"}

    def test_runs_are_made_oldest_first_or_newest_first(self, session):
        install(session, [chain("d", "a", "b")])
        for newest_first in (False, True):
            first = 1 + 5 * newest_first
            world = World(session)
            world.play(world.create("d.a", ranges=[days(first, first + 2)], newest_first=newest_first))
            dates = [day for (day, _) in world.executed]
            assert dates == sorted(dates, reverse=newest_first)

    def test_several_ranges_that_overlap_count_once(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.play(world.create("d.a", ranges=[days(1, 3), days(2, 4), days(8, 8)]))
        assert world.executed == {(f"01-0{day}", "a"): 1 for day in (1, 2, 3, 4, 8)}

    def test_the_backfill_is_airflows_and_is_over_at_the_end(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.play(world.create("d.a", max_active_runs=2))
        (backfill,) = session.scalars(select(Backfill))
        assert (backfill.max_active_runs, backfill.triggering_user_name) == (2, "alice")
        assert backfill.completed_at is not None

    def test_what_does_not_execute_says_why(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        number = world.create("d.b", ranges=[days(1, 1)])
        world.play(number)
        settle.annotate(session)
        notes = session.scalars(select(TaskInstanceNote.content)).all()
        assert notes == [
            f"TaskOps: not part of replenishment {number} by alice; "
            "skipped without executing once everything upstream is done."
        ]

    def test_what_is_started_is_written_with_it_or_not_at_all(self, session, monkeypatch):
        """A process that is killed in the middle neither loses a cell nor starts one twice."""
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a")

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(making, "set_cells_of_runs", killed)
            with pytest.raises(KeyboardInterrupt):
                world.monitor()
            session.rollback()
        assert session.scalar(select(func.count()).select_from(Backfill)) == 0
        assert session.scalar(select(func.count()).select_from(DagRun)) == 0
        world.play(number)
        assert world.executed == {(f"01-0{day}", "a"): 1 for day in (1, 2, 3)}

    def test_conf_reaches_the_runs(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.play(world.create("d.a", ranges=[days(1, 1)], conf={"table": "x"}))
        assert session.scalars(select(DagRun.conf)).one()["table"] == "x"

    def test_another_backfill_of_the_dag_goes_first(self, session):
        install(session, [chain("d", "a", "b")])
        session.add(Backfill(dag_id="d", from_date=FIRST, to_date=FIRST, max_active_runs=1, dag_run_conf={}))
        session.commit()
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 1)])
        for _ in range(3):
            world.round()
        assert world.show(number).state == "queued"
        session.execute(update(Backfill).values(completed_at=datetime.now(UTC)))
        session.commit()
        assert world.play(number).state == "success"

    def test_chunks_follow_one_another(self, session, monkeypatch):
        monkeypatch.setattr(making, "CHUNK", 2)
        install(session, [chain("d", "a", "b")])
        world = World(session)
        world.play(world.create("d.a", ranges=[days(1, 5)], max_active_runs=2))
        assert world.executed == {(f"01-0{day}", "a"): 1 for day in range(1, 6)}
        assert session.scalar(select(func.count()).select_from(Backfill)) == 3

    def test_mapped_tasks_execute_with_what_they_are_mapped_over(self, session):
        with DAG("d", schedule="@daily", start_date=START, catchup=False) as dag:

            @task
            def make():
                return [1, 2]

            @task
            def use(x):
                return x

            use.expand(x=make()) >> bash("after")
        install(session, [dag])
        world = World(session, results={"make": [1, 2]})
        shown = plan(world, "d.use", ranges=[days(1, 1)])
        assert any("make executes too: use takes its result" in line for line in shown.warnings)
        world.play(world.create("d.use", ranges=[days(1, 1)]))
        assert world.executed == {("01-01", "make"): 1, ("01-01", "use"): 2}


class TestExistingRuns:
    def test_gated_cells_execute_and_others_do_not(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        operate(session, "pause", "d.b", downstream="run")
        make_runs(world, "d", 1, 2)
        operate(session, "start", "d.b")
        make_runs(world, "d", 3)
        shown = world.play(world.create("d.b"))
        assert shown.counts.by_class == {"gated": 2}
        assert world.executed == {("01-01", "b"): 1, ("01-02", "b"): 1}

    def test_several_runs_at_a_time_execute_once_each(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        operate(session, "pause", "d.b", downstream="run")
        make_runs(world, "d", *range(1, 8))
        operate(session, "start", "d.b")
        world.play(world.create("d.b", ranges=[days(1, 7)], max_active_runs=4))
        assert world.executed == {(f"01-0{day}", "b"): 1 for day in range(1, 8)}

    def test_what_a_gated_task_skipped_is_missing_too(self, session):
        """The downstream of a gated task is skipped by its trigger rule, in a pool of its own."""
        install(session, [chain("d", "a", "b", "c", "e")])
        world = World(session)
        operate(session, "pause", "d.b")
        make_runs(world, "d", 1)
        operate(session, "start", "d.b")
        assert states(session)["01-01", "e"] == "skipped"
        world.play(world.create("d.b", downstream_depth=5, ranges=[days(1, 1)]))
        assert world.executed == {("01-01", "b"): 1, ("01-01", "c"): 1, ("01-01", "e"): 1}
        assert [name for _, name, _ in world.scheduler.executed] == ["b", "c", "e"]

    def test_downstream_of_a_gated_task_alone(self, session):
        """b stays as it is, but counts as done: else c would be skipped again."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        operate(session, "pause", "d.b")
        make_runs(world, "d", 1)
        world.play(world.create("d.c", ranges=[days(1, 1)]))
        assert world.executed == {("01-01", "c"): 1}

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            ("missing", {"04"}),
            ("failed", {"01", "02"}),
            ("missing,failed", {"01", "02", "04"}),
            ("all", {"01", "02", "03", "04"}),
        ],
    )
    def test_cells(self, session, cells, expected):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "d", 1, 2)
        world.scheduler.outcomes.clear()
        make_runs(world, "d", 3)
        world.play(world.create("d.a", ranges=[days(1, 4)], cells=cells))
        assert world.executed == {(f"01-{day}", "a"): 1 for day in expected}

    def test_order_holds_over_what_is_done_already(self, session):
        """a and c are cleared, b between them is success already: c must still wait for a."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        make_runs(world, "d", 1)
        world.play(world.create("d.a", "d.c", ranges=[days(1, 1)], cells="all"))
        assert [name for _, name, _ in world.scheduler.executed] == ["a", "c"]

    def test_runs_that_go_on_are_left_to_their_end_first(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "d", 1)
        number = world.create("d.a", ranges=[days(1, 1)])
        session.execute(update(DagRun).values(state="running"))
        session.commit()
        world.monitor()
        assert world.show(number).counts.by_state["active"] == 0

    def test_unperiodic_dags_get_what_is_possible(self, session):
        install(session, [chain("d", "a", "b", schedule=None)])
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "d", 2)
        world.scheduler.outcomes.clear()
        shown = plan(world, "d")
        assert any("only existing runs are looked at" in line for line in shown.warnings)
        world.play(world.create("d"))
        assert world.executed == {("01-02", "a"): 1, ("01-02", "b"): 1}


class TestStopped:
    def test_a_paused_task_is_replenished_and_stays_paused(self, session):
        install(session, [chain("d", "a", "b", "c")])
        operate(session, "pause", "d.b")
        world = World(session)
        world.play(world.create("d.b", ranges=[days(1, 2)]))
        assert world.executed == {("01-01", "b"): 1, ("01-02", "b"): 1}
        make_runs(world, "d", 7)
        assert states(session)["01-07", "b"] == "skipped"
        assert not world.executed

    def test_a_paused_dag_is_woken_for_the_while_without_runs_of_its_own(self, session):
        install(session, [chain("d", "a", "b")])
        operate(session, "pause", "d")
        world = World(session)
        world.monitor()
        assert session.scalars(select(DagModel.is_paused)).one()
        number = world.create("d", ranges=[days(1, 2)])
        world.round()
        row = session.scalars(select(DagModel)).one()
        session.refresh(row)
        assert (row.is_paused, row.next_dagrun_create_after) == (False, None)
        world.play(number)
        world.monitor()
        session.expire_all()
        assert session.scalars(select(DagModel.is_paused)).one()
        assert sum(world.executed.values()) == 4

    def test_a_task_that_went_offline_since_does_not_execute(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d", ranges=[days(1, 1)])
        operate(session, "offline", "d.a", downstream="run")
        world.play(number)
        assert world.executed == {("01-01", "b"): 1}

    def test_an_offline_task_is_refused(self, session):
        install(session, [chain("d", "a", "b")])
        operate(session, "offline", "d.a")
        with pytest.raises(BadInput, match="d a is offline and cannot be replenished; submit it first"):
            World(session).create("d.a")

    def test_offline_tasks_of_a_workflow_are_left_out(self, session):
        install(session, [chain("d", "a", "b")])
        operate(session, "offline", "d.a", downstream="run")
        world = World(session)
        assert plan(world, "d").warnings == ["1 offline or deleted task is left out: d a"]
        world.play(world.create("d", ranges=[days(1, 1)]))
        assert world.executed == {("01-01", "b"): 1}


class TestControl:
    def test_pause_and_resume(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        do(world, number, "pause")
        for _ in range(4):
            world.round()
        assert world.show(number).state == "paused"
        executed = sum(world.executed.values())
        assert executed <= 1
        do(world, number, "resume")
        assert world.play(number).state == "success"
        assert world.executed == {(f"01-0{day}", "a"): 1 for day in (1, 2, 3)}

    def test_cancel_leaves_what_was_not_started(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d", ranges=[days(1, 3)])
        world.monitor()
        shown = do(world, number, "cancel")
        assert shown.state == "cancelled"
        for _ in range(4):
            world.round()
        shown = world.show(number)
        assert (shown.ended_at is not None, shown.counts.by_state["cancelled"]) == (True, 6)
        assert not world.executed
        assert session.scalar(select(func.count()).where(Backfill.completed_at.is_(None))) == 0
        # and what it never did is missing
        assert plan(world, "d", ranges=[days(1, 3)]).counts.execute == 6

    def test_retry_executes_what_failed_again(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"a": "failed"})
        number = world.create("d", ranges=[days(1, 2)])
        assert world.play(number).state == "failed"
        world.scheduler.outcomes.clear()
        world.scheduler.executed.clear()
        do(world, number, "retry")
        assert world.play(number).state == "success"
        assert sum(world.executed.values()) == 4

    def test_verbs_that_the_state_does_not_allow(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 1)])
        for verb, words in (("resume", "is queued; resume applies to those that are paused"), ("retry", "are over")):
            with pytest.raises(Conflict, match=words):
                do(world, number, verb)
            session.rollback()
        world.play(number)
        for verb in ("pause", "cancel"):
            with pytest.raises(Conflict, match="is success"):
                do(world, number, verb)
            session.rollback()

    def test_outside_the_window_nothing_starts(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        now = datetime.now(UTC)
        window = DailyWindow(
            (now + timedelta(hours=2)).time().replace(microsecond=0), (now + timedelta(hours=3)).time()
        )
        number = world.create("d.a", ranges=[days(1, 1)], window=window)
        for _ in range(3):
            world.round()
        assert world.show(number).state == "queued"


class TestAcrossWorkflows:
    def test_downstream_workflows_come_after(self, session):
        up = chain("up", "a", "b")
        with DAG("down", schedule="@daily", start_date=START, catchup=False) as down:
            ExternalTaskSensor(task_id="wait", external_dag_id="up", external_task_id="b") >> bash("c")
        install(session, [up, down])
        world = World(session)
        number = world.create("up.b", downstream_depth=3, ranges=[days(1, 2)])
        world.play(number)
        names = [name for _, name, _ in world.scheduler.executed]
        assert sorted(names) == ["b", "b", "c", "c", "wait", "wait"]
        assert names.index("wait") > max(i for i, name in enumerate(names) if name == "b")

    def test_dags_that_one_may_not_read_leak_nowhere(self, session):
        up = chain("up", "a")
        with DAG("secret", schedule="@daily", start_date=START, catchup=False) as down:
            ExternalTaskSensor(task_id="wait", external_dag_id="up", external_task_id="a")
        install(session, [up, down])
        actor = Actor("bob", "api", Limited({"up"}, {"up"}))
        shown = create_replenishment(session, actor, asked("up.a", downstream_depth=3), datetime.now(UTC))
        assert "secret" not in str(shown)
        session.commit()
        stranger = Actor("eve", "api", Limited({"other"}, {"other"}))
        with pytest.raises(ResourceNotFound):
            show_replenishment(session, stranger, shown.replenishment_id, datetime.now(UTC))
        assert list_replenishments(session, stranger, datetime.now(UTC), limit=5).total_entries == 0
        reader = Actor("ron", "api", Limited({"up"}, set()))
        with pytest.raises(Forbidden):
            control_replenishment(session, reader, shown.replenishment_id, ControlVerb.PAUSE, datetime.now(UTC))


class TestRefusals:
    @pytest.mark.parametrize(
        ("names", "more", "words"),
        [
            (("nope",), {}, "does not exist"),
            (("d.nope",), {}, "task 'd nope' does not exist"),
            (("d",), {"ranges": [days(3, 1)]}, "ends before it begins"),
            (("d",), {"max_active_runs": 0}, "max_active_runs is 0"),
            (("d",), {"upstream_depth": -1}, "upstream_depth is -1"),
            (("d",), {"conf": {"a": "x\0"}}, "conf holds a zero byte"),
            (("d",), {"conf": {"a": [float("nan")]}}, "conf holds nan"),
            (("d",), {"conf": {"a": {"b\ud800": 1}}}, "conf is not valid Unicode"),
            (("d",), {"cells": "failed"}, "nothing is to be done"),
            (("late",), {}, "hold no cycle"),
            (("manual",), {}, "not periodic"),
        ],
    )
    def test_one_clear_line_and_nothing_happens(self, session, names, more, words):
        late = chain("late", "a")
        late.start_date = late.task_dict["a"].start_date = datetime(2026, 10, 1, tzinfo=UTC)
        install(session, [chain("d", "a"), chain("manual", "a", schedule=None), late])
        with pytest.raises((BadInput, ResourceNotFound), match=words) as refused:
            World(session).create(*names, **more)
        assert "\n" not in str(refused.value)
        session.rollback()
        assert session.scalar(select(func.count()).select_from(Replenishment)) == 0

    def test_the_future(self, session):
        install(session, [chain("d", "a")])
        ahead = datetime.now(UTC) + 3 * DAY
        with pytest.raises(BadInput, match="lies in the future"):
            World(session).create("d", ranges=[days(1, 1)._replace(first=ahead, last=ahead + DAY)])

    def test_too_many_cells(self, session, monkeypatch):
        monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "5")
        install(session, [chain("d", "a", "b")])
        with pytest.raises(BadInput, match="more than 5 cells"):
            World(session).create("d")

    def test_who_may_not_edit(self, session):
        install(session, [chain("d", "a")])
        with pytest.raises(Forbidden, match="you may not replenish d: it needs to edit the Dag"):
            create_replenishment(session, Actor("bob", "api", Limited({"d"})), asked("d"), datetime.now(UTC))


def test_a_made_up_conf_gates_nothing(session):
    """Anybody may give a run a conf; only a backfill that we made is looked at."""
    install(session, [chain("d", "a", "b")])
    world = World(session)
    world.scheduler.create_run("d", "mine", conf={"taskops": {"replenishment": 1}})
    world.scheduler.run_to_end("d", "mine")
    assert len(world.scheduler.executed) == 2
