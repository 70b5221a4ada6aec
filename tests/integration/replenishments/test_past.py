"""Tasks that depend on their past, time-outs, and results that are needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.utils.types import DagRunType
from sqlalchemy import select, update

from taskops_provider.exceptions import BadInput
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments import make_runs as making
from tests.support.replenishing import FIRST, World, days, make_runs, plan
from tests.support.warehouse import START, bash, chain, install


def looking_back(*tasks: str, dag_id="dop", catchup=False, **how: bool) -> DAG:
    arguments = {"depends_on_past": True, **how}
    with DAG(dag_id, schedule="@daily", start_date=START, catchup=catchup, max_active_runs=99) as dag:
        before = None
        for task_id in tasks:
            this = BashOperator(task_id=task_id, bash_command="true", **arguments)
            if before is not None:
                before >> this
            before = this
    return dag


class FailsOn(World):
    """A world in which tasks fail on one day."""

    def fail_on(self, day: int, *tasks: str) -> None:
        def finish(ti):
            date = self.session.scalar(select(DagRun.logical_date).where(DagRun.run_id == ti.run_id))
            is_it = date == FIRST + timedelta(days=day - 1)
            for task_id in tasks:
                self.scheduler.outcomes[task_id] = "failed" if is_it else "success"

        self.scheduler.before_finish = finish


def cells(session, number) -> dict[str, str]:
    query = (
        select(ReplenishmentRun.logical_date, ReplenishmentCell.state)
        .join(ReplenishmentCell, ReplenishmentCell.of_run_id == ReplenishmentRun.id)
        .where(ReplenishmentRun.replenishment_id == number)
        .order_by(ReplenishmentRun.logical_date)
    )
    return {f"{date:%m-%d}": state for date, state in session.execute(query)}


@pytest.mark.parametrize("how", [{}, {"wait_for_downstream": True}])
def test_newest_first_is_refused(session, how):
    """Case 15."""
    install(session, [looking_back("t", **how), chain("d", "t")])
    world = World(session)
    with pytest.raises(BadInput, match="newest first is not possible: dop t depends on its past"):
        plan(world, "dop.t", newest_first=True)
    with pytest.raises(BadInput, match="newest first"):
        world.create("d", "dop.t", newest_first=True)
    assert plan(world, "d", newest_first=True).counts.execute == 3
    # of a single cycle no order is asked for
    assert plan(world, "dop.t", ranges=[days(1, 1)], newest_first=True).counts.execute == 1


@pytest.mark.parametrize(("bad", "at_once", "catchup"), [(2, 1, False), (3, 3, True), (4, 3, False)])
def test_what_comes_after_a_failure_does_not_execute_and_says_why(session, monkeypatch, bad, at_once, catchup):
    """Case 16: whether the failure is inside of a chunk, its last one or the first of the next."""
    monkeypatch.setattr(making, "CHUNK", 3)
    install(session, [looking_back("t", catchup=catchup)])
    world = FailsOn(session)
    world.fail_on(bad, "t")
    number = world.create("dop.t", ranges=[days(1, 5)], max_active_runs=at_once)
    shown = world.play(number)
    assert cells(session, number) == {f"01-{n:02}": "success" if n < bad else "failed" for n in range(1, 6)}
    assert {day for (day, _) in world.executed} == {f"01-{n:02}" for n in range(1, bad + 1)}
    assert shown.state == "part_success"
    assert "it depends on its past, and its past failed" in str(shown.problem)
    assert not session.scalars(select(DagRun).where(DagRun.state.in_(["running", "queued"]))).all()


def test_wait_for_downstream_looks_at_what_followed(session):
    install(session, [looking_back("t", "after", wait_for_downstream=True)])
    world = FailsOn(session)
    world.fail_on(2, "after")
    number = world.create("dop", ranges=[days(1, 4)])
    shown = world.play(number)
    assert "its past failed" in str(shown.problem)
    assert {day for (day, task) in world.executed if task == "t"} == {"01-01", "01-02"}


def test_a_failure_that_is_executed_again_comes_first(session):
    install(session, [looking_back("t")])
    world = World(session, outcomes={"t": "failed"})
    make_runs(world, "dop", 1)
    world.scheduler.outcomes.clear()
    number = world.create("dop.t", ranges=[days(1, 3)])
    assert world.play(number).state == "success"
    assert world.executed == {(f"01-{n:02}", "t"): 1 for n in (1, 2, 3)}


def test_the_plan_says_what_can_never_start(session):
    install(session, [looking_back("t")])
    world = World(session)
    make_runs(world, "dop", 1)
    session.execute(update(TI).values(state="failed"))
    session.execute(update(DagRun).values(_state="failed"))
    session.commit()
    shown = plan(world, "dop.t", ranges=[days(1, 1), days(2, 3)], cells="missing")
    assert shown.counts.execute == 2
    # the first run of a backfill needs no past: Airflow's own rule
    assert not any("depends on its past" in one for one in shown.warnings)
    make_runs_failed(session, world, 3)
    shown = plan(world, "dop.t", ranges=[days(2, 5)], cells="missing")
    assert any("from 2026-01-04 00:00 UTC on 2 cells do not execute" in one for one in shown.warnings)
    number = world.create("dop.t", ranges=[days(2, 5)], cells="missing")
    assert world.play(number).ended_at
    assert {day for (day, _) in world.executed} == {"01-02"}


def make_runs_failed(session, world, day):
    make_runs(world, "dop", day)
    run_id = f"scheduled__{day}"
    session.execute(update(TI).where(TI.run_id == run_id).values(state="failed"))
    session.execute(update(DagRun).where(DagRun.run_id == run_id).values(_state="failed"))
    session.commit()


def test_others_that_look_back_do_not_hold_up_what_executes(session):
    """What only passes in a run that a replenishment makes does not execute, so its past does not matter."""
    with DAG("dop", schedule="@daily", start_date=START, catchup=False, max_active_runs=99) as dag:
        first = BashOperator(task_id="a", bash_command="true")
        between = BashOperator(task_id="b", bash_command="true", depends_on_past=True)
        first >> between >> BashOperator(task_id="c", bash_command="true")
    install(session, [dag])
    world = World(session)
    make_runs(world, "dop", 3)
    session.execute(update(TI).where(TI.task_id == "b").values(state="failed"))
    session.commit()
    number = world.create("dop.a", "dop.c", ranges=[days(2, 2), days(4, 4)])
    assert world.play(number).state == "success"
    assert world.executed == {(f"01-0{day}", task): 1 for day in (2, 4) for task in "ac"}


class TestTimeout:
    def timed_out(self, session, *, retries=0) -> World:
        with DAG(
            "slow", schedule="@daily", start_date=START, catchup=False, dagrun_timeout=timedelta(seconds=30)
        ) as dag:
            (
                BashOperator(task_id="early", bash_command="true")
                >> BashOperator(task_id="extract", bash_command="sleep 300", retries=retries)
                >> bash("load")
            )
        install(session, [dag])
        world = World(session)
        world.scheduler.create_run("slow", "scheduled__1", run_type=DagRunType.SCHEDULED, logical_date=FIRST)
        world.scheduler.round("slow", "scheduled__1")
        world.scheduler.schedule("slow", "scheduled__1")
        state = {"state": "up_for_retry", "end_date": datetime.now(UTC)} if retries else {"state": "running"}
        session.execute(
            update(TI).where(TI.task_id == "extract").values(start_date=datetime.now(UTC), try_number=1, **state)
        )
        session.commit()
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
            world.scheduler.look("slow", "scheduled__1")
        states = world.scheduler.states("slow", "scheduled__1")
        assert states == {"early": "success", "extract": "skipped", "load": "skipped"}
        assert world.scheduler.run_state("slow", "scheduled__1") == "failed"
        world.scheduler.executed.clear()
        return world

    @pytest.mark.parametrize("retries", [0, 2])
    def test_what_it_cut_off_is_missing(self, session, retries):
        """Case 11."""
        world = self.timed_out(session, retries=retries)
        shown = plan(world, "slow", ranges=[days(1, 1)])
        assert shown.counts.by_class == {"cut_off": 2, "done": 1}
        assert shown.counts.execute == 2
        assert plan(world, "slow", ranges=[days(1, 1)], cells="failed").counts.execute == 0
        number = world.create("slow", ranges=[days(1, 1)])
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "extract"): 1, ("01-01", "load"): 1}

    def test_alone_it_does_not_wait_for_what_was_cut_off_with_it(self, session):
        world = self.timed_out(session)
        assert world.play(world.create("slow.load", ranges=[days(1, 1)])).state == "success"
        assert world.executed == {("01-01", "load"): 1}

    def test_what_was_skipped_otherwise_in_a_failed_run_is_done(self, session):
        install(session, [chain("d", "a", "b"), chain("e", "a", "b")])
        world = World(session, outcomes={"a": "skipped"})
        make_runs(world, "d", 1)
        session.execute(update(DagRun).values(_state="failed", end_date=datetime.now(UTC) + timedelta(seconds=1)))
        session.commit()
        assert plan(world, "d", ranges=[days(1, 1)]).counts.by_class == {"done": 2}


class TestResults:
    @pytest.mark.parametrize(
        "template",
        [
            "{{ ti.xcom_pull(key='return_value', task_ids='extract') }}",
            "{{ ti.xcom_pull(dag_id='xc', task_ids='extract') }}",
            "{{ ti.xcom_pull(map_indexes=None, task_ids='extract') }}",
            "{{ task_instance.xcom_pull(key='path', task_ids=['extract']) }}",
        ],
    )
    def test_the_producer_executes_too(self, session, template):
        """Case 18."""
        with DAG("xc", schedule="@daily", start_date=START, catchup=False) as dag:
            bash("extract") >> BashOperator(task_id="load", bash_command=template)
        install(session, [dag])
        world = World(session)
        shown = plan(world, "xc.load", ranges=[days(1, 1)])
        assert "xc extract executes too: load takes its result" in shown.warnings
        assert world.play(world.create("xc.load", ranges=[days(1, 1)])).state == "success"
        assert set(world.executed) == {("01-01", "extract"), ("01-01", "load")}

    def test_where_it_cannot_be_known_the_plan_says_who_may_need_one(self, session):
        with DAG("xc", schedule="@daily", start_date=START, catchup=False) as dag:
            bash("extract") >> [
                BashOperator(task_id="load", bash_command="{{ ti.xcom_pull(params.who) }}"),
                PythonOperator(task_id="call", python_callable=sorted, op_args=[[]]),
                bash("plain"),
            ]
        install(session, [dag])
        world = World(session)
        (line,) = (
            one
            for one in plan(world, "xc.load", "xc.call", "xc.plain", ranges=[days(1, 1)]).warnings
            if "may be needed" in one
        )
        assert line.endswith(": call, load")
        everything = plan(world, "xc", ranges=[days(1, 1)]).warnings
        assert not any("may be needed" in one for one in everything), "all that is upstream executes"
