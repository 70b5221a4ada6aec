"""The last runs of a workflow as bars: as high as they took long, coloured by their state (requirements A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from taskops_provider.services.catalog.runs import RunHistoryRow
from taskops_provider.www.presenters import text
from taskops_provider.www.urls import Urls

#: of a bar, in units of its drawing
HEIGHT = 48
LOWEST = 4

TONES: Mapping[str, str] = {"success": "green", "failed": "red", "running": "blue", "queued": "grey"}
_ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class RunBar:
    """A run.

    :param may_hold: holding or releasing it does something
    """

    url: str
    run_id: str
    run_type: str
    state: str
    tone: str
    held: bool
    may_hold: bool
    height: int
    data_time: text.Time | None
    started: text.Time | None
    took: str
    words: str


def bars(dag_id: str, runs: Sequence[RunHistoryRow], now: datetime, urls: Urls) -> list[RunBar]:
    """Return the bars of some runs; one that is on its way is as high as it has taken so far."""
    seconds = [_seconds(run, now) for run in runs]
    longest = max((number for number in seconds if number), default=0)
    made = []
    for run, number in zip(runs, seconds, strict=True):
        height = LOWEST if not longest or not number else max(round(HEIGHT * number / longest), LOWEST)
        took = "" if number is None else text.duration(number)
        data_time = text.time(run.logical_date)
        state = f"{run.state}, held" if run.held else run.state
        told = (run.run_type.replace("_", " "), state, f"{took}{_so_far(run)}" if took else "not started")
        made.append(
            RunBar(
                url=urls.run(dag_id, run.run_id),
                run_id=run.run_id,
                run_type=run.run_type.replace("_", " "),
                state=run.state,
                tone=TONES.get(run.state, "grey"),
                held=run.held,
                may_hold=run.held or run.state not in _ENDED,
                height=height,
                data_time=data_time,
                started=text.time(run.start_date),
                took=told[2],
                words=f"{_named(run, data_time)}: {', '.join(told)}",
            )
        )
    return made


def _seconds(run: RunHistoryRow, now: datetime) -> float | None:
    if run.duration is not None:
        return run.duration
    if run.start_date is None or run.end_date is not None:
        return None
    return max((now.astimezone(UTC) - run.start_date).total_seconds(), 0)


def _so_far(run: RunHistoryRow) -> str:
    return "" if run.end_date else " so far"


def _named(run: RunHistoryRow, data_time: text.Time | None) -> str:
    return f"Data of {data_time.text} UTC" if data_time else run.run_id
