"""Windows: list and show them. A window is seen by who may read something in its scope, and as far as they may."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy.orm import Session

from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import DagPlace, WindowScope
from taskops_provider.domain.windows.times import at
from taskops_provider.exceptions import NotAllowed, ResourceNotFound
from taskops_provider.inputs.windows.window import WindowDefinition
from taskops_provider.models import Window
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.paging import Page, check_page
from taskops_provider.services.windows.answers import WindowAnswer
from taskops_provider.services.windows.places import dag_places
from taskops_provider.services.windows.stored import all_windows, scope_data


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which windows. Several fields mean all of them.

    :param dag_id: those that cover something of this Dag
    :param search: a part of the name or the reason
    :param open_now: those that are open now, or those alone that are not
    """

    dag_id: str = ""
    kinds: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    search: str = ""
    open_now: bool | None = None


def list_windows(
    session: Session, actor: Actor, where: WindowFilter, now: datetime, *, limit: int, offset: int = 0
) -> Page[WindowAnswer]:
    """Return one page of the windows that match, the newest first: three queries, whatever their number.

    :raises BadInput: for a page, a kind or a purpose that cannot be
    """
    check_page(limit, offset)
    for name, values, allowed in (("kind", where.kinds, WindowKind), ("purpose", where.purposes, WindowPurpose)):
        for value in values:
            if value not in set(allowed):
                raise NotAllowed(name, value, ", ".join(one.value for one in allowed))
    found = [pair for pair in visible_windows(session, actor, where.dag_id) if _matches(pair[1], pair[0], where, now)]
    return Page([answer(row, window, now) for row, window in found[offset : offset + limit]], len(found), limit, offset)


def show_window(session: Session, actor: Actor, window_id: int, now: datetime) -> WindowAnswer:
    """Return one window.

    :raises ResourceNotFound: when there is none, or none that the actor may see
    """
    return answer(*seen_window(session, actor, window_id), now)


def seen_window(session: Session, actor: Actor, window_id: int) -> tuple[Window, WindowDefinition]:
    """Return the row of a window, and the window as the actor may see it.

    :raises ResourceNotFound: when there is none, or none that the actor may see
    """
    for row, window in visible_windows(session, actor):
        if row.id == window_id:
            return row, window
    raise ResourceNotFound(f"window {window_id} does not exist")


def visible_windows(session: Session, actor: Actor, dag_id: str = "") -> list[tuple[Window, WindowDefinition]]:
    """Return the windows that the actor may see, each with the part of its scope that they may.

    :param dag_id: those that cover something of this Dag
    """
    found = all_windows(session)
    if actor.permissions.readable() is None and not dag_id:
        return found
    open_scopes = [window.scope for _, window in found if window.scope.is_open]
    places = dag_places(session, open_scopes, [dag_id] if dag_id else None) if open_scopes else []
    places = [place for place in places if actor.may_read(place.dag_id)]
    shown = []
    for row, window in found:
        scope = _seen(window.scope, actor, places)
        # of what somebody may not see they cannot ask whether it is covered
        if dag_id and not _touches(scope, dag_id, places):
            continue
        if scope != WindowScope():
            shown.append((row, replace(window, scope=scope)))
    return shown


def _touches(scope: WindowScope, dag_id: str, places: Collection[DagPlace]) -> bool:
    return scope.everything or dag_id in scope.named_dags or any(map(scope.covers_dag, places))


def _seen(scope: WindowScope, actor: Actor, places: Sequence[DagPlace]) -> WindowScope:
    """The part of a scope that the actor may see: a place, where a Dag in it may be read."""
    if actor.permissions.readable() is None:
        return scope

    def with_dags(names: tuple[str, ...], part: Callable[[str], WindowScope]) -> tuple[str, ...]:
        return tuple(name for name in names if any(map(part(name).covers_dag, places)))

    return WindowScope(
        tuple(key for key in scope.tasks if actor.may_read(key[0])),
        tuple(dag_id for dag_id in scope.workflows if actor.may_read(dag_id)),
        with_dags(scope.folders, lambda name: WindowScope(folders=(name,))),
        with_dags(scope.projects, lambda name: WindowScope(projects=(name,))),
        with_dags(scope.tags, lambda name: WindowScope(tags=(name,))),
        scope.everything,
    )


def _matches(window: WindowDefinition, row: Window, where: WindowFilter, now: datetime) -> bool:
    if where.kinds and not {kind.value for kind in window.kinds} & set(where.kinds):
        return False
    if where.purposes and row.purpose not in where.purposes:
        return False
    if where.search and where.search.lower() not in f"{window.name}\n{window.reason or ''}".lower():
        return False
    return where.open_now is None or where.open_now is is_open(window, now)


def is_open(window: WindowDefinition, now: datetime) -> bool:
    """Whether a window is enabled and open now."""
    return window.enabled and window.times is not None and at(window.times, now) is not None


def answer(row: Window, window: WindowDefinition, now: datetime) -> WindowAnswer:
    """Return a window as every surface shows it."""
    current = at(window.times, now) if window.times is not None and window.enabled else None
    ahead = list(islice(window.times.occurrences(now), 2)) if window.times is not None and window.enabled else []
    coming = next((one for one in ahead if one.begin > now), None)
    return WindowAnswer(
        window_id=row.id,
        name=window.name,
        purpose=WindowPurpose(row.purpose),
        kinds=list(window.kinds),
        downstream=window.downstream,
        scope=scope_data(window.scope),
        times=window.written,
        reason=window.reason,
        enabled=window.enabled,
        open_until=current.end if current else None,
        next_begin=coming.begin if coming else None,
        next_end=coming.end if coming else None,
        version=row.version,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        problem=window.problem,
    )
