"""What pages and answers tell is cut to what the reader may see, and none of them fails (issue 12, S9 and Low)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update

from taskops_provider.models import AlarmDelivery, Export, Operation
from taskops_provider.services.alarms.rule_test import start_test
from tests.support.alarming import rule
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.dialogs import Dialogs
from tests.support.exports import prepare
from tests.support.pages import get
from tests.support.warehouse import ALICE, chain, install, operate, retail

PAGES = "/pluginsv2/taskops"
READER = (("can_read", "DAG:orders"),)
RANGE = [{"from": "2026-01-01", "to": "2026-01-02"}]


@pytest.fixture
def fab(session) -> Iterator[WebApp]:
    install(session, [*retail(), chain("other", "a", "b")])
    with web_app("fab").active() as web:
        yield web


def test_every_record_has_a_page(fab, session):
    admin = Api(fab)
    steps = {"downstream_depth": 2, "upstream_depth": 1}
    made = admin.post("replenishments", 201, tasks=tasks("orders.clean"), ranges=RANGE, **steps)
    page = get(fab, f"{PAGES}/operation?id={made['operation_id']}", "admin")
    assert "2 steps" in page
    assert "1 step<" in page
    done = operate(session, "pause", "orders.clean").operation_id
    get(fab, f"{PAGES}/operation/download?id={done}", "admin", status=404, part=True)


def test_refusals_for_lack_of_permission_are_not_kept(fab, session):
    viewer, before = Api(fab, "viewer"), session.scalar(select(func.count()).select_from(Operation))
    body = {"targets": tasks("orders.clean", "orders.load"), "reason": "my text " * 100}
    for path in ("tasks/pause", "tasks/offline", "tasks/set-owners"):
        told = viewer.refused(403, "POST", path, json=body | ({"owners": ["x"]} if "owners" in path else {}))
        assert told.endswith("and 1 more: you may not change this Dag")
    assert viewer.post("tasks/pause", dry_run=True, **body)["outcome"] == "refused"
    # where something may be done the rest is recorded as blocked
    number = fab_user(fab, "clean_editor", ("can_read", "DAGs"), ("can_edit", "DAG:orders"))
    mixed = Api(fab, number).post("tasks/pause", targets=tasks("orders.clean", "other.a"))
    assert mixed["counts"]["blocked"] == 1
    done = operate(session, "pause", "orders.load").operation_id
    assert viewer.refused(403, "POST", f"operations/{done}/undo", json={})
    # one that a reader sees for what it left alone
    reader = Api(fab, fab_user(fab, "orders_reader", *READER))
    kept = operate(session, "pause", "orders.load", "other.b").operation_id
    assert reader.get(f"operations/{kept}")["counts"] == {"applied": 0, "left_alone": 1, "blocked": 0}
    assert "changed no Dag that you may read" in reader.refused(403, "POST", f"operations/{kept}/undo", json={})
    before += 1
    assert session.scalar(select(func.count()).select_from(Operation)) == before + 2


def test_counts_and_project_rules_of_other_dags_are_not_told(fab, session):
    reader = Api(fab, fab_user(fab, "orders_reader", *READER))
    done = operate(session, "pause", "orders.clean", "other.a").operation_id
    session.execute(update(Operation).where(Operation.id == done).values(instances_ended=7))
    session.commit()
    assert Api(fab).get(f"operations/{done}")["instances_ended"] == 7
    assert reader.get(f"operations/{done}")["instances_ended"] == 0
    rule(session, "bundle:dags-folder")
    mine = rule(session, "bundle:dags-folder")
    listed = [one["operation_id"] for one in reader.get("operations", verb="alarm-create")["operations"]]
    assert len(listed) == 2, "a workflow of the project may be read"
    newest = max(listed)
    operation = session.get(Operation, newest)
    operation.options = {**operation.options, "projects": ["another"]}
    session.commit()
    listed = [one["operation_id"] for one in reader.get("operations", verb="alarm-create")["operations"]]
    assert newest not in listed
    reader.refused(404, "GET", f"operations/{newest}")
    assert mine


def test_a_change_of_many_rules_does_not_tell_how_many_are_on_other_dags(fab, session):
    reader = Api(fab, fab_user(fab, "orders_reader", *READER))
    numbers = [rule(session, name) for name in ("orders.clean", "other.a", "other.a")]
    Dialogs(fab).post("alarm_rules/disable", target=[str(number) for number in numbers], step="apply")
    (seen,) = reader.get("operations", verb="alarm-update")["operations"]
    assert (seen["counts"]["applied"], seen["options"]) == (1, {})
    (whole,) = Api(fab).get("operations", verb="alarm-update")["operations"]
    assert whole["options"] == {"rule_ids": numbers}
    Dialogs(fab).post("alarm_rules/enable", target=[str(number) for number in numbers[:1]], step="apply")
    assert reader.get("operations", verb="alarm-update")["operations"][0]["options"]["rule_id"] == numbers[0]


def test_the_settings_page_names_no_channel_of_other_dags(fab, session, monkeypatch):
    released = {"email": {"notifier": "email"}, "secret-room": {"notifier": "webhook", "connection": "x"}}
    monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", json.dumps(released))
    number = rule(session, "other.a", channels=["secret-room"])
    start_test(session, ALICE, number, datetime.now(UTC))
    session.execute(update(AlarmDelivery).values(last_error="HTTPError: 500", attempts=1))
    session.commit()
    name = fab_user(fab, "orders_reader", *READER)
    health = get(fab, f"{PAGES}/settings", name)
    assert "some messages did not go out" in health
    assert "secret-room fails" not in health
    assert "secret-room fails" in get(fab, f"{PAGES}/settings", "admin")


def test_an_export_that_fails_tells_no_host(fab, session, monkeypatch):
    def down(*_: object) -> None:
        raise ConnectionError("bucket.internal: key=secret")

    made = Api(fab).post("exports", 202, kind="tasks", format="csv")
    monkeypatch.setattr("taskops_provider.services.exports.prepare.write_piece", down)
    prepare(session)
    assert session.get(Export, made["export_id"]).error == "ConnectionError"
    assert "internal" not in str(Api(fab).get(f"exports/{made['export_id']}"))


@pytest.mark.parametrize("matching", ["?colour=red", "garbage", "?q=a&colour=red", "?status=paused&Owner=ann"])
@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("change/tasks/pause", {}),
        ("change/workflows/pause", {}),
        ("alarm_rules/delete", {"step": "apply"}),
        ("alarms/confirm", {"step": "apply"}),
        ("replenish/tasks", {"from": "2026-01-01", "to": "2026-01-02"}),
        ("exports", {"list": "tasks", "format": "csv"}),
    ],
)
def test_matching_with_an_unknown_filter_is_refused(fab, session, matching, path, more):
    rule(session, "orders.clean")
    before = session.scalar(select(func.count()).select_from(Operation))
    answer = Dialogs(fab).post(path, 422, matching=matching, **more)
    assert "matching" in answer.words.casefold()
    assert session.scalar(select(func.count()).select_from(Operation)) == before


def test_no_answer_is_kept_by_a_cache(fab):
    admin = Api(fab)
    for answer in (
        admin.ask("GET", "tasks"),
        admin.ask("GET", "operations/999999"),
        admin.ask("POST", "tasks/pause", json={}),
        Api(fab, None).ask("GET", "tasks"),
        admin.ask("GET", "health"),
    ):
        assert answer.headers["cache-control"] == "no-store", answer.request.url


def test_the_old_public_role_opens_no_page_that_airflows_api_closes(fab, monkeypatch):
    monkeypatch.setitem(fab.flask.config, "AUTH_ROLE_PUBLIC", "Viewer")
    api, anonymous = Api(fab, None), fab.client()
    assert anonymous.get("/api/v2/dags").status_code == 401
    assert api.ask("GET", "tasks").status_code == 401
    assert anonymous.get(f"{PAGES}/tasks", headers={"HX-Request": "true"}).status_code == 401
