"""Hold, release and force of single instances, on Airflow's own scheduler logic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import clear_task_instances
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.models import InstanceOrder
from taskops_provider.services.gate import instance_orders, sweep
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.index.refresh import refresh
from taskops_provider.services.operations.on_instances import InstanceRequest, apply_on_instances
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support.airflow_db import write_dags
from tests.support.gates import gate, note_of, settle, task
from tests.support.scheduling import Scheduler
from tests.support.warehouse import operate

ANN = Actor("ann", "api", UnrestrictedPermissions())


def monitor(session) -> None:
    """The monitor's part of a round, orders and all."""
    now = datetime.now(UTC)
    instance_orders.tend_orders(session, now)
    for run in instance_orders.runs_out_of_line(session, now):
        instance_orders.repair_run(session, run, now)
    gate_settle.repair_waiting(session, now)
    settle(session)


def start(session, dag, *, outcomes=None, monitored=True, results=None) -> Scheduler:
    """Write a Dag and create a run of it."""
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    refresh(session, datetime.now(UTC))
    session.commit()
    scheduler = Scheduler(session, outcomes, settle=monitor if monitored else None, results=results)
    scheduler.create_run(dag.dag_id)
    return scheduler


def do(session, verb, task_id, *, map_index=-1, run_id="run_1", dag_id="d"):
    request = InstanceRequest(
        dag_id, task_id, InstanceVerb(verb), [Ref(run_id, map_index)], ReasonAndTicket(reason="late")
    )
    plan = apply_on_instances(session, ANN, request)
    session.commit()
    session.expire_all()
    return plan


def clear(session, *task_ids, run_id="run_1") -> None:
    """What Airflow's API does when somebody clears."""
    tis = list(session.scalars(select(TI).where(TI.task_id.in_(task_ids), TI.run_id == run_id)))
    clear_task_instances(tis, session)
    session.commit()
    session.expire_all()


def chain(*ids, **options) -> DAG:
    with DAG("d", schedule=None) as dag:
        last = None
        for one in ids:
            this = task(one, **options)
            if last is not None:
                last >> this
            last = this
    return dag


@pytest.mark.parametrize("monitored", [True, False])
def test_a_held_instance_waits_and_the_others_go_on(session, monitored):
    with DAG("d", schedule=None) as dag:
        first = task("a")
        first >> task("b") >> task("c")
        first >> task("other")
    scheduler = start(session, dag, monitored=monitored)
    plan = do(session, "hold", "b")
    assert [item.after for item in plan.plan.items] == ["held"]
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d") == {"a": "success", "b": "up_for_retry", "c": None, "other": "success"}
    assert "held by ann" in note_of(session, "d", "b")
    do(session, "release", "b")
    assert note_of(session, "d", "b") is None
    assert scheduler.run_to_end("d") == "success"
    assert sorted(scheduler.executed_tasks()) == ["a", "b", "c", "other"]


@pytest.mark.parametrize("state", ["scheduled", "queued"])
def test_what_is_on_its_way_to_an_executor_is_taken_back_and_loses_no_try(session, state):
    scheduler = start(session, chain("a", "b", retries=1), monitored=False, outcomes={"a": "failed"})
    scheduler.schedule("d")
    ti = session.scalars(select(TI).where(TI.task_id == "a")).one()
    if state == "scheduled":
        session.execute(update(TI).where(TI.id == ti.id).values(state="scheduled"))
        session.commit()
    do(session, "hold", "a")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == []
    do(session, "release", "a")
    scheduler.schedule("d")
    session.expire_all()
    assert session.scalars(select(TI).where(TI.task_id == "a")).one().try_number == 1


def test_a_held_empty_task_waits(session):
    with DAG("d", schedule=None) as dag:
        task("a") >> EmptyOperator(task_id="e") >> task("z")
    scheduler = start(session, dag, monitored=False)
    do(session, "hold", "e")
    assert scheduler.run_to_end("d") == "running"
    clear(session, "a", "e")
    scheduler.run_to_end("d")
    assert scheduler.states("d") == {"a": "success", "e": "up_for_retry", "z": None}
    do(session, "release", "e")
    assert scheduler.run_to_end("d") == "success"


@pytest.mark.parametrize("monitored", [True, False])
def test_clearing_what_is_upstream_leaves_it_held(session, monitored):
    scheduler = start(session, chain("a", "b", "c"), monitored=monitored)
    do(session, "hold", "b")
    scheduler.run_to_end("d")
    for _ in range(2):
        clear(session, "a", "b", "c")
        scheduler.run_to_end("d")
        assert scheduler.states("d") == {"a": "success", "b": "up_for_retry", "c": None}
    assert scheduler.executed_tasks() == ["a", "a", "a"]
    do(session, "release", "b")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["a", "a", "a", "b", "c"]


