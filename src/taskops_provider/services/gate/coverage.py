"""Whether every process that creates runs has the gate.

Schedulers that have it say so when they start (``listener``). Other processes cannot be listed: Airflow does not know
which API servers and commands there are. So new runs are looked at for a while: an ungated instance of a stopped task
shows that the process that created its run has no gate. It is gated before it executes, or what executed is told.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.adapter import coverage, dag_state
from taskops_provider.adapter.coverage import Escaped, LiveScheduler
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.metrics import ESCAPED
from taskops_provider.models import CoveredScheduler, EscapedRun, Setting
from taskops_provider.services.gate.existing_instances import gate_before_execution
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.reporting import after_commit
from taskops_provider.services.shared.watermarks import read_watermark, write_watermark

log = logging.getLogger(__name__)

#: for how long new runs are looked at, at least
WATCHED_FOR = timedelta(seconds=60)
#: how long an escaped run is told of
TOLD_FOR = timedelta(days=1)
_MARK = "coverage_runs"


@dataclass(frozen=True)
class SchedulerCoverage:
    """The live schedulers: those with the gate, and what is wrong with the others, by host."""

    covered: tuple[LiveScheduler, ...]
    uncovered: tuple[LiveScheduler, ...]
    #: those whose gate does not work, or may not
    troubled: tuple[LiveScheduler, ...]


def scheduler_coverage(session: Session, now: datetime) -> SchedulerCoverage:
    """Look at the live schedulers. One query."""
    found = coverage.live_schedulers(session, now)
    return SchedulerCoverage(
        tuple(one for one in found if one.version is not None and not one.trouble),
        tuple(one for one in found if one.version is None),
        tuple(one for one in found if one.version is not None and one.trouble),
    )


def forget_ended_schedulers(session: Session) -> int:
    """Delete the rows of schedulers that Airflow no longer knows; return how many. The caller commits."""
    ours = set(session.scalars(select(CoveredScheduler.job_id)))
    gone = ours - coverage.known_jobs(session, ours)
    if gone:
        session.execute(
            delete(CoveredScheduler)
            .where(CoveredScheduler.job_id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    return len(gone)


@dataclass(frozen=True)
class EscapedRuns:
    """What the last day's runs show.

    :param newest: the newest of them
    """

    runs: int
    gated: int
    executed: int
    newest: tuple[EscapedRun, ...]


def escaped_runs(session: Session, now: datetime, actor: Actor | None, limit: int = 5) -> EscapedRuns:
    """Return the escaped runs of the last day. One query: there are few, or all escape.

    :param actor: to whom: of Dags of which they may read runs and instances; None: whoever holds the database
    """
    query = select(EscapedRun).where(EscapedRun.found_at > now - TOLD_FOR).order_by(EscapedRun.found_at.desc())
    found = [run for run in session.scalars(query) if actor is None or _is_told(actor, run.dag_id)]
    return EscapedRuns(
        len(found), sum(run.gated for run in found), sum(run.executed for run in found), tuple(found[:limit])
    )


def _is_told(actor: Actor, dag_id: str) -> bool:
    return actor.may_read_runs(dag_id) and actor.may_read_instances(dag_id)


def dags_to_cover(session: Session, now: datetime) -> list[str]:
    """Return the Dags with something that escaped, and go on with watching. One query while no run is new. The caller
    commits."""
    query = select(Setting.value, coverage.newest_run()).where(Setting.project == "", Setting.name == _MARK)
    row = session.execute(query).first()
    if row is None:
        newest = coverage.newest_run_id(session)
        _write_mark(session, _Mark(newest, newest, now), now)
        coverage.note_newest_runs(session)
        return []
    mark, newest = _mark(row[0]), row[1] or 0
    if newest <= mark.looked_at:
        return []
    found = coverage.dags_with_escaped(session, mark.looked_at)
    if now - mark.at >= WATCHED_FOR:
        # what is above the newer number is looked at for as long again
        _write_mark(session, _Mark(mark.newest, newest, now), now)
        coverage.note_newest_runs(session)
    return found


def cover_dag(session: Session, dag_id: str, now: datetime) -> int:
    """Gate what escaped in a Dag and has not begun, and note the runs; return how many. The caller commits."""
    mark = _read_mark(session)
    if mark is None:
        return 0
    take_writer_lock(session, MONITOR.name)
    dag_state.lock_runs_and_dags(session, [dag_id])
    by_run: dict[Run, list[Escaped]] = defaultdict(list)
    for one in _without_overruled(coverage.escaped(session, dag_id, mark.looked_at)):
        by_run[Run(one.instance.dag_id, one.instance.run_id)].append(one)
    hosts = coverage.hosts_of_jobs(session, {one.by_job for found in by_run.values() for one in found if one.by_job})
    return sum(_cover_run(session, run, found, hosts, now) for run, found in by_run.items())


def _without_overruled(found: Sequence[Escaped]) -> list[Escaped]:
    """A task's own interval counts, not that of its workflow."""
    own = {one.instance.id for one in found if one.is_own}
    return [one for one in found if one.is_own or one.instance.id not in own]


