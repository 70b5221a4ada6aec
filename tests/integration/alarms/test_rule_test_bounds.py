"""Tests of rules are bounded: one of a rule at a time, a few at all, some a minute (issue 12, S4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from taskops_provider.exceptions import Conflict
from taskops_provider.models import AlarmDelivery
from taskops_provider.services.alarms.rule_test import (
    MAX_A_MINUTE,
    MAX_OF_ALL_A_MINUTE,
    MAX_UNDER_WAY,
    TRIED_FOR,
    last_test,
    send_test,
    start_test,
)
from tests.support.alarming import ago, rule, send
from tests.support.mail import MailServer
from tests.support.warehouse import ALICE, install, retail


@pytest.fixture
def orders(session, monkeypatch):
    install(session, retail())
    with MailServer() as mail:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mail.uri)
        yield session


def under_way(session) -> None:
    """Have the messages be on their way: their servers do not answer."""
    session.execute(update(AlarmDelivery).values(state="sending"))
    session.commit()


def test_one_test_of_a_rule_at_a_time_and_few_at_all(orders):
    now = ago(seconds=1)
    numbers = [rule(orders, "orders.clean") for _ in range(MAX_UNDER_WAY + 1)]
    send_test(orders, ALICE, numbers[0], now)
    under_way(orders)
    with pytest.raises(Conflict, match="is under way"):
        send_test(orders, ALICE, numbers[0], now)
    for number in numbers[1:-1]:
        send_test(orders, ALICE, number, now)
    under_way(orders)
    with pytest.raises(Conflict, match="tests of alarm rules are under way"):
        send_test(orders, ALICE, numbers[-1], now)
    # one that never came back does not stop them for ever
    send_test(orders, ALICE, numbers[-1], now + timedelta(minutes=2))


def test_some_a_minute(orders):
    number, now = rule(orders, "orders.clean"), ago(minutes=5)
    for second in range(MAX_A_MINUTE):
        send_test(orders, ALICE, number, now + timedelta(seconds=second))
    with pytest.raises(Conflict, match="within a minute"):
        send_test(orders, ALICE, number, now + timedelta(seconds=30))
    send_test(orders, ALICE, number, now + timedelta(seconds=70))


def test_few_of_all_a_minute(orders):
    numbers = [rule(orders, "orders.clean") for _ in range(MAX_OF_ALL_A_MINUTE + 1)]
    now = ago(seconds=1)
    for number in numbers[:-1]:
        start_test(orders, ALICE, number, now)
        orders.execute(update(AlarmDelivery).values(state="sent"))
    with pytest.raises(Conflict, match="alarm rules were tested within a minute"):
        start_test(orders, ALICE, numbers[-1], now)


def test_a_test_is_not_tried_for_hours(orders, monkeypatch):
    """Nobody waits for it any more, and it would only fill the queue of its channel."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:9")
    number, now = rule(orders, "orders.clean"), ago(minutes=1)
    start_test(orders, ALICE, number, now)
    orders.commit()
    send(now)
    assert [one.state.value for one in last_test(orders, ALICE, number, now).deliveries] == ["waiting"]
    orders.rollback()
    send(now + TRIED_FOR)
    assert [one.state.value for one in last_test(orders, ALICE, number, now + TRIED_FOR).deliveries] == ["failed"]
