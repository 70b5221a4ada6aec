"""Changes through the API: preview, apply, records, undo, strict mode; and what is refused (requirements 5, 8)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow import settings
from airflow.models.log import Log
from sqlalchemy import event, func, select

from taskops_provider.models import Operation
from tests.support.api import Api, tasks, workflows
from tests.support.apps import web_app
from tests.support.warehouse import install, operate, retail, stored


@pytest.fixture
def api(session):
    install(session, retail())
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def operators(session):
    with web_app("simple").active() as web:
        yield Api(web, "user", headers={"X-TaskOps-Source": "operator"})


def outcomes(answer) -> dict[str, str]:
    return {".".join(filter(None, (i["dag_id"], i["task_id"]))): i["outcome"] for i in answer["items"]}


def test_pause_changes_and_records(api, session):
    answer = api.post("tasks/pause", targets=tasks("orders.clean", "sales.sum"), reason="late", ticket="OPS-1")
    assert answer["outcome"] == "success"
    assert answer["counts"] == {"applied": 2, "left_alone": 0, "blocked": 0}
    assert set(answer) == {"operation_id", "verb", "dry_run", "outcome", "counts", "items"}
    assert stored(session, "orders")["clean"] == "paused"
    record = session.get(Operation, answer["operation_id"])
    assert (record.actor, record.source, record.reason, record.ticket) == ("admin", "api", "late", "OPS-1")
    logged = session.scalars(select(Log).where(Log.event == "taskops.pause")).all()
    assert {(line.dag_id, line.task_id, line.owner) for line in logged} == {
        ("orders", "clean", "admin"),
        ("sales", "sum", "admin"),
    }


def test_one_transaction_with_one_commit(api, session):
    happened = []

    def statement(_connection, _cursor, sql, *_):
        happened.append(sql)

    def commit(_connection):
        happened.append("COMMIT")

    event.listen(settings.engine, "before_cursor_execute", statement)
    event.listen(settings.engine, "commit", commit)
    try:
        api.post("tasks/pause", targets=tasks("orders.clean", "sales.sum"))
    finally:
        event.remove(settings.engine, "before_cursor_execute", statement)
        event.remove(settings.engine, "commit", commit)
    writes = [n for n, sql in enumerate(happened) if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) > 3
    assert [sql for sql in happened[writes[0] :] if sql == "COMMIT"] == ["COMMIT"]
    assert happened[-1] == "COMMIT"


def test_operators_are_told_apart(api, operators, session):
    answer = operators.post("tasks/pause", targets=tasks("orders.clean"))
    record = session.get(Operation, answer["operation_id"])
    assert (record.actor, record.source) == ("user", "operator")


def test_a_selection_may_mix_states(api, session):
    operate(session, "offline", "orders.load")
    answer = api.post("tasks/pause", targets=tasks("orders.load", "orders.clean"))
    assert answer["outcome"] == "part_success"
    assert outcomes(answer) == {"orders.load": "left_alone", "orders.clean": "applied"}
    again = api.post("tasks/pause", targets=tasks("orders.load"))
    assert again["outcome"] == "refused"


def test_preview_changes_nothing_and_its_hash_holds(api, session):
    body = {"targets": workflows("orders"), "reason": "migration"}
    plan = api.post("workflows/pause", **body, dry_run=True)
    assert plan["operation_id"] is None
    assert plan["dry_run"] is True
    downstream = plan["affects"].pop("workflows")
    assert len(downstream) == 3
    assert plan["affects"] == {"instances": 0, "downstream_tasks": 6, "downstream_workflows": 3, "drains": ["orders"]}
    assert set(stored(session, "orders").values()) == {"scheduling"}
    assert session.scalar(select(func.count()).select_from(Operation)) == 0
    done = api.post("workflows/pause", **body, plan_hash=plan["plan_hash"])
    assert done["outcome"] == "success"
    assert [item["task_id"] for item in done["items"]] == ["clean", "extract", "load"]


def test_a_plan_that_changed_is_refused_with_the_difference(api, session):
    plan = api.post("tasks/pause", targets=tasks("orders.clean", "orders.load"), dry_run=True)
    operate(session, "pause", "orders.clean")
    body = {"targets": tasks("orders.clean", "orders.load"), "plan_hash": plan["plan_hash"]}
    answer = api.expect(409, "POST", "tasks/pause", json=body)
    assert "the plan has changed since the preview, nothing was done" in answer["detail"]
    [changed] = answer["difference"]
    assert (changed["dag_id"], changed["task_id"], changed["now"]) == ("orders", "clean", "paused")
    assert changed["why"].startswith("pause by alice")
    assert stored(session, "orders")["load"] == "scheduling"


def test_every_verb(api, session):
    targets = tasks("orders.clean")
    assert api.post("tasks/pause", targets=targets, downstream="hold")["items"][0]["after"] == "paused"
    assert api.post("tasks/start", targets=targets, held="skip")["items"][0]["after"] == "scheduling"
    assert api.post("tasks/offline", targets=targets, terminate_instances=True)["items"][0]["after"] == "offline"
    assert api.post("tasks/delete", targets=targets, downstream="run")["items"][0]["after"] == "deleted"
    assert api.post("tasks/submit", targets=targets)["items"][0]["after"] == "scheduling"
    assert api.post("tasks/set-owners", targets=targets, owners=["carol", " dan "])["outcome"] == "success"
    assert api.get("tasks/orders/clean")["owners"] == ["carol", "dan"]
    assert api.get("operations")["total_entries"] == 6


def test_resume_at_carries_a_zone_or_is_in_airflows(api, session):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    api.post("tasks/pause", targets=tasks("orders.clean"), resume_at=tomorrow.isoformat())
    assert api.get("tasks/orders/clean")["resume_at"] == tomorrow.isoformat().replace("+00:00", "Z")
    api.post("tasks/pause", targets=tasks("sales.sum"), resume_at=tomorrow.replace(tzinfo=None).isoformat())
    assert api.get("tasks/sales/sum")["resume_at"] == tomorrow.isoformat().replace("+00:00", "Z")


ONE = tasks("orders.clean")
UNKNOWN_HASH = "7." + "a" * 40


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("tasks/stop", {"targets": ONE}, 422, "verb is 'stop'; allowed are start, pause, offline"),
        ("tasks/pause", {}, 422, "targets is missing"),
        ("tasks/pause", {"targets": []}, 422, "targets has no entries; at least 1 is needed"),
        ("tasks/pause", {"targets": [{"dag_id": "orders"}]}, 422, "targets[0].task_id is missing"),
        ("workflows/pause", {"targets": ONE}, 422, "targets[0].task_id: there is no such field"),
        (
            "tasks/pause",
            {"targets": ONE, "reasno": "x"},
            422,
            "reasno: there is no such field; allowed are reason, ticket, downstream",
        ),
        ("tasks/pause", {"targets": ONE, "dry_run": "no"}, 422, "dry_run is 'no'; allowed are true, false"),
        (
            "tasks/pause",
            {"targets": ONE, "downstream": "stop"},
            422,
            "downstream is 'stop'; allowed are skip, run, fail",
        ),
        ("tasks/offline", {"targets": ONE, "downstream": "hold"}, 422, "downstream 'hold' does not go with offline"),
        ("tasks/delete", {"targets": ONE}, 422, "delete needs a downstream effect"),
        ("tasks/start", {"targets": ONE, "downstream": "run"}, 422, "downstream goes with pause, offline and delete"),
        ("tasks/pause", {"targets": ONE, "resume_at": "soon"}, 422, "resume_at is 'soon'; allowed are"),
        ("tasks/pause", {"targets": ONE, "resume_at": 5}, 422, "resume_at is 5; allowed are"),
        ("tasks/pause", {"targets": ONE, "resume_at": "2020-01-01T00:00Z"}, 422, "resume_at 2020-01-01T00:00:00+00:00"),
        ("tasks/pause", {"targets": ONE, "owners": ["x"]}, 422, "owners go with set-owners"),
        ("tasks/set-owners", {"targets": ONE}, 422, "set-owners needs at least one owner"),
        ("tasks/pause", {"targets": ONE, "reason": "x" * 2001}, 422, "the reason has 2001 characters"),
        ("tasks/pause", {"targets": ONE, "reason": "a\0b"}, 422, "reason holds a zero byte"),
        ("tasks/pause", {"targets": ONE, "plan_hash": "abc"}, 422, "plan_hash is 'abc'; allowed is text of the form"),
        ("tasks/pause", {"targets": ONE, "plan_hash": UNKNOWN_HASH}, 409, "the plan has changed since the preview"),
        ("tasks/pause", {"targets": ONE, "plan_hash": UNKNOWN_HASH, "dry_run": True}, 422, "plan_hash is for applying"),
        ("tasks/pause", {"targets": tasks("orders.clean", "orders.x")}, 404, "task 'orders x' does not exist"),
        ("workflows/pause", {"targets": workflows("nothing")}, 404, "Dag 'nothing' does not exist"),
        ("tasks/pause", {"targets": ONE * 10_001}, 422, "targets has 10001 entries; at most 10,000 are taken"),
        ("operations/12/undo", {}, 404, "operation 12 does not exist"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_changes_nothing(api, session, path, body, status, told):
    assert api.refused(status, "POST", path, json=body).startswith(told)
    assert set(stored(session, "orders").values()) == {"scheduling"}
    assert session.scalar(select(func.count()).select_from(Operation)) == 0


@pytest.mark.parametrize("path", ["tasks/pause", "workflows/pause", "operations/1/undo", "exports"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
    ],
    ids=lambda headers: headers.get("Content-Type", "none"),
)
def test_another_site_cannot_write(api, session, path, headers):
    """A form, or a script without our leave, cannot send this content type from another site."""
    content = json.dumps({"targets": ONE, "kind": "tasks"}).encode()
    assert "application/json" in api.refused(415, "POST", path, content=content, headers=headers)
    assert api.refused(415, "PUT", "settings/strict-mode", content=b'{"project": null, "strict_mode": true}')
    assert set(stored(session, "orders").values()) == {"scheduling"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"targets": "\\ud800"}'])
def test_broken_bodies(api, content):
    headers = {"Content-Type": "application/json"}
    detail = api.refused(422, "POST", "tasks/pause", content=content, headers=headers)
    assert len(detail) < 300
    assert api.refused(400, "POST", "tasks/pause", content=b"1" * 5000, headers=headers)


def test_undo(api, session):
    done = api.post("tasks/pause", targets=tasks("orders.clean"))
    path = f"operations/{done['operation_id']}/undo"
    plan = api.post(path, dry_run=True)
    assert plan["items"][0]["after"] == "scheduling"
    assert stored(session, "orders")["clean"] == "paused"
    undone = api.post(path)
    assert (undone["verb"], undone["outcome"]) == ("undo", "success")
    assert stored(session, "orders")["clean"] == "scheduling"
    assert "was undone already" in api.refused(409, "POST", path, json={})
    assert api.get(f"operations/{done['operation_id']}")["undone_by"] == undone["operation_id"]


def test_strict_mode(api, session):
    modes = api.get("settings/strict-mode")
    assert [(mode["project"], mode["strict_mode"], mode["chosen"]) for mode in modes["projects"]] == [
        ("dags-folder", False, False)
    ]
    change = {"project": "dags-folder", "strict_mode": True}
    answer = api.expect(200, "PUT", "settings/strict-mode", json=change)
    assert answer["projects"][0]["changed_by"] == "admin"
    assert api.get("settings/strict-mode", project="dags-folder")["total_entries"] == 1
    blocked = api.post("tasks/pause", targets=tasks("orders.clean"))
    assert blocked["outcome"] == "refused"
    [blocker] = blocked["items"][0]["blocked_by"]
    assert (blocker["dag_id"], blocker["task_id"], blocker["period"]) == ("orders", "load", "hour")
    cascade = api.post("workflows/offline", targets=workflows("report"), cascade=True, dry_run=True)
    assert {item["task_id"]: item["wave"] for item in cascade["items"]} == {"send": 1, "render": 2}
    told = api.refused(404, "PUT", "settings/strict-mode", json={**change, "project": "x"})
    assert told == "project 'x' does not exist; there are dags-folder"
    assert "project is missing" in api.refused(422, "PUT", "settings/strict-mode", json={"strict_mode": True})


@pytest.mark.slow
def test_ten_thousand_targets_at_once(api, session):
    from tests.support import rows

    rows.write(list(rows.crowd(1000)), session)
    names = [
        f"{t['dag_id']}/{t['task_id']}"
        for n in range(10)
        for t in api.get("tasks", limit=1000, offset=n * 1000)["tasks"]
    ]
    targets = [dict(zip(("dag_id", "task_id"), name.split("/"), strict=True)) for name in names]
    answer = api.post("tasks/pause", targets=targets, dry_run=True)
    assert sum(answer["counts"].values()) == 10_000


def test_a_busy_database_is_told_from_one_that_broke(api, session, monkeypatch):
    """503 means that nothing was done; behind a broken connection nobody knows."""
    from sqlalchemy.exc import OperationalError

    from taskops_provider.api import apply_change

    def fails(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(apply_change, "apply_operation", fails)
    error = OperationalError("UPDATE", {}, Exception("database is locked"))
    body = {"targets": ONE}
    assert api.refused(503, "POST", "tasks/pause", json=body) == "the database is busy; nothing was done, try again"
    error = OperationalError("COMMIT", {}, Exception("server closed the connection"), connection_invalidated=True)
    told = "something went wrong; the API server's log says what"
    assert api.refused(500, "POST", "tasks/pause", json=body) == told
