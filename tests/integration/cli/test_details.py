"""Show, instances, lineage, diagram, records, undo and strict mode by the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from taskops_provider.services.catalog.instances import InstanceFilter, InstanceSearch, list_instances
from taskops_provider.services.catalog.lineage_graph import LineageReach, lineage, workflow_graph
from taskops_provider.services.shared.actor import Actor
from tests.support.cli import Cli
from tests.support.gates import task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, BOB, START, Limited, chain, install, operate, retail, stored


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def warehouse(session):
    install(session, retail())
    return session


def now() -> datetime:
    return datetime.now(UTC)


def test_show_a_task(warehouse, cli):
    operate(warehouse, "pause", "orders.load", reason="late", ticket="OPS-1")
    operate(warehouse, "pause", "orders.clean")
    found = cli.json("tasks", "show", "orders", "load")
    assert (found["status"], found["state"], found["ticket"], found["is_present"]) == (
        "paused",
        "paused",
        "OPS-1",
        True,
    )
    assert [record["verb"] for record in found["last_operations"]] == ["pause"]
    answer = cli("tasks", "show", "orders", "load")
    assert "reason              late" in answer.lines
    assert "last operations" in answer.lines
    assert "success: 1 applied" in answer.out
    assert "last operations" not in cli("tasks", "show", "orders", "extract").out


def test_show_a_workflow(warehouse, cli):
    Scheduler(warehouse).create_run("orders", "r1")
    operate(warehouse, "pause", "orders")
    found = cli.json("workflows", "show", "orders")
    assert (found["status"], found["draining_runs"], found["is_deleted"]) == ("all_paused", 1, False)
    assert found["last_operations"][0]["counts"] == {"applied": 3, "left_alone": 0, "blocked": 0}
    answer = cli("workflows", "show", "orders")
    assert "status              all_paused (draining, 1 run left)" in answer.lines
    assert "status_counts       paused: 3" in answer.lines
    assert "all_paused (draining, 1 run left)" in cli("workflows", "list").out


def test_deleted_ones_can_be_shown(warehouse, cli):
    operate(warehouse, "offline", "report")
    operate(warehouse, "delete", "report", downstream="run")
    assert cli.json("tasks", "show", "report", "send")["status"] == "deleted"
    assert "status              deleted (draining, 0 runs left)" in cli("workflows", "show", "report").lines


def test_instances_tell_what_is_gated_and_why(session, cli):
    from taskops_provider.services.gate import settle as gate_settle

    install(session, [chain("d", "a", "b")])
    scheduler = Scheduler(session, settle=lambda s: gate_settle.settle(s, now()))
    scheduler.create_run("d", "first", logical_date=datetime(2026, 11, 21, tzinfo=UTC))
    assert scheduler.run_to_end("d", "first") == "success"
    operate(session, "pause", "d.a", reason="late", downstream="run")
    scheduler.create_run("d", "second", logical_date=datetime(2026, 11, 22, tzinfo=UTC))
    assert scheduler.run_to_end("d", "second") == "success"

    second, first = cli.json("tasks", "instances", "d", "a")
    assert (second["run_id"], second["state"], second["gated"], second["downstream"]) == (
        "second",
        "success",
        True,
        "run",
    )
    assert "paused by alice" in second["note"]
    assert "late" in second["note"]
    assert second["logical_date"] == "2026-11-22T00:00:00Z"
    assert (first["run_id"], first["gated"], first["downstream"], first["note"]) == ("first", False, None, None)
    assert len(cli.json("tasks", "instances", "d", "a", "--limit", "1")) == 1
    assert cli.json("tasks", "instances", "d", "a", "--state", "failed") == []
    answer = cli("tasks", "instances", "d", "a")
    assert "paused by alice" in answer.out
    assert [line.split(" | ")[0].strip() for line in answer.lines[2:]] == ["second", "first"]
    assert cli("tasks", "instances", "d", "b", "--state", "none").out == "no instance in that state\n"


def test_a_task_that_has_not_run(warehouse, cli):
    assert cli("tasks", "instances", "orders", "load").out == "no instances: it has not run yet\n"
    assert cli.json("tasks", "instances", "orders", "load") == []


def test_instances_of_mapped_tasks_and_of_states(session, cli):
    from airflow.sdk import DAG

    with DAG("m", schedule=None, start_date=START) as dag:
        task("plain")
        type(task("x")).partial(task_id="mapped").expand(bash_command=["true", "false", "exit 1"])
    install(session, [dag])
    scheduler = Scheduler(session)
    for run in ("r1", "r2"):
        scheduler.create_run("m", run)
        scheduler.run_to_end("m", run)
    rows = cli.json("tasks", "instances", "m", "mapped")
    assert [(row["run_id"], row["map_index"]) for row in rows] == [(r, i) for r in ("r2", "r1") for i in range(3)]
    assert {row["state"] for row in rows} == {"success"}
    with counted_queries() as one:
        list_instances(session, ALICE, InstanceSearch("m", "plain"), now(), limit=1)
    with counted_queries() as many:
        where = InstanceFilter(states=("success", "none"))
        list_instances(session, ALICE, InstanceSearch("m", "mapped", where), now(), limit=100)
    assert len(one) == len(many)


def test_lineage_goes_across_workflows(warehouse, cli):
    found = cli.json("tasks", "lineage", "orders", "load")
    levels = {f"{node['dag_id']}.{node['task_id']}": node["level"] for node in found["nodes"]}
    assert levels == {
        "orders.extract": -2,
        "orders.clean": -1,
        "orders.load": 0,
        "sales.wait": 1,
        "sales.sum": 2,
        "mart.build": 3,
    }
    assert found["complete"] is False
    kinds = {(edge["up"]["task_id"], edge["down"]["task_id"]): edge["kind"] for edge in found["edges"]}
    assert kinds["load", "wait"] == "sensor"
    assert kinds["sum", "build"] == "asset"
    assert list(found["nodes"][0]) == ["dag_id", "task_id", "status", "task_type", "level"]
    full = cli.json("tasks", "lineage", "orders", "load", "--direction", "downstream", "--depth", "9")
    assert full["complete"] is True
    assert len(full["nodes"]) == 7
    up = cli.json("tasks", "lineage", "report", "send", "--direction", "upstream", "--depth", "1")
    assert [node["task_id"] for node in up["nodes"]] == ["render", "send"]
    answer = cli("tasks", "lineage", "orders", "load")
    assert "there are more further away, see --depth 4" in answer.err
    assert answer.lines[2].startswith("-2    | orders | extract")


def test_lineage_hides_what_may_not_be_read(warehouse):
    bob = Actor("bob", "api", Limited({"orders", "mart"}))
    graph = lineage(warehouse, bob, "orders", "load", now(), LineageReach(9))
    assert {node.dag_id for node in graph.nodes} == {"orders"}
    assert {edge.down[0] for edge in graph.edges} == {"orders"}


def test_lineage_asks_once_for_each_step_into_further_dags(warehouse):
    install(warehouse, [chain("long", *(f"t{n:02}" for n in range(30)))])
    with counted_queries() as statements:
        graph = lineage(warehouse, ALICE, "long", "t00", now(), LineageReach(40))
    assert len(graph.nodes) == 30
    assert graph.complete
    assert len(statements) < 10


def test_diagram(warehouse, cli):
    operate(warehouse, "pause", "orders.clean")
    found = cli.json("workflows", "diagram", "orders")
    assert [(node["task_id"], node["status"]) for node in found["nodes"]] == [
        ("clean", "paused"),
        ("extract", "scheduling"),
        ("load", "scheduling"),
    ]
    assert [(edge["up"]["task_id"], edge["down"]["task_id"]) for edge in found["edges"]] == [
        ("clean", "load"),
        ("extract", "clean"),
    ]
    lines = cli("workflows", "diagram", "orders").lines
    assert [line.split(" | ")[1].strip() for line in lines[4:]] == ["extract", "clean", "load"]
    assert '  "extract" -> "clean";' in cli("workflows", "diagram", "orders", "--output", "dot").lines


def test_a_diagram_has_the_tasks_of_the_latest_version(warehouse):
    install(warehouse, [chain("orders", "extract", "load", schedule="@hourly")])
    assert [node.task_id for node in workflow_graph(warehouse, ALICE, "orders", now()).nodes] == ["extract", "load"]


def test_operations_are_listed_and_shown(warehouse, cli):
    first = operate(warehouse, "pause", "orders.load", reason="late", ticket="OPS-1").operation_id
    second = operate(warehouse, "pause", "orders.load").operation_id
    records = cli.json("operations", "list")
    assert [record["operation_id"] for record in records] == [second, first]
    assert (records[1]["actor"], records[1]["outcome"], records[1]["reason"]) == ("alice", "success", "late")
    for words in (["--outcome", "refused"], ["--limit", "1"]):
        assert [record["operation_id"] for record in cli.json("operations", "list", *words)] == [second]
    assert cli.json("operations", "list", "--dag-id", "sales") == []
    assert cli.json("operations", "list", "--since=-1h", "--verb", "pause", "--actor", "alice") == records
    assert cli.json("operations", "list", "--offset", "1") == records[1:]
    assert cli("operations", "list", "--actor", "nobody").out == "no operations\n"
    assert "OPS-1 late" in cli("operations", "list").out
    shown = cli.json("operations", "show", str(first))
    assert shown["items"][0]["after"] == "paused"
    answer = cli("operations", "show", str(second))
    assert "is paused; pause applies to tasks that are scheduling" in answer.out


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["--verb", "pause", "--verb", "start"], 2),
        (["--source", "api"], 1),
        (["--source", "api", "--source", "cli"], 2),
        (["--actor", "alice", "--actor", "bob"], 2),
        (["--workflow-like", "ORD"], 1),
        (["--task-like", "su", "--workflow-like", "sal"], 1),
        (["--ticket", "s-1"], 1),
        (["--until=-1h"], 0),
        (["--until=-0m", "--since=-1h"], 2),
        (["--outcome", "refused", "--outcome", "success"], 2),
    ],
)
def test_operations_are_filtered(warehouse, cli, words, number):
    """D10: as the API and the web filter them."""
    operate(warehouse, "pause", "orders.load", ticket="OPS-1")
    operate(warehouse, "start", "sales.sum", actor=BOB)
    assert len(cli.json("operations", "list", *words)) == number


def test_operations_are_sorted(warehouse, cli):
    operate(warehouse, "pause", "orders.load")
    operate(warehouse, "pause", "sales.sum", actor=BOB)
    for order, first in (("at", "alice"), ("-at", "bob"), ("actor", "alice"), ("-actor", "bob")):
        assert cli.json("operations", "list", f"--order-by={order}")[0]["actor"] == first
    answer = cli("operations", "list", "--order-by", "colour")
    assert (answer.code, "--order-by is 'colour'; allowed are operation_id, at" in answer.err) == (1, True)
    assert "--source is 'fax'; allowed are ui, cli" in cli("operations", "list", "--source", "fax").err


def test_undo(warehouse, cli):
    number = operate(warehouse, "pause", "orders").operation_id
    assert cli.json("operations", "undo", str(number), "--dry-run")["counts"]["applied"] == 3
    assert set(stored(warehouse, "orders").values()) == {"paused"}
    assert cli("operations", "undo", str(number), answers="n\n").code == 1
    found = cli.json("operations", "undo", str(number))
    assert (found["verb"], found["outcome"]) == ("undo", "success")
    assert set(stored(warehouse, "orders").values()) == {"scheduling"}
    answer = cli("operations", "undo", str(number))
    undo = found["operation_id"]
    assert (answer.code, answer.err) == (1, f"error: operation {number} was undone already, by operation {undo}\n")
    assert cli("operations", "undo", "x").code == 2


def test_undo_that_restores_only_a_part_is_exit_code_3(warehouse, cli):
    number = operate(warehouse, "pause", "orders.load", "orders.clean").operation_id
    operate(warehouse, "offline", "orders.clean")
    found = cli.json("operations", "undo", str(number), code=3)
    assert found["outcome"] == "part_success"
    assert stored(warehouse, "orders") == {"clean": "offline", "extract": "scheduling", "load": "scheduling"}


def test_strict_mode(warehouse, cli):
    assert [(mode["project"], mode["strict_mode"]) for mode in cli.json("strict-mode", "show")] == [
        ("dags-folder", False)
    ]
    mode = cli.json("strict-mode", "on", "--project", "dags-folder")[0]
    assert (mode["strict_mode"], mode["chosen"]) == (True, True)
    assert "dags-folder | on " in cli("strict-mode", "show").out
    assert cli.json("strict-mode", "off")[0]["strict_mode"] is False
    assert [record["verb"] for record in cli.json("operations", "list")] == ["strict-mode-off", "strict-mode-on"]
    answer = cli("strict-mode", "on", "--project", "x")
    assert (answer.code, answer.err) == (1, "error: project 'x' does not exist; there are dags-folder\n")
