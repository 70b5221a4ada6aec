"""``airflow taskops replenish ...``: every command, its answers, refusals and exit codes."""

from __future__ import annotations

import pytest
from airflow.models.backfill import Backfill
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import func, select, update

from taskops_provider.cli import replenish_grid, watch
from taskops_provider.models import Operation, Replenishment
from tests.support.cli import Cli
from tests.support.queries import counted_queries
from tests.support.replenishing import FIRST, World, make_runs
from tests.support.warehouse import chain, install, operate

D_B = ("--task", "d", "b")
THREE = ("--range", "2026-01-01", "2026-01-03")
FIELDS = ["replenishment_id", "name", "state", "percent_complete", "percent_success", "eta", "counts"]


@pytest.fixture
def world(session) -> World:
    install(session, [chain("d", "a", "b", "c")])
    return World(session)


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def playing(world, monkeypatch) -> World:
    """Between two looks of ``--wait`` scheduler, workers and monitor have a turn each."""
    monkeypatch.setattr(watch.time, "sleep", lambda _seconds: world.round())
    return world


def nothing_happened(session) -> bool:
    return not any(session.scalar(select(func.count()).select_from(t)) for t in (Replenishment, Operation, DagRun))


def test_plan_shows_its_cells(world, session, cli):
    """D5: letters for people, stretches for programs."""
    make_runs(world, "d", 2, 3)
    session.execute(update(TI).where(TI.task_id == "b", TI.run_id == "scheduled__3").values(state="failed"))
    session.commit()
    plan = cli.json("replenish", "plan", *D_B, "--range", "2026-01-01", "2026-01-05", "--grid")
    [task] = plan["workflows"][0]["tasks"]
    cells = [("no_run", 1, 1, True), ("done", 2, 2, False), ("failed", 3, 3, True), ("no_run", 4, 5, True)]
    assert task["cells"] == [
        {
            "class": name,
            "execute": executes,
            "first": f"2026-01-0{first}T00:00:00Z",
            "last": f"2026-01-0{last}T00:00:00Z",
            "cycles": last - first + 1,
        }
        for name, first, last, executes in cells
    ]
    answer = cli("replenish", "plan", *D_B, "--range", "2026-01-01", "2026-01-05", "--grid")
    assert answer.lines[-2:] == ["d: 5 cycles, 2026-01-01 00:00:00 UTC to 2026-01-05 00:00:00 UTC", "  b  NdFNN"]
    long = cli("replenish", "plan", *D_B, "--range", "2026-01-04", "2026-06-30", "--grid").lines
    assert long[-2] == f"  b  {'N' * replenish_grid.WIDTH}"
    assert long[-1].startswith("  ... and 98 cycles more: ask for a shorter --range, or --output json")


