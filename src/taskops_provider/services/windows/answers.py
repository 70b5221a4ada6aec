"""Windows as every surface shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from taskops_provider.domain.answers import Json
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """A window.

    :param scope: as it was written, without what the reader may not see
    :param times: as they were written
    :param open_until: None: it is not open
    :param next_begin: of the next occurrence that has not begun; None: there is none
    :param problem: why it is set aside; None if all is well
    """

    window_id: int
    name: str
    purpose: WindowPurpose
    kinds: list[WindowKind]
    downstream: Downstream | None
    scope: Json
    times: Json
    reason: str | None
    enabled: bool
    open_until: datetime | None
    next_begin: datetime | None
    next_end: datetime | None
    version: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class StoppedCycle:
    """A run that Airflow's schedule would make in a window."""

    dag_id: str
    logical_date: datetime
    run_after: datetime


@dataclass(frozen=True, slots=True)
class OccurrenceAnswer:
    """One time at which a window is open.

    :param cycles: what it stops, the earliest first
    :param more_cycles: how many there are beyond these
    """

    begin: datetime
    end: datetime
    cycles: list[StoppedCycle]
    more_cycles: int


@dataclass(frozen=True, slots=True)
class WindowPreview:
    """What a window would do.

    :param workflows: Dags in its scope that the reader may see
    :param tasks: how many tasks of theirs
    :param not_looked_at: Dags of which the cycles are not told: there are too many
    :param without_cycles: Dags that have no cycles to tell: paused, or not scheduled by time
    """

    occurrences: list[OccurrenceAnswer]
    workflows: int
    tasks: int
    not_looked_at: int
    without_cycles: list[str]


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """What a calendar shows: an occurrence of a window, or when paused tasks start again by themselves.

    :param what: ``window`` or ``resume``
    """

    what: str
    begin: datetime
    end: datetime
    title: str
    window_id: int | None = None
    kinds: tuple[WindowKind, ...] = ()
    dag_id: str | None = None


@dataclass(frozen=True, slots=True)
class HeldOrReleased:
    """What came of holding or releasing everything.

    :param workflows: how many Dags
    :param instances: those that had not begun and wait now; 0 when releasing
    :param released_by: when the last wave is released; None when holding
    """

    window_ids: list[int]
    operation_id: int
    workflows: int
    instances: int
    released_by: datetime | None
