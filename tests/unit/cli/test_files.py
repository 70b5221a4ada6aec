"""Targets from files, exports to files, diagrams."""

from __future__ import annotations

import csv
import io
import json
from argparse import Namespace
from datetime import UTC, datetime

import pytest

from taskops_provider.cli import diagram, export
from taskops_provider.cli.run import UsageError
from taskops_provider.cli.selection import read_targets
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.lineage_graph import Graph, GraphEdge, GraphEnd, GraphNode
from taskops_provider.services.catalog.tasks import TASK_FIELDS, TaskRow
from taskops_provider.services.exports.formats import csv_cell


def arguments(**given) -> Namespace:
    return Namespace(**{"dag_id": None, "task_ids": [], "dag_ids": [], "file": None, "all_matching": False, **given})


def test_named_tasks_may_hold_dots():
    found = read_targets(arguments(dag_id="d", task_ids=["a", "group.b"]), Scope.TASK)
    assert found == (("d", "a"), ("d", "group.b"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"dag_id": "d"},
        {"dag_id": "d", "task_ids": ["t"], "file": "x"},
        {"dag_id": "d", "file": "x"},
        {"dag_id": "d", "task_ids": ["t"], "all_matching": True, "search": "x"},
        {"file": "x", "all_matching": True, "search": "x"},
        {"all_matching": True},
        {"all_matching": True, "deleted": True},
        {"dag_id": "d", "task_ids": ["t"], "search": "x"},
        {"file": "x", "deleted": True},
        {"search": "x"},
    ],
)
def test_exactly_one_way_to_name_targets(given):
    with pytest.raises(UsageError):
        read_targets(arguments(**given), Scope.TASK)


def test_a_file_names_tasks(tmp_path):
    path = tmp_path / "tasks.txt"
    path.write_bytes("\ufeff# what to stop\r\n\r\norders  clean.items\r\n\torders load # the last one\r\n".encode())
    found = read_targets(arguments(file=str(path)), Scope.TASK)
    assert found == (("orders", "clean.items"), ("orders", "load"))


@pytest.mark.parametrize(
    ("content", "scope", "message"),
    [
        (b"orders load\norders\n", Scope.TASK, "line 2: 'orders' is not 'DAG_ID TASK_ID'"),
        (b"orders load now\n", Scope.TASK, "line 1: 'orders load now' is not 'DAG_ID TASK_ID'"),
        (b"orders load\n", Scope.WORKFLOW, "line 1: 'orders load' is not 'DAG_ID'"),
        (b"# nothing\n\n", Scope.WORKFLOW, "names no workflow"),
        (b"", Scope.TASK, "names no task"),
        (b"\xff\xfe\x00", Scope.TASK, "cannot be read: it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, content, scope, message):
    path = tmp_path / "targets.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_targets(arguments(file=str(path)), scope)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"none\.txt cannot be read: No such file or directory"):
        read_targets(arguments(file=str(tmp_path / "none.txt")), Scope.TASK)
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read_targets(arguments(file=str(tmp_path)), Scope.TASK)


def test_targets_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("orders\n# sales\nmart\n"))
    assert read_targets(arguments(file="-"), Scope.WORKFLOW) == (("orders", ""), ("mart", ""))
    monkeypatch.setattr("sys.stdin", io.StringIO("orders load\n"))
    with pytest.raises(BadInput, match="standard input, line 1"):
        read_targets(arguments(file="-"), Scope.WORKFLOW)


def row(**fields) -> TaskRow:
    values = dict.fromkeys(TaskRow.__dataclass_fields__)
    return TaskRow(**{**values, "owners": [], "source_tables": [], "target_tables": [], **fields})


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cannot_smuggle_formulas(start):
    assert csv_cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert csv_cell([f"{start}1", "ann"]) == f"'{start}1; ann"
    assert csv_cell(f"a{start}") == f"a{start}"


def test_csv_reads_back(tmp_path):
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    path = tmp_path / "tasks.csv"
    tricky = row(dag_id="d", task_id="t", owners=["ann", "bob"], reason='he said "no",\nthen left', resume_at=at)
    assert export.write([tricky, row(dag_id="日本")], "csv", str(path)) == 2
    with path.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert list(first) == list(TASK_FIELDS)
    assert first["owners"] == "ann; bob"
    assert first["reason"] == 'he said "no",\nthen left'
    assert first["resume_at"] == "2026-11-22T12:00:00Z"
    assert second["dag_id"] == "日本"


def test_an_export_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "tasks.json"
    path.write_text("old")

    def rows():
        yield row(dag_id="d")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export.write(rows(), "json", str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_exports(tmp_path, capsys):
    path = tmp_path / "tasks.json"
    assert export.write([], "json", str(path)) == 0
    assert json.loads(path.read_text()) == []
    assert export.write([row(dag_id="d"), row(dag_id="e")], "json", None) == 2
    assert [task["dag_id"] for task in json.loads(capsys.readouterr().out)] == ["d", "e"]


def test_an_export_to_nowhere(tmp_path):
    with pytest.raises(BadInput, match="cannot be written: No such file or directory"):
        export.write([], "csv", str(tmp_path / "none" / "tasks.csv"))


def graph(*edges: tuple[str, str]) -> Graph:
    names = sorted({name for edge in edges for name in edge})
    nodes = [GraphNode("d", name, "scheduling", "BashOperator") for name in names]
    return Graph("d", None, nodes, [GraphEdge(GraphEnd("d", up), GraphEnd("d", down), "task") for up, down in edges])


def test_diagram_levels_are_the_longest_way():
    diamond = graph(("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"))
    assert diagram.levels(diamond) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert diagram.levels(Graph("d", None, [], [])) == {}


def test_diagram_as_text():
    lines = list(diagram.text("d", graph(("b", "a"))))
    assert lines[0] == "d: 2 tasks"
    assert lines[4].split(" | ") == ["1   ", "b      ", "scheduling", "BashOperator", "a"]
    assert lines[5].split(" | ")[:2] == ["2   ", "a      "]
    assert list(diagram.text("d", Graph("d", None, [], []))) == ["d: 0 tasks"]


def test_diagram_for_graphviz_quotes_names():
    node = GraphNode("d", 'say "a\\b"', "paused", "X")
    shown = "\n".join(diagram.dot("d", Graph("d", None, [node], [])))
    assert r'"say \"a\\b\"" [label="say \"a\\b\"\nX\npaused", fillcolor=khaki];' in shown
