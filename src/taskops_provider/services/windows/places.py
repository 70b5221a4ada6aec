"""Where Dags are, as the scopes of windows ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.tags import dags_by_tag
from taskops_provider.domain.windows.scope import DagPlace, WindowScope
from taskops_provider.models import Workflow
from taskops_provider.services.shared.task_keys import chunks


def dag_places(
    session: Session, scopes: Iterable[WindowScope], dag_ids: Collection[str] | None = None
) -> list[DagPlace]:
    """Return where Dags are that are present, with those of their tags that the scopes name.

    One query for each 400 Dags, or one for all; one more where a scope names tags.

    :param dag_ids: these; None: all
    """
    tags = dags_by_tag(session, {tag for scope in scopes for tag in scope.tags})
    query = select(Workflow.dag_id, Workflow.project, Workflow.folder).where(Workflow.is_present.is_(True))
    if dag_ids is None:
        rows = session.execute(query).all()
    else:
        rows = []
        for some in chunks([(dag_id, "") for dag_id in set(dag_ids)]):
            rows += session.execute(query.where(Workflow.dag_id.in_([dag_id for dag_id, _ in some]))).all()
    return [DagPlace(row.dag_id, row.project, row.folder, tags.get(row.dag_id, frozenset())) for row in rows]
