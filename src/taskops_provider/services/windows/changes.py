"""Changes of windows: make, change, delete. The caller commits; all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.exceptions import BadInput, Conflict, Forbidden, ResourceNotFound
from taskops_provider.inputs.windows.window import WindowChange, WindowCreate, WindowDefinition, check_times
from taskops_provider.models import Task, Window, Workflow
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of
from taskops_provider.services.windows.answers import WindowAnswer
from taskops_provider.services.windows.in_force import frozen
from taskops_provider.services.windows.laying import lay
from taskops_provider.services.windows.listing import answer, is_open, seen_window
from taskops_provider.services.windows.recorded import record_change
from taskops_provider.services.windows.stored import fill_row, new_row, window_of

#: windows that are kept: each evaluation looks at all of them
MAX_WINDOWS = 1000
#: those of one person who may not edit every Dag: nobody keeps the others from theirs
MAX_OF_ONE = 200
#: what windows that are made at once name: each of these is a row for each time that is laid ahead
MOST_NAMED = 10_000
OPEN_SCOPE = "a window on folders, projects, tags or everything needs the permission to edit every Dag"


def create_window(session: Session, actor: Actor, window: WindowCreate, now: datetime) -> WindowAnswer:
    """Make a window and lay it ahead.

    :raises BadInput: one line, for times and kinds that cannot be
    :raises ResourceNotFound: for a task or workflow in its scope that does not exist, or that the actor may not see
    :raises Forbidden: if the actor may not edit all of its scope
    :raises Conflict: if there are too many
    """
    return create_windows(session, actor, [window], now)[0]


@retried
def create_windows(
    session: Session, actor: Actor, windows: Sequence[WindowCreate], now: datetime
) -> list[WindowAnswer]:
    """Make several windows: all, or none.

    :raises TaskOpsError: as :func:`create_window` does
    """
    definitions = [checked(session, actor, window, now) for window in windows]
    named = sum(len(definition.scope.tasks) + len(definition.scope.workflows) for definition in definitions)
    if named > MOST_NAMED:
        raise BadInput(f"{named:,} tasks and workflows are named altogether; at most {MOST_NAMED:,} are at once")
    take_writer_lock(session, actor.name)
    refuse_too_many(session, actor, len(definitions))
    rows = []
    for definition in definitions:
        row = new_row(definition, actor.recorded_name, now)
        session.add(row)
        session.flush()
        lay(session, row, definition, now)
        options = {"window_id": row.id, "kinds": [kind.value for kind in definition.kinds]}
        record_change(session, actor, "create", definition.scope, now, reason=definition.reason, options=options)
        rows.append(row)
    return [answer(row, definition, now) for row, definition in zip(rows, definitions, strict=True)]


def checked(session: Session, actor: Actor, window: WindowCreate, now: datetime) -> WindowDefinition:
    """Return a window that the actor may make; before anybody is kept waiting for it.

    :raises TaskOpsError: as :func:`create_window` does
    """
    definition = window.window(default=config.default_downstream())
    check_times(window.times, now)
    check_scope(session, actor, definition.scope)
    refuse_frozen(session, actor, definition.scope, now)
    return definition


@retried
def update_window(session: Session, actor: Actor, window_id: int, change: WindowChange, now: datetime) -> WindowAnswer:
    """Change the fields that are named, each as a whole, and lay the window anew.

    What is open and no longer wanted ends now; what it held goes on.

    :raises TaskOpsError: as :func:`create_window` does
    :raises Conflict: for what is no window of a person's times
    """
    _refuse_before_locks(session, actor, window_id, now)
    take_writer_lock(session, actor.name)
    row, before = _changeable(session, actor, window_id, now)
    if row.purpose != WindowPurpose.WINDOW.value:
        raise Conflict(f"window {window_id} is a {row.purpose.replace('_', '-')}: it can be deleted, not changed")
    window = change.apply_to(before, default=config.default_downstream())
    check_times(change.times, now)
    if window == before:
        return answer(row, before, now)
    check_scope(session, actor, window.scope)
    refuse_frozen(session, actor, window.scope, now)
    fill_row(row, window, actor.recorded_name, now)
    session.flush()
    lay(session, row, window, now)
    options = {"window_id": row.id, "changed": sorted(change.model_fields_set)}
    record_change(session, actor, "update", window.scope, now, reason=window.reason, options=options)
    return answer(row, window, now)


@retried
def delete_window(session: Session, actor: Actor, window_id: int, now: datetime) -> WindowAnswer:
    """Delete a window and return it: what is open ends now, and what it held goes on.

    :raises ResourceNotFound: if there is no such window, or the actor may not see it
    :raises Forbidden: if the actor may not edit all of its scope
    """
    _refuse_before_locks(session, actor, window_id, now)
    take_writer_lock(session, actor.name)
    row, window = _changeable(session, actor, window_id, now)
    shown = answer(row, window, now)
    row.deleted_at = now
    row.version += 1
    session.flush()
    lay(session, row, window, now)
    record_change(session, actor, "delete", window.scope, now, reason=window.reason, options={"window_id": row.id})
    return shown


def refuse_too_many(session: Session, actor: Actor, more: int) -> None:
    """Keep anybody from filling the table.

    :raises Conflict: if there are too many
    """
    number = select(func.count()).select_from(Window).where(Window.deleted_at.is_(None))
    if not actor.permissions.may_change_settings():
        own = session.scalar(number.where(Window.created_by == actor.recorded_name)) or 0
        if own + more > MAX_OF_ONE:
            raise Conflict(f"{own:,} of your windows are kept; at most {MAX_OF_ONE:,} are: delete some")
    if (session.scalar(number) or 0) + more > MAX_WINDOWS:
        raise Conflict(f"at most {MAX_WINDOWS:,} windows are kept; delete some")


def _refuse_before_locks(session: Session, actor: Actor, window_id: int, now: datetime) -> None:
    _changeable(session, actor, window_id, now)


def _changeable(session: Session, actor: Actor, window_id: int, now: datetime) -> tuple[Window, WindowDefinition]:
    """Return a window that the actor may change, whole."""
    row, _ = seen_window(session, actor, window_id)
    window = window_of(row)
    scope = window.scope
    if (scope.is_open or window.problem is not None) and not actor.permissions.may_change_settings():
        raise Forbidden(OPEN_SCOPE)
    # it may name Dags that the actor may not see: then it is somebody else's to change, and they are not named
    if actor.permissions.editable(scope.named_dags) != scope.named_dags:
        raise Forbidden(f"window {window_id} covers Dags that you may not change")
    if WindowKind.FREEZE in window.kinds and is_open(window, now) and not actor.permissions.may_change_settings():
        raise Forbidden(f"window {window_id} is open and freezes: changing it needs the permission to edit every Dag")
    refuse_frozen(session, actor, scope, now)
    return row, window


def check_scope(session: Session, actor: Actor, scope: WindowScope) -> None:
    """Refuse a scope that the actor may not make windows on.

    Dags come into open scopes later, and nobody is asked then: they are for who may edit every Dag.

    :raises ResourceNotFound: for what does not exist, or that the actor may not see
    :raises Forbidden: if the actor may not edit all of it
    """
    if scope.is_open and not actor.permissions.may_change_settings():
        raise Forbidden(OPEN_SCOPE)
    named = scope.named_dags
    there: set[str] = set()
    for some in chunks([(dag_id, "") for dag_id in named]):
        query = select(Workflow.dag_id).where(Workflow.dag_id.in_([dag_id for dag_id, _ in some]))
        there.update(dag_id for dag_id in session.scalars(query) if actor.may_read(dag_id))
    if missing := sorted(named - there):
        raise ResourceNotFound(f"Dag {missing[0]!r} does not exist; `airflow taskops sync` reads new Dags in")
    if forbidden := sorted(named - actor.permissions.editable(named)):
        raise Forbidden(f"you may not change Dag {forbidden[0]!r}")
    _check_tasks(session, scope.tasks)
    _check_projects(session, scope.projects)


def refuse_frozen(session: Session, actor: Actor, scope: WindowScope, now: datetime) -> None:
    """Refuse to plan around a freeze: a window that pauses what is frozen would be an operation on it.

    :raises Conflict: for what is frozen now, unless the actor may override a freeze
    """
    if actor.permissions.may_change_settings():
        return
    keys = [*scope.tasks, *((dag_id, "") for dag_id in scope.workflows)]
    if stopped := frozen(session, actor, keys, now):
        (dag_id, task_id), why = min(stopped.items())
        raise Conflict(f"{' '.join(filter(None, (dag_id, task_id)))} is {why}")


def _check_tasks(session: Session, tasks: Collection[TaskKey]) -> None:
    missing = set(tasks)
    for some in chunks(tasks):
        query = select(Task.dag_id, Task.task_id).where(is_one_of(Task.dag_id, Task.task_id, some))
        missing.difference_update((row.dag_id, row.task_id) for row in session.execute(query))
    if missing:
        dag_id, task_id = min(missing)
        raise ResourceNotFound(f"task {task_id!r} of Dag {dag_id!r} does not exist")


def _check_projects(session: Session, projects: Collection[str]) -> None:
    """A misspelt project would be a window on nothing. Folders and tags may be there only later."""
    if projects:
        known = sorted(session.scalars(select(Workflow.project).distinct()))
        for project in projects:
            if project not in known:
                raise BadInput(f"project {project!r} does not exist; there are {', '.join(known) or 'none yet'}")
