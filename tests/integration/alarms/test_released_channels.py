"""Channels lead out of Airflow, so an administrator releases them and people pick names (issue 12, S1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from taskops_provider import config
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.released import read_released
from taskops_provider.inputs.alarms.rule import RuleChange, RuleCreate
from taskops_provider.models import AlarmDelivery, AlarmRule
from taskops_provider.services.alarms.health import delivery_health
from taskops_provider.services.alarms.rule_changes import update_rule
from taskops_provider.services.alarms.rule_test import send_test
from taskops_provider.services.alarms.rules import show_rule
from taskops_provider.services.health import CheckLevel, check_health
from tests.support.alarming import OPS, became, change, create, deliveries, look, rule, send
from tests.support.channels import MEMO, RELEASED
from tests.support.instances import write_runs
from tests.support.mail import Endpoint, MailServer
from tests.support.warehouse import ALICE, install, retail

#: what a rule kept before channels were released
FREE: list[dict[str, Any]] = [
    {"channel": "webhook", "connection": "aws_prod", "args": {"endpoint": "127.0.0.1:9/x"}},
    {"channel": "webhook", "connection": None, "args": {"endpoint": "hooks/ops", "headers": {"X": "y"}}},
    {"channel": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "args": {"to": "a@b", "files": ["/x"]}},
    {"channel": "email", "connection": "smtp_ops", "args": {}},
    {"channel": "email", "connection": None, "args": {"from_email": "boss@example.com"}},
    {"channel": "chat", "connection": "aws_prod", "args": {}},
    {"channel": "chat", "connection": None, "args": {"endpoint": "other"}},
    {"channel": "memo", "connection": None, "args": {"template": "{{ conn.aws_prod.password }}"}},
]


@pytest.fixture
def orders(session):
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), state="running")
    return session


@pytest.fixture
def outside(monkeypatch):
    """A mail server and an endpoint that every connection leads to."""
    with MailServer() as mail, Endpoint() as endpoint:
        for name in ("CHAT", "AWS_PROD", "HTTP_DEFAULT"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", endpoint.uri)
        for name in ("SMTP_DEFAULT", "SMTP_OPS"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", mail.uri)
        yield lambda: [*(path for path, _, _ in endpoint.calls), *(one.recipient for one in mail.mails)]


@pytest.mark.parametrize("channel", FREE)
def test_nobody_reaches_a_connection_a_class_or_a_host(orders, channel):
    """Not even somebody who may do everything in TaskOps: what leads out is the administrator's."""
    before = rule(orders, "orders.load", channels=["chat"])
    body = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": OPS, "channels": [channel]}
    with pytest.raises((BadInput, ValueError)):
        create(orders, ALICE, body, datetime.now(UTC))
    with pytest.raises((BadInput, ValueError)):
        change(orders, ALICE, before, {"channels": [channel]}, datetime.now(UTC))


@pytest.mark.parametrize("channel", FREE)
def test_a_rule_of_before_is_set_aside_until_somebody_chooses_another_channel(orders, outside, channel):
    number = rule(orders, "orders.clean", repeat={"minutes": 1}, escalation={"after": 1, "recipients": OPS})
    row = orders.get(AlarmRule, number)
    orders.execute(update(AlarmRule).where(AlarmRule.id == number).values(body={**row.body, "channels": [channel]}))
    orders.commit()
    orders.expire_all()
    shown = show_rule(orders, ALICE, number)
    assert shown.set_aside == [channel["channel"]]
    assert delivery_health(orders, datetime.now(UTC)).set_aside == 1
    found = {one.name: one for one in check_health(orders, datetime.now(UTC))}["alarms"]
    assert (found.level, "1 enabled rule with channels that are not released" in found.message) == (
        CheckLevel.WARNING,
        True,
    )
    # it may be switched off, renamed, and so on
    assert update_rule(orders, ALICE, number, RuleChange(level=2), datetime.now(UTC)).level == 2
    became(orders, "orders.clean", "failed")
    look(orders)
    assert send_test(orders, ALICE, number, datetime.now(UTC)).deliveries == []
    send()
    assert deliveries(orders) == []
    assert outside() == []
    change(orders, ALICE, number, {"channels": [{"channel": "chat"}]}, datetime.now(UTC))
    orders.commit()
    send_test(orders, ALICE, number, datetime.now(UTC))
    assert outside() == ["/hooks/ops"]


@pytest.mark.parametrize("channel", FREE)
def test_a_message_that_waited_for_such_a_channel_is_not_sent(orders, outside, channel):
    rule(orders, "orders.clean", channels=["chat"], recipients={})
    became(orders, "orders.clean", "failed")
    look(orders)
    orders.execute(update(AlarmDelivery).values(channel=channel, channel_key="webhook:aws_prod"))
    orders.commit()
    send()
    (one,) = deliveries(orders)
    assert (one.state, outside()) == ("failed", [])
    assert "channel" in one.last_error


