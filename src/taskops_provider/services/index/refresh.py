"""The index: our rows of workflows, tasks, owners, assets and edges, kept in step with Airflow's Dags.

``services.index.watermark`` knows what the last refresh saw, ``adapter.dags`` which Dags differ from our rows since.
Of these Dags ``services.index.stored`` reads our rows and ``services.index.found`` Airflow's definitions;
``services.index.merge`` works out what to write so that the rows match the definitions, and ``services.index.write``
writes it. ``services.index.deleted`` forgets Dags that were deleted in Airflow, ``services.index.moved`` sees to those
that another team has got.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import dags as airflow_dags
from taskops_provider.adapter.dags import ChangeMarkers
from taskops_provider.domain.chunks import chunks
from taskops_provider.models import Workflow
from taskops_provider.services.index import found as index_found
from taskops_provider.services.index import stored as index_stored
from taskops_provider.services.index import watermark as index_watermark
from taskops_provider.services.index import write as index_write
from taskops_provider.services.index.deleted import forget_dags
from taskops_provider.services.index.merge import Writes, merge
from taskops_provider.services.index.moved import dags_of_given_away, stop_for_new_team
from taskops_provider.services.index.resolvers import Resolvers
from taskops_provider.services.index.watermark import Watermark
from taskops_provider.services.shared.locks import take_writer_lock

#: Dags that are brought up to date at once
CHUNK = 200

#: ids bound in one query that looks for changes
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What a refresh changed: numbers of rows, and how long it took. False where nothing changed."""

    workflows_added: int = 0
    workflows_changed: int = 0
    workflows_gone: int = 0
    workflows_back: int = 0
    tasks_added: int = 0
    #: tasks that came back are among them
    tasks_changed: int = 0
    tasks_gone: int = 0
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__ if name != "seconds")


@dataclass(frozen=True, slots=True)
class _Differences:
    """What a refresh has to do."""

    markers: ChangeMarkers
    mark: Watermark
    #: whether every Dag was compared
    complete: bool
    changed: set[str]
    stale: set[str]
    deleted: set[str]
    #: bundle -> its team, where every Dag was compared; else what was noted then
    teams: Mapping[str, str] | None
    #: Dags whose bundle belongs to another team than when every Dag was last compared
    given_away: set[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.stale or self.deleted or self.given_away)


def refresh(
    session: Session,
    now: datetime,
    *,
    dag_ids: Collection[str] | None = None,
    thorough: bool = False,
    force: bool = False,
) -> IndexChange:
    """Bring the index up to date with Airflow's tables. The caller commits.

    Where nothing changed this takes three or four queries and writes nothing but, once a minute, the time of the
    refresh. Otherwise it takes the writer lock, and queries in proportion to the number of changed Dags over
    :data:`CHUNK`.

    :param dag_ids: look at these Dags alone; the time of the refresh is then not noted
    :param thorough: compare every Dag's latest version, also those that seem not to have been parsed since the
        last refresh; that happens every five minutes anyway, and for ``dag_ids``
    :param force: make the rows anew also where the serialized Dag is the one they were made from
    """
    started = time.perf_counter()
    differences = _find_differences(session, now, dag_ids, thorough, force)
    change = IndexChange()
    if differences:
        take_writer_lock(session, "index")
        # another process may have done it meanwhile
        differences = _find_differences(session, now, dag_ids, thorough, force)
        change = _bring_up_to_date(session, differences, now)
    if dag_ids is None:
        _note(session, now, differences, wrote=bool(change))
    return replace(change, seconds=time.perf_counter() - started)


def _find_differences(
    session: Session, now: datetime, dag_ids: Collection[str] | None, thorough: bool, force: bool
) -> _Differences:
    """Find out which workflows differ from their Dags."""
    # The markers first: what is parsed after they were read is seen now or by the next refresh, never missed.
    markers = airflow_dags.change_markers(session)
    mark = index_watermark.read(session)
    force = force or (dag_ids is None and not mark.is_current)
    complete = thorough or force or dag_ids is not None or mark.compares_all(now, markers)
    changed: set[str] = set()
    stale: set[str] = set()
    deleted: set[str] = set()
    for some in _batches(dag_ids):
        unsynced = airflow_dags.unsynced_dags(session, some)
        changed |= unsynced.changed
        stale |= unsynced.stale
        deleted |= unsynced.deleted
        if force:
            changed |= airflow_dags.live_dag_ids(session, some)
        elif complete:
            changed |= airflow_dags.outdated(session, dag_ids=some)
        elif since := mark.parsed_since(markers):
            changed |= airflow_dags.outdated(session, parsed_since=since)
    teams, given_away = mark.teams, set[str]()
    if complete and dag_ids is None:
        teams = airflow_dags.teams_of_bundles(session)
        given_away = dags_of_given_away(session, mark.teams or {}, teams)
    return _Differences(markers, mark, complete, changed, stale, deleted, teams, given_away)


def _note(session: Session, now: datetime, differences: _Differences, *, wrote: bool) -> None:
    if wrote or differences.complete or differences.mark.is_due(now):
        compared_at = now if differences.complete else differences.mark.compared_at
        index_watermark.write(session, now, differences.markers, compared_at, differences.teams)


def _bring_up_to_date(session: Session, differences: _Differences, now: datetime) -> IndexChange:
    index_write.mark_gone(session, sorted(differences.stale))
    deleted = differences.deleted | _replaced(session, differences.changed)
    forget_dags(session, deleted, now)
    stop_for_new_team(session, differences.changed, differences.given_away - deleted, now)
    total = IndexChange(workflows_gone=len(differences.stale) + len(deleted))
    resolvers = Resolvers()
    for chunk in chunks(sorted(differences.changed), CHUNK):
        total = _add(total, _index(session, chunk, resolvers, now))
    # objects that the caller loaded before do not know what was written past them
    session.expire_all()
    return total


def _replaced(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of some Dags that are others than those of the same names that we know."""
    found: set[str] = set()
    for some in chunks(sorted(dag_ids)):
        query = select(Workflow.dag_id, Workflow.source_mark).where(Workflow.dag_id.in_(some))
        found |= airflow_dags.replaced_dags(session, {row.dag_id: row.source_mark for row in session.execute(query)})
    return found


def _index(session: Session, dag_ids: Sequence[str], resolvers: Resolvers, now: datetime) -> IndexChange:
    """Bring the workflows of some live Dags up to date."""
    stored = index_stored.read(session, dag_ids)
    writes = Writes()
    for found in index_found.find(session, dag_ids, stored):
        merge(writes, stored[found.row.dag_id], found, resolvers, now)
    index_write.write(session, writes, now)
    return IndexChange(
        workflows_added=len(writes.workflows_new),
        workflows_changed=len(writes.workflows_changed),
        workflows_back=len(writes.workflows_back),
        tasks_added=len(writes.tasks_new),
        tasks_changed=len(writes.tasks_changed),
        tasks_gone=len(writes.tasks_gone),
    )


def _batches(dag_ids: Collection[str] | None) -> Iterator[Sequence[str] | None]:
    """Yield the ids in numbers that a database binds; None alone stands for all."""
    if dag_ids is None:
        yield None
    else:
        yield from chunks(sorted(set(dag_ids)), _IDS_AT_ONCE)


def _add(one: IndexChange, other: IndexChange) -> IndexChange:
    return IndexChange(*(getattr(one, name) + getattr(other, name) for name in IndexChange.__slots__))
