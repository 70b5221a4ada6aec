"""Times, cells and tables of the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskops_provider.cli import output, tables, text
from taskops_provider.cli.times import parse_time
from taskops_provider.exceptions import BadInput

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+2h", NOW + timedelta(hours=2)),
        ("+30m", NOW + timedelta(minutes=30)),
        ("+1d", NOW + timedelta(days=1)),
        ("+1d12h", NOW + timedelta(days=1, hours=12)),
        ("+1w", NOW + timedelta(weeks=1)),
        (" 2026-12-24T06:00 ", datetime(2026, 12, 24, 6, tzinfo=UTC)),
        ("2026-12-24 06:00:30", datetime(2026, 12, 24, 6, 0, 30, tzinfo=UTC)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T06:00Z", datetime(2026, 12, 24, 6, tzinfo=UTC)),
        ("2026-12-24T06:00+08:00", datetime(2026, 12, 23, 22, tzinfo=UTC)),
    ],
)
def test_times_that_are_understood(given, expected):
    found = parse_time("--resume-at", given, NOW, sign="+")
    assert found == expected
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_in_airflows_default_timezone(monkeypatch):
    monkeypatch.setattr("airflow.settings.TIMEZONE", timezone(timedelta(hours=8)))
    assert parse_time("--resume-at", "2026-12-24T06:00", NOW, sign="+") == datetime(2026, 12, 23, 22, tzinfo=UTC)
    assert text.shown_time(datetime(2026, 12, 23, 22, tzinfo=UTC)) == "2026-12-24 06:00:00 UTC+08:00"


@pytest.mark.parametrize(
    "given", ["", "tomorrow", "+", "+2", "2h", "-2h", "+2y", "2026-13-01", "25:00", "+99999999999w"]
)
def test_times_that_are_not(given):
    with pytest.raises(BadInput, match=r"; allowed are .* 2026-12-24T06:00"):
        parse_time("--resume-at", given, NOW, sign="+")


def test_times_back():
    assert parse_time("--since", "-2h", NOW, sign="-") == NOW - timedelta(hours=2)
    with pytest.raises(BadInput):
        parse_time("--since", "+2h", NOW, sign="-")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (["ann", "bob"], "ann, bob"),
        ({"scheduling": 2, "paused": 1}, "scheduling: 2, paused: 1"),
        (NOW, "2026-11-22 12:00:00 UTC"),
        ("two\nlines\tand \x1b[31mred", "two lines and \N{REPLACEMENT CHARACTER}[31mred"),
        ("日本", "日本"),
    ],
)
def test_cells(value, shown):
    assert text.cell(value) == shown


def test_json_keeps_types_and_gives_utc():
    at = datetime(2026, 11, 22, 20, 0, tzinfo=timezone(timedelta(hours=8)))
    value = {"n": 1, "none": None, "yes": True, "at": at, "list": ["a"]}
    assert json.loads(output.json_text(value)) == {
        "n": 1,
        "none": None,
        "yes": True,
        "at": "2026-11-22T12:00:00Z",
        "list": ["a"],
    }


def test_rows_are_written_one_a_line_as_they_come(capsys):
    output.print_rows(({"n": n} for n in range(3)), "json")
    assert capsys.readouterr().out == '[\n{"n": 0},\n{"n": 1},\n{"n": 2}\n]\n'
    output.print_rows(iter(()), "json")
    assert capsys.readouterr().out == "[]\n"
    output.print_rows(({"n": n, "at": NOW} for n in range(2)), "yaml")
    assert capsys.readouterr().out == "- n: 0\n  at: '2026-11-22T12:00:00Z'\n- n: 1\n  at: '2026-11-22T12:00:00Z'\n"
    output.print_rows(iter(()), "yaml")
    assert capsys.readouterr().out == "[]\n"


def test_a_table_is_aligned_also_with_wide_characters():
    lines = list(tables.lines(["a", "b"], [["日本", "x"], ["abc", "y"]]))
    assert lines == ["a    | b", "=====+==", "日本 | x", "abc  | y"]


def test_a_table_in_a_pipe_is_not_folded():
    assert list(tables.lines(["a"], [["x" * 500]], ruled=False))[1] == "x" * 500


def test_a_table_is_folded_to_a_narrow_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    lines = list(tables.lines(["task_id", "why"], [["clean.orders", "waits for something that is far away " * 3]]))
    assert max(map(len, lines)) <= 40
    assert "clean.orders" in lines[2]
    assert len(lines) > 4


def test_ids_stay_whole_in_a_terminal_that_is_too_narrow(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    dag_id, task_id = "a_long_name_of_a_workflow_" * 2, "and_of_a_task_in_it_" * 2
    lines = list(tables.lines(["dag_id", "task_id", "why"], [[dag_id, task_id, "is paused and so on"]]))
    assert f"{dag_id} | {task_id} | is paused" in lines[2]
    assert lines[3].endswith("| and so on")


def test_people_are_spared_empty_columns_programs_are_not(capsys):
    columns = {"a": lambda row: row, "b": lambda row: None}
    output.print_table(["x"], columns, "table", empty="none")
    assert capsys.readouterr().out == "a\n=\nx\n"
    output.print_table(["x"], columns, "plain", empty="none")
    assert capsys.readouterr().out == "a  b\nx\n"


def test_an_empty_list_says_so(capsys):
    columns = {"a": lambda row: row}
    output.print_table([], columns, "table", empty="no task matches")
    assert capsys.readouterr().out == "no task matches\n"
    output.print_table([], columns, "plain", empty="no task matches")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no task matches\n")
