"""Two transactions at once: one stops in its middle, others go on, then it ends.

Only one thread runs at a time, so a history stays the same each time. Where the second waits for a lock of the first,
the first goes on: on PostgreSQL the server tells who waits, on SQLite whoever writes first is the one writer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from airflow import settings
from sqlalchemy import text

from tests.simulation.actors import PROCESS
from tests.simulation.world import Pace, World

#: seconds of real time after which a history is given up: something waits for ever
_LONGEST = 60.0

Perform = Callable[[World, dict[str, Any]], None]


class _Thread(threading.Thread):
    """Runs events; keeps the error that ends it."""

    def __init__(self, world: World, perform: Perform, events: list[dict[str, Any]], pace: Pace | None = None):
        super().__init__(daemon=True)
        self._world, self._perform, self._events, self.pace = world, perform, events, pace
        self.error: BaseException | None = None
        #: waits for the other's transaction to end
        self.blocked = threading.Event()
        self.done = threading.Event()

    def run(self) -> None:
        try:
            if self.pace is None:
                self._play()
            else:
                with self._world.paced(self.pace):
                    self._play()
        except BaseException as error:
            self.error = error
        finally:
            settings.Session.remove()
            self.done.set()
            if self.pace is not None:
                self.pace.reached.set()

    def _play(self) -> None:
        for event in self._events:
            self._perform(self._world, event)


def play_during(world: World, perform: Perform, first: dict[str, Any], at: int, then: list[dict[str, Any]]) -> None:
    """Stop ``first`` before its statement number ``at``, play ``then``, let ``first`` end.

    :raises TimeoutError: when the two wait for each other for ever
    """
    one = _Thread(world, perform, [first], Pace(at))
    two = _Thread(world, perform, then)

    def wait_for_writer(connection: Any, statement: str) -> None:
        if threading.get_ident() != two.ident or connection.in_transaction or not _writes(statement):
            return
        other = world.connections.get(one.ident or 0)
        if other is not None and not one.done.is_set() and other.in_transaction:
            two.blocked.set()
            one.done.wait(_LONGEST)

    assert one.pace is not None
    with world.writers_wait(wait_for_writer if world.database.dialect == "sqlite" else _nobody):
        one.start()
        _await(one.pace.reached)
        if not one.done.is_set():
            two.start()
            _await_done_or_blocked(world, two)
            world.clock.resume(PROCESS[first["do"]])
            one.pace.go.set()
            _await(one.done)
        else:
            two.start()
        _await(two.done)
    world.clock.resume("")
    for thread in (one, two):
        if thread.error is not None:
            raise thread.error


def _nobody(connection: Any, statement: str) -> None:
    """On PostgreSQL the server makes writers wait."""


def _writes(statement: str) -> bool:
    return statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")


def _await(event: threading.Event) -> None:
    if not event.wait(_LONGEST):
        raise TimeoutError("two transactions wait for each other")


def _await_done_or_blocked(world: World, thread: _Thread) -> None:
    if world.database.dialect == "sqlite":
        while not (thread.done.wait(0.001) or thread.blocked.is_set()):
            pass
        return
    end = time.perf_counter() + _LONGEST
    with settings.engine.connect() as watching:
        while not thread.done.wait(0.003):
            connection = world.connections.get(thread.ident or 0)
            if connection is not None and not connection.closed and _waits(watching, connection):
                return
            if time.perf_counter() > end:
                raise TimeoutError("two transactions wait for each other")


def _waits(watching: Any, connection: Any) -> bool:
    pid = connection.info.backend_pid
    found = watching.execute(text("SELECT cardinality(pg_blocking_pids(:pid))"), {"pid": pid}).scalar()
    watching.rollback()
    return bool(found)
