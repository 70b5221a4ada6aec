"""Strict mode of projects (requirements 4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import audit
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.models import Operation, Setting, Workflow
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import lock_if_allowed
from taskops_provider.services.shared.retries import retried

NAME = "strict_mode"


@dataclass(frozen=True, slots=True)
class StrictMode:
    """Strict mode of one project.

    :param chosen: False where it follows ``[taskops] strict_mode``
    """

    project: str
    strict_mode: bool
    chosen: bool
    changed_by: str | None = None
    changed_at: datetime | None = None


def _chosen(session: Session) -> dict[str, Setting]:
    return {row.project: row for row in session.scalars(select(Setting).where(Setting.name == NAME))}


def strict_projects(session: Session, projects: Collection[str]) -> dict[str, bool]:
    """Tell for each project whether it is in strict mode."""
    chosen = _chosen(session)
    default = config.strict_mode()
    return {p: chosen[p].value == "on" if p in chosen else default for p in projects}


def list_strict_mode(session: Session, actor: Actor) -> list[StrictMode]:
    """Return the setting of every project that has a workflow the actor may read."""
    query = select(Workflow.project).distinct()
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(Workflow.dag_id.in_(readable))
    chosen = _chosen(session)
    shown = []
    for project in sorted(session.scalars(query)):
        row = chosen.get(project)
        if row is None:
            shown.append(StrictMode(project, config.strict_mode(), chosen=False))
        else:
            shown.append(StrictMode(project, row.value == "on", True, row.changed_by, row.changed_at))
    return shown


@retried
def set_strict_mode(session: Session, actor: Actor, project: str | None, on: bool, now: datetime) -> list[StrictMode]:
    """Turn strict mode of a project (None: of every project there is) on or off. The caller commits.

    :raises Forbidden: when the actor may not change settings
    :raises ResourceNotFound: when there is no such project
    """
    projects = lock_if_allowed(session, actor.name, lambda: _changeable(session, actor, project))
    for name in projects:
        session.execute(delete(Setting).where(Setting.project == name, Setting.name == NAME))
    if projects:
        session.execute(
            insert(Setting),
            [
                {
                    "project": name,
                    "name": NAME,
                    "value": "on" if on else "off",
                    "changed_at": now,
                    "changed_by": actor.recorded_name,
                }
                for name in projects
            ],
        )
        _record(session, actor, projects, on, now)
    session.expire_all()
    return [mode for mode in list_strict_mode(session, actor) if mode.project in projects]


def _changeable(session: Session, actor: Actor, project: str | None) -> list[str]:
    if not actor.permissions.may_change_settings():
        raise Forbidden("changing strict mode needs the permission to edit every Dag")
    projects = [mode.project for mode in list_strict_mode(session, actor)]
    if project is None:
        return projects
    if project not in projects:
        raise ResourceNotFound(f"project {project!r} does not exist; there are {', '.join(projects) or 'none yet'}")
    return [project]


def _record(session: Session, actor: Actor, projects: list[str], on: bool, now: datetime) -> None:
    session.add(
        Operation(
            verb=f"strict-mode-{'on' if on else 'off'}",
            scope="project",
            at=now,
            actor=actor.recorded_name,
            source=actor.source,
            options={"projects": projects},
            outcome=OperationOutcome.SUCCESS.value,
            applied=len(projects),
            left_alone=0,
            blocked=0,
        )
    )
    audit.write(
        session,
        event="taskops.strict-mode",
        actor=actor.name,
        at=now,
        entries=[(None, None, {"projects": projects, "on": on})],
    )
