"""Lists and exports by the command line: JSON of requirements 8, filters, pages, order."""

from __future__ import annotations

import csv
import io

import pytest
import yaml

from taskops_provider.models import Workflow
from tests.support.airflow_db import write_dags
from tests.support.cli import Cli
from tests.support.queries import counted_queries
from tests.support.warehouse import chain, install, operate, retail

TASK_KEYS = """
    dag_id task_id status owners project folder task_type period schedule pool queue downstream reason resume_at
    first_submitted_at last_submitted_at first_run_at effective_from effective_to source_tables target_tables
""".split()  # noqa: SIM905
WORKFLOW_KEYS = """
    dag_id status task_count status_counts owners project folder schedule period draining_runs
    first_submitted_at last_submitted_at
""".split()  # noqa: SIM905


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def warehouse(session):
    write_dags([chain("nested", "a", owner="eve")], session, files={"nested": "deep/er/nested.py"})
    install(session, retail())
    return session


def ids(rows) -> list[str]:
    return [".".join(filter(None, (row["dag_id"], row.get("task_id")))) for row in rows]


def test_json_of_tasks(warehouse, cli):
    operate(warehouse, "pause", "sales.sum", reason="late", downstream="run")
    rows = cli.json("tasks", "list")
    assert all(list(row) == TASK_KEYS for row in rows)
    assert ids(rows) == sorted(ids(rows))
    assert len(rows) == 10
    found = next(row for row in rows if row["task_id"] == "sum")
    assert (found["status"], found["downstream"], found["reason"]) == ("paused", "run", "late")
    assert found["target_tables"] == ["s3://warehouse/sales"]
    assert found["effective_from"] == "2026-01-01T00:00:00Z"
    assert found["effective_to"] is None


def test_json_of_workflows(warehouse, cli):
    operate(warehouse, "pause", "orders.load")
    rows = cli.json("workflows", "list")
    assert all(list(row) == WORKFLOW_KEYS for row in rows)
    assert ids(rows) == ["mart", "nested", "orders", "report", "sales"]
    orders = rows[2]
    assert orders["status"] == "partially_scheduling"
    assert orders["status_counts"] == {"scheduling": 2, "paused": 1, "offline": 0, "invalid": 0}
    assert (orders["task_count"], orders["owners"], orders["draining_runs"]) == (3, ["ann", "bob"], None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--search", "LOA"], ["orders.load"]),
        (
            ["--workflow-like", "sal", "--workflow-like", "mar"],
            ["mart.build", "mart.report_now", "sales.sum", "sales.wait"],
        ),
        (["--dag-id", "report"], ["report.render", "report.send"]),
        (["--owner", "bob"], ["orders.clean", "orders.load"]),
        (["--owned-by", "bob", "--owner", "eve"], ["nested.a", "orders.clean", "orders.load"]),
        (["--folder", "dags-folder/deep"], ["nested.a"]),
        (["--folder", "dags-folder/deep/er"], ["nested.a"]),
        (["--folder", "dags-folder/dee"], []),
        (["--project", "elsewhere"], []),
        (["--period", "event"], ["mart.build", "mart.report_now"]),
        (["--period", "day", "--period", "manual"], ["nested.a", "report.render", "report.send"]),
        (["--status", "paused"], ["mart.build"]),
        (["--type", "ExternalTaskSensor"], ["sales.wait"]),
        (["--target-table", "warehouse/SALES"], ["sales.sum"]),
        (["--source-table", "warehouse"], []),
        (["--status", "deleted"], ["report.send"]),
        (["--dag-id", "report", "--deleted"], ["report.render", "report.send"]),
    ],
)
def test_filters_of_tasks(warehouse, cli, words, expected):
    operate(warehouse, "pause", "mart.build")
    if "deleted" in words[-1]:
        operate(warehouse, "offline", "report.send")
        operate(warehouse, "delete", "report.send", downstream="run")
    assert ids(cli.json("tasks", "list", *words)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--search", "ord|SAL"], ["orders", "sales"]),
        (["--owner", "eve"], ["nested"]),
        (["--folder", "dags-folder/deep"], ["nested"]),
        (["--project", "dags-folder", "--period", "hour"], ["orders", "sales"]),
        (["--status", "all_paused", "--status", "partially_scheduling"], ["mart", "orders"]),
        (["--search", "%"], []),
        (["--deleted", "--search", "gone"], ["gone"]),
        (["--absent", "--search", "lost"], ["lost"]),
        (["--search", "gone|lost"], []),
    ],
)
def test_filters_of_workflows(warehouse, cli, words, expected):
    install(warehouse, [chain("gone", "a"), chain("lost", "a")])
    operate(warehouse, "pause", "mart")
    operate(warehouse, "pause", "orders.load")
    operate(warehouse, "offline", "gone")
    operate(warehouse, "delete", "gone", downstream="run")
    warehouse.get(Workflow, "lost").is_present = False
    warehouse.commit()
    assert ids(cli.json("workflows", "list", *words)) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tasks", "list", "--status", "x"], "--status is 'x'; allowed are scheduling, paused, offline"),
        (["tasks", "list", "--period", "x"], "--period is 'x'; allowed are minute, hour, day"),
        (["tasks", "list", "--order-by", "x"], "--order-by is 'x'; allowed are dag_id, task_id, status"),
        (["tasks", "list", "--order-by", "x", "--limit", "1"], "--order-by is 'x'; allowed are dag_id"),
        (["tasks", "list", "--limit", "0"], "limit is 0; allowed are 1 and more"),
        (["tasks", "list", "--offset", "-1"], "offset is -1; allowed are 0 and more"),
        (["workflows", "list", "--status", "paused"], "allowed are all_scheduling, all_paused"),
        (["workflows", "list", "--order-by", "x"], "--order-by is 'x'; allowed are dag_id, folder"),
        (["workflows", "list", "--owner", " "], "--owner is empty; leave it out to match everything"),
        (["tasks", "export", "--period", "x"], "--period is 'x'"),
        (["tasks", "show", "orders", "x"], "Task 'x' of Dag 'orders' does not exist"),
        (["workflows", "show", "x"], "Workflow 'x' does not exist"),
        (["workflows", "diagram", "x"], "Workflow 'x' does not exist"),
        (["tasks", "instances", "orders", "x"], "Task 'x' of Dag 'orders' does not exist"),
        (["tasks", "instances", "orders", "load", "--state", "x"], "--state is 'x'; allowed are none,"),
        (["tasks", "lineage", "x", "x"], "Task 'x' of Dag 'x' does not exist"),
        (["tasks", "lineage", "orders", "load", "--depth", "0"], "depth is 0; allowed are 1 and more"),
        (["operations", "show", "7"], "operation 7 does not exist"),
        (["operations", "list", "--outcome", "x"], "--outcome is 'x'; allowed are success, part_success"),
        (["operations", "list", "--since", "x"], "--since is 'x'; allowed are"),
        (["strict-mode", "show", "--project", "x"], "project 'x' does not exist; there are dags-folder"),
    ],
)
def test_bad_values_are_one_line_that_names_what_is_allowed(warehouse, cli, words, message):
    answer = cli(*words)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err


