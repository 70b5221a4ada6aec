"""Nothing long in a request, and no table or queue that one person could fill (issue 12, S4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from taskops_provider.exceptions import Conflict
from taskops_provider.models import AlarmDelivery
from taskops_provider.services.alarms import rule_changes
from taskops_provider.services.replenishments import create, plan
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.replenishments.plan import plan_replenishment
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.services.shared.large_work import AT_ONCE, large_work
from tests.support.alarming import rule
from tests.support.api import Api
from tests.support.apps import WebApp, web_app
from tests.support.mail import MailServer
from tests.support.replenishing import asked
from tests.support.warehouse import ALICE, install, retail


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
            others.enter_context(large_work("another plan")).take()
        # small ones need no turn
        plan_replenishment(session, ALICE, asked("orders"), now)
        monkeypatch.setattr(plan, "LARGE", 2)
        with pytest.raises(Conflict, match="2 other large requests; ask for the plan in a moment"):
            plan_replenishment(session, ALICE, asked("orders"), now)
    for _ in range(AT_ONCE + 1):  # each gives its turn back
        plan_replenishment(session, ALICE, asked("orders"), now)


def test_a_large_diagram_needs_a_turn(web, monkeypatch):
    monkeypatch.setattr("taskops_provider.www.presenters.diagram.LARGE", 1)
    client = web.client("viewer")
    path = "/pluginsv2/taskops/diagram?dag_id=orders"
    assert client.get(path).status_code == 200
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(large_work("another")).take()
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


def test_one_dag_has_so_many_rules(web, session, monkeypatch):
    monkeypatch.setattr(rule_changes, "MAX_ON_ONE", 2)
    rule(session, "orders.clean")
    rule(session, "orders")
    with pytest.raises(Conflict, match="Dag 'orders' has 2 alarm rules"):
        rule(session, "orders.load")
    session.rollback()
    rule(session, "sales.sum")
    rule(session, "bundle:dags-folder")
