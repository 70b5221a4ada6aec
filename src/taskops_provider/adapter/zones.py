"""Stretches of time in which the clocks of a zone stay as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

#: so far from a change of the clocks no schedule that fires daily can tell that there is one: some jumped by a day
MARGIN = timedelta(days=2)
#: how far ahead, and how closely, offsets are looked at: no zone changes its clocks twice within a step
_HORIZON = timedelta(days=400)
_STEP = timedelta(hours=6)


def is_utc(zone: Any) -> bool:
    """Whether all days are alike, and clocks show UTC."""
    return getattr(zone, "name", None) in ("UTC", "Etc/UTC")


def offset(zone: Any, moment: datetime) -> timedelta:
    """Return by how much the clocks of a zone are ahead of UTC."""
    found: timedelta | None = moment.astimezone(zone).utcoffset()
    return found or timedelta()


def calm_until(zone: Any, moment: datetime) -> datetime | None:
    """Return until when no change of the clocks is near; None where one is near now.

    At most :data:`_HORIZON` ahead: ask again then.
    """
    if is_utc(zone):
        return datetime.max.replace(tzinfo=UTC)
    now = offset(zone, moment)
    back = moment - MARGIN
    while back < moment:
        if offset(zone, back) != now:
            return None
        back += _STEP
    ahead = moment
    while ahead - moment < _HORIZON and offset(zone, ahead + _STEP) == now:
        ahead += _STEP
    return ahead - MARGIN if ahead - MARGIN > moment else None


def calm_before(zone: Any, moment: datetime) -> datetime:
    """Return a moment that is not after another one, and near no change of the clocks."""
    return _calm(zone, moment, timedelta(days=-1))


def calm_after(zone: Any, moment: datetime) -> datetime:
    """Return a moment that is not before another one, and near no change of the clocks."""
    return _calm(zone, moment, timedelta(days=1))


def _calm(zone: Any, moment: datetime, step: timedelta) -> datetime:
    for _ in range(60):
        if calm_until(zone, moment) is not None:
            break
        moment += step
    return moment
