"""A stored row that cannot be read stops nobody else, and is shown as set aside (issue 12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from taskops_provider.exceptions import BadInput
from taskops_provider.models import AlarmDelivery, AlarmEvent, AlarmRule, Replenishment
from taskops_provider.services.alarms.rule_changes import delete_rules, enable_rules
from taskops_provider.services.alarms.rules import RuleFilter, list_rules, show_rule
from taskops_provider.services.health import CheckLevel, check_health
from tests.support.alarming import alarms, became, change, deliveries, look, rule, send
from tests.support.api import Api, tasks
from tests.support.apps import web_app
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.pages import get
from tests.support.warehouse import ALICE, install, retail

DEADLINE = {"kind": "not_finished_by", "parameters": {"time": "08:00"}}
BROKEN: dict[str, dict[str, Any]] = {
    "no body": {"body": {}},
    "a body that is no object": {"body": ["a"]},
    "a bad time": {"body": {"parameters": {"time": "99:99"}, "recipients": {"addresses": ["a@example.com"]}}},
    "channels of another shape": {"body": {"channels": ["x", 3], "recipients": {"owners": True}}},
    "a kind of another version": {"kind": "on_fire"},
    "a level of another version": {"level": 17},
}


@pytest.fixture
def orders(session, monkeypatch):
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(3))
    with MailServer() as mail:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mail.uri)
        session.mail = mail
        yield session


def broken_rule(session, values: dict[str, Any], **given: Any) -> int:
    number = rule(session, "orders.clean", **given)
    session.execute(update(AlarmRule).where(AlarmRule.id == number).values(values))
    session.commit()
    return number


@pytest.mark.parametrize("values", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("given", [{}, DEADLINE], ids=["failed", "deadline"])
def test_a_rule_that_cannot_be_read_stops_no_other(orders, values, given):
    now = datetime.now(UTC)
    bad, good = broken_rule(orders, values, **given), rule(orders, "orders.clean")
    if given:
        orders.execute(update(AlarmRule).where(AlarmRule.id == bad).values(next_due_at=now - timedelta(minutes=1)))
        orders.commit()
    became(orders, "orders.clean", "failed")
    look(orders)
    send()
    assert {one.rule_id for one in alarms(orders)} == {good}
    assert [one.recipient for one in orders.mail.mails] == ["ops@example.com"]

    listed = {one.rule_id: one for one in list_rules(orders, ALICE, RuleFilter(), limit=10).rows}
    assert listed[good].problem is None
    assert listed[bad].problem
    assert listed[bad].channels == ()
    health = {one.name: one for one in check_health(orders, now)}["alarms"]
    assert (health.level, "1 enabled rule not valid any more" in health.message) == (CheckLevel.WARNING, True)
    # it can be switched off, corrected and deleted; not switched on
    assert not enable_rules(orders, ALICE, [bad], now, enabled=False)[0].enabled
    with pytest.raises(BadInput, match="set aside"):
        enable_rules(orders, ALICE, [bad], now, enabled=True)
    fixed = change(
        orders, ALICE, bad, {"kind": "failed", "recipients": {"addresses": ["a@example.com"]}, "enabled": True}, now
    )
    assert (fixed.problem, fixed.enabled) == (None, True)
    assert show_rule(orders, ALICE, bad).problem is None
    delete_rules(orders, ALICE, [bad], now)


def test_pages_show_such_a_rule(orders):
    bad = broken_rule(orders, {"body": {}})
    with web_app("simple").active() as web:
        page = get(web, "/pluginsv2/taskops/alarm_rules", "admin")
        assert "is set aside: no recipient" in page
        assert Api(web).get(f"alarms/rules/{bad}")["problem"].startswith("no recipient")


def test_other_rows_that_cannot_be_read_stop_nobody(orders):
    """An alarm, a message and a replenishment of another version: lists answer, the queue goes on."""
    rule(orders, "orders.clean")
    rule(orders, "orders.load")
    for name in ("clean", "load"):
        became(orders, f"orders.{name}", "failed")
    look(orders)
    first, second = (one.id for one in alarms(orders))
    orders.execute(update(AlarmEvent).where(AlarmEvent.id == first).values(facts={"new": 1}))
    bad, good = (one.id for one in deliveries(orders))
    orders.execute(update(AlarmDelivery).where(AlarmDelivery.id == bad).values(channel={"name": "x"}, content={}))
    orders.commit()
    send()
    assert [one.state for one in deliveries(orders)] == ["failed", "sent"]
    with web_app("simple").active() as web:
        api = Api(web)
        api.post("replenishments", 201, tasks=tasks("orders.load"), ranges=[{"from": "2026-01-01", "to": "2026-01-02"}])
        orders.execute(update(Replenishment).values(inputs={"tasks": [{}, 1]}))
        orders.commit()
        assert {one["event_id"] for one in api.get("alarms/events")["events"]} == {first, second}
        assert api.get("replenishments")["total_entries"] == 1
        for page in ("alarms", f"alarm?id={first}", "replenishments"):
            get(web, f"/pluginsv2/taskops/{page}", "admin")
    assert good
