"""Nothing long in a request, and no table or queue that one person could fill (issue 12, S4)."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.exc import OperationalError

from taskops_provider.exceptions import Conflict
from taskops_provider.models import AlarmDelivery, Export, Operation, Replenishment
from taskops_provider.services.alarms import health as alarm_health
from taskops_provider.services.alarms import rule_changes
from taskops_provider.services.alarms.stored_rules import rule_of
from taskops_provider.services.operations import plan as operation_plan
from taskops_provider.services.operations import undo
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.replenishments import create, cycles_of_plan
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.replenishments.plan import plan_replenishment
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.services.shared.large_work import AT_ONCE, large_work
from tests.support.alarming import rule
from tests.support.api import Api, tasks
from tests.support.apps import WebApp, web_app
from tests.support.dialogs import Dialogs
from tests.support.exports import prepare
from tests.support.gates import resume_due_tasks
from tests.support.mail import MailServer
from tests.support.pages import get
from tests.support.queries import counted_queries
from tests.support.replenishing import asked
from tests.support.warehouse import ALICE, install, later, operate, request, retail, stored


@pytest.fixture
def web(session) -> Iterator[WebApp]:
    install(session, retail())
    with web_app("simple").active() as app:
        yield app


def test_fifty_tests_of_rules_send_nothing_in_their_requests(web, session, monkeypatch):
    """A server that does not answer keeps no thread of ours, from which Airflow's health check is answered too."""
    numbers = [rule(session, "orders.clean") for _ in range(10)]
    with MailServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        api = Api(web)
        codes = [api.ask("POST", f"alarms/rules/{numbers[i % 10]}/test", json={}).status_code for i in range(50)]
        assert server.mails == []
    assert sorted(codes) == [202] * 4 + [409] * 46
    assert session.scalar(select(func.count()).select_from(AlarmDelivery)) == 4


def test_large_plans_are_made_two_at_a_time(web, session, monkeypatch):
    now = datetime.now(UTC)
    plan_replenishment(session, ALICE, asked("orders"), now)
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(large_work("another plan", "")).take()
        # small ones need no turn
        plan_replenishment(session, ALICE, asked("orders"), now)
        monkeypatch.setattr(cycles_of_plan, "LARGE", 2)
        with pytest.raises(Conflict, match="2 other large requests; ask for the plan in a moment"):
            plan_replenishment(session, ALICE, asked("orders"), now)
    for _ in range(AT_ONCE + 1):  # each gives its turn back
        plan_replenishment(session, ALICE, asked("orders"), now)


def test_one_person_leaves_a_turn_to_the_others(web, session, monkeypatch):
    """Whoever asks for large plans on and on, from many windows, keeps nobody else from theirs."""
    monkeypatch.setattr(cycles_of_plan, "LARGE", 2)
    monkeypatch.setattr("taskops_provider.services.operations.plan.LARGE", 1)
    monkeypatch.setattr("taskops_provider.services.operations.undo.LARGE", 0)
    monkeypatch.setattr("taskops_provider.www.presenters.diagram.LARGE", 1)
    done = operate(session, "pause", "orders.clean").operation_id
    body = {"targets": [{"dag_id": "orders"}], "dry_run": True}
    ranges = [{"from": "2026-01-01", "to": "2026-01-02"}]
    op, viewer = Api(web, "op"), Api(web, "viewer")
    with large_work("a plan", "op") as own:
        own.take()
        said = "another large request of yours is under way"
        assert said in op.refused(409, "POST", "workflows/pause", json=body)
        assert said in op.refused(409, "POST", f"operations/{done}/undo", json={"dry_run": True})
        planned = {"workflows": ["orders"], "ranges": ranges, "cells": ["all"]}
        assert said in op.refused(409, "POST", "replenishments/plan", json=planned)
        told = Dialogs(web, "op").post("change/workflows/pause", 409, target="orders").problem
        assert said in told.lower()
        drawn = web.client("op").get("/pluginsv2/taskops/diagram?dag_id=orders")
        assert (drawn.status_code, said in drawn.text) == (409, True)
        viewer.post("workflows/pause", **body)
    op.post("workflows/pause", **body)


