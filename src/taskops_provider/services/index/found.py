"""What Airflow has of some Dags now: the latest definition, and when each task got its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from taskops_provider.adapter import dags as airflow_dags
from taskops_provider.adapter.dags import DagRow, Document, VersionRef
from taskops_provider.adapter.serialized import AssetByName, DagDefinition, definition_hashes, read_dag
from taskops_provider.domain.chunks import chunks
from taskops_provider.services.index.history import Submission, carry_submissions
from taskops_provider.services.index.stored import Stored

log = logging.getLogger(__name__)

T = TypeVar("T")

#: serialized Dags that are in memory at once
_DOCUMENTS = 50

#: what reading a document of an unknown form raises
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class ParsedDag:
    """One live Dag."""

    row: DagRow
    #: names the version that the rest comes from
    mark: str | None
    first_submitted_at: datetime | None
    last_submitted_at: datetime | None
    #: None where it has no serialized form, or one that cannot be read
    definition: DagDefinition | None
    #: by task id
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    #: by name, of the assets that the definition refers to by name
    asset_uris: Mapping[str, str] = field(default_factory=dict)


def find(session: Session, dag_ids: Sequence[str], stored: Mapping[str, Stored]) -> Iterator[ParsedDag]:
    """Yield the Dags as they are now."""
    rows = {row.dag_id: row for row in airflow_dags.rows(session, dag_ids)}
    versions = airflow_dags.versions(session, dag_ids)
    for dag_id in rows.keys() - versions.keys():
        if stored[dag_id].workflow is not None:  # one that we do not know is made once it has a definition
            yield ParsedDag(rows[dag_id], None, None, None, None)
    past = _unseen(session, versions, stored)
    latest = {some[-1].id: dag_id for dag_id, some in versions.items() if dag_id in rows}
    for some in chunks(latest, _DOCUMENTS):
        read = [(document, _read(latest[document.version_id], document)) for document in _documents(session, some)]
        uris = _uris_of_named_assets(session, [definition for _, definition in read if definition])
        for document, definition in read:
            dag_id = latest[document.version_id]
            version = versions[dag_id][-1]
            yield ParsedDag(
                row=rows[dag_id],
                mark=airflow_dags.mark_of(version.number, document.dag_hash, version.id),
                first_submitted_at=versions[dag_id][0].created_at,
                last_submitted_at=document.updated_at or version.created_at,
                definition=definition,
                submissions=_submissions(definition, version, document, stored[dag_id], past.get(dag_id, [])),
                asset_uris=uris,
            )


def _submissions(
    definition: DagDefinition | None,
    version: VersionRef,
    document: Document,
    stored: Stored,
    past: Sequence[tuple[datetime, Mapping[str, str]]],
) -> dict[str, Submission]:
    if definition is None:
        return {}
    at = version.created_at
    if document.updated_at and _seen(stored) == version.number:
        # we had this version: what is different came with its update in place
        at = document.updated_at
    hashes = {task_id: task.definition_hash for task_id, task in definition.tasks.items()}
    return carry_submissions(_recorded(stored), [*past, (at, hashes)])


def _uris_of_named_assets(session: Session, definitions: Sequence[DagDefinition]) -> dict[str, str]:
    names = {str(asset) for dag in definitions for *_, asset in dag.assets() if isinstance(asset, AssetByName)}
    return airflow_dags.asset_uris(session, names) if names else {}


def _unseen(
    session: Session, versions: Mapping[str, Sequence[VersionRef]], stored: Mapping[str, Stored]
) -> dict[str, list[tuple[datetime, dict[str, str]]]]:
    """Return (created_at, hashes by task id) of the versions between the one indexed and the latest, by Dag.

    Oldest first. All older ones where a Dag was not indexed yet.
    """
    wanted = {
        version.id: dag_id
        for dag_id, some in versions.items()
        for version in some[:-1]
        if version.number > _seen(stored[dag_id])
    }
    hashes: dict[UUID, dict[str, str]] = {}
    for document in _documents(session, list(wanted)):
        try:
            hashes[document.version_id] = definition_hashes(document.data)
        except _UNREADABLE:
            log.debug("An old version of Dag %s cannot be read", wanted[document.version_id])
    return {
        dag_id: [(version.created_at, hashes[version.id]) for version in versions[dag_id] if version.id in hashes]
        for dag_id in set(wanted.values())
    }


def _seen(stored: Stored) -> int:
    return airflow_dags.number_in_mark(stored.workflow["source_mark"] if stored.workflow else None)


def _recorded(stored: Stored) -> dict[str, Submission]:
    return {
        task_id: Submission(row["definition_hash"], row["first_submitted_at"], row["last_submitted_at"])
        for task_id, row in stored.tasks.items()
    }


def _read(dag_id: str, document: Document) -> DagDefinition | None:
    try:
        return read_dag(document.data)
    except _UNREADABLE as error:
        # the mark is kept all the same, so this is said once for each version
        log.error(
            "The serialized Dag %s cannot be read, its tasks stay as they were: %s: %s",
            dag_id,
            type(error).__name__,
            error,
        )
        return None


def _documents(session: Session, version_ids: Sequence[UUID]) -> Iterator[Document]:
    for some in chunks(version_ids, _DOCUMENTS):
        yield from airflow_dags.documents(session, some)
