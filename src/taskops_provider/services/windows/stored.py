"""Windows in the database: rows read as windows, windows written into rows."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.windows.window import WindowCreate, WindowDefinition
from taskops_provider.models import Window

log = logging.getLogger(__name__)


def there() -> Select[Window]:
    """The windows that there are, the newest first."""
    return select(Window).where(Window.deleted_at.is_(None)).order_by(Window.id.desc())


def window_of(row: Window) -> WindowDefinition:
    """Return the window that a row holds; one that cannot be read is set aside, with its ``problem``.

    A row may have been written by another version, or by hand: it must not keep the others from being read.
    """
    try:
        return _read(row)
    except (BadInput, AttributeError, KeyError, TypeError, ValueError) as error:
        problem = str(error) if isinstance(error, BadInput) else "its body cannot be read"
        log.warning("TaskOps set window %s aside: %s", row.id, problem)
        return WindowDefinition(row.name, _kinds(row), None, WindowScope(), None, {}, row.reason, row.enabled, problem)


def _kinds(row: Window) -> tuple[WindowKind, ...]:
    flags = {
        WindowKind.PAUSE: row.pauses,
        WindowKind.NO_REPLENISH: row.stops_replenishments,
        WindowKind.FREEZE: row.freezes,
    }
    return tuple(kind for kind, is_set in flags.items() if is_set)


def _read(row: Window) -> WindowDefinition:
    return WindowCreate.read(
        {
            "name": row.name,
            "kinds": [kind.value for kind in _kinds(row)],
            "downstream": row.downstream,
            "scope": row.body["scope"],
            "times": row.body["times"],
            "reason": row.reason,
            "enabled": row.enabled,
        }
    ).window(default=Downstream.SKIP)


def scope_data(scope: WindowScope) -> Json:
    """Return a scope as it is kept and shown."""
    return {
        "tasks": [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in scope.tasks],
        "workflows": list(scope.workflows),
        "folders": list(scope.folders),
        "projects": list(scope.projects),
        "tags": list(scope.tags),
        "everything": scope.everything,
    }


def new_row(window: WindowDefinition, by: str, now: datetime, purpose: WindowPurpose = WindowPurpose.WINDOW) -> Window:
    """Return the row of a new window."""
    row = Window(purpose=purpose.value, created_at=now, created_by=by, version=0)
    fill_row(row, window, by, now)
    return row


def fill_row(row: Window, window: WindowDefinition, by: str, now: datetime) -> None:
    """Write a window into its row."""
    row.name = window.name
    row.pauses = WindowKind.PAUSE in window.kinds
    row.stops_replenishments = WindowKind.NO_REPLENISH in window.kinds
    row.freezes = WindowKind.FREEZE in window.kinds
    row.downstream = window.downstream.value if window.downstream else None
    row.body = {"scope": scope_data(window.scope), "times": window.written}
    row.reason = window.reason
    row.enabled = window.enabled
    row.changed_at, row.changed_by = now, by
    row.version += 1


def all_windows(session: Session) -> list[tuple[Window, WindowDefinition]]:
    """Return every window, the newest first. One query."""
    return [(row, window_of(row)) for row in session.scalars(there())]
