"""Windows in the gate: intervals that are laid ahead, on Airflow's own scheduler logic."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.types import DagRunType
from sqlalchemy import select

from taskops_provider.models import GateInterval, InstanceOrder, Window
from taskops_provider.policies import gate as policy
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.gate.existing_instances import release
from taskops_provider.services.gate.sweep import dags_to_sweep, sweep_dag
from tests.support.airflow_db import write_dags
from tests.support.gates import EFFECTS, gate, note_of, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler

NOW = datetime(2026, 1, 12, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATE = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}


def window(session, name="night", **values) -> Window:
    """Store a window, as far as the gate's notes name it."""
    row = Window(
        **{
            "name": name,
            "purpose": "window",
            "pauses": True,
            "stops_replenishments": False,
            "freezes": False,
            "downstream": "skip",
            "body": {},
            "reason": "maintenance",
            "enabled": True,
            "created_at": NOW,
            "created_by": "alice",
            "changed_at": NOW,
            "changed_by": "alice",
            **values,
        }
    )
    session.add(row)
    session.commit()
    return row


def laid(session, dag_id="d", task_id="g", effect="skip", *, of=None, begin=NOW, end=NOW + HOUR, **values):
    """Lay one occurrence of a window ahead."""
    of = of or window(session)
    row = GateInterval(
        **{
            "dag_id": dag_id,
            "task_id": task_id,
            "state": "paused",
            "downstream": effect,
            "from_at": begin,
            "to_at": end,
            "window_id": of.id,
            **values,
        }
    )
    session.add(row)
    session.commit()
    return row


def three(session) -> None:
    with DAG("d", schedule=None) as dag:
        task("before") >> task("g") >> task("after")
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    session.commit()


def sweep(session, now) -> None:
    for dag_id in dags_to_sweep(session, now):
        sweep_dag(session, dag_id, now)
    session.commit()


def run_at(session, moment, run_id, **kwargs):
    scheduler = Scheduler(session, settle=settle)
    with time_machine.travel(moment, tick=False):
        scheduler.create_run("d", run_id, **kwargs)
    scheduler.run_to_end("d", run_id)
    return scheduler


@pytest.mark.parametrize("effect", EFFECTS)
def test_exactly_from_begin_to_end_by_the_runs_creation(session, effect):
    three(session)
    laid(session, effect=effect)
    second = timedelta(seconds=1)
    moments = {
        "before": NOW - second,
        "begin": NOW,
        "inside": NOW + HOUR / 2,
        "last": NOW + HOUR - second,
        "end": NOW + HOUR,
    }
    found = {name: run_at(session, moment, name).states("d", name)["g"] for name, moment in moments.items()}
    inside = STATE[effect]
    assert found == {"before": "success", "begin": inside, "inside": inside, "last": inside, "end": "success"}


@pytest.mark.parametrize(("dag_id", "task_id"), [("d", ""), ("", "")])
def test_a_whole_workflow_and_everything(session, dag_id, task_id):
    three(session)
    laid(session, dag_id, task_id, "run")
    scheduler = run_at(session, NOW, "r")
    assert set(scheduler.states("d", "r").values()) == {"success"}
    assert scheduler.executed == []


@pytest.mark.parametrize(("one", "other"), [("skip", "run"), ("fail", "run"), ("run", "skip"), ("hold", "run")])
def test_the_strictest_of_several_wins(session, one, other):
    three(session)
    laid(session, effect=one)
    laid(session, "", "", other)
    strictest = max(one, other, key=["run", "skip", "fail", "hold"].index)
    found = run_at(session, NOW, "r").states("d", "r")
    # what is before it is covered by the second alone
    expected = STATE[strictest] if other in ("run",) else STATE[other]
    if other == "run":
        assert found["g"] == expected
    else:
        assert found["before"] == expected


@pytest.mark.parametrize(("effect", "pause"), [("skip", "run"), ("run", "fail"), ("hold", "skip"), ("fail", "hold")])
def test_a_pause_and_a_window(session, effect, pause):
    """The stricter effect counts, and the end of the window does not end the pause."""
    three(session)
    gate(session, "d", "g", pause, since=NOW - HOUR)
    laid(session, effect=effect)
    strictest = max(effect, pause, key=["run", "skip", "fail", "hold"].index)
    assert run_at(session, NOW, "in").states("d", "in")["g"] == STATE[strictest]
    assert run_at(session, NOW + 2 * HOUR, "later").states("d", "later")["g"] == STATE[pause]


@pytest.mark.parametrize("state", ["offline", "deleted"])
def test_what_is_out_of_service_is_not_held_by_a_window(session, state):
    """It would execute when the window ends."""
    three(session)
    gate(session, "d", "g", "skip", since=NOW - HOUR, state=state)
    laid(session, effect="hold")
    assert run_at(session, NOW, "r").states("d", "r")["g"] == "skipped"


def test_what_a_window_holds_goes_on_when_it_ends(session):
    three(session)
    gate(session, "d", "g", "hold", since=NOW - 3 * HOUR, until=NOW - 2 * HOUR).held = "skip"  # another matter
    session.commit()
    laid(session, effect="hold")
    scheduler = run_at(session, NOW, "r")
    assert scheduler.states("d", "r")["g"] == "up_for_retry"
    sweep(session, NOW + HOUR / 2)
    assert scheduler.states("d", "r")["g"] == "up_for_retry"
    sweep(session, NOW + HOUR)
    scheduler.run_to_end("d", "r")
    assert scheduler.states("d", "r") == {"before": "success", "g": "success", "after": "success"}