def test_plan_shows_the_grid_and_changes_nothing(world, session, cli):
    plan = cli.json("replenish", "plan", *D_B, *THREE, "--name", "late")
    assert (plan["name"], plan["cells"]) == ("late", 3)
    assert plan["counts"] == {
        "by_class": {"no_run": 3},
        "execute": 3,
        "left_alone": 0,
        "new_runs": 3,
        "existing_runs": 0,
    }
    [of_d] = plan["workflows"]
    assert (of_d["dag_id"], of_d["first"], of_d["last"]) == ("d", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")
    assert of_d["tasks"] == [{"task_id": "b", "pulled_in": None, "by_class": {"no_run": 3}, "execute": 3}]
    answer = cli("replenish", "plan", *D_B, *THREE)
    assert answer.lines[0] == (
        "3 of 3 cells execute: 3 new runs, 0 existing runs; run time unknown: these tasks have no history"
    )
    assert nothing_happened(session)


def test_the_json_of_create_show_and_list(world, session, cli):
    made = cli.json("replenish", "create", *D_B, *THREE, "--reason", "late", "--conf", '{"table": "x"}')
    assert list(made)[:2] == ["replenishment_id", "operation_id"]
    assert {name: made[name] for name in FIELDS} == {
        "replenishment_id": made["replenishment_id"],
        "name": "d",
        "state": "queued",
        "percent_complete": 0.0,
        "percent_success": 0.0,
        "eta": None,
        "counts": {
            "by_class": {"no_run": 3},
            "by_state": {"waiting": 3, "active": 0, "success": 0, "failed": 0, "skipped": 0, "cancelled": 0},
        },
    }
    assert made.pop("warnings") == []
    assert cli.json("replenish", "show", str(made["replenishment_id"])) == made
    made.pop("workflows")
    assert cli.json("replenish", "list") == [made]
    assert cli.json("replenish", "list", "--state", "paused") == []
    [operation] = session.scalars(select(Operation))
    assert (operation.reason, operation.source, operation.options["conf"]) == ("late", "cli", {"table": "x"})


def test_what_people_read(world, cli):
    assert cli("replenish", "list").out == "no replenishments\n"
    answer = cli("replenish", "create", "--workflow", "d", *THREE, "--name", "january")
    assert (answer.code, answer.err) == (0, "")
    for words in ("january", "queued", "9 no_run", "9 waiting", "2026-01-01T00:00:00+00:00 to 2026-01-03T23:59:59"):
        assert words in answer.out
    assert "january" in cli("replenish", "list").out


def test_a_date_without_a_time_means_all_of_that_day(session, cli):
    install(session, [chain("h", "a", schedule="@hourly")])

    def cells(first: str, last: str) -> int:
        return cli.json("replenish", "plan", "--workflow", "h", "--range", first, last)["cells"]

    assert cells("2026-01-02", "2026-01-02") == 24
    assert cells("20260102", "20260102") == 24
    assert cells("2026-01-02", "2026-01-02T00:00") == 1
    assert cells("2026-01-02T05:00+01:00", "2026-01-02T06:00+01:00") == 2


def test_a_person_is_asked_first(world, session, cli):
    answer = cli("replenish", "create", *D_B, *THREE, answers="n\n")
    assert answer.code == 1
    assert "Execute 3 cells?" in answer.err
    assert nothing_happened(session)
    assert cli("replenish", "create", *D_B, *THREE, answers="y\n").code == 0
    assert cli("replenish", "create", *D_B, *THREE, "--yes", answers="").code == 0


def test_wait_ends_with_the_replenishment(playing, cli):
    answer = cli("replenish", "create", *D_B, *THREE, "--wait", "--output", "json")
    assert (answer.code, answer.json["state"]) == (0, "success")
    assert playing.executed == {(f"01-0{day}", "b"): 1 for day in (1, 2, 3)}
    said = answer.err.splitlines()
    assert said[0] == f"replenishment {answer.json['replenishment_id']}: 0.0 %, queued: 3 waiting"
    assert len(said) == len(set(said)) > 2


def test_wait_tells_by_its_exit_code_that_not_all_went_well(playing, cli):
    playing.scheduler.outcomes["b"] = "failed"
    assert cli.json("replenish", "create", *D_B, *THREE, "--wait", code=3)["state"] == "failed"


def test_wait_that_is_interrupted_leaves_it_going_on(world, cli, monkeypatch):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupt)
    answer = cli("replenish", "create", *D_B, *THREE, "--wait")
    assert answer.code == 130
    [listed] = cli.json("replenish", "list")
    number = listed["replenishment_id"]
    assert f"replenishment {number} goes on: airflow taskops replenish show {number}" in answer.err
    assert listed["state"] == "queued"


def test_if_busy_refuse_refuses_while_another_backfill_goes_on(world, session, cli):
    session.add(Backfill(dag_id="d", from_date=FIRST, to_date=FIRST, max_active_runs=1, dag_run_conf={}))
    session.commit()
    answer = cli("replenish", "create", *D_B, *THREE, "--if-busy", "refuse")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "error: another backfill of d goes on; wait for it, or let this one queue behind it\n"
    assert nothing_happened(session)
    again = cli("replenish", "create", *D_B, *THREE, "--no-wait", "--wait")
    warning = "warning: --no-wait is deprecated and will be removed in 1.0; use --if-busy refuse\n"
    assert (again.code, again.err) == (1, warning + answer.err)
    assert cli("replenish", "create", *D_B, *THREE).code == 0