def test_it_stays_held_over_a_failure_upstream_that_is_cleared(session):
    scheduler = start(session, chain("a", "b"), outcomes={"a": "failed"})
    do(session, "hold", "b")
    assert scheduler.run_to_end("d") == "failed"
    assert scheduler.states("d")["b"] == "upstream_failed"
    scheduler.outcomes.clear()
    clear(session, "a", "b")
    scheduler.start_queued("d")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d") == {"a": "success", "b": "up_for_retry"}
    do(session, "release", "b")
    assert scheduler.run_to_end("d") == "success"


def _fail_as_worker(session, task_id: str) -> None:
    """What the execution API does when a try fails and another may follow."""
    ti = session.scalars(select(TI).where(TI.task_id == task_id)).one()
    ti.end_date = datetime.now(UTC)
    ti.prepare_db_for_next_try(session)
    session.flush()
    session.execute(
        update(TI)
        .where(TI.task_id == task_id)
        .values(state="up_for_retry", retry_delay_override=None, retry_reason=None)
        .execution_options(synchronize_session=False)
    )
    session.commit()
    session.expire_all()


@pytest.mark.parametrize("monitored", [True, False])
def test_what_executes_goes_on_and_its_next_try_is_held(session, monitored):
    dag = chain("a", "b", retries=2, retry_delay=timedelta(0))
    scheduler = start(session, dag, monitored=monitored)
    scheduler.schedule("d")
    session.execute(update(TI).where(TI.task_id == "a").values(state="running"))
    session.commit()
    plan = do(session, "hold", "a")
    [item] = plan.plan.items
    assert (item.outcome, item.after) == ("applied", "running")
    assert "its next try is held" in item.reason
    _fail_as_worker(session, "a")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == []
    monitor(session)
    session.commit()
    assert scheduler.states("d") == {"a": "up_for_retry", "b": None}
    do(session, "release", "a")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["a", "b"]
    session.expire_all()
    ti = session.scalars(select(TI).where(TI.task_id == "a")).one()
    assert (ti.try_number, ti.pool, ti.retry_reason) == (2, "default_pool", None)


def test_a_held_instance_goes_back_to_its_delay(session):
    dag = chain("a", retries=2, retry_delay=timedelta(hours=2))
    scheduler = start(session, dag)
    scheduler.schedule("d")
    session.execute(update(TI).where(TI.task_id == "a").values(state="running"))
    session.commit()
    _fail_as_worker(session, "a")
    ended = session.scalars(select(TI).where(TI.task_id == "a")).one().end_date
    do(session, "hold", "a")
    scheduler.run_to_end("d")
    do(session, "release", "a")
    ti = session.scalars(select(TI).where(TI.task_id == "a")).one()
    assert (ti.state, ti.end_date, ti.retry_delay_override, ti.pool) == ("up_for_retry", ended, None, "default_pool")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == []


@pytest.mark.parametrize("effect", ["skip", "run", "fail", "hold"])
def test_a_gated_instance_that_is_held_goes_back_into_the_gate(session, effect):
    dag = chain("a", "g", "z")
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    refresh(session, datetime.now(UTC))
    session.commit()
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, settle=monitor)
    scheduler.create_run("d")
    do(session, "hold", "g")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d") == {"a": "success", "g": "up_for_retry", "z": None}
    do(session, "release", "g")
    scheduler.run_to_end("d")
    settled = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}
    assert scheduler.states("d")["g"] == settled[effect]
    assert "g" not in scheduler.executed_tasks()


def test_a_hold_of_a_run_that_was_deleted_is_none_of_its_namesake(session):
    scheduler = start(session, chain("a"))
    do(session, "hold", "a")
    session.delete(session.scalars(select(DagRun)).one())
    session.commit()
    scheduler.create_run("d")
    assert scheduler.run_to_end("d") == "success"
    monitor(session)
    assert session.scalars(select(InstanceOrder)).all() == []


def test_a_mapped_task_is_held_before_it_is_expanded_and_one_of_its_instances_alone(session):
    with DAG("d", schedule=None) as dag:
        from airflow.sdk import task as sdk_task

        @sdk_task
        def numbers():
            return [1, 2, 3]

        @sdk_task
        def double(x):
            return x

        double.expand(x=numbers())
    scheduler = start(session, dag, results={"numbers": [1, 2, 3]})
    do(session, "hold", "double")
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["numbers"]
    do(session, "release", "double")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["numbers", "double", "double", "double"]
    clear(session, "numbers", "double")
    do(session, "hold", "double", map_index=1)
    scheduler.start_queued("d")
    assert scheduler.run_to_end("d") == "running"
    assert len(scheduler.executed) == 4 + 1 + 2
    do(session, "release", "double", map_index=1)
    assert scheduler.run_to_end("d") == "success"


