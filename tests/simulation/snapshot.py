"""The database between two events: a few plain queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from airflow import settings

from tests.simulation.world import World

#: dag id, run id
RunKey = tuple[str, str]

FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: an executor, a worker or a trigger has it, or had it in this try
BEGUN = frozenset({"queued", "running", "restarting", "deferred", "up_for_reschedule", "up_for_retry"})


class Key(NamedTuple):
    """An instance."""

    dag: str
    run: str
    task: str
    index: int

    @property
    def of_run(self) -> RunKey:
        """Its run."""
        return self.dag, self.run


class Instance(NamedTuple):
    """What an instance is doing."""

    id: str
    state: str | None
    pool: str
    try_number: int


class Run(NamedTuple):
    """A run."""

    pk: int
    state: str
    run_type: str
    backfill_id: int | None


class Claim(NamedTuple):
    """What TaskOps says of a task."""

    state: str
    effect: str | None
    resume_at: datetime | None

    @property
    def is_gated(self) -> bool:
        """Whether it says that the task does not run."""
        return self.state != "scheduling"


class Cell(NamedTuple):
    """What TaskOps says of a cell of a replenishment."""

    replenishment: int
    state: str
    wave: int
    run_state: str


@dataclass
class Snapshot:
    """All of it."""

    tis: dict[Key, Instance]
    runs: dict[RunKey, Run]
    #: (dag id, task id) -> what TaskOps says
    claims: dict[tuple[str, str], Claim]
    #: Dag -> whether Airflow has it paused
    paused: dict[str, bool]
    #: backfills of which Airflow starts no run
    paused_backfills: set[int] = field(default_factory=set)
    #: number -> state
    replenishments: dict[int, str] = field(default_factory=dict)
    #: number -> what it says that it waits for, or what went wrong
    problems: dict[int, str] = field(default_factory=dict)
    #: numbers of those that are over
    over: set[int] = field(default_factory=set)
    #: the newest replenishment's cell for a task in a run
    cells: dict[tuple[RunKey, str], Cell] = field(default_factory=dict)
    #: every cell: (replenishment, dag, run or None, task, state)
    every_cell: list[tuple[int, str, str | None, str, str]] = field(default_factory=list)
    #: number of the newest operation
    operation: int = 0
    #: Dags that are unpaused for a while only: their workflow drains, or a replenishment has them awake
    unpaused_for_now: set[str] = field(default_factory=set)
    #: those of them that a replenishment has awake
    awake: set[str] = field(default_factory=set)
    #: runs that a replenishment made
    made_by: dict[RunKey, int] = field(default_factory=dict)

    @cached_property
    def _by_task(self) -> dict[tuple[RunKey, str], list[tuple[Key, Instance]]]:
        found: dict[tuple[RunKey, str], list[tuple[Key, Instance]]] = defaultdict(list)
        for key, ti in self.tis.items():
            found[key.of_run, key.task].append((key, ti))
        return found

    def of(self, run: RunKey, task_id: str) -> Iterator[tuple[Key, Instance]]:
        """The instances of a task in a run."""
        return iter(self._by_task.get((run, task_id), ()))

    def signature(self) -> Any:
        """What has to stay the same for nothing to be moving."""
        return (
            {key: ti.state for key, ti in self.tis.items()},
            {key: run.state for key, run in self.runs.items()},
            self.paused,
            self.replenishments,
            sorted(self.every_cell, key=repr),
        )


def read(world: World) -> Snapshot:
    """Read the database, past the looked-at statements of the actors."""
    before, world.database.before = world.database.before, None
    try:
        with settings.engine.connect() as connection:
            raw = connection.exec_driver_sql
            names = set(world.dags)
            snapshot = Snapshot(
                {
                    Key(*row[:4]): Instance(str(row[4]), *row[5:])
                    for row in raw(
                        "SELECT dag_id, run_id, task_id, map_index, id, state, pool, try_number FROM task_instance"
                        " ORDER BY dag_id, run_id, task_id, map_index"  # PostgreSQL's own order changes
                    )
                    if row[0] in names
                },
                {
                    (row[0], row[1]): Run(*row[2:])
                    for row in raw("SELECT dag_id, run_id, id, state, run_type, backfill_id FROM dag_run ORDER BY id")
                    if row[0] in names
                },
                {
                    (row[0], row[1]): Claim(row[2], row[3], _moment(row[4]))
                    for row in raw(
                        "SELECT dag_id, task_id, state, downstream, resume_at FROM taskops_task ORDER BY 1, 2"
                    )
                },
                {
                    row[0]: bool(row[1])
                    for row in raw("SELECT dag_id, is_paused FROM dag ORDER BY dag_id")
                    if row[0] in names
                },
                {row[0] for row in raw("SELECT id, is_paused FROM backfill") if row[1]},
            )
            snapshot.operation = raw("SELECT max(id) FROM taskops_operation").scalar() or 0
            query = (
                "SELECT dag_id, woken_at FROM taskops_workflow WHERE draining_since IS NOT NULL OR woken_at IS NOT NULL"
            )
            rows = raw(query).all()
            snapshot.unpaused_for_now = {row[0] for row in rows}
            snapshot.awake = {row[0] for row in rows if row[1] is not None}
            _read_replenishments(raw, snapshot)
            return snapshot
    finally:
        world.database.before = before


def _read_replenishments(raw: Any, snapshot: Snapshot) -> None:
    query = "SELECT id, state, ended_at, problem FROM taskops_replenishment ORDER BY id"
    for number, state, ended_at, problem in raw(query):
        snapshot.replenishments[number] = state
        if problem is not None:
            snapshot.problems[number] = problem
        if ended_at is not None:
            snapshot.over.add(number)
    if not snapshot.replenishments:
        return
    query = (
        "SELECT r.replenishment_id, r.dag_id, r.run_id, c.task_id, c.state, c.wave, r.state, r.backfill_id"
        " FROM taskops_replenishment_cell c JOIN taskops_replenishment_run r ON r.id = c.of_run_id"
        " ORDER BY r.replenishment_id, r.id, c.id"
    )
    for number, dag_id, run_id, task_id, state, wave, run_state, backfill_id in raw(query):
        snapshot.every_cell.append((number, dag_id, run_id, task_id, state))
        if run_id is not None:
            snapshot.cells[(dag_id, run_id), task_id] = Cell(number, state, wave, run_state)
            if backfill_id is not None:
                snapshot.made_by[dag_id, run_id] = number


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is not None and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value


def told(before: Snapshot, after: Snapshot) -> str:
    """What has changed between two snapshots, a line each, for people."""
    found = []
    for key, ti in after.tis.items():
        old = before.tis.get(key)
        if old is None or (old.state, old.pool) != (ti.state, ti.pool):
            was = "" if old is None else f"{old.state}>"
            found.append(f"{key.run}.{key.task}{'' if key.index < 0 else key.index}:{was}{ti.state}/{ti.pool}")
    found += [f"{' '.join(run)}={state}" for run, state in _changed(_states(before), _states(after))]
    found += [f"{'.'.join(pair)}={claim.state}/{claim.effect}" for pair, claim in _changed(before.claims, after.claims)]
    found += [
        f"{dag_id} {'paused' if is_so else 'unpaused'}" for dag_id, is_so in _changed(before.paused, after.paused)
    ]
    states = _changed(before.replenishments, after.replenishments)
    found += [f"replenishment {number}={state}" for number, state in states]
    said = [(number, after.problems.get(number)) for number in after.replenishments]
    found += [f"replenishment {number}: {text}" for number, text in said if text != before.problems.get(number)]
    return "".join(f"\n        {each}" for each in found)


def _states(snapshot: Snapshot) -> dict[RunKey, str]:
    return {run: row.state for run, row in snapshot.runs.items()}


def _changed(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key) != value]
