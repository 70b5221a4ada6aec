"""Changes of windows as operation records, and in Airflow's audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.models import Operation, Workflow
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.recording import record_items
from taskops_provider.services.windows.places import dag_places


def record_change(
    session: Session,
    actor: Actor,
    verb: str,
    scope: WindowScope,
    now: datetime,
    *,
    reason: str | None = None,
    options: Json,
) -> Operation:
    """Keep a change of a window as one operation. The caller commits.

    :param verb: ``create``, ``update``, ``delete``, ...
    :param options: with the number of the window
    """
    targets = [*scope.tasks, *((dag_id, "") for dag_id in scope.workflows)]
    projects = _projects(session, scope) if scope.is_open else []
    operation = Operation(
        verb=f"window-{verb}",
        scope="project" if scope.is_open else "task" if scope.tasks else "workflow",
        at=now,
        actor=actor.recorded_name,
        source=actor.source,
        options={**options, **({"projects": projects} if not targets else {})},
        reason=reason,
        outcome=OperationOutcome.SUCCESS.value,
        applied=len(targets) or max(len(projects), 1),
        left_alone=0,
        blocked=0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, [Item(*target, Outcome.APPLIED) for target in targets])
    extra = {**options, "operation_id": operation.id, "source": actor.source, "reason": reason}
    entries: list[tuple[str | None, str | None, Json]] = [
        (dag_id, task_id or None, extra) for dag_id, task_id in targets
    ] or [(None, None, {**extra, "projects": projects})]
    audit.write(session, event=f"taskops.window-{verb}", actor=actor.name, at=now, entries=entries)
    return operation


def _projects(session: Session, scope: WindowScope) -> list[str]:
    """The projects that it touches: whoever may read a workflow of one may read the record."""
    if scope.everything:
        return sorted(session.scalars(select(Workflow.project).distinct()))
    return sorted({place.project for place in dag_places(session, [scope]) if scope.covers_dag(place)})
