"""``airflow taskops instances`` and ``runs``: rerun, force, hold, release and the list of what is held."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import select

from taskops_provider.models import InstanceOrder, Operation
from tests.support.cli import Cli
from tests.support.instances import write_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def orders(session):
    install(session, [chain("orders", "extract", "clean", "load")])
    return session


def state(session, task_id="clean", run_id="run_1") -> str | None:
    session.expire_all()
    return session.scalar(select(TI.state).where(TI.task_id == task_id, TI.run_id == run_id))


def test_a_rerun_with_downstream_is_previewed_and_then_exactly_that_is_done(cli, orders):
    write_runs(orders, "orders", ["extract", "clean", "load"], range(2))
    words = ("instances", "rerun", "orders", "clean", "run_0000", "run_0001", "--with-downstream", "workflow")
    shown = cli(*words, "--dry-run", "--output", "json")
    assert shown.code == 0
    assert [(item["task_id"], item["run_id"]) for item in shown.json["items"]] == [
        ("clean", "run_0000"),
        ("clean", "run_0001"),
        ("load", "run_0000"),
        ("load", "run_0001"),
    ]
    assert state(orders, run_id="run_0000") == "success"
    done = cli(*words, "--plan-hash", shown.json["plan_hash"])
    assert done.code == 0
    assert "instances-rerun: 4 applied" in done.out
    assert state(orders, "load", "run_0001") is None
    assert cli(*words, "--plan-hash", shown.json["plan_hash"]).code == 1


def test_hold_and_release_of_an_instance_and_of_a_run(cli, orders):
    Scheduler(orders).create_run("orders", logical_date=datetime(2026, 5, 1, tzinfo=UTC))
    assert cli("instances", "hold", "orders", "clean", "run_1", "--reason", "wait").code == 0
    assert state(orders) == "up_for_retry"
    again = cli("instances", "hold", "orders", "clean", "run_1")
    assert (again.code, "is held already" in again.out) == (3, True)
    assert cli("runs", "hold", "orders", "run_1", "--output", "json").json["verb"] == "runs-hold"
    held = cli("instances", "held", "--output", "json").json
    assert [(one["task_id"], one["map_index"], one["reason"]) for one in held] == [
        (None, -1, None),
        ("clean", -1, "wait"),
    ]
    assert cli("runs", "release", "orders", "run_1").code == 0
    assert (state(orders), state(orders, "load")) == ("up_for_retry", None)
    assert cli("instances", "release", "orders", "clean", "run_1").code == 0
    assert state(orders) is None
    assert "nothing is held" in cli("instances", "held").out


def test_a_hold_is_undone_as_far_as_it_still_holds(cli, orders):
    scheduler = Scheduler(orders)
    scheduler.create_run("orders")
    scheduler.create_run("orders", "run_2")
    number = cli("instances", "hold", "orders", "clean", "run_1", "run_2", "--output", "json").json["operation_id"]
    cli("instances", "release", "orders", "clean", "run_2")
    shown = cli("operations", "undo", str(number), "--dry-run", "--output", "json").json
    assert [(item["outcome"], item["reason"]) for item in shown["items"]] == [
        ("applied", "run 'run_1'"),
        ("left_alone", "run 'run_2'; was released since"),
    ]
    done = cli("operations", "undo", str(number), "--output", "json")
    assert state(orders) is None
    assert orders.scalars(select(InstanceOrder)).all() == []
    refused = cli("operations", "undo", str(done.json["operation_id"]))
    assert (refused.code, "hold it again instead" in refused.err) == (1, True)
    run = cli("runs", "hold", "orders", "run_1", "--output", "json").json["operation_id"]
    assert cli("operations", "undo", str(run)).code == 0
    assert state(orders, "load") is None
    for verb in ("rerun", "force", "release"):
        record = orders.scalar(select(Operation.id).where(Operation.verb == f"instances-{verb}"))
        if record:
            assert "undo restores states and owners" in cli("operations", "undo", str(record)).err


def test_a_person_is_shown_the_plan_and_asked(cli, orders):
    write_runs(orders, "orders", ["extract", "clean", "load"], range(1))
    words = ("instances", "force", "orders", "load", "run_0000")
    refused = cli(*words, answers="n\n")
    assert refused.code == 1
    assert "Go on?" in refused.err
    assert state(orders, "load", "run_0000") == "success"
    assert cli(*words, answers="y\n").code == 0
    assert state(orders, "load", "run_0000") is None


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("instances", "hold", "orders", "clean", "run_9"), 1, "Task 'clean' has no instance in run 'run_9'"),
        (("instances", "hold", "orders", "nothing", "run_1"), 1, "Task 'nothing' of Dag 'orders' does not exist"),
        (("runs", "hold", "orders", "run_9"), 1, "Dag 'orders' has no run 'run_9'"),
        (("runs", "hold", "nowhere", "run_1"), 1, "nowhere"),
        (("runs", "hold", "orders", ""), 1, "RUN_ID"),
        (("instances", "hold", "orders", "clean", "run_1", "--map-index", "-2"), 1, "--map-index"),
        (("instances", "held", "--limit", "0"), 1, "limit is 0"),
        (("instances", "rerun", "orders", "clean", "run_1", "--dry-run", "--plan-hash", "x"), 2, "--plan-hash"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(cli, orders, words, code, told):
    Scheduler(orders).create_run("orders")
    answer = cli(*words)
    assert (answer.code, told in answer.err) == (code, True), answer.err
    assert len(answer.err.strip().splitlines()) == 1