@pytest.mark.parametrize("monitored", [True, False])
def test_a_forced_instance_runs_beside_a_failed_upstream(session, monitored):
    scheduler = start(session, chain("a", "b", "c"), outcomes={"a": "failed"}, monitored=monitored)
    assert scheduler.run_to_end("d") == "failed"
    do(session, "force", "b")
    scheduler.start_queued("d")
    # it is looked at again and again while it is under way
    for state in ("queued", "running"):
        scheduler.schedule("d")
        session.execute(update(TI).where(TI.task_id == "b").values(state=state, retry_reason=None))
        session.commit()
        scheduler.schedule("d")
        assert scheduler.states("d")["b"] == state
        assert scheduler.run_state("d") == "running"
    session.execute(update(TI).where(TI.task_id == "b").values(state="queued"))
    session.commit()
    assert scheduler.run_to_end("d") == "failed"
    assert scheduler.states("d") == {"a": "failed", "b": "success", "c": "upstream_failed"}
    assert scheduler.executed_tasks() == ["a", "b"]


def test_a_forced_instance_does_not_wait_for_its_upstream_nor_for_earlier_runs(session):
    dag = chain("a", "b", depends_on_past=True)
    scheduler = start(session, dag)
    earlier = datetime.now(UTC) - timedelta(days=1)
    scheduler.create_run("d", "run_0", logical_date=earlier)
    do(session, "hold", "a", run_id="run_0")
    do(session, "force", "b")
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["b"]
    assert scheduler.states("d")["b"] == "success"


def test_a_forced_instance_is_forced_until_its_last_try(session):
    scheduler = start(session, chain("a", "b", retries=1, retry_delay=timedelta(0)), outcomes={"a": "failed"})
    scheduler.run_to_end("d")
    session.execute(update(TI).where(TI.task_id == "a").values(state="failed"))
    session.commit()
    scheduler.run_to_end("d")
    do(session, "force", "b")
    scheduler.start_queued("d")
    scheduler.schedule("d")
    session.execute(update(TI).where(TI.task_id == "b").values(state="running", retry_reason=None))
    session.commit()
    _fail_as_worker(session, "b")
    scheduler.run_to_end("d")
    assert scheduler.states("d")["b"] == "success"
    assert session.scalars(select(InstanceOrder)).all() == []


def test_what_is_cleared_after_it_was_forced_is_forced_no_more(session):
    scheduler = start(session, chain("a", "b"), outcomes={"a": "failed"}, monitored=False)
    scheduler.run_to_end("d")
    do(session, "force", "b")
    scheduler.start_queued("d")
    scheduler.run_to_end("d")
    clear(session, "b")
    scheduler.start_queued("d")
    scheduler.run_to_end("d")
    assert scheduler.states("d")["b"] == "upstream_failed"


def test_a_forced_instance_starts_though_it_is_held_and_its_next_try_is_held(session):
    scheduler = start(session, chain("a", "b"))
    do(session, "hold", "b")
    do(session, "force", "b")
    scheduler.run_to_end("d")
    assert sorted(scheduler.executed_tasks()) == ["a", "b"]
    clear(session, "b")
    scheduler.start_queued("d")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d")["b"] == "up_for_retry"


def test_a_forced_instance_finds_room_in_a_full_run_and_the_limit_comes_back(session):
    from airflow.models.dag import DagModel

    with DAG("d", schedule=None, max_active_tasks=1) as dag:
        task("long")
        task("wanted")
        task("third")
    scheduler = start(session, dag)
    scheduler.schedule("d")
    [running] = [one for one, state in scheduler.states("d").items() if state == "queued"]
    wanted = "third" if running == "wanted" else "wanted"
    session.execute(update(TI).where(TI.task_id == running).values(state="running"))
    session.commit()
    do(session, "force", wanted)
    for _ in range(4):
        scheduler.schedule("d")
        monitor(session)
        session.commit()
    states = scheduler.states("d")
    assert states[wanted] == "queued"
    assert sum(state in ("queued", "running") for state in states.values()) == 2
    session.expire_all()
    assert session.scalar(select(DagModel.max_active_tasks)) == 1
    assert session.scalar(select(TI.priority_weight).where(TI.task_id == wanted)) == 1


