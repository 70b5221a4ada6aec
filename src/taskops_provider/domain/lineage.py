"""Lineage: which side of a task."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """Which tasks around a task: what it waits for, what waits for it, or both."""

    BOTH = "both"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
