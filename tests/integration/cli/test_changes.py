"""Changes by the command line: targets, options, outcomes, exit codes (requirements 5, 8)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from taskops_provider.domain.states import Downstream
from taskops_provider.models import Operation, Task
from tests.support.cli import Cli
from tests.support.warehouse import chain, install, operate, retail, stored


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def warehouse(session):
    install(session, [*retail(), chain("dotted", "group.first", "group.second")])
    return session


def operations_made(session) -> int:
    session.expire_all()
    return session.scalar(select(func.count()).select_from(Operation))


def test_pause_has_the_json_of_the_specification(warehouse, cli):
    found = cli.json("tasks", "pause", "orders", "extract", "load", "--reason", "late", "--ticket", "OPS-1")
    number = warehouse.scalar(select(Operation.id))
    item = {"dag_id": "orders", "outcome": "applied", "before": "scheduling", "after": "paused"}
    assert found == {
        "operation_id": number,
        "verb": "pause",
        "dry_run": False,
        "outcome": "success",
        "counts": {"applied": 2, "left_alone": 0, "blocked": 0},
        "items": [
            {**item, "task_id": "extract", "reason": None, "blocked_by": []},
            {**item, "task_id": "load", "reason": None, "blocked_by": []},
        ],
    }
    assert stored(warehouse, "orders") == {"clean": "scheduling", "extract": "paused", "load": "paused"}
    record = warehouse.scalars(select(Operation)).one()
    assert (record.source, record.reason, record.ticket) == ("cli", "late", "OPS-1")


def test_task_ids_may_hold_dots(warehouse, cli):
    assert cli("tasks", "pause", "dotted", "group.second").code == 0
    assert stored(warehouse, "dotted") == {"group.first": "scheduling", "group.second": "paused"}


def test_some_refused_is_exit_code_3_and_applies_the_rest(warehouse, cli):
    operate(warehouse, "pause", "orders.load")
    found = cli.json("tasks", "pause", "orders", "extract", "load", code=3)
    assert found["outcome"] == "part_success"
    assert found["counts"] == {"applied": 1, "left_alone": 1, "blocked": 0}
    assert found["items"][1]["reason"] == "is paused; pause applies to tasks that are scheduling"
    assert cli.json("tasks", "pause", "orders", "load", code=3)["outcome"] == "refused"


def test_wrong_verb_for_the_state_is_told_in_the_table(warehouse, cli):
    answer = cli("tasks", "delete", "orders", "load", "--downstream-effect", "run")
    number = warehouse.scalar(select(Operation.id))
    assert answer.code == 3
    assert answer.lines[0] == f"operation {number}: delete: 0 applied, 1 left alone"
    assert "is scheduling; delete applies to tasks that are offline" in answer.out
    assert stored(warehouse, "orders")["load"] == "scheduling"


def test_every_verb_does_what_it_says(warehouse, cli):
    def state(*words: str) -> str:
        assert cli("tasks", *words).code == 0
        return stored(warehouse, "orders")["load"]

    assert state("pause", "orders", "load", "--downstream-effect", "hold") == "paused"
    assert warehouse.get(Task, ("orders", "load")).downstream == Downstream.HOLD.value
    assert state("start", "orders", "load", "--held", "skip") == "scheduling"
    assert state("offline", "orders", "load", "--terminate-instances", "--cascade") == "offline"
    assert state("delete", "orders", "load", "--downstream-effect", "fail") == "deleted"
    assert state("submit", "orders", "load") == "scheduling"
    assert cli("tasks", "set-owners", "orders", "load", "--owner", "eve", "--owners", "ann, bob").code == 0
    assert cli.json("tasks", "show", "orders", "load")["owners"] == ["ann", "bob", "eve"]


def test_the_old_name_of_a_flag_works_and_warns(warehouse, cli):
    answer = cli("tasks", "pause", "orders", "load", "--downstream", "hold", "--output", "json")
    assert answer.code == 0
    assert warehouse.get(Task, ("orders", "load")).downstream == Downstream.HOLD.value
    warning = "warning: --downstream is deprecated and will be removed in 1.0; use --downstream-effect"
    assert answer.err.splitlines()[0] == warning
    assert json.loads(answer.out)["counts"]["applied"] == 1


def test_workflow_verbs_need_their_state(warehouse, cli):
    assert cli.json("workflows", "start", "orders", code=3)["counts"]["left_alone"] == 1
    assert cli.json("workflows", "offline", "orders", "sales")["counts"]["applied"] == 5
    assert set(stored(warehouse, "orders").values()) == {"offline"}
    assert cli("workflows", "delete", "sales", "--downstream-effect", "run").code == 0
    assert "sales" not in [row["dag_id"] for row in cli.json("workflows", "list")]
    assert cli("workflows", "submit", "sales").code == 0
    assert cli("workflows", "set-owners", "sales", "--owner", "eve").code == 0
    assert cli.json("workflows", "show", "sales")["owners"] == ["eve"]


def test_targets_from_a_file_and_from_a_pipe(warehouse, cli, tmp_path):
    path = tmp_path / "tasks.txt"
    path.write_text("# tonight\norders extract\n\ndotted group.first # with a dot\n")
    assert cli.json("tasks", "pause", "--file", str(path))["counts"]["applied"] == 2
    assert cli.json("tasks", "start", "--file", "-", stdin="orders extract\n")["counts"]["applied"] == 1
    assert cli.json("workflows", "pause", "--file", "-", stdin="mart\nreport\n")["counts"]["applied"] == 4
    answer = cli("tasks", "pause", "--file", "-", stdin="orders load\norders\n")
    assert answer.code == 1
    assert answer.err == "error: standard input, line 2: 'orders' is not 'DAG_ID TASK_ID'\n"
    assert stored(warehouse, "orders")["load"] == "scheduling"


def test_targets_by_filters(warehouse, cli):
    assert cli.json("tasks", "pause", "--all-matching", "--owner", "bob")["counts"]["applied"] == 2
    assert stored(warehouse, "orders") == {"clean": "paused", "extract": "scheduling", "load": "paused"}
    assert cli.json("tasks", "start", "--all-matching", "--status", "paused")["counts"]["applied"] == 2
    found = cli.json("workflows", "pause", "--all-matching", "--search", "mart|report")
    assert {item["dag_id"] for item in found["items"]} == {"mart", "report"}
    answer = cli("tasks", "pause", "--all-matching", "--owner", "nobody")
    assert (answer.code, answer.out, answer.err) == (1, "", "error: no task matches the filters\n")
    # the present owner, where --owner is the new one
    assert cli("tasks", "set-owners", "--all-matching", "--owned-by", "bob", "--owner", "eve").code == 0
    assert [row["task_id"] for row in cli.json("tasks", "list", "--owner", "eve")] == ["clean", "load"]


def test_submit_finds_deleted_ones_by_filters(warehouse, cli):
    operate(warehouse, "offline", "report")
    operate(warehouse, "delete", "report", downstream="run")
    assert cli.json("workflows", "submit", "--all-matching", "--search", "report")["counts"]["applied"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["tasks", "pause"],
        ["tasks", "pause", "orders"],
        ["tasks", "pause", "orders", "load", "--file", "x"],
        ["tasks", "pause", "orders", "load", "--all-matching", "--owner", "bob"],
        ["tasks", "pause", "orders", "load", "--owner", "bob"],
        ["tasks", "pause", "--owner", "bob"],
        ["tasks", "pause", "--all-matching"],
        ["tasks", "pause", "orders", "load", "--dry-run", "--plan-hash", "0.x"],
        ["tasks", "pause", "orders", "load", "--downstream-effect", "vanish"],
        ["tasks", "start", "orders", "load", "--downstream-effect", "run"],
        ["workflows", "pause"],
        ["workflows", "pause", "--search", "orders"],
        ["tasks", "explode", "orders", "load"],
    ],
)
def test_usage_errors_are_exit_code_2(warehouse, cli, words):
    answer = cli(*words)
    assert answer.code == 2
    assert "error" in answer.err.splitlines()[-1]
    assert operations_made(warehouse) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tasks", "pause", "nope", "load"], "Dag 'nope' does not exist; `airflow taskops sync` reads new Dags in"),
        (["tasks", "pause", "orders", "load", "nope"], "task 'orders nope' does not exist;"),
        (["workflows", "pause", "orders", "nope"], "Dag 'nope' does not exist;"),
        (["tasks", "pause", "orders", "load", "--resume-at", "soon"], "--resume-at is 'soon'; allowed are"),
        (["tasks", "pause", "orders", "load", "--resume-at", "2020-01-01"], "is not in the future"),
        (["tasks", "offline", "orders", "load", "--downstream-effect", "hold"], "allowed are skip, run, fail"),
        (["tasks", "delete", "orders", "load"], "delete needs a downstream effect: run"),
        (["tasks", "set-owners", "orders", "load"], "set-owners needs at least one owner"),
        (["tasks", "set-owners", "orders", "load", "--owners", "ann,,bob"], "an owner is empty"),
        (["tasks", "pause", "orders", "load", "--reason", "x" * 3000], "the reason has 3000 characters; at most 2000"),
        (["tasks", "pause", "orders", "load", "--plan-hash", "x"], "'x' is not a plan hash"),
        (["tasks", "pause", "--all-matching", "--status", "gone"], "--status is 'gone'; allowed are"),
        (["tasks", "pause", "--all-matching", "--search", ""], "--search is empty; leave it out"),
        (["tasks", "pause", "--file", "/no/such/file"], "/no/such/file cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_clear_line_and_changes_nothing(warehouse, cli, words, message):
    answer = cli(*words, "--output", "json")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert operations_made(warehouse) == 0
    assert set(stored(warehouse, "orders").values()) == {"scheduling"}


def test_missing_or_old_tables(warehouse, cli):
    set_version = text("UPDATE alembic_version_taskops SET version_num = :to")
    before = warehouse.scalar(text("SELECT version_num FROM alembic_version_taskops"))
    warehouse.execute(set_version, {"to": "0000"})
    warehouse.commit()
    try:
        for words in (["tasks", "pause", "orders", "load"], ["tasks", "list"], ["sync"], ["monitor", "--once"]):
            answer = cli(*words)
            line = "error: TaskOps' tables are missing or old: run `airflow db migrate`\n"
            assert (answer.code, answer.out, answer.err) == (1, "", line)
        found = cli.json("check", code=1)
        assert [check["name"] for check in found] == ["airflow", "tables", "gate"]
    finally:
        warehouse.execute(set_version, {"to": before})
        warehouse.commit()
    assert operations_made(warehouse) == 0


def test_dry_run_changes_nothing_and_has_the_same_exit_code(warehouse, cli):
    found = cli.json("workflows", "pause", "orders", "--dry-run")
    assert (found["dry_run"], found["operation_id"], found["counts"]["applied"]) == (True, None, 3)
    downstream = found["affects"].pop("workflows")
    assert len(downstream) == 3
    assert found["affects"] == {"instances": 0, "downstream_tasks": 6, "downstream_workflows": 3, "drains": ["orders"]}
    told = cli("workflows", "pause", "orders", "--dry-run").out
    assert f"in 3 workflows: {', '.join(downstream)}" in told
    assert "no task of orders stays scheduling: it drains" in told
    operate(warehouse, "pause", "orders.load")
    made = operations_made(warehouse)
    assert cli.json("tasks", "pause", "orders", "load", "extract", "--dry-run", code=3)["outcome"] == "part_success"
    answer = cli("tasks", "pause", "orders", "extract", "--dry-run")
    assert answer.lines[0] == "dry run: pause: 1 would be applied"
    assert operations_made(warehouse) == made


def test_plan_hash_refuses_a_stale_plan_with_the_difference(warehouse, cli):
    plan = cli.json("tasks", "pause", "orders", "load", "extract", "--dry-run")
    operate(warehouse, "pause", "orders.load")
    made = operations_made(warehouse)
    answer = cli("tasks", "pause", "orders", "load", "extract", "--plan-hash", plan["plan_hash"])
    assert answer.code == 1
    assert answer.out == ""
    assert "the plan has changed since the preview, nothing was done" in answer.err
    assert "  orders load is now paused: pause by alice" in answer.err
    assert operations_made(warehouse) == made
    plan = cli.json("tasks", "pause", "orders", "extract", "--dry-run")
    assert cli("tasks", "pause", "orders", "extract", "--plan-hash", plan["plan_hash"]).code == 0


def test_resume_at_is_kept_in_utc(warehouse, cli):
    assert cli("tasks", "pause", "orders", "load", "--resume-at", "2099-12-24T06:00+08:00").code == 0
    assert cli.json("tasks", "show", "orders", "load")["resume_at"] == "2099-12-23T22:00:00Z"
    before = datetime.now(UTC)
    assert cli("tasks", "pause", "orders", "extract", "--resume-at", "+2h").code == 0
    warehouse.expire_all()
    resume_at = warehouse.get(Task, ("orders", "extract")).resume_at
    assert timedelta(hours=2) <= resume_at - before < timedelta(hours=2, minutes=1)


def test_a_person_is_asked_and_may_say_no(warehouse, cli):
    answer = cli("tasks", "pause", "orders", "load", answers="n\n")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith(
        "pause: 1 would be applied\n6 tasks downstream, in 3 workflows: mart, report, sales\ndag_id "
    )
    assert answer.err.endswith("Go on? [y/N] error: cancelled; nothing was changed\n")
    assert operations_made(warehouse) == 0
    # the end of input is no yes
    assert cli("tasks", "pause", "orders", "load", answers="").code == 1
    answer = cli("tasks", "pause", "orders", "load", "--output", "json", answers="y\n")
    assert (answer.code, answer.json["outcome"]) == (0, "success")
    assert stored(warehouse, "orders")["load"] == "paused"
    # who was just shown the targets is not shown them again
    assert len(cli("tasks", "start", "orders", "load", answers="yes\n").lines) == 1


def test_nobody_is_asked_with_yes_or_when_nothing_applies(warehouse, cli):
    answer = cli("tasks", "pause", "orders", "load", "--yes", answers="")
    assert (answer.code, answer.err) == (0, "")
    answer = cli("tasks", "pause", "orders", "load", answers="")
    assert (answer.code, answer.err) == (3, "")


def test_what_a_person_agreed_to_is_what_is_done(warehouse, cli, monkeypatch):
    """Someone else changes the state while the question is on the screen."""

    from taskops_provider.cli import confirm

    ask = confirm.ask

    def ask_slowly(plan, **kwargs):
        seen = ask(plan, **kwargs)
        operate(warehouse, "pause", "orders.load")
        return seen

    monkeypatch.setattr(confirm, "ask", ask_slowly)
    answer = cli("tasks", "pause", "orders", "load", "extract", answers="y\n")
    assert answer.code == 1
    assert "orders load is now paused: pause by alice" in answer.err
    assert stored(warehouse, "orders")["extract"] == "scheduling"


def test_strict_mode_blockers_are_named(warehouse, cli):
    assert cli("strict-mode", "on").code == 0
    answer = cli("tasks", "offline", "orders", "load", "clean")
    assert answer.code == 3
    assert "orders.load" in answer.out
    assert "strict mode: has downstream tasks that are not offline: sales.wait" in answer.out
    blocked = cli.json("tasks", "offline", "orders", "load", code=3)["items"][0]["blocked_by"]
    assert [(by["dag_id"], by["task_id"]) for by in blocked] == [("sales", "wait")]
    found = cli.json("workflows", "offline", "report", "--cascade")
    assert {item["task_id"]: item["wave"] for item in found["items"]} == {"render": 2, "send": 1}
    assert "wave" in cli("workflows", "offline", "mart", "--cascade", "--dry-run").out


def test_plain_output_is_rows_for_programs(warehouse, cli):
    answer = cli("tasks", "pause", "orders", "load", "--output", "plain")
    assert answer.lines[0].split() == ["dag_id", "task_id", "outcome", "status", "why"]
    assert answer.lines[1].split() == ["orders", "load", "applied", "scheduling", "->", "paused"]
    assert len(answer.lines) == 2
    assert "pause: 1 applied" in answer.err
    import yaml

    assert yaml.safe_load(cli("tasks", "start", "orders", "load", "-o", "yaml").out)["outcome"] == "success"


def test_text_of_people_cannot_drive_the_terminal(warehouse, cli):
    assert cli("tasks", "pause", "orders", "load", "--reason", "\x1b[2Jgone\nrow").code == 0
    answer = cli("tasks", "list", "--status", "paused")
    assert "\x1b" not in answer.out
    assert "gone row" in answer.out
