"""Ring charts and bars of runs, as drawings (A4, A5, A6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from taskops_provider.services.catalog.runs import RunHistoryRow
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.workflow import rings
from taskops_provider.www.presenters.workflow import runs as workflow_runs
from taskops_provider.www.presenters.workflow.rings import LENGTH, MOST
from taskops_provider.www.urls import Urls

CSS = Path(__file__).resolve().parents[4] / "frontend" / "src" / "workflow" / "charts.css"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("counts", [(1,), (1, 1, 1), (5, 1, 1), (400, 3, 2, 1), (997, 1, 1, 1)])
def test_arcs_follow_each_other_round_the_circle(counts: tuple[int, ...]) -> None:
    chart = rings.ring("Types", {f"type_{n}": count for n, count in enumerate(counts)})
    assert chart.total == f"{sum(counts):,}"
    begins = [-float(part.offset) for part in chart.slices]
    assert begins[0] == 0
    for (begin, part), following in pairwise([*zip(begins, chart.slices, strict=True), (LENGTH, None)]):
        assert part
        share = LENGTH * int(part.count) / sum(counts)
        assert begin + share == pytest.approx(following[0], abs=0.02)
        # each is seen, and apart from the next one
        assert 0 < float(part.length) < max(share, 0.7) or len(counts) == 1


def test_a_whole_ring_has_no_seam() -> None:
    (part,) = rings.ring("Periods", {"day": 3}, labels={"day": "Day"}).slices
    assert float(part.length) > LENGTH
    assert (part.label, part.percent) == ("Day", "100%")


def test_equal_parts_have_equal_percents_and_small_ones_are_not_nothing() -> None:
    assert [part.percent for part in rings.ring("T", {"a": 1, "b": 1, "c": 1}).slices] == ["33%"] * 3
    assert [part.percent for part in rings.ring("T", {"a": 999, "b": 1, "c": 0}).slices] == ["100%", "<1%"]


def test_more_kinds_than_colours_are_one_part_together() -> None:
    chart = rings.ring("T", {f"type_{n:02}": 20 - n for n in range(MOST + 3)})
    assert len(chart.slices) == MOST + 1
    rest = chart.slices[-1]
    assert (rest.label, rest.tone, rest.count) == ("3 others", "part-rest", str(12 + 11 + 10))
    assert sum(int(part.count) for part in chart.slices) == int(chart.total)
    assert len({part.tone for part in chart.slices}) == MOST + 1


def test_all_colours_exist_for_light_and_dark() -> None:
    css = CSS.read_text()
    colours = re.findall(r"--part-(\d): light-dark\((oklch\([^)]*\)), (oklch\([^)]*\))\);", css)
    assert [int(number) for number, *_ in colours] == list(range(1, MOST + 1))
    for theme in (1, 2):
        assert len({colour[theme] for colour in colours}) == MOST


def test_words_say_what_the_ring_shows() -> None:
    chart = rings.ring("Statuses", {"paused": 3, "offline": 1}, labels={"paused": "Paused", "offline": "Offline"})
    assert chart.words == "Statuses: Paused 3 (75%), Offline 1 (25%)"
    assert rings.ring("Task types", {}).words == "Task types: no tasks"
    assert rings.ring("Task types", {}).slices == []


def run(number: int, *, seconds: float | None = None, state: str = "success", **values: Any) -> RunHistoryRow:
    began = NOW - timedelta(hours=1)
    has_ended = seconds is not None
    facts = {
        "run_type": "asset_triggered",
        "state": state,
        "logical_date": None,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": began,
        "start_date": began,
        "end_date": began + timedelta(seconds=seconds) if seconds is not None else None,
        "duration": seconds if has_ended else None,
        **values,
    }
    return RunHistoryRow(f"manual__{number}+00:00", held=False, **facts)


def test_bars_are_as_high_as_runs_were_long() -> None:
    runs = [run(1, seconds=100), run(2, seconds=50, state="failed"), run(3, seconds=0.1)]
    whole, half, short = workflow_runs.bars("a/b", runs, NOW, Urls("/"))
    assert (whole.height, half.height, short.height) == (48, 24, workflow_runs.LOWEST)
    assert (whole.tone, half.tone) == ("green", "red")
    assert whole.url == "/dags/a%2Fb/runs/manual__1%2B00%3A00"
    assert whole.words == "manual__1+00:00: asset triggered, success, 1 min 40 s"


def test_a_run_on_its_way_counts_what_it_has_taken_so_far() -> None:
    waiting = run(2, state="queued", start_date=None)
    going, queued = workflow_runs.bars("d", [run(1, state="running"), waiting], NOW, Urls("/"))
    assert going.words.endswith("running, 1 h so far")
    assert (going.height, going.tone) == (48, "blue")
    assert queued.words.endswith("queued, not started")
    assert queued.height == workflow_runs.LOWEST


def test_data_time_names_a_run() -> None:
    (bar,) = workflow_runs.bars("d", [run(1, seconds=1, logical_date=NOW)], NOW, Urls("/"))
    assert bar.words.startswith("Data of 2026-11-22 12:00:00 UTC: ")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"), (0.44, "0.4 s"), (12.4, "12 s"), (59.7, "1 min"), (185, "3 min 5 s"), (3600, "1 h"),
        (7800, "2 h 10 min"), (86400 * 4 + 3600 * 3 + 7, "4 d 3 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words
