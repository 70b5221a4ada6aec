"""The API and ``airflow taskops`` give the same answer to the same question: both call one service (D10)."""

from __future__ import annotations

import pytest

from tests.support.api import Api, tasks, workflows
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.exports import prepare
from tests.support.instances import write_runs
from tests.support.warehouse import install, operate, retail


@pytest.fixture
def api(session):
    install(session, retail())
    write_runs(session, "orders", ["clean"], range(3))
    operate(session, "pause", "orders.clean", reason="late", ticket="OPS-1", downstream="run")
    operate(session, "offline", "report")
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ((), {}),
        (("--status", "paused"), {"status": "paused"}),
        (("--owner", "ann", "--owner", "nobody"), {"owner": ["ann", "nobody"]}),
        (("--order-by=-task_id", "--limit", "3", "--offset", "1"), {"order_by": "-task_id", "limit": 3, "offset": 1}),
        (
            ("--workflow-like", "repor", "--type", "BashOperator"),
            {"workflow_like": "repor", "task_type": "BashOperator"},
        ),
        (("--search", "a", "--target-table", "sales"), {"search": "a", "target_table": "sales"}),
    ],
)
def test_tasks_list(api, cli, words, query):
    assert cli.json("tasks", "list", *words) == api.get("tasks", **query)["tasks"]


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ((), {}),
        (("--status", "all_offline"), {"status": "all_offline"}),
        (("--search", "mart|sales", "--period", "hour"), {"search": "mart|sales", "period": "hour"}),
    ],
)
def test_workflows_list(api, cli, words, query):
    assert cli.json("workflows", "list", *words) == api.get("workflows", **query)["workflows"]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("workflows", "show", "report"), "workflows/report"),
        (("workflows", "diagram", "orders"), "workflows/orders/diagram"),
        (("tasks", "lineage", "orders", "load", "--depth", "9"), "tasks/orders/load/lineage?depth=9"),
        (("tasks", "lineage", "sales", "sum", "--direction", "upstream"), "tasks/sales/sum/lineage?direction=upstream"),
    ],
)
def test_what_is_shown(api, cli, words, path):
    assert cli.json(*words) == api.get(path)


def test_one_task(api, cli):
    """The command tells at once why it does not run; the API has a route for that."""
    shown = cli.json("tasks", "show", "orders", "clean")
    assert shown.pop("why") == api.get("tasks/orders/clean/why")
    assert shown == api.get("tasks/orders/clean")


def test_operations_and_instances_and_strict_mode(api, cli):
    operations = api.get("operations")["operations"]
    assert cli.json("operations", "list") == operations
    number = operations[0]["operation_id"]
    assert cli.json("operations", "show", str(number)) == api.get(f"operations/{number}")
    assert cli.json("operations", "list", "--verb", "pause") == api.get("operations", verb="pause")["operations"]
    assert cli.json("tasks", "instances", "orders", "clean") == api.get("tasks/orders/clean/instances")["instances"]
    assert cli.json("strict-mode", "show") == api.get("settings/strict-mode")["projects"]


@pytest.mark.parametrize(
    ("words", "path", "body", "code"),
    [
        (("tasks", "pause", "sales", "sum", "wait"), "tasks/pause", {"targets": tasks("sales.sum", "sales.wait")}, 0),
        (
            ("tasks", "pause", "orders", "clean", "load", "--downstream-effect", "hold"),
            "tasks/pause",
            {"targets": tasks("orders.clean", "orders.load"), "downstream": "hold"},
            3,
        ),
        (
            ("workflows", "offline", "sales", "report", "--cascade", "--reason", "x"),
            "workflows/offline",
            {"targets": workflows("sales", "report"), "cascade": True, "reason": "x"},
            3,
        ),
        (("workflows", "submit", "report"), "workflows/submit", {"targets": workflows("report")}, 0),
    ],
)
def test_previews(api, cli, words, path, body, code):
    """Also the plan hash: what was previewed on one surface can be applied on the other."""
    assert cli.json(*words, "--dry-run", code=code) == api.post(path, **body, dry_run=True)


def test_a_plan_of_the_command_line_is_applied_by_the_api(api, cli):
    plan = cli.json("tasks", "pause", "sales", "sum", "--dry-run")
    done = api.post("tasks/pause", targets=tasks("sales.sum"), plan_hash=plan["plan_hash"])
    assert done["outcome"] == "success"
    assert cli.json("operations", "undo", str(done["operation_id"]), "--dry-run") == api.post(
        f"operations/{done['operation_id']}/undo", dry_run=True
    )


@pytest.mark.parametrize(
    ("words", "method", "path", "body", "told"),
    [
        (("tasks", "show", "orders", "x"), "GET", "tasks/orders/x", None, "Task 'x' of Dag 'orders' does not exist"),
        (("workflows", "show", "x"), "GET", "workflows/x", None, "Workflow 'x' does not exist"),
        (("tasks", "list", "--order-by", "x"), "GET", "tasks?order_by=x", None, "order_by is 'x'"),
        (("operations", "show", "9999999"), "GET", "operations/9999999", None, "operation 9999999 does not"),
        (
            ("tasks", "pause", "orders", "x", "-y"),
            "POST",
            "tasks/pause",
            {"targets": tasks("orders.x")},
            "task 'orders x' does not exist",
        ),
    ],
)
def test_refusals_are_in_the_same_words(api, cli, words, method, path, body, told):
    said = cli(*words)
    assert said.code == 1
    answer = api.ask(method, path, json=body)
    assert answer.status_code in (404, 422)
    # a field is called as the surface does
    assert said.err.strip().replace("--order-by", "order_by") == f"error: {answer.json()['detail']}"
    assert answer.json()["detail"].startswith(told)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_exports(api, cli, session, form):
    asked = api.post("exports", 202, kind="tasks", format=form, filter={"dag_id": ["orders"]})
    prepare(session)
    fetched = api.ask("GET", f"exports/{asked['export_id']}/content").text
    as_in_downloads = ["--bom"] if form == "csv" else []
    assert cli("tasks", "export", "--dag-id", "orders", "--output", form, *as_in_downloads).out == fetched