@pytest.mark.parametrize("name", ["viewer", "op"])
def test_a_large_operation_is_previewed_in_turn(web, session, monkeypatch, name):
    """A reader's, too, and one that is refused after all; what an editor applies waits for its lock instead."""
    done = operate(session, "pause", "orders").operation_id
    body = {"targets": [{"dag_id": "orders"}], "fill_gap": True}
    api = Api(web, name)
    api.post("workflows/start", dry_run=True, **body)
    monkeypatch.setattr(operation_plan, "LARGE", 2)
    monkeypatch.setattr(undo, "LARGE", 2)
    monkeypatch.setattr(cycles_of_plan, "LARGE", 1)
    with ExitStack() as others:
        others.enter_context(large_work("another plan", "")).take()
        # one that is large twice takes one turn
        api.post("workflows/start", dry_run=True, **body)
        others.enter_context(large_work("another plan", "")).take()
        assert "busy" in api.refused(409, "POST", "workflows/start", json={**body, "dry_run": True})
        assert "busy" in Dialogs(web, name).post("change/workflows/start", 409, target="orders").problem
        assert "busy" in Dialogs(web, name).post("undo", 409, operation_id=done).problem
        if name == "viewer":
            assert "busy" in api.refused(409, "POST", "workflows/start", json=body)
            assert "busy" in api.refused(409, "POST", f"operations/{done}/undo", json={})
    api.post("workflows/start", dry_run=True, **body)
    if name == "op":
        with ExitStack() as others:
            for _ in range(AT_ONCE):
                others.enter_context(large_work("another plan", "")).take()
            api.post("workflows/start", targets=[{"dag_id": "orders"}])


def test_an_old_plan_hash_has_no_records_read(web, session):
    """Whatever number stands in front, what came since is told by the targets themselves."""
    for number in range(3):
        operate(session, "set-owners", "orders.clean", owners=[f"owner{number}"])
    operate(session, "pause", "orders.load")
    api = Api(web, "op")
    body = {"targets": tasks("orders.clean", "orders.extract", "orders.load"), "plan_hash": "0." + "0" * 40}
    with counted_queries() as queries:
        answer = api.expect(409, "POST", "tasks/pause", json=body)
    assert [(one["task_id"], one["why"].partition(" ")[0]) for one in answer["difference"]] == [
        ("clean", "set-owners"),
        ("load", "pause"),
    ]
    assert not [query for query in queries if "operation_id > " in query]


def test_rules_are_read_for_who_can_mend_them(web, session, monkeypatch):
    """There may be very many: the settings page of others only counts them."""
    rule(session, "orders.clean", channels=["email"])
    read: list[int] = []
    monkeypatch.setattr(alarm_health, "rule_of", lambda row: read.append(row.id) or rule_of(row))
    for name, reads in (("viewer", False), ("op", True)):
        read.clear()
        assert "1 enabled rule" in get(web, "/pluginsv2/taskops/settings", name)
        assert bool(read) is reads


def test_a_channel_finds_its_due_messages_by_an_index(session):
    query = (
        "SELECT id FROM taskops_alarm_delivery WHERE channel_key = 'a' AND state = 'waiting' AND next_attempt_at < 1"
    )
    name = "ix_taskops_alarm_delivery_channel_key_state_next_attempt_at"
    assert name in {index["name"] for index in inspect(session.connection()).get_indexes("taskops_alarm_delivery")}
    if session.get_bind().dialect.name == "sqlite":  # PostgreSQL takes none for a table without rows
        assert name in str(session.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())


def test_a_large_diagram_needs_a_turn(web, monkeypatch):
    monkeypatch.setattr("taskops_provider.www.presenters.diagram.LARGE", 1)
    client = web.client("viewer")
    path = "/pluginsv2/taskops/diagram?dag_id=orders"
    assert client.get(path).status_code == 200
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(large_work("another", "")).take()
        refused = client.get(path)
    assert (refused.status_code, "ask for the diagram in a moment" in refused.text) == (409, True)
    monkeypatch.setattr("taskops_provider.domain.layering.layout.MAX_BOXES", 2)
    refused = client.get(path)
    assert (refused.status_code, "is too large to draw" in refused.text) == (422, True)


def test_one_person_has_so_many_replenishments_under_way(web, session, monkeypatch):
    now = datetime.now(UTC)
    monkeypatch.setattr(create, "MAX_UNFINISHED", 2)
    for _ in range(2):
        create_replenishment(session, ALICE, asked("orders"), now)
        session.commit()
    with pytest.raises(Conflict, match="2 of your replenishments have not ended yet"):
        create_replenishment(session, ALICE, asked("orders"), now)
    create_replenishment(session, Actor("bob", "api", UnrestrictedPermissions()), asked("orders"), now)


