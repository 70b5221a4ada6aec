"""What the index had seen at its last refresh: lets a refresh tell in a few cheap queries that nothing changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.dags import ChangeMarkers
from taskops_provider.models import Setting
from taskops_provider.services.index import resolvers
from taskops_provider.services.shared.watermarks import write_watermark

#: read by ``check`` and the pages: when the index was last known to agree with Airflow
REFRESHED_AT = "index_refreshed_at"
_WATERMARK = "index_watermark"

#: raise it when the index is made differently from the same Dags
_FORMAT = 2

#: the time of refresh is written this often while nothing changes
_WRITE_EVERY = timedelta(seconds=60)
#: every Dag is compared this often, whatever the markers say
_COMPARE_ALL_EVERY = timedelta(minutes=5)
#: dag-processors write what they parsed some time after the time they note for it, and their clocks differ
_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Watermark:
    """What was seen, and when (``None`` or empty: never)."""

    markers: ChangeMarkers
    #: when all Dags were last compared
    compared_at: datetime | None
    #: how the index was made
    made_by: str
    refreshed_at: datetime | None
    #: bundle -> its team, when all Dags were last compared; None: it was not noted yet
    teams: Mapping[str, str] | None = None

    @property
    def is_current(self) -> bool:
        """Whether the index was made as this code and configuration would make it."""
        return self.made_by == _made_by()

    def compares_all(self, now: datetime, seen: ChangeMarkers) -> bool:
        """Tell whether this refresh has to compare every Dag: a new version, or it is time again."""
        return (
            not _within(self.compared_at, now, _COMPARE_ALL_EVERY) or seen.newest_version != self.markers.newest_version
        )

    def parsed_since(self, seen: ChangeMarkers) -> datetime | None:
        """Return since when Dags were parsed that this refresh has to compare; None where none was."""
        if seen.parsed_at is None or seen.parsed_at == self.markers.parsed_at:
            return None
        return (self.markers.parsed_at or seen.parsed_at) - _MARGIN

    def is_due(self, now: datetime) -> bool:
        """Tell whether the time of refresh is old enough to be written anew."""
        return not _within(self.refreshed_at, now, _WRITE_EVERY)


def read(session: Session) -> Watermark:
    """Return what the last refresh left. One query."""
    rows = session.execute(
        select(Setting.name, Setting.value).where(Setting.project == "", Setting.name.in_([REFRESHED_AT, _WATERMARK]))
    )
    values = {row.name: row.value for row in rows}
    seen = json.loads(values.get(_WATERMARK, "{}"))
    return Watermark(
        markers=ChangeMarkers(seen.get("newest_version"), _time(seen.get("parsed_at"))),
        compared_at=_time(seen.get("compared_at")),
        made_by=seen.get("made_by", ""),
        refreshed_at=_time(values.get(REFRESHED_AT)),
        teams=seen.get("teams"),
    )


def write(
    session: Session,
    now: datetime,
    seen: ChangeMarkers,
    compared_at: datetime | None,
    teams: Mapping[str, str] | None,
) -> None:
    """Note that the index agreed with Airflow at ``now``."""
    write_watermark(session, REFRESHED_AT, now.isoformat(), "index", now)
    noted = {
        "newest_version": seen.newest_version,
        "parsed_at": seen.parsed_at.isoformat() if seen.parsed_at else None,
        "compared_at": compared_at.isoformat() if compared_at else None,
        "made_by": _made_by(),
        "teams": teams,
    }
    write_watermark(session, _WATERMARK, json.dumps(noted), "index", now)


def _made_by() -> str:
    return f"{_FORMAT} {resolvers.configured()}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _within(then: datetime | None, now: datetime, span: timedelta) -> bool:
    return then is not None and timedelta(0) <= now - then < span