def test_old_flags_work_and_warn(world, cli):
    """WORDS: until 1.0."""
    new = cli("replenish", "plan", *D_B, *THREE, "--upstream-depth", "1", "--downstream-depth", "1")
    old = cli("replenish", "plan", *D_B, *THREE, "--upstream", "1", "--downstream-tasks", "1")
    assert (new.out, new.err) == (old.out, "")
    assert old.err.splitlines() == [
        "warning: --upstream is deprecated and will be removed in 1.0; use --upstream-depth",
        "warning: --downstream-tasks is deprecated and will be removed in 1.0; use --downstream-depth",
    ]
    number = str(cli.json("replenish", "create", *D_B, *THREE)["replenishment_id"])
    cells = cli("replenish", "cells", number, "--limit", "2")
    shown = cli("replenish", "show", number, "--cells", "--limit", "2")
    assert (shown.code, shown.out, len(cells.lines)) == (0, cells.out, 4)
    assert "warning: --cells is deprecated and will be removed in 1.0; use replenish cells ID" in shown.err
    assert cli("replenish", "show", number, "--state", "failed").code == 2
    filtered = cli("replenish", "list", "--workflow-like", "d")
    assert cli("replenish", "list", "--workflow", "d").out == filtered.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--workflow", "nope", *THREE), 1, "error: Dag 'nope' does not exist"),
        (("--task", "d", "nope", *THREE), 1, "error: task 'd nope' does not exist"),
        (THREE, 1, "error: name at least one workflow or task to replenish"),
        (D_B, 1, "error: give at least one range of dates"),
        (
            (*D_B, "--range", "yesterday", "2026-01-03"),
            1,
            "error: --range is 'yesterday'; allowed are a date and time in ISO 8601, as 2026-12-24T06:00 or "
            "2026-12-24T06:00+01:00\n",
        ),
        (
            (*D_B, "--range", "2026-01-03", "2026-01-01"),
            1,
            "error: --range 2026-01-03 2026-01-01 ends before it begins",
        ),
        ((*D_B, "--range", "2036-01-03", "2036-01-05"), 1, "error: the range from 2036-01-03T00:00:00+00:00 lies in"),
        ((*D_B, "--range", "2026-01-03"), 2, "expected 2 arguments"),
        ((*D_B, *THREE, "--conf", "{x}"), 1, "error: --conf is no JSON: Expecting property name"),
        ((*D_B, *THREE, "--conf", "[1]"), 1, "error: --conf is '[1]'; allowed is a JSON object"),
        ((*D_B, *THREE, "--conf", '{"a": NaN}'), 1, "error: --conf holds nan"),
        ((*D_B, *THREE, "--cells", "some"), 1, "error: --cells is 'some'; allowed are missing, failed, all"),
        ((*D_B, *THREE, "--cells", "failed"), 1, "error: nothing is to be done: the ranges hold no cell that is"),
        ((*D_B, *THREE, "--window", "22-6"), 1, "error: --window is '22-6'; allowed is HH:MM-HH:MM (UTC)"),
        ((*D_B, *THREE, "--max-active-runs", "0"), 1, "error: --max-active-runs is 0; allowed are 1 to 1,000"),
        ((*D_B, *THREE, "--upstream-depth", "-1"), 1, "error: --upstream-depth is -1; allowed are 0 to 100"),
        ((*D_B, *THREE, "--max-active-runs", "many"), 2, "invalid int value"),
    ],
)
def test_refusals(world, session, cli, words, code, told):
    answer = cli("replenish", "create", *words)
    assert answer.code == code
    assert told in answer.err
    if code == 1:  # else Airflow prints the command's help too
        assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert nothing_happened(session)


def test_an_offline_task_is_refused(world, session, cli):
    operate(session, "offline", "d.b")
    answer = cli("replenish", "create", *D_B, *THREE)
    assert (answer.code, answer.err) == (1, "error: task d b is offline and cannot be replenished; submit it first\n")


def test_pause_resume_cancel_and_retry(world, session, cli):
    number = cli.json("replenish", "create", *D_B, *THREE)["replenishment_id"]
    assert cli.json("replenish", "pause", str(number), "--reason", "wait")["state"] == "paused"
    answer = cli("replenish", "pause", str(number))
    assert answer.code == 1
    assert answer.err == f"error: replenishment {number} is paused; pause applies to those that are queued or running\n"
    assert cli.json("replenish", "resume", str(number))["state"] == "queued"
    world.monitor()
    shown = cli.json("replenish", "cancel", str(number), "--terminate-instances")
    assert (shown["state"], shown["counts"]["by_state"]["cancelled"]) == ("cancelled", 3)
    world.monitor()
    assert cli.json("replenish", "retry", str(number))["state"] == "running"
    assert world.play(number).state == "success"
    assert world.executed == {(f"01-0{day}", "b"): 1 for day in (1, 2, 3)}


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "cancel", "retry"])
def test_one_that_does_not_exist(world, cli, verb):
    answer = cli("replenish", verb, "7000000")
    assert (answer.code, answer.out, answer.err) == (1, "", "error: replenishment 7000000 does not exist\n")
    assert cli("replenish", verb, "x").code == 2


def test_a_state_that_does_not_exist(world, cli):
    answer = cli("replenish", "list", "--state", "broken")
    assert answer.code == 1
    assert answer.err.startswith("error: --state is 'broken'; allowed are queued, running")


def test_a_record_of_one_is_not_undone(world, cli):
    made = cli.json("replenish", "create", *D_B, *THREE)
    answer = cli("operations", "undo", str(made["operation_id"]))
    assert answer.code == 1
    assert "is a replenish; undo restores states and owners" in answer.err


def test_queries_do_not_grow_with_the_cells(session, cli):
    """Planning, listing and showing: of 12 cells and of 360."""
    install(session, [chain("d", "a", "b", "c"), chain("e", "a", "b", "c")])
    world = World(session, outcomes={"b": "failed"})
    make_runs(world, "d", 1, 2)
    make_runs(world, "e", 1, 2)

    def sent(*words: str) -> int:
        with counted_queries(savepoints=False) as queries:
            cli.json("replenish", *words)
        return len(queries)

    few = ("--workflow", "d", "--range", "2026-01-01", "2026-01-04")
    many = ("--workflow", "e", "--range", "2026-01-01", "2026-04-30")
    assert sent("plan", *few) == sent("plan", *many) < 25
    number = str(cli.json("replenish", "create", *few)["replenishment_id"])
    of_few = sent("show", number), sent("list")
    number = str(cli.json("replenish", "create", *many)["replenishment_id"])
    assert (sent("show", number), sent("list")) == of_few