def paused_for_hours(session, **options) -> dict:
    """A task that has missed cycles; return the body of the request that starts it and fills the gap."""
    at = datetime.now(UTC) - timedelta(hours=6)
    apply_operation(session, ALICE, request("pause", "orders.clean", **options), now=at)
    session.commit()
    return {"targets": tasks("orders.clean"), "fill_gap": True}


def test_a_large_gap_needs_a_turn_like_any_other_plan(web, session, monkeypatch):
    start = paused_for_hours(session)
    api, dialogs = Api(web), Dialogs(web)
    monkeypatch.setattr(cycles_of_plan, "LARGE", 2)
    before = session.scalar(select(func.count()).select_from(Operation))
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(large_work("another plan", "")).take()
        for body in ({**start, "dry_run": True}, start):
            refused = api.refused(409, "POST", "tasks/start", json=body)
            assert "2 other large requests; ask for the plan in a moment" in refused
        fields = {"target": "orders clean", "fill_gap": "true", "part": "plan"}
        assert "ask for the plan in a moment" in dialogs.post("change/tasks/start", 409, **fields).words
    assert stored(session, "orders")["clean"] == "paused"
    assert session.scalar(select(func.count()).select_from(Operation)) == before
    for _ in range(AT_ONCE + 1):  # each gives its turn back
        assert api.post("tasks/start", **start, dry_run=True)["gap"]["cells"] >= 3


def test_filling_a_gap_counts_as_a_replenishment_of_who_asked(web, session, monkeypatch):
    start = paused_for_hours(session)
    monkeypatch.setattr(create, "MAX_UNFINISHED", 1)
    api = Api(web)
    api.post("replenishments", 201, tasks=tasks("orders.load"), ranges=[{"from": "2026-01-01", "to": "2026-01-02"}])
    before = session.scalar(select(func.count()).select_from(Operation))
    assert "1 of your replenishments have not ended yet" in api.refused(409, "POST", "tasks/start", json=start)
    assert stored(session, "orders")["clean"] == "paused"
    assert session.scalar(select(func.count()).select_from(Operation)) == before
    assert session.scalar(select(func.count()).select_from(Replenishment)) == 1
    session.execute(update(Replenishment).values(ended_at=datetime.now(UTC)))
    session.commit()
    assert api.post("tasks/start", **start)["replenishment_id"]


def test_what_the_monitor_fills_at_its_time_needs_no_turn_and_is_no_persons(web, session, monkeypatch):
    """Nobody is there to ask again, and the tasks would stay paused."""
    paused_for_hours(session, resume_at=later(hours=1), fill_gap=True)
    monkeypatch.setattr(create, "MAX_UNFINISHED", 0)
    monkeypatch.setattr(cycles_of_plan, "LARGE", 2)
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(large_work("another plan", "")).take()
        assert resume_due_tasks(session, later(hours=2))
        session.commit()
    assert stored(session, "orders")["clean"] == "scheduling"
    assert session.scalar(select(func.count()).select_from(Replenishment)) == 1


def test_a_retry_goes_on_as_one_more(web, session, monkeypatch):
    """Who cancelled and created in turns could have them all go on again."""
    now = datetime.now(UTC)
    monkeypatch.setattr(create, "MAX_UNFINISHED", 1)
    number = create_replenishment(session, ALICE, asked("orders"), now).replenishment_id
    session.commit()
    control_replenishment(session, ALICE, number, ControlVerb.CANCEL, now)
    session.execute(update(Replenishment).values(ended_at=now))
    session.commit()
    create_replenishment(session, ALICE, asked("orders"), now)
    session.commit()
    bob = Actor("bob", "api", UnrestrictedPermissions())
    for who, told in ((ALICE, "1 of your replenishments"), (bob, "too many of alice's replenishments")):
        with pytest.raises(Conflict, match=f"{told} have not ended yet"):
            control_replenishment(session, who, number, ControlVerb.RETRY, now)
        session.rollback()


def test_one_dag_has_so_many_rules(web, session, monkeypatch):
    monkeypatch.setattr(rule_changes, "MAX_ON_ONE", 2)
    rule(session, "orders.clean")
    rule(session, "orders")
    with pytest.raises(Conflict, match="Dag 'orders' has 2 alarm rules"):
        rule(session, "orders.load")
    session.rollback()
    rule(session, "sales.sum")
    rule(session, "bundle:dags-folder")


