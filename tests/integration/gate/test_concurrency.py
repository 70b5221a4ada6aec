"""The scheduler, two monitors, an operator and a person who clears, at work on the same instances at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from taskops_provider.domain.states import Downstream
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate import settle as gate_settle
from tests.support.airflow_db import new_session, serialized, write_dags
from tests.support.gates import gate, settle, task
from tests.support.scheduling import Scheduler
from tests.support.versions import count_earlier_tries, queue_scheduled

RUNS = 6
#: how often each of the threads does its work at least
ROUNDS = 40
PAIRS = [("d", f"g{i}") for i in range(10)]
CLEARED = ["g1", "g2"]


def many() -> DAG:
    with DAG("d", schedule=None, max_active_tasks=1000) as dag:
        first = task("first")
        for i in range(10):
            operator = EmptyOperator(task_id=f"g{i}") if i % 3 == 0 else task(f"g{i}")
            first >> operator >> task(f"after{i}", trigger_rule="all_done")
    return dag


class Turmoil:
    """What each of the threads does over and over, each time in a session of its own."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.errors: list[tuple[str, BaseException]] = []
        self.rounds: Counter[str] = Counter()
        self.executed: list[tuple[str, str, int]] = []

    def start(self, *works: Callable[[], None]) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        return threads

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self.stop.is_set():
            try:
                work()
                self.rounds[work.__name__] += 1
            except StaleDataError as error:
                # a worker or a person of Airflow's, beaten to an instance by the other: not ours
                if work not in (self.schedule, self.clear):
                    self._fail(work, error)
            except Exception as error:
                self._fail(work, error)

    def _fail(self, work: Callable[[], None], error: Exception) -> None:
        self.errors.append((work.__name__, error))
        self.stop.set()

    def schedule(self) -> None:
        """As the scheduler does: lock the runs, decide, queue; then the workers."""
        with new_session() as session:
            scheduler = Scheduler(session)
            for run in list(DagRun.get_running_dag_runs_to_examine(session)):
                run.dag = serialized("d", session)
                ready, _ = run.update_state(session=session, execute_callbacks=False)
                run.schedule_tis(ready, session=session)
            session.commit()
            queue_scheduled(scheduler._runner, session)
            session.commit()
            try:
                scheduler.work()
            finally:
                self.executed += scheduler.executed

    def monitor(self) -> None:
        with new_session() as session:
            settle(session)
            session.commit()

    def operate(self) -> None:
        for effect in (Downstream.HOLD, Downstream.SKIP):
            with new_session() as session:
                existing_instances.gate_unstarted_and_end_started(session, PAIRS, effect, datetime.now(UTC))
                existing_instances.regate_held(session, PAIRS[:5], Downstream.FAIL)
                existing_instances.release(session, PAIRS[5:8], "skip")
                session.commit()

    def clear(self) -> None:
        with new_session() as session:
            serialized("d", session).clear(run_id="run_0", task_ids=CLEARED, session=session, dag_run_state=False)
            session.commit()
        before = self.rounds["schedule"]
        while self.rounds["schedule"] == before and not self.stop.wait(0.01):
            pass  # what was cleared is to execute again in between

    def wait(self, works: int) -> None:
        """Wait until each has done its work often enough, or something failed."""
        deadline = time.monotonic() + 240
        while len(self.rounds) < works or min(self.rounds.values()) < ROUNDS:
            assert time.monotonic() < deadline, self.rounds
            if self.stop.wait(0.05):
                break


@pytest.mark.postgres
def test_nobody_waits_for_ever_and_nothing_gated_executes(session):
    write_dags([many()], session)
    gate_settle.ensure_pools(session)
    gate(session, "d", "", "skip")
    for number in range(RUNS):
        Scheduler(session).create_run("d", f"run_{number}", logical_date=datetime(2026, 1, 1 + number, tzinfo=UTC))
    turmoil = Turmoil()
    threads = turmoil.start(turmoil.schedule, turmoil.monitor, turmoil.monitor, turmoil.operate, turmoil.clear)
    try:
        turmoil.wait(works=4)
    finally:
        turmoil.stop.set()
    for each in threads:
        each.join(60)
    assert not [each for each in threads if each.is_alive()]
    assert turmoil.errors == []
    gated = {(run, name) for run, name, _ in turmoil.executed if name.startswith("g")}
    assert gated <= {("run_0", name) for name in CLEARED}
    for _ in range(20):  # once the operator is gone the runs end
        turmoil.schedule()
        turmoil.monitor()
        existing_instances.regate_held(session, PAIRS, Downstream.SKIP)
        session.commit()
    session.expire_all()
    assert set(session.scalars(select(DagRun.state))) <= {"success", "failed"}
    assert count_earlier_tries(session)  # clearing did happen meanwhile
    assert not session.scalars(select(TI).where(TI.state == "scheduled")).all()
