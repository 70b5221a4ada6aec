"""A monitor's rounds while four replenishments are at work, and people who pause tasks meanwhile.

Every change waits for one writer, so what counts is how long a transaction keeps the others waiting, and how much is
done in it. Workers and scheduler are played by bulk statements: what starts ends before the next round.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from airflow.models.backfill import Backfill
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import func, select, update
from tests.support.airflow_db import empty_tables, new_session, serialized, write_dags
from tests.support.queries import writer_transactions

from benchmarks.measure import Row
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.models import Replenishment
from taskops_provider.monitor.loop import Monitor
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.replenishments.execute import ROUND_SECONDS
from taskops_provider.services.replenishments.make_runs import INSTANCES_A_TURN
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

ACTOR = Actor("bench", "cli", UnrestrictedPermissions())
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
REPLENISHMENTS, TASKS, CYCLES = 4, 50, 100
#: runs of a workflow that execute at a time
AT_A_TIME = 16


def _furnish() -> None:
    dags = []
    for number in range(REPLENISHMENTS + 1):
        with DAG(f"bench_{number}", schedule="@daily", start_date=FIRST, catchup=False) as dag:
            for task in range(TASKS):
                BashOperator(task_id=f"t{task:02}", bash_command="true")
        dags.append(dag)
    with new_session() as session:
        write_dags(dags, session)
        index_refresh.refresh(session, datetime.now(UTC))
        session.commit()
        for number in range(REPLENISHMENTS):
            asked = ReplenishmentRequest(
                tasks=tuple(Target(f"bench_{number}", f"t{task:02}") for task in range(TASKS)),
                ranges=(Range(FIRST, FIRST + timedelta(days=CYCLES - 1)),),
                max_active_runs=AT_A_TIME,
            )
            create_replenishment(session, ACTOR, asked, datetime.now(UTC))
            session.commit()


def _execute() -> None:
    """What workers and scheduler do between two rounds: all that may start starts and ends."""
    now = datetime.now(UTC)
    with new_session() as session:
        goes_on = select(Backfill.id).where(Backfill.is_paused.is_(False), Backfill.completed_at.is_(None))
        for backfill_id in session.scalars(goes_on).all():
            starts = (
                select(DagRun.id)
                .where(DagRun.backfill_id == backfill_id, DagRun.state == "queued")
                .order_by(DagRun.id)
                .limit(AT_A_TIME)
            )
            ids = session.scalars(starts).all()
            of = select(DagRun.dag_id, DagRun.run_id).where(DagRun.id.in_(ids))
            for dag_id, run_id in session.execute(of).all():
                session.execute(
                    update(TI)
                    .where(TI.dag_id == dag_id, TI.run_id == run_id)
                    .values(state="success", start_date=now, end_date=now, updated_at=now)
                )
            session.execute(update(DagRun).where(DagRun.id.in_(ids)).values(state="success", end_date=now))
        session.commit()


def _pause_and_start(number: int) -> float:
    """Pause a task that no replenishment knows of; return how long it took."""
    target = (Target(f"bench_{REPLENISHMENTS}", f"t{number % TASKS:02}"),)
    seconds = 0.0
    for verb in (Verb.PAUSE, Verb.START):
        with new_session() as session:
            began = time.perf_counter()
            apply_operation(session, ACTOR, Request(verb, Scope.TASK, target, Options(reason="bench")))
            session.commit()
            seconds = max(seconds, time.perf_counter() - began)
    return seconds


def _are_over() -> bool:
    with new_session() as session:
        return not session.scalar(select(func.count()).where(Replenishment.ended_at.is_(None)))


def _create_runs() -> float:
    """Return how long Airflow's own code takes to create as many instances as a turn does."""
    with new_session() as session:
        dag = serialized(f"bench_{REPLENISHMENTS}", session)
        began = time.perf_counter()
        for number in range(max(INSTANCES_A_TURN // TASKS, 1)):
            date = FIRST + timedelta(days=number)
            dag.create_dagrun(
                run_id=f"bench_{number}",
                logical_date=date,
                data_interval=(date, date),
                run_after=date,
                run_type=DagRunType.BACKFILL_JOB,
                triggered_by=DagRunTriggeredByType.BACKFILL,
                state=DagRunState.QUEUED,
                start_date=date,
                session=session,
            )
        session.flush()
        session.rollback()
        return time.perf_counter() - began


def measure() -> list[Row]:
    """The rows of the table. Seconds are those of the clock: the database's part counts, and so does other work."""
    _furnish()
    monitor = Monitor(interval=0.0)
    monitor.run_once()
    at_work, stop = threading.Event(), threading.Event()
    idle: list[float] = []
    busy: list[float] = []
    created: list[float] = []
    rounds: list[float] = []

    def people() -> None:
        while not stop.is_set():
            if at_work.wait(0.1):
                busy.append(_pause_and_start(len(busy)))

    with writer_transactions() as held:
        asking = threading.Thread(target=people)
        asking.start()
        try:
            while not _are_over():
                _execute()
                # in turns with the rounds, so that other work on the machine hits all alike
                idle.append(_pause_and_start(len(idle)))
                created.append(_create_runs())
                at_work.set()
                began = time.perf_counter()
                monitor.run_once()
                rounds.append(time.perf_counter() - began)
                at_work.clear()
        finally:
            stop.set()
            asking.join()
    empty_tables()
    longest = max(one.seconds for one in held)
    allowed = 3 * median(idle) + 0.5
    return [
        Row(
            "longest transaction of replenishments at work", longest, "Airflow creating a turn's runs", max(created), 3
        ),
        Row("slowest pause meanwhile", max(busy), "three idle ones and 0.5 s", allowed, 1),
        Row("longest round", max(rounds), "a limit", None, 2 * ROUND_SECONDS),
    ]
