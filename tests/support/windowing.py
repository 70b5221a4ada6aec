"""Windows in tests: made as people make them, and what the monitor does about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.inputs.windows.window import WindowChange, WindowCreate
from taskops_provider.services.gate.sweep import dags_to_sweep, sweep_dag
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.windows import changes, laying
from taskops_provider.services.windows.answers import WindowAnswer
from tests.support.warehouse import ALICE

NIGHTS: Mapping[str, Any] = {"cron": "0 22 * * *", "zone": "Europe/Berlin", "until": "06:00"}


def body(
    *names: str, kinds: str | list[str] = "pause", times: Mapping[str, Any] = NIGHTS, **more: Any
) -> dict[str, Any]:
    """The body of a window; a name without a dot is a workflow."""
    scope = {
        "workflows": [name for name in names if "." not in name],
        "tasks": [dict(zip(("dag_id", "task_id"), name.split(".", 1), strict=True)) for name in names if "." in name],
    }
    return {
        "name": "night",
        "kinds": kinds.split(",") if isinstance(kinds, str) else kinds,
        "scope": scope,
        "times": dict(times),
        **more,
    }


def once(begin: datetime, end: datetime) -> dict[str, Any]:
    """Times of a window that is open once."""
    return {"begin": begin.isoformat(), "end": end.isoformat()}


def make(session: Session, now: datetime, *names: str, actor: Actor = ALICE, **more: Any) -> WindowAnswer:
    """Make a window, and commit."""
    made = changes.create_window(session, actor, WindowCreate.read(body(*names, **more)), now)
    session.commit()
    return made


def change(session: Session, now: datetime, window_id: int, actor: Actor = ALICE, **fields: Any) -> WindowAnswer:
    """Change a window, and commit."""
    changed = changes.update_window(session, actor, window_id, WindowChange.model_validate(fields), now)
    session.commit()
    return changed


def lay_all(session: Session, now: datetime) -> list[int]:
    """The monitor's step that lays windows ahead; return those that it laid."""
    due = laying.windows_to_lay(session, now)
    for window_id in due:
        laying.lay_window(session, window_id, now)
    session.commit()
    return due


def sweep(session: Session, now: datetime) -> None:
    """The monitor's step that lets go what nothing holds any more."""
    for dag_id in dags_to_sweep(session, now):
        sweep_dag(session, dag_id, now)
    session.commit()