@pytest.mark.parametrize("group", ["tasks", "workflows"])
def test_pages_and_order(warehouse, cli, group):
    everything = ids(cli.json(group, "list"))
    assert ids(cli.json(group, "list", "--limit", "2", "--offset", "1")) == everything[1:3]
    assert ids(cli.json(group, "list", "--offset", "2")) == everything[2:]
    # more than a page of the services holds
    assert ids(cli.json(group, "list", "--limit", "5000", "--offset", "1")) == everything[1:]
    downwards = cli.json(group, "list", "--order-by=-dag_id")
    assert [row["dag_id"] for row in downwards] == sorted((row["dag_id"] for row in downwards), reverse=True)
    assert ids(cli.json(group, "list", "--order-by=-dag_id", "--limit", "3")) == ids(downwards)[:3]
    if group == "workflows":
        assert [row["task_count"] for row in cli.json(group, "list", "--order-by", "task_count")] == [1, 2, 2, 2, 3]


def test_tables_are_for_people(warehouse, cli):
    operate(warehouse, "pause", "orders.load", reason="late", ticket="OPS-1", downstream="run")
    answer = cli("tasks", "list", "--dag-id", "orders")
    assert answer.lines[0].split(" | ")[:3] == ["dag_id", "task_id", "status    "]
    assert answer.lines[4].endswith("| paused     | bob      | BashOperator | hour   | run        | OPS-1 late")
    answer = cli("workflows", "list", "--search", "orders")
    assert "| 3 (2 scheduling, 1 paused) |" in answer.out
    # how many there are is told where not all are shown
    assert cli("tasks", "list", "--limit", "3", "--offset", "1").err == "2 to 4 of 10\n"
    assert cli("tasks", "list", "--search", "nothing").out == "no task matches\n"
    assert cli("workflows", "list", "--search", "nothing").out == "no workflow matches\n"
    assert cli.json("workflows", "list", "--search", "nothing") == []


def test_yaml_and_plain(warehouse, cli):
    rows = yaml.safe_load(cli("workflows", "list", "--output", "yaml").out)
    assert rows == cli.json("workflows", "list")
    plain = cli("workflows", "list", "--output", "plain").lines
    assert len(plain) == 6
    assert plain[1].split()[:3] == ["mart", "all_scheduling", "2"]


def test_export_as_csv_and_json(warehouse, cli, tmp_path):
    operate(warehouse, "pause", "orders.load", reason="=HYPERLINK(1)")
    answer = cli("tasks", "export", "--dag-id", "orders")
    assert (answer.code, answer.err) == (0, "3 tasks exported\n")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert [key for key in rows[0] if key != "window"] == TASK_KEYS
    assert ids(rows) == ["orders.clean", "orders.extract", "orders.load"]
    assert rows[0]["owners"] == "ann; bob"
    assert rows[2]["reason"] == "'=HYPERLINK(1)"
    path = tmp_path / "tasks.json"
    answer = cli("tasks", "export", "--output", "json", "--to", str(path))
    assert (answer.out, answer.err) == ("", f"10 tasks exported to {path}\n")
    import json

    assert json.loads(path.read_text()) == cli.json("tasks", "list")


def test_lists_take_as_many_queries_for_few_as_for_many(warehouse, cli):
    def queries(*words: str) -> int:
        with counted_queries() as statements:
            cli(*words)
        return len(statements)

    queries("tasks", "list")
    few = [queries("tasks", "list"), queries("workflows", "list"), queries("workflows", "list", "--limit", "50")]
    install(warehouse, [chain(f"more_{n}", "a", "b") for n in range(30)])
    many = [queries("tasks", "list"), queries("workflows", "list"), queries("workflows", "list", "--limit", "50")]
    assert many == few
