"""What a window does while it lasts, and how windows come to be."""

from __future__ import annotations

from enum import StrEnum


class WindowKind(StrEnum):
    """What a window does while it lasts."""

    #: runs that are created in it do not execute the tasks
    PAUSE = "pause"
    #: nothing of a replenishment starts in it
    NO_REPLENISH = "no_replenish"
    #: operations are refused
    FREEZE = "freeze"


class WindowPurpose(StrEnum):
    """How a window came to be, which says what may be done with it."""

    WINDOW = "window"
    #: the next cycles of a task or workflow are left out
    SKIP_NEXT = "skip_next"
    #: everything, or a project, is held until somebody releases it
    HOLD_ALL = "hold_all"
