"""The same right as Airflow asks for the same act (issue 12, S6), for people with Dag permissions only, and more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.dag import clear_team_name_cache
from airflow.models.dagbundle import DagBundleModel
from airflow.models.team import Team
from sqlalchemy import func, select

from taskops_provider.models import Replenishment
from tests.support.airflow_db import BUNDLE
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.instances import write_runs
from tests.support.warehouse import install, operate, retail

EDITOR = (("can_read", "DAG:orders"), ("can_edit", "DAG:orders"))
INSTANCES = (*EDITOR, ("can_read", "Task Instances"), ("can_edit", "Task Instances"), ("can_edit", "DAG Runs"))
RUNS = (*EDITOR, ("can_read", "DAG Runs"), ("can_create", "DAG Runs"))
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


def test_what_goes_on_is_cancelled_but_not_ended_by_an_editor(fab, session):
    """Nor resumed or retried: that has runs created."""
    may = Api(fab, fab_user(fab, "of_both_only", *BOTH))
    editor = Api(fab, fab_user(fab, "editor_only", *EDITOR))
    number = may.post("replenishments", 201, **REPLENISH)["replenishment_id"]
    path = f"replenishments/{number}"
    assert "may not end" in editor.refused(403, "POST", f"{path}/cancel", json={"terminate_instances": True})
    editor.post(f"{path}/pause")
    assert "may not replenish" in editor.refused(403, "POST", f"{path}/resume", json={})
    editor.post(f"{path}/cancel")
    assert session.scalar(select(func.count()).select_from(Replenishment)) == 1


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
