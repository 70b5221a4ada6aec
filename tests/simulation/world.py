"""One history's world: the database, a scheduler, workers, people, a monitor, and what is remembered of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow.exceptions import DeserializationError
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbag import DBDagBag
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy.orm import Session

from tests.simulation.clock import Clock
from tests.simulation.dags import DagSpec, TaskSpec, Versions
from tests.simulation.database import Database
from tests.simulation.product import forget_dags, let_rounds_end


class Killed(BaseException):
    """The process of an actor was killed, in the middle of a transaction."""


@dataclass
class Pace:
    """Where a thread stops, or is killed: before its statement number ``at``, counted from 1."""

    at: int
    kills: bool = False
    seen: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


class Executor(BaseExecutor):
    """Keeps what it was handed, for the workers to take."""

    class _Tokens:
        def generate(self, *_: Any, **__: Any) -> str:
            return "token"

    def __init__(self) -> None:
        super().__init__(parallelism=1000)
        self.handed: list[Any] = []

    @property
    def jwt_generator(self) -> Any:
        return self._Tokens()

    def queue_workload(self, workload: Any, session: Session) -> None:
        self.handed.append(workload.ti)


@dataclass
class Execution:
    """A worker has begun to execute an instance.

    :param event: number of the history's event
    :param end: how the try ended; None while it goes on
    """

    event: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    ti_id: Any
    end: str | None = None

    @property
    def of_run(self) -> tuple[str, str]:
        """Dag and run."""
        return self.dag_id, self.run_id


class World:
    """What actors act on.

    :param skews: as :class:`~tests.simulation.clock.Clock`
    """

    def __init__(self, database: Database, dags: list[DagSpec], skews: dict[str, float], seed: int):
        self.database = database
        database.reset(seed)
        forget_dags()
        let_rounds_end()
        self.clock = Clock(skews)
        self.dags = {spec.id: Versions(spec) for spec in dags}
        self.executor = Executor()
        self.runner = SchedulerJobRunner(job=Job(), executors=[self.executor])
        self.api_dags = DBDagBag(load_op_links=False)
        #: what workers have begun and not ended
        self.running: list[Execution] = []
        self.executions: list[Execution] = []
        #: resumed after a deferral or a reschedule: (ti id, try) -> how many steps of the try are over
        self.steps_done: dict[tuple[Any, int], int] = {}
        self.event = 0
        #: of the actors' errors: (kind, text); oracles judge them
        self.errors: list[tuple[str, str]] = []
        self._paces: dict[int, Pace] = {}
        self._wait_for_writer: Callable[[Any, str], None] | None = None
        #: statements are looked at by the threads of an interleaving
        self.connections: dict[int, Any] = {}
        database.before = self._before
        #: Dags that the monitor cannot read
        self.unreadable: set[str] = set()
        self._readable = SerializedDagModel.dag
        SerializedDagModel.dag = property(self._read)  # type: ignore[assignment, method-assign]

    def close(self) -> None:
        """Let the clock go."""
        self.database.before = None
        SerializedDagModel.dag = self._readable  # type: ignore[method-assign]
        self.clock.stop()

    def _read(self, stored: SerializedDagModel) -> Any:
        if stored.dag_id in self.unreadable and self.clock.process == "monitor":
            raise DeserializationError(stored.dag_id)
        return self._readable.fget(stored)  # type: ignore[attr-defined]

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction."""
        with self.database.session() as session:
            yield session

    def spec(self, dag_id: str) -> DagSpec:
        """The Dag as it is now in its file."""
        return self.dags[dag_id].spec

    def task(self, dag_id: str, task_id: str) -> TaskSpec | None:
        """A task as it is now in its file, or was when it was last in it."""
        versions = self.dags[dag_id]
        for spec in (versions.spec, *reversed(versions.earlier)):
            if task_id in spec.of:
                return spec.of[task_id]
        return None

    @contextmanager
    def paced(self, pace: Pace) -> Iterator[None]:
        """Stop or kill the present thread at a statement."""
        self._paces[threading.get_ident()] = pace
        try:
            yield
        finally:
            self._paces.pop(threading.get_ident(), None)

    @contextmanager
    def writers_wait(self, wait: Callable[[Any, str], None]) -> Iterator[None]:
        """Ask ``wait`` before each statement, in every thread: for SQLite, which has one writer at a time."""
        self._wait_for_writer = wait
        try:
            yield
        finally:
            self._wait_for_writer = None

    def _before(self, connection: Any, statement: str) -> str:
        thread = threading.get_ident()
        self.connections[thread] = connection
        if self._wait_for_writer is not None:
            self._wait_for_writer(connection, statement)
        pace = self._paces.get(thread)
        if pace is not None:
            pace.seen += 1
            if pace.seen == pace.at:
                self._reach(pace, connection)
        return self.clock.in_sql(statement, self.database.dialect)

    def _reach(self, pace: Pace, connection: Any) -> None:
        if pace.kills:
            raise Killed
        if self.database.dialect == "sqlite" and connection.in_transaction:
            # nobody else could write meanwhile: stop at its next transaction
            pace.at += 1
            return
        pace.reached.set()
        pace.go.wait()