def _cover_run(session: Session, run: Run, found: Sequence[Escaped], hosts: dict[int, str], now: datetime) -> int:
    gated = 0
    by_effect = defaultdict(list)
    for one in found:
        if not one.has_begun:
            by_effect[one.downstream].append(one.instance)
    for effect, instances in by_effect.items():
        gated += gate_before_execution(session, instances, effect, now)
    executed = sum(one.has_begun for one in found)
    host = hosts.get(found[0].by_job or 0)
    created_by = f"scheduler on {host}" if host else found[0].by_trigger
    before = _note(session, run, created_by, gated, executed, now)
    if gated or executed > before:
        after_commit(session, lambda: _report(run, created_by, gated, executed - before))
    return gated


def _note(session: Session, run: Run, created_by: str, gated: int, executed: int, now: datetime) -> int:
    """Write down what a run shows; return how many of its instances were known to have executed."""
    row = session.execute(
        select(EscapedRun.gated, EscapedRun.executed).where(
            EscapedRun.dag_id == run.dag_id, EscapedRun.run_id == run.run_id
        )
    ).first()
    if row is None:
        session.execute(
            insert(EscapedRun).values(
                dag_id=run.dag_id,
                run_id=run.run_id,
                found_at=now,
                created_by=created_by[:600],
                gated=gated,
                executed=executed,
            )
        )
        return 0
    session.execute(
        update(EscapedRun)
        .where(EscapedRun.dag_id == run.dag_id, EscapedRun.run_id == run.run_id)
        .values(gated=row.gated + gated, executed=max(row.executed, executed))
        .execution_options(synchronize_session=False)
    )
    return int(row.executed)


def _report(run: Run, created_by: str, gated: int, executed: int) -> None:
    metrics.count(ESCAPED, "gated", gated)
    metrics.count(ESCAPED, "executed", max(executed, 0))
    log.error(
        "TaskOps was not asked when run %s of Dag %s was created (%s): install it there. Of stopped tasks %d instances "
        "were gated in time, %d began",
        run.run_id,
        run.dag_id,
        created_by,
        gated,
        executed,
    )


@dataclass(frozen=True)
class _Mark:
    """Runs above ``looked_at`` are looked at; ``newest`` was the newest one at ``at``."""

    looked_at: int
    newest: int
    at: datetime


def _read_mark(session: Session) -> _Mark | None:
    value = read_watermark(session, _MARK)
    return None if value is None else _mark(value)


def _mark(value: str) -> _Mark:
    looked_at, newest, at = json.loads(value)
    return _Mark(looked_at, newest, datetime.fromisoformat(at))


def _write_mark(session: Session, mark: _Mark, now: datetime) -> None:
    value = json.dumps([mark.looked_at, mark.newest, mark.at.isoformat()])
    write_watermark(session, _MARK, value, MONITOR.name, now)
