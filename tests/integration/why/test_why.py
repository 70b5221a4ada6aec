"""Why is this not running? (D9): TaskOps' own reasons and Airflow's, each for the state that brings it about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.jobs.job import Job
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG, Asset
from airflow.sdk import task as task_decorator
from sqlalchemy import update

from taskops_provider.adapter.compatibility import pause_values
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.models import Lease
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.why.task import Explanation, why
from tests.support.airflow_db import spoil
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.gates import settle
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, START, Limited, bash, chain, install, later, operate, retail


def ask(session, name: str, run_id: str | None = None, actor: Actor = ALICE) -> Explanation:
    session.expire_all()
    return why(session, actor, *name.split(".", 1), datetime.now(UTC), run_id=run_id)


def codes(session, name: str, run_id: str | None = None) -> list[str]:
    return [reason.code for reason in ask(session, name, run_id).reasons]


def of_instance(session, name: str, run_id: str | None = None) -> dict[str, str]:
    """code -> line of the only instance told of."""
    [instance] = ask(session, name, run_id).instances
    return {reason.code: reason.text for reason in instance.reasons}


def scheduler_lives(session) -> None:
    session.add(Job(job_type="SchedulerJob", state="running", latest_heartbeat=later(minutes=10)))
    session.commit()


def monitor_lives(session) -> None:
    now = datetime.now(UTC)
    session.add(Lease(name="monitor", holder="here", renewed_at=now, expires_at=now + timedelta(hours=1)))
    session.commit()


def set_ti(session, name: str, run_id: str = "run_1", **values) -> None:
    dag_id, task_id = name.split(".", 1)
    session.execute(update(TI).where(TI.dag_id == dag_id, TI.task_id == task_id, TI.run_id == run_id).values(**values))
    session.commit()


@pytest.fixture
def orders(session):
    install(session, [chain("orders", "extract", "clean", "load")])
    gate_settle.ensure_pools(session)
    scheduler_lives(session)
    monitor_lives(session)
    return session


def test_nothing_is_in_the_way_but_the_clock(orders):
    [reason] = ask(orders, "orders.clean").reasons
    assert (reason.code, reason.until is not None or reason.since is not None) == ("next_run", True)
    orders.execute(update(DagModel).values(next_dagrun_create_after=later(hours=3)))
    orders.commit()
    [reason] = ask(orders, "orders.clean").reasons
    assert reason.until > later(hours=2)


def test_paused_by_whom_why_and_until_when(orders):
    until = later(days=1)
    done = operate(orders, "pause", "orders.clean", reason="vendor is down", ticket="OPS-1", resume_at=until)
    answer = ask(orders, "orders.clean")
    [reason] = answer.reasons
    assert answer.status == "paused"
    assert reason.text == (
        "Paused by alice: vendor is down (OPS-1); in runs made meanwhile it is skipped. To end it, start it."
    )
    assert (reason.code, reason.until, reason.operation_id) == ("paused", until, done.operation_id)
    assert datetime.now(UTC) - reason.since < timedelta(minutes=1)


def test_offline_deleted_draining_and_paused_in_airflow(orders):
    Scheduler(orders).create_run("orders")
    operate(orders, "offline", "orders", downstream="run")
    offline, draining = ask(orders, "orders.load").reasons
    assert (offline.code, draining.code) == ("offline", "draining")
    assert "it counts as success without executing" in offline.text
    assert "1 run left" in draining.text
    orders.execute(update(DagRun).values(state="success"))
    orders.execute(update(DagModel).values(pause_values(paused=True)))
    orders.commit()
    operate(orders, "delete", "orders", downstream="fail")
    assert codes(orders, "orders.load")[:1] == ["deleted"]
    assert "dag_paused" in codes(orders, "orders.load")


def test_dates_versions_and_files(session):
    past, ahead = datetime(2026, 2, 1, tzinfo=UTC), later(days=9)
    with DAG("d", schedule="@daily", start_date=START, catchup=False) as dag:
        bash("over", end_date=past)
        bash("ahead", start_date=ahead)
        bash("gone")
    install(session, [dag])
    assert codes(session, "d.over") == ["expired"]
    [reason, *_] = ask(session, "d.ahead").reasons
    assert (reason.code, reason.until) == ("not_yet_effective", ahead)
    session.execute(update(DagModel).values(is_stale=True, has_import_errors=True))
    session.commit()
    assert "dag_gone" in codes(session, "d.gone")
    session.execute(update(DagModel).values(is_stale=False, next_dagrun_create_after=None))
    session.commit()
    assert codes(session, "d.gone") == ["import_error", "no_next_run", "no_scheduler"]
    session.execute(update(DagModel).values(exceeds_max_non_backfill=True))
    session.commit()
    assert "max_active_runs" in codes(session, "d.gone")


def test_schedules_that_wait_for_others(session):
    table = Asset("s3://warehouse/t")
    with DAG("manual", schedule=None, start_date=START) as manual:
        bash("a")
    with DAG("eventful", schedule=[table], start_date=START) as eventful:
        bash("a")
    install(session, [manual, eventful])
    assert codes(session, "manual.a")[0] == "no_schedule"
    assert ask(session, "eventful.a").reasons[0].text == (
        "Its Dag runs when assets are updated. Not updated since the last run: s3://warehouse/t."
    )


def test_an_instance_that_waits_for_upstream_names_it(orders):
    scheduler = Scheduler(orders, {"extract": "failed"})
    scheduler.create_run("orders")
    answer = ask(orders, "orders.clean")
    assert answer.unfinished_instances == 1
    [reason] = answer.instances[0].reasons
    assert reason.text == "It waits for extract: not scheduled yet."
    assert (reason.dag_id, reason.task_id) == ("orders", "extract")
    assert of_instance(orders, "orders.extract") == {"due": "Nothing is in its way: the scheduler takes it up next."}
    scheduler.run_to_end("orders")
    assert ask(orders, "orders.clean").unfinished_instances == 0
    told = of_instance(orders, "orders.clean", "run_1")
    assert told == {
        "upstream_failed": "Something upstream of it failed.",
        "upstream": "Upstream of it extract: failed.",
    }


def test_a_gated_instance_names_the_operation_and_what_it_still_waits_for(orders):
    done = operate(orders, "pause", "orders.clean", reason="late", downstream="hold", resume_at=later(hours=1))
    scheduler = Scheduler(orders, settle=settle)
    scheduler.create_run("orders")
    [instance] = ask(orders, "orders.clean").instances
    held, upstream = instance.reasons
    assert held.code == "held"
    assert f"paused by alice (operation {done.operation_id}): late; held without executing" in held.text
    assert (held.operation_id, held.until is not None, upstream.code) == (done.operation_id, True, "upstream")
    scheduler.run_to_end("orders")
    assert list(of_instance(orders, "orders.clean")) == ["held"]
    assert of_instance(orders, "orders.load")["upstream"] == "It waits for clean: held by TaskOps."


def test_a_settled_instance_is_told_of_when_its_run_is_asked_for(orders):
    operate(orders, "pause", "orders.clean", reason="late")
    scheduler = Scheduler(orders, settle=settle)
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    told = of_instance(orders, "orders.clean", "run_1")
    assert told["gated"].startswith("It did not execute: paused by alice")
    assert list(of_instance(orders, "orders.load", "run_1")) == ["skipped", "upstream"]
    assert of_instance(orders, "orders.extract", "run_1") == {"success": "It ran and succeeded."}


def test_pools_limits_and_executors(orders):
    orders.add(Pool(pool="small", slots=0, include_deferred=False, description=""))
    orders.commit()
    Scheduler(orders).create_run("orders")
    set_ti(orders, "orders.extract", state="scheduled", scheduled_dttm=datetime.now(UTC))
    assert list(of_instance(orders, "orders.extract")) == ["scheduled"]
    set_ti(orders, "orders.extract", pool="small")
    told = of_instance(orders, "orders.extract")
    assert told == {"pool_full": "Its pool small has too few open slots (0 in all, it needs 1)."}
    set_ti(orders, "orders.extract", pool="nowhere")
    assert of_instance(orders, "orders.extract") == {"no_pool": "Its pool nowhere does not exist."}
    orders.execute(update(DagModel).values(max_active_tasks=1))
    orders.commit()
    set_ti(orders, "orders.extract", pool="default_pool")
    set_ti(orders, "orders.load", state="running")
    assert list(of_instance(orders, "orders.extract")) == ["max_active_tasks"]
    set_ti(orders, "orders.extract", state="queued", queued_dttm=datetime.now(UTC))
    assert of_instance(orders, "orders.extract") == {
        "queued": "An executor has it (queue default): no worker has begun it yet."
    }
    assert of_instance(orders, "orders.load") == {"running": "It is running."}


def test_task_concurrency_and_depends_on_past(session):
    with DAG("d", schedule="@daily", start_date=START, catchup=False) as dag:
        bash("one", max_active_tis_per_dag=1, depends_on_past=True)
    install(session, [dag])
    scheduler = Scheduler(session)
    scheduler.create_run("d", "run_1", logical_date=START)
    set_ti(session, "d.one", "run_1", state="running")
    scheduler.create_run("d", "run_2", logical_date=START + timedelta(days=1))
    assert "depends_on_past" in of_instance(session, "d.one", "run_2")
    set_ti(session, "d.one", "run_2", state="scheduled", scheduled_dttm=datetime.now(UTC))
    assert "concurrency" in of_instance(session, "d.one", "run_2")["task_concurrency"]


def test_retry_reschedule_and_deferral_say_until_when(orders):
    Scheduler(orders).create_run("orders")
    now = datetime.now(UTC)
    set_ti(orders, "orders.extract", state="up_for_retry", end_date=now, try_number=1, max_tries=2)
    [retry] = ask(orders, "orders.extract").instances[0].reasons
    assert (retry.code, retry.text) == ("retry", "Try 1 of 3 failed: it is tried again.")
    assert retry.until > now
    until = later(hours=2)
    set_ti(orders, "orders.extract", state="deferred", trigger_timeout=until)
    answer = ask(orders, "orders.extract")
    [deferred] = answer.instances[0].reasons
    assert (deferred.code, deferred.until) == ("deferred", until)
    assert "no_triggerer" in [reason.code for reason in answer.reasons]
    set_ti(orders, "orders.extract", state="up_for_reschedule")
    assert list(of_instance(orders, "orders.extract")) == ["rescheduled"]
    set_ti(orders, "orders.extract", state="awaiting_input")
    assert list(of_instance(orders, "orders.extract")) == ["input"]


def test_a_queued_run_and_one_that_lies_ahead(orders):
    scheduler = Scheduler(orders)
    scheduler.create_run("orders", "run_1")
    scheduler.create_run("orders", "run_2")
    orders.execute(update(DagRun).where(DagRun.run_id == "run_2").values(state="queued"))
    orders.execute(update(DagModel).values(max_active_runs=1))
    orders.commit()
    told = of_instance(orders, "orders.extract", "run_2")
    assert told["run_queued"] == "Its run is queued: 1 of at most 1 runs are running (max_active_runs)."
    orders.execute(update(DagRun).where(DagRun.run_id == "run_2").values(run_after=later(hours=1)))
    orders.commit()
    assert "run_ahead" in of_instance(orders, "orders.extract", "run_2")


def test_a_sensor_names_the_stopped_task_it_watches_but_not_to_strangers(session):
    install(session, retail())
    operate(session, "pause", "orders.load")
    Scheduler(session).create_run("sales")
    set_ti(session, "sales.wait", state="running", start_date=datetime.now(UTC))
    assert of_instance(session, "sales.wait")["sensor"] == "It watches load of orders, which is paused."
    stranger = Actor("eve", "ui", Limited({"sales"}))
    answer = ask(session, "sales.wait", actor=stranger)
    assert "orders" not in str(to_plain_data(answer))


def test_dead_processes(session):
    install(session, [chain("orders", "extract", "clean")])
    assert "no_scheduler" in codes(session, "orders.clean")
    operate(session, "pause", "orders.clean", resume_at=later(hours=1))
    assert codes(session, "orders.clean") == ["paused", "no_monitor"]


def test_a_monitor_that_renewed_its_lease_meanwhile_lives(session):
    """What the session read before is not what the lease says now."""
    install(session, [chain("orders", "extract", "clean")])
    monitor_lives(session)
    session.execute(update(Lease).values(expires_at=later(hours=-1)))
    operate(session, "pause", "orders.clean", resume_at=later(days=1))
    seen_before = session.get(Lease, "monitor")
    assert "no_monitor" in codes(session, "orders.clean")
    renewed = update(Lease).values(expires_at=later(hours=1)).execution_options(synchronize_session=False)
    session.execute(renewed)
    assert "no_monitor" not in codes(session, "orders.clean")
    del seen_before


def test_mapped_instances_are_bounded_and_unexpanded_ones_told_of(session):
    with DAG("m", schedule="@daily", start_date=START, catchup=False) as dag:

        @task_decorator
        def make():
            return list(range(9))

        @task_decorator
        def use(x):
            return x

        use.expand(x=make())
    install(session, [dag])
    scheduler = Scheduler(session, results={"make": list(range(9))})
    scheduler.create_run("m")
    assert of_instance(session, "m.use")["upstream"].startswith("It waits for make")
    scheduler.schedule("m")
    scheduler.work()
    scheduler.schedule("m")
    answer = ask(session, "m.use")
    assert (answer.unfinished_instances, len(answer.instances)) == (9, 5)
    assert [each.map_index for each in answer.instances] == [0, 1, 2, 3, 4]
    assert not session.new
    assert not session.dirty


def test_asking_changes_nothing(orders):
    """Airflow's own checks set states where they are let."""
    scheduler = Scheduler(orders, {"extract": "failed"})
    scheduler.create_run("orders")
    scheduler.schedule("orders")
    scheduler.work()
    before = scheduler.raw_states("orders")
    ask(orders, "orders.clean")
    ask(orders, "orders.clean", "run_1")
    orders.commit()
    assert scheduler.raw_states("orders") == before


