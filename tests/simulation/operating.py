"""People who use TaskOps, and its monitor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from tests.simulation import product
from tests.simulation.actors import actor
from tests.simulation.clock import START
from tests.simulation.people import run_at
from tests.simulation.world import Killed, Pace, World

#: those that have nothing to do with the core
_IDLE = ("exports", "first_runs", "retention", "alarms")


@contextmanager
def _told_plainly(world: World, what: str) -> Iterator[None]:
    """Let refusals pass, which are answers; keep any other error for the oracles."""
    try:
        yield
    except product.TaskOpsError:
        pass
    except DBAPIError as error:
        world.errors.append(("operation", f"{what}: {type(error.orig).__name__}"))
    except Exception as error:
        world.errors.append(("operation", f"{what}: {type(error).__name__}: {error}"[:300]))


@actor("api")
def operate(world: World, verb: str, dag: str, tasks: list[str] | None = None, **options: Any) -> None:
    """Start, pause, take offline, delete or submit tasks, or a whole workflow.

    :param options: as :func:`product.operate` has them
    """
    with _told_plainly(world, f"{verb} {dag}"), world.session() as session:
        product.operate(session, verb, dag, tasks, options)


@actor("api")
def undo(world: World, back: int = 0) -> None:
    """Undo the newest operation, or an earlier one."""
    with _told_plainly(world, "undo"), world.session() as session:
        product.undo_operation(session, back)


@actor("api")
def instance(world: World, verb: str, dag: str, run: int, task: str) -> None:
    """Rerun, end or mark the instances of a task in a run, on the task's page."""
    with _told_plainly(world, f"instances {verb}"), world.session() as session:
        found = run_at(session, dag, run)
        if found is None:
            return
        query = select(TI.map_index).where(TI.dag_id == dag, TI.run_id == found.run_id, TI.task_id == task)
        if indexes := session.scalars(query.order_by(TI.map_index)).all():
            product.act_on_instances(session, verb, dag, task, found.run_id, indexes)


@actor("api")
def replenish(
    world: World,
    dag: str,
    first: int,
    last: int,
    tasks: list[str] | None = None,
    cells: str = "missing,failed",
    at_once: int = 1,
    newest_first: bool = False,
    conf: dict[str, Any] | None = None,
) -> None:
    """Replenish cycles: hours before the history began, from ``first`` to ``last``."""
    begin, end = START - timedelta(hours=first), START - timedelta(hours=last)
    options = {"max_active_runs": at_once, "newest_first": newest_first, "conf": conf or {}}
    with _told_plainly(world, f"replenish {dag}"), world.session() as session:
        product.replenish(session, dag, tasks, begin, end, cells, **options)


@actor("api")
def control(world: World, verb: str, which: int = 0, end_running: bool = False) -> None:
    """Pause, resume, cancel or retry a replenishment, counted from the newest."""
    with _told_plainly(world, f"replenishment {verb}"), world.session() as session:
        product.control_replenishment(session, verb, which, end_running=end_running)


@actor("monitor")
def monitor(world: World, steps: list[str] | None = None, kill: int = 0) -> None:
    """Do some steps of the monitor, or a whole round.

    :param kill: the statement, counted over all steps, before which the monitor's process is killed; 0: it lives
    """
    chosen = [step for step in product.STEPS if _is_chosen(step.name, steps)]
    if not kill:
        for step in chosen:
            _step(world, step)
        return
    with world.paced(Pace(kill, kills=True)):
        try:
            for step in chosen:
                _step(world, step)
        except Killed:
            product.forget_dags()


def _is_chosen(name: str, steps: list[str] | None) -> bool:
    return name not in _IDLE if steps is None else name in steps


def _step(world: World, step: product.AnyStep) -> None:
    try:
        for name, error in product.do_step(step, world.session, datetime.now(UTC)):
            if name.partition("/")[0] not in world.unreadable:
                _note(world, f"{step.name} sets {name} aside", error)
    except Exception as error:
        _note(world, step.name, error)


def _note(world: World, what: str, error: Exception) -> None:
    text = type(error.orig).__name__ if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
    world.errors.append(("monitor", f"step {what}: {text}"[:300]))


@actor("api")
def spoil(world: World, dag: str) -> None:
    """Make a Dag unreadable where the monitor runs: it uses a timetable, say, that is installed elsewhere only."""
    world.unreadable.add(dag)
    product.forget_dags()
