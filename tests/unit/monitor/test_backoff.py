"""What fails is tried again later each time and logged once, the same for steps, single things and channels."""

from __future__ import annotations

import logging
from unittest.mock import MagicMock

import pytest

from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.monitor import backoff, sender
from taskops_provider.monitor.backoff import Backoff
from taskops_provider.monitor.sender import Sender
from taskops_provider.services.alarms.deliver import DeliveryOutcome


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(backoff.time, "monotonic", lambda: now[0])
    return now


def test_the_wait_doubles_up_to_the_longest(clock):
    tried = Backoff(first=2, longest=60)
    assert tried.is_due
    waits = []
    for _ in range(2000):
        tried.note("boom")
        waits.append(tried.again - clock[0])
    assert waits[:7] == [2, 4, 8, 16, 32, 60, 60]
    assert waits[-1] == 60
    assert not tried.is_due
    clock[0] += 60
    assert tried.is_due


def test_the_same_failure_is_news_once(clock):
    tried = Backoff(first=2, longest=60)
    assert [tried.note(error) for error in ("", "", "boom", "boom", "bang", "boom")] == [
        *(True, False, True, False, True, True)
    ]


def test_a_channel_that_fails_in_another_way_says_so(monkeypatch, caplog):
    """Its first failure alone was logged: a wrong password after an unreachable server was never told."""
    errors = ["no route", "no route", "wrong password"]
    monkeypatch.setattr(sender, "create_session", MagicMock())
    monkeypatch.setattr(sender.deliver, "give_up_lost", lambda *_: 0)
    monkeypatch.setattr(sender.deliver, "due_channels", lambda *_: ["mail"])
    monkeypatch.setattr(
        sender.deliver,
        "send_next",
        lambda *_: DeliveryOutcome(DeliveryState.WAITING, errors.pop(0), is_down=True),
    )
    sending = Sender(interval=1)
    monkeypatch.setattr(sending, "_holds", True)
    with caplog.at_level(logging.WARNING, logger=sender.__name__):
        for hour in range(3):
            sending.play(sender.datetime(2026, 1, 1, hour, tzinfo=sender.UTC))
            sending.wait()
    assert [record.args[1] for record in caplog.records] == ["no route", "wrong password"]
