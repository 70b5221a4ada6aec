"""Downloads behind operation records: how far they are, and where the file is (requirements B24)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.services.exports.request import ExportState
from taskops_provider.services.operations.records import EXPORT, get_record
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge

_BADGES: Mapping[str, Badge] = {
    ExportState.QUEUED: Badge("Waiting", "grey"),
    ExportState.PREPARING: Badge("Preparing", "blue"),
    ExportState.READY: Badge("Ready", "green"),
    ExportState.FAILED: Badge("Failed", "red"),
}
_EXPIRED = Badge("Expired", "grey")
#: seconds between two looks at a download that is under way; fewer at first
_SOON, _LATER = 2, 15
_LONG = timedelta(minutes=2)


@dataclass(frozen=True)
class Download:
    """A download.

    :param detail: how far it is, how large, or why there is none
    :param file_url: the file, for who asked for it, once it is there
    :param poll_url: where to look again; empty when nothing will change
    """

    badge: Badge
    detail: str
    file_url: str = ""
    poll_url: str = ""
    poll_seconds: int = 0


def of_record(asked: PageRequest, record: OperationRecord) -> Download | None:
    """Return the download behind a record; None for another operation."""
    if record.verb != EXPORT:
        return None
    export = record.export
    if export is None:
        return Download(_EXPIRED, "it was kept as long as records are")
    rows = text.count(export.rows, "row")
    details: Mapping[str, str] = {
        ExportState.QUEUED: "the monitor prepares it",
        ExportState.PREPARING: f"{rows} so far",
        ExportState.READY: f"{rows}, {size(export.size)}",
        ExportState.FAILED: f"{export.error}; ask for it again",
    }
    is_own = record.actor == asked.actor.recorded_name
    under_way = export.state in (ExportState.QUEUED, ExportState.PREPARING)
    return Download(
        _BADGES[export.state],
        details[export.state],
        asked.urls.export(export.export_id) if export.state == ExportState.READY and is_own else "",
        asked.urls.page("operation/download", {"id": str(record.operation_id)}) if under_way else "",
        _seconds(record.at, asked.now),
    )


def _seconds(asked_at: datetime, now: datetime) -> int:
    return _SOON if now - asked_at < _LONG else _LATER


@dataclass(frozen=True, slots=True)
class DownloadPart:
    """What the template ``operations/download.html`` shows: one download, on the list and on its page."""

    download: Download
    number: str


def download_part(asked: PageRequest) -> DownloadPart:
    """Return the download behind a record.

    :raises ResourceNotFound: when there is no such operation, none that the actor may see, or it is no download
    """
    record = get_record(asked.session, asked.actor, asked.number("id"))
    download = of_record(asked, record)
    if download is None:
        raise ResourceNotFound(f"operation {record.operation_id} is no download")
    return DownloadPart(download, str(record.operation_id))


def size(number: int) -> str:
    """Return ``800 bytes``, ``12 kB``, ``3.4 MB``, ``1,200 MB``."""
    if number < 1000:
        return text.count(number, "byte")
    kilo = number / 1000
    value, unit = (kilo, "kB") if kilo < 1000 else (kilo / 1000, "MB")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
