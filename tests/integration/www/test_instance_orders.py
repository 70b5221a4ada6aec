"""The dialogs of rerun, force, hold and release, and where pages show what is held."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import InstanceOrder, Operation
from taskops_provider.www import csrf
from tests.support.apps import WebApp, web_app
from tests.support.instances import write_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install

ROOT = "/pluginsv2/taskops"


@pytest.fixture
def web(session: Session) -> Iterator[WebApp]:
    install(session, [chain("orders", "extract", "clean", "load")])
    with web_app("simple").active() as app:
        yield app


def post(web: WebApp, path: str, *targets: str, user: str = "admin", **fields: str):
    client = web.client(user)
    made = csrf.make_token(web.flask.secret_key, str(web._users[user].get_id()))
    body = {"dag_id": "orders", "task_id": "clean", "target": list(targets), **fields}
    return client.post(f"{ROOT}/{path}", data=body, headers={csrf.HEADER: made, "HX-Request": "true"})


def hash_of(html: str) -> str:
    return re.search(r'name="plan_hash" value="([^"]+)"', html).group(1)  # type: ignore[union-attr]


def test_a_rerun_may_take_what_is_downstream_with_it_and_shows_it(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), "success")
    html = unescape(post(web, "instances/rerun", "-1 run_0000").text)
    assert "Rerun: 1 instance" in html
    assert all(one in html for one in ('value="none" checked', 'value="workflow"', 'value="everywhere"'))
    answer = post(web, "instances/rerun", "-1 run_0000", step="preview", part="plan", with_downstream="workflow")
    shown = unescape(answer.text)
    assert '<span id="instances-action" hx-swap-oob="innerHTML">Rerun: 2 instances</span>' in shown
    assert "<form" not in shown
    done = post(
        web, "instances/rerun", "-1 run_0000", step="apply", with_downstream="workflow", plan_hash=hash_of(answer.text)
    )
    assert "2 instances cleared to run again" in done.text
    assert post(web, "instances/rerun", "-1 run_0000", with_downstream="sideways").status_code == 422


def test_another_plan_than_the_one_that_was_seen_is_shown_and_not_done(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), "success")
    seen = hash_of(post(web, "instances/rerun", "-1 run_0000", with_downstream="workflow").text)
    post(web, "instances/set-failed", "-1 run_0000", step="apply")
    answer = post(
        web, "instances/rerun", "-1 run_0000", step="apply", part="plan", with_downstream="workflow", plan_hash=seen
    )
    assert answer.status_code == 409
    assert "the plan has changed since the preview" in answer.text.lower()
    assert hash_of(answer.text) != seen
    assert session.scalars(select(Operation.verb)).all() == ["instances-set-failed"]


def test_a_held_instance_is_shown_as_held_and_why_names_who_holds_it(web: WebApp, session: Session) -> None:
    Scheduler(session).create_run("orders")
    assert "They do not start until you release them" in post(web, "instances/hold", "-1 run_1").text
    done = post(web, "instances/hold", "-1 run_1", step="apply", reason="wait for Zoe")
    assert "1 instance held" in done.text
    assert "HX-Trigger" in done.headers
    page = unescape(web.client("admin").get(f"{ROOT}/task?dag_id=orders&task_id=clean&view=history").text)
    assert ">Held<" in page
    assert "Gated:" not in page
    why = unescape(web.client("admin").get(f"{ROOT}/task/why?dag_id=orders&task_id=clean&run_id=run_1").text)
    assert "It is held by admin" in why
    assert "wait for Zoe" in why
    assert "is held already" in unescape(post(web, "instances/hold", "-1 run_1").text)
    assert "1 instance released" in post(web, "instances/release", "-1 run_1", step="apply").text
    assert session.scalars(select(InstanceOrder)).all() == []


def test_a_run_is_held_and_released_on_the_page_of_its_workflow(web: WebApp, session: Session) -> None:
    Scheduler(session).create_run("orders", logical_date=datetime(2026, 5, 1, tzinfo=UTC))
    page = unescape(web.client("admin").get(f"{ROOT}/workflow?dag_id=orders").text)
    assert 'aria-label="Hold run_1"' in page
    html = unescape(post(web, "runs/hold", "run_1").text)
    assert "Hold: 1 run" in html
    assert "Applies to 1 run" in html
    assert "1 run held" in post(web, "runs/hold", "run_1", step="apply").text
    page = unescape(web.client("admin").get(f"{ROOT}/workflow?dag_id=orders").text)
    assert 'aria-label="Release run_1"' in page
    assert "held</span>" in page
    assert "1 run released" in post(web, "runs/release", "run_1", step="apply").text
    assert post(web, "runs/hold", "nowhere").status_code == 404
    assert post(web, "runs/hold").status_code == 422


def test_who_may_not_change_runs_is_not_offered_it_and_refused(web: WebApp, session: Session) -> None:
    Scheduler(session).create_run("orders")
    page = web.client("viewer").get(f"{ROOT}/workflow?dag_id=orders").text
    assert 'aria-label="Hold' not in page
    answer = post(web, "runs/hold", "run_1", user="viewer", step="apply")
    assert answer.status_code == 403
    assert "may not change the runs of this Dag" in answer.text
