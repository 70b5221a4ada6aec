"""Airflow's Dags as the index sees them: which changed, and their serialized form.

Rows of ``dag``, ``dag_version`` and ``serialized_dag`` in, plain values out. The latest version of a Dag is the one
with the highest number. A version that has no instances yet is updated in place by the dag-processor, so its
number alone does not tell that nothing changed: the mark of a version is its number, the hash of its content and its
id. The id tells a Dag from another one of its name that was made after it was deleted.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from airflow.models.asset import AssetActive
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.team import dag_bundle_team_association_table
from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from taskops_provider.models import Workflow

#: a serialized Dag written this much later than created was updated in place
_UPDATED_IN_PLACE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DagRow:
    """A Dag's row, as far as it says what its serialized form does not."""

    dag_id: str
    bundle_name: str
    relative_fileloc: str
    schedule: str | None


@dataclass(frozen=True, slots=True)
class VersionRef:
    """One version of a Dag."""

    id: UUID
    number: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A serialized Dag."""

    version_id: UUID
    dag_hash: str
    #: when its version got its present content; None where that is what it was made with
    updated_at: datetime | None
    #: None where it cannot be read
    data: Any


@dataclass(frozen=True, slots=True)
class ChangeMarkers:
    """What moves when Dags are parsed: the newest version's id and the time of the latest parse."""

    newest_version: str | None
    parsed_at: datetime | None


def change_markers(session: Session) -> ChangeMarkers:
    """Return the present markers. One query; ids of versions are ordered by time."""
    newest = select(DagVersion.id).order_by(DagVersion.id.desc()).limit(1).scalar_subquery()
    parsed = select(func.max(DagModel.last_parsed_time)).scalar_subquery()
    row = session.execute(select(newest, parsed)).one()
    return ChangeMarkers(str(row[0]) if row[0] else None, row[1])


class Unsynced(NamedTuple):
    """How Dags differ from our workflows.

    :param changed: new, back or in another bundle
    :param stale: of present workflows; their Dag is still there, and may come back
    :param deleted: of workflows, present or not, whose Dag Airflow knows no more
    """

    changed: set[str]
    stale: set[str]
    deleted: set[str]


def unsynced_dags(session: Session, dag_ids: Collection[str] | None = None) -> Unsynced:
    """Compare which Dags there are, and in which bundle, with our workflows. One query, one row per difference."""
    live = (
        select(DagModel.dag_id, literal("changed").label("how"))
        .outerjoin(Workflow, Workflow.dag_id == DagModel.dag_id)
        .where(
            DagModel.is_stale.is_(False),
            or_(
                and_(Workflow.dag_id.is_(None), _latest_mark().is_not(None)),
                Workflow.is_present.is_(False),
                Workflow.project != DagModel.bundle_name,
            ),
        )
    )
    how = case((DagModel.dag_id.is_(None), "deleted"), else_="stale")
    gone = (
        select(Workflow.dag_id, how.label("how"))
        .outerjoin(DagModel, DagModel.dag_id == Workflow.dag_id)
        .where(or_(DagModel.dag_id.is_(None), and_(Workflow.is_present.is_(True), DagModel.is_stale.is_(True))))
    )
    if dag_ids is not None:
        live = live.where(DagModel.dag_id.in_(dag_ids))
        gone = gone.where(Workflow.dag_id.in_(dag_ids))
    found: dict[str, set[str]] = {name: set() for name in Unsynced._fields}
    for dag_id, how_it_differs in session.execute(union_all(live, gone)):
        found[how_it_differs].add(dag_id)
    return Unsynced(**found)


def replaced_dags(session: Session, marks: Mapping[str, str | None]) -> set[str]:
    """Return those of some Dags that Airflow deleted, and that were made anew, since their mark was made. One query.

    ``airflow db clean`` takes away old versions but the latest, so a version that is gone tells nothing if all others
    are newer. A Dag that was deleted begins with number one again.

    :param marks: what ``Workflow.source_mark`` keeps, by ``dag_id``
    """
    known = {dag_id: version for dag_id, mark in marks.items() if (version := _version_in_mark(mark))}
    if not known:
        return set()
    query = select(DagVersion.dag_id, DagVersion.id, DagVersion.version_number).where(DagVersion.dag_id.in_(known))
    series: dict[str, dict[str, int]] = {dag_id: {} for dag_id in known}
    for dag_id, version_id, number in session.execute(query):
        series[dag_id][version_id.hex] = number
    return {
        dag_id
        for dag_id, numbers in series.items()
        if known[dag_id] not in numbers and min(numbers.values(), default=0) <= number_in_mark(marks[dag_id])
    }