def test_a_window_that_follows_does_not_keep_what_the_first_held(session):
    three(session)
    laid(session, effect="hold")
    laid(session, effect="hold", begin=NOW + HOUR, end=NOW + 2 * HOUR)
    scheduler = run_at(session, NOW, "r")
    run_at(session, NOW + HOUR, "s")
    sweep(session, NOW + HOUR)
    scheduler.run_to_end("d", "r")
    assert scheduler.states("d", "r")["g"] == "success"
    assert scheduler.states("d", "s")["g"] == "up_for_retry"


def test_when_a_held_task_is_paused_too_it_goes_on_as_the_pause_says(session):
    three(session)
    laid(session, effect="hold")
    scheduler = run_at(session, NOW, "r")
    gate(session, "d", "g", "fail", since=NOW)
    sweep(session, NOW + HOUR)
    scheduler.run_to_end("d", "r")
    assert scheduler.states("d", "r")["g"] == "failed"


def test_a_start_inside_a_window_leaves_what_the_window_holds(session):
    three(session)
    with time_machine.travel(NOW + HOUR / 2, tick=False):
        laid(session, effect="hold")
        gate(session, "d", "g", "hold", since=NOW - HOUR, until=NOW + HOUR / 2)
        run_at(session, NOW - HOUR / 2, "by_pause")
        scheduler = run_at(session, NOW, "by_window")
        session.scalars(select(GateInterval).where(GateInterval.window_id.is_(None))).one()
        release(session, [("d", "g")], "run")
        session.commit()
    scheduler.run_to_end("d", "by_window")
    assert scheduler.states("d", "by_window")["g"] == "up_for_retry"


def test_a_cycle_that_is_left_out_is_so_however_late_its_run_is(session):
    three(session)
    laid(session, effect="skip", begin=NOW, end=NOW + HOUR, by_cycle=True)

    def run(run_id, due, created, run_type=DagRunType.SCHEDULED):
        scheduler = Scheduler(session, settle=settle)
        from tests.support.airflow_db import serialized

        with time_machine.travel(created, tick=False):
            serialized("d", session).create_dagrun(
                run_id=run_id,
                logical_date=due,
                data_interval=(due, due),
                run_after=due,
                run_type=run_type,
                triggered_by=None,
                state="running",
                start_date=created,
                session=session,
            )
            session.commit()
        scheduler.run_to_end("d", run_id)
        return scheduler.states("d", run_id)["g"]

    assert run("late", NOW, NOW + 24 * HOUR) == "skipped"
    assert run("next", NOW + HOUR, NOW + HOUR) == "success"
    assert run("manual", NOW + timedelta(minutes=1), NOW + timedelta(minutes=1), DagRunType.MANUAL) == "success"
    assert "night" in (note_of(session, "d", "g", "late") or "")


def test_notes_name_the_window(session):
    three(session)
    laid(session, effect="skip")
    run_at(session, NOW, "r")
    assert note_of(session, "d", "g", "r") == (
        "TaskOps: paused by window night until 2026-01-12 13:00:00 UTC: maintenance; "
        "skipped without executing once everything upstream is done."
    )


def test_it_is_one_question_whatever_is_laid_ahead(session):
    three(session)
    with counted_queries() as none:
        Scheduler(session).create_run("d", "none")
    for day in range(1, 15):
        laid(session, begin=NOW + timedelta(days=day), end=NOW + timedelta(days=day, hours=1))
        laid(session, "", "", begin=NOW + timedelta(days=day), end=NOW + timedelta(days=day, hours=1))
    with counted_queries() as many:
        Scheduler(session).create_run("d", "many")
    assert len(many) == len(none)
    assert session.scalars(select(DagRun.run_id).order_by(DagRun.id)).all() == ["none", "many"]


def test_tables_of_a_version_before_are_asked_nothing_that_they_do_not_know(session, monkeypatch):
    """A query that fails would abort the scheduler's transaction."""
    three(session)
    gate(session, "d", "g", "skip")
    laid(session, "", "", begin=datetime.now(UTC) - HOUR, end=datetime.now(UTC) + HOUR)
    monkeypatch.setattr(policy, "_tables_seen", True)
    monkeypatch.setattr(policy, "_columns_seen", frozenset({"resume_at"}))
    monkeypatch.setattr(policy, "_looked_at", time.monotonic())
    with counted_queries() as statements:
        Scheduler(session).create_run("d", "r")
    assert not [one for one in statements if "window_id" in one or "by_cycle" in one]
    scheduler = Scheduler(session, settle=settle)
    scheduler.run_to_end("d", "r")
    assert scheduler.states("d", "r") == {"before": "success", "g": "skipped", "after": "skipped"}


def test_windows_intervals_and_holds_of_people_are_asked_in_one_query(session):
    """A task that a later Dag version brings to a run that is held, in a window, with a pause."""
    three(session)
    laid(session, effect="fail")
    gate(session, "d", "g", "skip", since=NOW - HOUR)
    with time_machine.travel(NOW, tick=False):
        scheduler = Scheduler(session, settle=settle)
        scheduler.create_run("d", "r")
    run = session.scalars(select(DagRun).where(DagRun.run_id == "r")).one()
    session.add(
        InstanceOrder(
            kind="hold",
            dag_id="d",
            run_id="r",
            run_created_at=run.created_at,
            task_id="after",
            map_index=-1,
            operation_id=1,
            at=NOW,
        )
    )
    session.commit()
    run = session.scalars(select(DagRun).where(DagRun.run_id == "r")).one()
    with counted_queries() as queries:
        found, holds = policy._in_force_at_creation(run, session)
    assert (found, holds) == ({"g": "fail"}, {("after", -1)})
    assert len(queries) == 1
