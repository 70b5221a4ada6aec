"""The same right as Airflow asks for the same act (issue 12, S6), for people with Dag permissions only, and more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.dag import clear_team_name_cache
from airflow.models.dagbundle import DagBundleModel
from airflow.models.team import Team
from sqlalchemy import func, select, update

from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from tests.support.airflow_db import BUNDLE
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.dialogs import Dialogs
from tests.support.instances import run_id_of, write_runs
from tests.support.warehouse import install, operate, retail

EDITOR = (("can_read", "DAG:orders"), ("can_edit", "DAG:orders"))
INSTANCES = (*EDITOR, ("can_read", "Task Instances"), ("can_edit", "Task Instances"), ("can_edit", "DAG Runs"))
RUNS = (*EDITOR, ("can_read", "DAG Runs"), ("can_create", "DAG Runs"))
RUN_STATES = (*EDITOR, ("can_edit", "DAG Runs"))
BOTH = (*INSTANCES, *RUNS)
ONE = tasks("orders.clean")
REPLENISH = {"tasks": ONE, "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}], "cells": ["all"]}
SOON = "2999-01-01T00:00:00Z"
#: name -> path, body
ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "pause": ("tasks/pause", {"targets": ONE}),
    "pause and end": ("tasks/pause", {"targets": ONE, "terminate_instances": True}),
    "take offline and end": ("tasks/offline", {"targets": ONE, "terminate_instances": True}),
    "pause and fill the gap": ("tasks/pause", {"targets": ONE, "resume_at": SOON, "fill_gap": True}),
    "plan a replenishment": ("replenishments/plan", REPLENISH),
    "replenish": ("replenishments", REPLENISH),
}
MAY: dict[str, set[str]] = {
    "editor": {"pause"},
    "of instances": {"pause", "pause and end", "take offline and end"},
    "of runs": {"pause"},
    "of both": set(ACTS),
}
WHO = {"editor": EDITOR, "of instances": INSTANCES, "of runs": RUNS, "of both": BOTH}


@pytest.fixture
def fab(session) -> Iterator[WebApp]:
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    with web_app("fab").active() as web:
        yield web


@pytest.mark.parametrize("who", WHO)
def test_an_act_needs_what_airflow_asks_for_it(fab, session, who):
    api = Api(fab, fab_user(fab, f"{who} only".replace(" ", "_"), *WHO[who]))
    did = set()
    for name, (path, body) in ACTS.items():
        answer = api.ask("POST", path, json=body)
        assert answer.status_code in (200, 201, 403), (name, answer.text)
        content = answer.json()
        if answer.status_code != 403 and content.get("outcome") != "refused":
            did.add(name)
            if "operation_id" in content and path.startswith("tasks"):
                operate(session, "start" if "pause" in path else "submit", "orders.clean")
    assert did == MAY[who]


def buttons(web, name: str, number: int) -> set[str]:
    page = web.client(name).get(f"/pluginsv2/taskops/replenishment?id={number}").text
    return set(re.findall(r'id="do-(\w+)"', page))


def test_what_goes_on_is_paused_and_cancelled_with_the_right_to_change_runs(fab, session):
    """Airflow asks the same for pausing and cancelling a backfill. Resume and retry have runs created, too."""
    may = Api(fab, fab_user(fab, "of_both_only", *BOTH))
    people = {"editor_only": EDITOR, "run_changer": RUN_STATES}
    editor, changer = (Api(fab, fab_user(fab, name, *permissions)) for name, permissions in people.items())
    number = may.post("replenishments", 201, **REPLENISH)["replenishment_id"]
    path = f"replenishments/{number}"
    for verb in ("pause", "cancel"):
        assert "whose runs you may not change" in editor.refused(403, "POST", f"{path}/{verb}", json={})
        refused = Dialogs(fab, "editor_only").post(f"replenishment/{verb}", 403, target=number)
        assert "whose runs you may not change" in refused.problem
    assert session.scalars(select(Replenishment.state)).one() == "queued"
    assert "may not end" in changer.refused(403, "POST", f"{path}/cancel", json={"terminate_instances": True})
    assert buttons(fab, "editor_only", number) == set()
    assert buttons(fab, "run_changer", number) == {"pause", "cancel"}
    assert buttons(fab, "of_both_only", number) == {"pause", "resume", "cancel", "retry"}
    changer.post(f"{path}/pause")
    assert "may not replenish" in changer.refused(403, "POST", f"{path}/resume", json={})
    changer.post(f"{path}/cancel")
    assert session.scalar(select(func.count()).select_from(Replenishment)) == 1


def test_what_was_cleared_is_taken_back_by_who_may_change_instances(fab, session):
    """Pause and cancel give cleared instances of existing runs their state back."""
    may = Api(fab, fab_user(fab, "of_both_only", *BOTH))
    changer = Api(fab, fab_user(fab, "run_changer", *RUN_STATES))
    number = may.post("replenishments", 201, **REPLENISH)["replenishment_id"]
    run = session.scalars(select(ReplenishmentRun).order_by(ReplenishmentRun.ordinal)).first()
    run.run_id, run.state = run_id_of(0), "active"
    session.execute(update(ReplenishmentCell).where(ReplenishmentCell.of_run_id == run.id).values(state="active"))
    session.execute(update(Replenishment).values(state="running"))
    session.commit()
    for verb in ("pause", "cancel"):
        refused = changer.refused(403, "POST", f"replenishments/{number}/{verb}", json={})
        assert "cleared cells in runs of Dags whose task instances you may not change" in refused
    assert buttons(fab, "run_changer", number) == set()
    dialog = Dialogs(fab, "of_both_only").post("replenishment/cancel", target=number)
    assert "End what runs" in dialog.words
    may.post(f"replenishments/{number}/pause")
    # nothing of it is cleared any more
    run.state = "waiting"
    session.commit()
    changer.post(f"replenishments/{number}/cancel")


def test_who_may_not_end_what_runs_is_not_asked_about_it(fab, session):
    """Of runs that the replenishment made itself, cancelling changes the runs alone."""
    number = Api(fab).post("replenishments", 201, **REPLENISH)["replenishment_id"]
    run = session.scalars(select(ReplenishmentRun).order_by(ReplenishmentRun.ordinal)).first()
    run.run_id, run.state, run.backfill_id = run_id_of(0), "active", 7_000_000
    session.execute(update(ReplenishmentCell).where(ReplenishmentCell.of_run_id == run.id).values(state="active"))
    session.execute(update(Replenishment).values(state="running"))
    session.commit()
    fab_user(fab, "run_changer", *RUN_STATES)
    for name, is_asked in (("admin", True), ("run_changer", False)):
        words = Dialogs(fab, name).post("replenishment/cancel", target=number).words
        assert ("End what runs" in words) is is_asked


def test_teams_count_also_when_multi_team_is_off_again(session):
    """Airflow asks by team as long as a bundle belongs to one, whatever the setting says."""
    install(session, retail())
    bundle = session.get(DagBundleModel, BUNDLE)
    bundle.teams.append(Team(name="north"))
    session.commit()
    clear_team_name_cache()
    with web_app("simple").active() as web:
        airflow = web.client("op").patch("/api/v2/dags/orders", json={"is_paused": True})
        assert airflow.status_code == 403
        assert web.client("op").get("/api/v2/dags").json()["total_entries"] == 0
        api = Api(web, "op")
        assert api.ask("POST", "tasks/pause", json={"targets": ONE}).status_code in (403, 404)
        assert api.get("tasks")["tasks"] == []
        assert api.ask("PUT", "settings/strict-mode", json={"project": BUNDLE, "strict_mode": True}).status_code == 403
    clear_team_name_cache()