def test_a_constant_number_of_queries(orders):
    scheduler = Scheduler(orders)
    costs = []
    for number in range(1, 13):
        scheduler.create_run("orders", f"run_{number}", logical_date=START + timedelta(days=number))
        if number in (6, 12):
            orders.expire_all()
            with counted_queries() as statements:
                why(orders, ALICE, "orders", "clean", datetime.now(UTC))
            costs.append(len(statements))
            orders.rollback()
    assert costs[0] == costs[1] < 60


def test_every_surface_gives_the_same_answer(orders, capsys, monkeypatch):
    """D10"""
    done = operate(orders, "pause", "orders.clean", reason="late", downstream="hold")
    Scheduler(orders).create_run("orders")
    orders.commit()
    cli = Cli(capsys, monkeypatch)
    told = cli.json("tasks", "show", "orders", "clean")["why"]
    with web_app("simple").active() as web:
        assert Api(web, "viewer").get("tasks/orders/clean/why") == told
        assert Api(web, "viewer").get("tasks/orders/clean/why", run_id="run_1")["run_id"] == "run_1"
        assert "no run" in Api(web).refused(404, "GET", "tasks/orders/clean/why?run_id=nothing")
    assert [reason["code"] for reason in told["reasons"]] == ["paused"]
    assert [reason["code"] for reason in told["instances"][0]["reasons"]] == ["held", "upstream"]
    lines = cli("tasks", "show", "orders", "clean").lines
    assert "why is it not running" in lines
    [line] = [line for line in lines if line.startswith("  Paused by alice: late; in runs made meanwhile it waits")]
    assert f"(operation {done.operation_id}, since " in line
    assert "  run_1 (waits in the gate):" in lines
    assert "    It waits for extract: not scheduled yet." in lines


def test_who_may_not_see_it(orders):
    with pytest.raises(ResourceNotFound):
        ask(orders, "orders.clean", actor=Actor("eve", "ui", Limited({"sales"})))
    with pytest.raises(ResourceNotFound):
        ask(orders, "orders.nothing")
    with pytest.raises(ResourceNotFound, match="no run"):
        ask(orders, "orders.clean", "no_such_run")
    Scheduler(orders).create_run("orders")

    class WithoutInstances(Limited):
        def may_read_instances(self, dag_id):
            return False

    blind = Actor("eve", "ui", WithoutInstances({"orders"}))
    answer = ask(orders, "orders.clean", actor=blind)
    assert (answer.unfinished_instances, answer.instances) == (None, [])
    with pytest.raises(Forbidden):
        ask(orders, "orders.clean", "run_1", actor=blind)


def test_a_dag_that_cannot_be_read(orders):
    """What TaskOps knows is told all the same."""
    operate(orders, "pause", "orders.clean", downstream="hold")
    Scheduler(orders).create_run("orders", "one")
    spoil("orders", orders)
    assert set(of_instance(orders, "orders.clean", "one")) == {"held", "task_gone"}