def test_rules_cannot_be_moved_past_the_bound(web, session, monkeypatch):
    monkeypatch.setattr(rule_changes, "MAX_ON_ONE", 2)
    rule(session, "orders.clean")
    rule(session, "orders")
    number = rule(session, "sales.sum")
    api = Api(web)
    moved = {"dag_id": "orders", "task_id": "clean"}
    assert "has 2 alarm rules" in api.refused(409, "PATCH", f"alarms/rules/{number}", json=moved)
    # what stays where it is may be changed
    api.expect(200, "PATCH", f"alarms/rules/{number}", json={"level": 2})


def forged(cells: int) -> str:
    """The fingerprint of a plan of so many cells: some kB."""
    text = json.dumps({"x": [[1] * cells, {"t": "A" * cells}]}, separators=(",", ":"))
    return urlsafe_b64encode(zlib.compress(text.encode(), level=9)).decode()


def test_the_fingerprint_of_a_plan_stands_for_no_more_cells_than_a_plan_has(web, monkeypatch):
    """Each would take time and memory of the API server."""
    monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "1000")
    dialogs = Dialogs(web)
    fields = {"target": "orders clean", "from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "part": "plan"}
    for cells, status, words in (
        (1000, 409, "changed since"),
        (1001, 422, "lan_hash is not"),
        (10**6, 422, "lan_hash is not"),
    ):
        answer = dialogs.post("replenish/tasks", status, **fields, step="apply", plan_hash=forged(cells))
        assert words in answer.words


LONG, MANY = "x" * 60_000, "|".join(f"a{number}" for number in range(300))


@pytest.mark.parametrize(
    "query",
    [
        *(f"{page}?{field}={LONG}" for page, field in (("workflows", "q"), ("tasks", "target"), ("tasks", "folder"))),
        *(f"operations?{field}={LONG}" for field in ("workflow", "task", "ticket", "actor")),
        *(f"replenishments?{field}={LONG}" for field in ("workflow", "name", "dag_id")),
        f"alarms?q={LONG}",
        f"alarm_rules?q={LONG}",
        f"folders?under={LONG}",
        f"folders?q={LONG}",
        f"owners?q={LONG}",
        f"workflows?q={MANY}",
        f"tasks?workflow={MANY}",
        "tasks?" + "&".join(f"folder=f{number}" for number in range(300)),
    ],
    ids=lambda query: query[:24],
)
def test_a_filter_of_a_page_is_no_larger_than_one_of_rest(web, query):
    """Databases refuse what is too large, or take minutes for it."""
    answer = web.client("viewer").get(f"/pluginsv2/taskops/{query}")
    assert answer.status_code == 422, answer.text[:500]
    assert "A filter has" in answer.text or "a filter has" in answer.text


def test_as_many_terms_and_values_as_there_may_be_are_looked_for(web):
    client = web.client("viewer")
    terms = "|".join(f"a{number}" for number in range(199))
    values = "&".join(f"folder=f{number}" for number in range(200))
    for query in (f"workflows?q={terms}&{values}", f"tasks?workflow={terms}&{values}&q={'y' * 1000}"):
        assert client.get(f"/pluginsv2/taskops/{query}").status_code == 200, query


def test_a_download_that_no_database_can_prepare_stops_no_other(web, session):
    dialogs, api = Dialogs(web), Api(web)
    dialogs.post("exports", 422, matching=f"?q={LONG}", list="tasks", format="csv")
    poison = api.post("exports", 202, kind="tasks", format="csv")["export_id"]
    good = api.post("exports", 202, kind="workflows", format="csv")["export_id"]
    # one of before
    session.execute(update(Export).where(Export.id == poison).values(filters={"search": LONG}))
    session.commit()
    prepare(session)
    assert [api.get(f"exports/{number}")["state"] for number in (poison, good)] == ["failed", "ready"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OperationalError("SELECT", {}, Exception("statement is too complex")), "failed"),
        (OperationalError("SELECT", {}, Exception("database is locked")), "queued"),
        (OperationalError("SELECT", {}, Exception("server went away"), connection_invalidated=True), "queued"),
    ],
)
def test_what_the_database_refuses_for_its_own_sake_is_not_tried_for_ever(web, session, monkeypatch, error, state):
    def refuses(*_: object) -> None:
        raise error

    number = Api(web).post("exports", 202, kind="tasks", format="csv")["export_id"]
    monkeypatch.setattr("taskops_provider.services.exports.prepare.write_piece", refuses)
    with suppress(OperationalError):
        prepare(session)
    session.rollback()
    assert session.get(Export, number).state == state