def bundles_before_and_now(session: Session, dag_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the bundles in which some Dags were indexed and are now, of those that are in another one. One query."""
    query = (
        select(Workflow.dag_id, Workflow.project, DagModel.bundle_name)
        .join(DagModel, DagModel.dag_id == Workflow.dag_id)
        .where(Workflow.dag_id.in_(dag_ids), Workflow.project != DagModel.bundle_name)
    )
    return {dag_id: (before, now) for dag_id, before, now in session.execute(query)}


def teams_of_bundles(session: Session) -> dict[str, str]:
    """Return the team of each bundle that belongs to one. One query."""
    table = dag_bundle_team_association_table
    found = session.execute(select(table.c.dag_bundle_name, table.c.team_name))
    return {row.dag_bundle_name: row.team_name for row in found}


def outdated(
    session: Session, *, parsed_since: datetime | None = None, dag_ids: Collection[str] | None = None
) -> set[str]:
    """Return the ids of live Dags whose latest version is not the one their workflow was made from. One query.

    :param parsed_since: look only at Dags parsed at this time or later
    """
    query = (
        select(DagModel.dag_id)
        .join(Workflow, Workflow.dag_id == DagModel.dag_id)
        .where(DagModel.is_stale.is_(False), func.coalesce(Workflow.source_mark, "") != _latest_mark())
    )
    if parsed_since is not None:
        query = query.where(DagModel.last_parsed_time >= parsed_since)
    if dag_ids is not None:
        query = query.where(DagModel.dag_id.in_(dag_ids))
    return set(session.scalars(query))


def live_dag_ids(session: Session, dag_ids: Collection[str] | None = None) -> set[str]:
    """Return the ids of the Dags that are not stale. One query."""
    query = select(DagModel.dag_id).where(DagModel.is_stale.is_(False), _latest_mark().is_not(None))
    return set(session.scalars(query if dag_ids is None else query.where(DagModel.dag_id.in_(dag_ids))))


def rows(session: Session, dag_ids: Collection[str]) -> list[DagRow]:
    """Return the rows of some Dags. One query."""
    query = select(
        DagModel.dag_id,
        DagModel.bundle_name,
        DagModel.relative_fileloc,
        DagModel.timetable_type,
        DagModel.timetable_summary,
    ).where(DagModel.dag_id.in_(dag_ids))
    return [
        DagRow(
            dag_id,
            bundle_name,
            relative_fileloc or "",
            # Airflow writes the word "None" for a Dag without a schedule
            None if timetable_type == "NullTimetable" else summary,
        )
        for dag_id, bundle_name, relative_fileloc, timetable_type, summary in session.execute(query)
    ]


def versions(session: Session, dag_ids: Collection[str]) -> dict[str, list[VersionRef]]:
    """Return all versions of some Dags that have a serialized form, oldest first. One query."""
    query = (
        select(DagVersion.dag_id, DagVersion.id, DagVersion.version_number, DagVersion.created_at)
        .join(SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id)
        .where(DagVersion.dag_id.in_(dag_ids))
        .order_by(DagVersion.dag_id, DagVersion.version_number)
    )
    found: dict[str, list[VersionRef]] = {}
    for dag_id, version_id, number, created_at in session.execute(query):
        found.setdefault(dag_id, []).append(VersionRef(version_id, number, created_at))
    return found


def documents(session: Session, version_ids: Collection[UUID]) -> Iterator[Document]:
    """Yield the serialized Dags of some versions. One query."""
    query = select(
        SerializedDagModel.dag_version_id,
        SerializedDagModel.dag_hash,
        SerializedDagModel.created_at,
        SerializedDagModel.last_updated,
        SerializedDagModel._data,
        SerializedDagModel._data_compressed,
    ).where(SerializedDagModel.dag_version_id.in_(version_ids))
    for version_id, dag_hash, created_at, last_updated, data, compressed in session.execute(query):
        in_place = last_updated - created_at > _UPDATED_IN_PLACE
        yield Document(version_id, dag_hash, last_updated if in_place else None, _load(data, compressed))


def asset_uris(session: Session, names: Collection[str]) -> dict[str, str]:
    """Return the URI of each active asset of these names. One query."""
    query = select(AssetActive.name, AssetActive.uri).where(AssetActive.name.in_(names))
    return {row.name: row.uri for row in session.execute(query)}


def mark_of(number: int, dag_hash: str, version_id: UUID) -> str:
    """Name a version with its content: what ``Workflow.source_mark`` keeps."""
    return f"{number}:{dag_hash}:{version_id.hex}"


def number_in_mark(mark: str | None) -> int:
    """Return the version number that a mark names; 0 where there is none."""
    number = (mark or "").partition(":")[0]
    return int(number) if number.isdigit() else 0


def _version_in_mark(mark: str | None) -> str:
    """Return the id of the version that a mark names; empty where it was made before marks had it."""
    return (mark or "").partition(":")[2].partition(":")[2]


def _latest_mark() -> ColumnElement[str]:
    """Return the SQL for the mark of a Dag's latest version.

    A subquery in place of a join: PostgreSQL would hash every version there is.
    """
    # databases that know UUIDs write them with hyphens
    version_id = func.replace(cast(DagVersion.id, String(36)), "-", "", type_=String)
    return (
        select(cast(DagVersion.version_number, String(20)) + ":" + SerializedDagModel.dag_hash + ":" + version_id)
        .select_from(DagVersion)
        .join(SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id)
        .where(DagVersion.dag_id == DagModel.dag_id)
        .order_by(DagVersion.version_number.desc())
        .limit(1)
        .correlate(DagModel)
        .scalar_subquery()
    )


def _load(data: Any, compressed: bytes | None) -> Any:
    try:
        if compressed:
            return json.loads(zlib.decompress(compressed))
        return json.loads(data) if isinstance(data, str) else data
    except (zlib.error, ValueError):
        return None
