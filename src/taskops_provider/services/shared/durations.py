"""Spans of time in words."""

from __future__ import annotations

from datetime import timedelta


def span(time: timedelta) -> str:
    """A span of time in its two largest units: ``2 h 5 min``."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