def test_what_people_set_is_text_and_no_template(orders, outside):
    args = {"mime_charset": "us-ascii", "from_email": "taskops@example.com"}
    number = rule(orders, "orders.clean", recipients={}, channels=[{"channel": "memo", "args": args}])
    (sent,) = send_test(orders, ALICE, number, datetime.now(UTC)).deliveries
    assert (sent.state.value, sent.channel, sent.connection) == ("sent", "memo", None)
    assert outside() == ["memo@example.com"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"to": "me@example.com"}, "args of channel 'memo' has no 'to'; allowed are mime_charset, from_email"),
        ({"smtp_conn_id": "aws_prod"}, "has no 'smtp_conn_id'"),
        ({"mime_charset": "klingon"}, "allowed are utf-8, us-ascii"),
        ({"mime_charset": True}, "allowed are utf-8, us-ascii"),
        ({"from_email": ["a"]}, "is no text of one line"),
        ({"from_email": "a\nBcc: b"}, "is no text of one line"),
        ({"from_email": "x" * 41}, "at most 40 are kept"),
        ({"from_email": "{{ 7 * 7 }}"}, "holds a template"),
        ({"from_email": "{%raw%}"}, "holds a template"),
        ({"from_email": "{#"}, "holds a template"),
    ],
)
def test_what_people_set_is_in_the_bounds_of_the_channel(args, said):
    channels = [{"channel": "memo", "args": args}]
    body = {"dag_id": "a", "kind": "failed", "recipients": OPS, "channels": channels}
    (channel,) = RuleCreate.read(body).rule().channels
    with pytest.raises(BadInput, match="memo") as refused:
        read_released(json.dumps(RELEASED)).check(channel)
    assert said in str(refused.value)


def test_the_connection_of_a_webhook_has_a_host(orders, monkeypatch):
    """Else the endpoint would say who gets the login."""
    with Endpoint() as endpoint:
        host = endpoint.uri.split("//")[1].rstrip("/")
        released = {"chat": {"notifier": "webhook", "connection": "aws_prod", "args": {"endpoint": f"http://{host}/x"}}}
        monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", json.dumps(released))
        monkeypatch.setenv("AIRFLOW_CONN_AWS_PROD", "http://key:secret@/")
        number = rule(orders, "orders.clean", recipients={}, channels=["chat"])
        (one,) = send_test(orders, ALICE, number, datetime.now(UTC)).deliveries
        assert endpoint.calls == []
    assert (one.state.value, "has no host" in (one.error or "")) == ("waiting", True)


@pytest.mark.parametrize(
    ("released", "said"),
    [
        ("{", "alarm_channels is no JSON"),
        ("[]", "is no JSON object"),
        ('{"a.b": {"notifier": "email"}}', "is no name of a channel"),
        ('{"a": {"notifier": "pigeon"}}', "a.notifier is 'pigeon'; allowed are"),
        ('{"a": {"notifier": "email", "args": {"to": "x"}}}', "args of email has no 'to'"),
        ('{"a": {"notifier": "webhook", "args": {"method": "GET"}}}', "method is 'GET'"),
        ('{"a": {"notifier": "webhook", "may_set": {"endpoint": {}}}}', "may_set goes with the class path"),
        ('{"a": {"notifier": "x.Y", "may_set": {"x_conn_id": {}}}}', "people may not choose a connection"),
        ('{"a": {"notifier": "x.Y", "colour": 1}}', "there is no such field"),
        ('{"email": {"notifier": "webhook"}}', "email has another notifier"),
    ],
)
def test_a_configuration_that_is_not_valid_is_named_and_sends_nothing(orders, outside, monkeypatch, released, said):
    number = rule(orders, "orders.clean")
    monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", released)
    with pytest.raises(BadInput) as refused:
        read_released(released)
    assert said in str(refused.value)
    (found,) = (one for one in check_health(orders, datetime.now(UTC)) if one.name == "alarms")
    assert found.level is CheckLevel.ERROR
    # lists are still there, and nothing goes out
    assert show_rule(orders, ALICE, number).set_aside == ["email"]
    became(orders, "orders.clean", "failed")
    look(orders)
    send()
    assert outside() == []


def test_email_is_there_unless_it_is_taken_away():
    assert list(read_released("").by_name) == ["email"]
    assert list(read_released('{"email": null}').by_name) == []
    assert list(read_released(json.dumps({"memo": MEMO})).by_name) == ["email", "memo"]


def test_settings_show_the_names_of_channels_and_nothing_else(monkeypatch):
    """Everybody who is signed in sees them; a connection, a host and a header are the administrator's."""

    def shown() -> str:
        return {one.name: one.value for one in config.options()}["alarm_channels"]

    assert shown() == "chat, ops-mail, memo"
    for text in ("{", "[1]", "[" * 100_000):
        monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", text)
        assert shown() == "not valid"