def do_run(session, verb, run_id="run_1"):
    request = RunRequest("d", RunVerb(verb), [run_id], ReasonAndTicket())
    plan = apply_on_runs(session, ANN, request)
    session.commit()
    session.expire_all()
    return plan


@pytest.mark.parametrize("monitored", [True, False])
def test_nothing_starts_in_a_held_run_and_other_runs_go_on(session, monitored):
    scheduler = start(session, chain("a", "b", "c"), monitored=monitored)
    scheduler.schedule("d")
    scheduler.work()
    scheduler.create_run("d", "run_2")
    [item] = do_run(session, "hold").plan.items
    assert (item.outcome, item.before, item.after) == ("applied", "running", "held")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.run_to_end("d", "run_2") == "success"
    assert scheduler.states("d") == {"a": "success", "b": "up_for_retry", "c": "up_for_retry"}
    clear(session, "a", "b", "c")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d") == dict.fromkeys("abc", "up_for_retry")
    do_run(session, "release")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["a", "a", "b", "c"]


def test_a_task_that_a_later_version_brings_waits_in_a_held_run(session):
    scheduler = start(session, chain("a", "b"), monitored=False)
    do_run(session, "hold")
    write_dags([chain("a", "b", "new")], session)
    dag = scheduler._runner.scheduler_dag_bag.get_latest_version_of_dag("d", session=session)
    run = session.scalars(select(DagRun)).one()
    run.dag = dag
    run.verify_integrity(session=session, dag_version_id=run.created_dag_version_id)
    session.commit()
    assert scheduler.states("d") == {"a": "up_for_retry", "b": "up_for_retry", "new": "up_for_retry"}


def test_what_is_held_by_itself_stays_so_when_its_run_is_released(session):
    scheduler = start(session, chain("a", "b"))
    do(session, "hold", "a")
    do_run(session, "hold")
    [item] = do(session, "release", "a").plan.items
    assert item.outcome == "applied"
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == []
    [item] = do(session, "release", "b").plan.items
    assert (item.outcome, item.reason) == ("left_alone", "is held with its run: release the run")
    do_run(session, "release")
    assert scheduler.run_to_end("d") == "success"


def test_starting_a_paused_task_lets_go_of_nothing_that_people_hold(session):
    dag = chain("a", "b")
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    refresh(session, datetime.now(UTC))
    session.commit()
    operate(session, "pause", "d.b", downstream="hold")
    scheduler = Scheduler(session, settle=monitor)
    scheduler.create_run("d")
    do(session, "hold", "b")
    scheduler.run_to_end("d")
    operate(session, "start", "d.b")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == ["a"]
    do(session, "release", "b")
    sweep_all(session)
    assert scheduler.run_to_end("d") == "success"


def sweep_all(session) -> None:
    now = datetime.now(UTC)
    for dag_id in sweep.dags_to_sweep(session, now):
        sweep.sweep_dag(session, dag_id, now)
    session.commit()


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_a_held_instance_of_a_task_whose_instances_are_ended_is_gated_once_it_is_released(session, effect):
    scheduler = start(session, chain("a", "b"))
    do(session, "hold", "b")
    operate(session, "pause", "d.b", downstream=effect, terminate_instances=True)
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.states("d")["b"] == "up_for_retry"
    do(session, "release", "b")
    scheduler.run_to_end("d")
    assert scheduler.states("d")["b"] == {"skip": "skipped", "run": "success", "fail": "failed"}[effect]
    assert scheduler.executed_tasks() == ["a"]


def test_a_forced_instance_of_a_held_run_stays_forced_when_a_new_version_comes(session):
    scheduler = start(session, chain("a", "b"), monitored=False)
    do_run(session, "hold")
    do(session, "force", "b")
    write_dags([chain("a", "b", "new")], session)
    dag = scheduler._runner.scheduler_dag_bag.get_latest_version_of_dag("d", session=session)
    run = session.scalars(select(DagRun)).one()
    run.dag = dag
    run.verify_integrity(session=session, dag_version_id=run.created_dag_version_id)
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["b"]


def test_a_clear_that_is_rolled_back_leaves_nothing_behind(session):
    scheduler = start(session, chain("a", "b"), monitored=False)
    do(session, "hold", "b")
    scheduler.run_to_end("d")
    tis = list(session.scalars(select(TI).where(TI.task_id == "b")))
    clear_task_instances(tis, session)
    session.rollback()
    assert scheduler.states("d")["b"] == "up_for_retry"
    session.delete(session.scalars(select(DagRun)).one())
    session.commit()
