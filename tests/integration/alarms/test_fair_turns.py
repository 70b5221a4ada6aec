"""Very many alarms of one Dag, or notices of one person, keep nobody else's messages waiting."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

import pytest
from sqlalchemy import update

from taskops_provider.exceptions import Conflict
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarms import deadlines, deliver, evaluate, follow_up, owner_notices, record
from taskops_provider.services.shared.actor import Actor
from tests.support.alarming import ago, alarms, became, deliveries, look, rule
from tests.support.instances import write_runs
from tests.support.queries import counted_queries
from tests.support.warehouse import BOB, Limited, chain, install, operate

EDITOR, OTHER = (Actor(name, "api", Limited(["loud"], ["loud"])) for name in ("carol", "dave"))
MANY = 12
LOUD = {"addresses": [f"p{number}@example.com" for number in range(3)]}


@pytest.fixture
def dags(session):
    """Two Dags, of which ``loud`` fails twice with many rules on it, before ``still`` fails once."""
    install(session, [chain("loud", "a", "b"), chain("still", "a")])
    write_runs(session, "loud", ["a", "b"], range(1), state="running")
    write_runs(session, "still", ["a"], range(1), state="running")
    return session


def small_turns(monkeypatch) -> None:
    monkeypatch.setattr(evaluate, "AT_ONCE", 4)
    monkeypatch.setattr(record, "AT_ONCE", 4)
    monkeypatch.setattr(follow_up, "MESSAGES_AT_ONCE", 4)
    monkeypatch.setattr(follow_up, "AT_ONCE", 4)
    monkeypatch.setattr(deadlines, "AT_ONCE", 4)


def fail_all(session, **given) -> None:
    for _ in range(MANY):
        rule(session, "loud", recipients=LOUD, **given)
    rule(session, "still", **given)
    for name in ("loud.a", "loud.b"):
        became(session, name, "failed", at=ago(minutes=2), max_tries=0)
    became(session, "still.a", "failed", at=ago(minutes=1), max_tries=0)


def told_of(session, why: str = "firing") -> list[str]:
    dag_ids = {one.id: one.dag_id for one in alarms(session)}
    return [dag_ids[one.event_id] for one in deliveries(session) if one.why == why]


def test_the_only_alarm_of_a_dag_is_told_in_the_first_turn(dags, monkeypatch):
    small_turns(monkeypatch)
    fail_all(dags)
    look(dags)
    assert told_of(dags).count("still") == 1
    assert len(deliveries(dags)) < 10
    while look(dags):
        pass
    assert told_of(dags).count("still") == 1
    found = [(one.recipient, one.rule_id, event["task_id"]) for one in deliveries(dags)
             for event in one.content["facts"]["events"]]  # fmt: skip
    assert len(found) == len(set(found)) == MANY * 2 * 3 + 1


def test_it_is_repeated_in_the_first_turn_too(dags, monkeypatch):
    fail_all(dags, repeat={"minutes": 10, "max": 1})
    look(dags)
    small_turns(monkeypatch)
    look(dags, ago(minutes=-11))
    assert told_of(dags, "repeat").count("still") == 1


def test_what_is_held_of_one_dag_does_not_keep_the_repeats_of_another(dags, monkeypatch):
    fail_all(dags, repeat={"minutes": 10, "max": 1})
    look(dags)
    dags.execute(update(AlarmEvent).where(AlarmEvent.dag_id == "loud").values(held_until=ago(minutes=5)))
    dags.commit()
    small_turns(monkeypatch)
    look(dags, ago(minutes=-11))
    assert told_of(dags, "repeat").count("still") == 1


def test_instances_that_run_too_long_and_deadlines_take_turns(dags, monkeypatch):
    small_turns(monkeypatch)
    due = {"time": "08:00", "zone": "UTC", "days": 1}
    for kind, parameters in (("running_longer_than", {"minutes": 5}), ("not_finished_by", due)):
        for _ in range(MANY):
            rule(dags, "loud", kind, recipients=LOUD, parameters=parameters)
        rule(dags, "still", kind, parameters=parameters)
    for name in ("loud.a", "loud.b", "still.a"):
        became(dags, name, "running", end_date=None, start_date=ago(hours=1 if name == "still.a" else 2))
    look(dags)
    assert "still" in told_of(dags)
    now = ago(days=-2)
    assert "still" in {row.dag_id for row in deadlines._due_rules(dags, now)}


def line(session, channel: str = "email") -> list[AlarmDelivery]:
    """Messages in the order in which they are claimed."""
    session.expire_all()
    waiting, found = deque(), []
    while claimed := deliver._claim(session, channel, "test", ago(), waiting):
        found.append(session.get(AlarmDelivery, claimed.id))
    return found


def test_messages_are_sent_in_turn_by_dag_alarms_before_notices(dags):
    operate(dags, "set-owners", "loud.b", owners=[f"o{number}@example.com" for number in range(30)])
    operate(dags, "pause", "loud.b", notify_owners=True)
    operate(dags, "set-owners", "still.a", actor=BOB, owners=["ann@example.com"])
    operate(dags, "pause", "still.a", actor=BOB, notify_owners=True)
    fail_all(dags)
    look(dags)
    dag_ids = {one.id: one.dag_id for one in alarms(dags)}
    sent = line(dags)
    assert len(sent) == len(deliveries(dags))
    whose = [dag_ids.get(one.event_id, one.why) for one in sent]
    assert sorted(whose[:2]) == ["loud", "still"]
    assert whose[2:4] == ["notice", "notice"]
    assert [one.recipient for one in sent].index("ann@example.com") < 4
    # those of one Dag, and of one person, stay in their order
    for group in ("loud", "notice"):
        own = [one.id for one, of in zip(sent, whose, strict=True) if of == group]
        if group == "loud":
            assert own == sorted(own)


def test_who_comes_meanwhile_waits_for_one_line_at_most(dags):
    for _ in range(MANY):
        rule(dags, "loud", recipients=LOUD)
    rule(dags, "still")
    became(dags, "loud.a", "failed", max_tries=0)
    became(dags, "loud.b", "failed", max_tries=0)
    look(dags)
    waiting: deque[int] = deque()
    deliver._claim(dags, "email", "test", ago(), waiting)
    became(dags, "still.a", "failed", max_tries=0)
    look(dags)
    before = len(waiting)
    assert before < 20 < len(deliveries(dags))
    for _ in range(before + 2):
        deliver._claim(dags, "email", "test", ago(), waiting)
    dag_ids = {one.id: one.dag_id for one in alarms(dags)}
    claimed = {dag_ids[one.event_id] for one in deliveries(dags) if one.state == "sending"}
    assert claimed == {"loud", "still"}


def test_the_queries_of_a_claim_do_not_grow_with_what_waits(dags):
    rule(dags, "still")
    became(dags, "still.a", "failed", max_tries=0)
    look(dags)
    counts = []
    for name in (None, "loud.a"):
        if name:
            for _ in range(MANY):
                rule(dags, "loud", recipients=LOUD)
            became(dags, name, "failed", max_tries=0)
            look(dags)
        dags.expire_all()
        with counted_queries() as sent:
            assert deliver._claim(dags, "email", "test", ago(), deque())
        dags.commit()
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_notices_of_one_person_are_bounded_by_the_minute(dags, monkeypatch):
    monkeypatch.setattr(owner_notices, "MAX_A_MINUTE", 5)
    people = [f"o{number}@example.com" for number in range(3)]
    now = ago(minutes=5)
    operate(dags, "set-owners", "loud.a", owners=people, now=now)
    operate(dags, "pause", "loud.a", actor=EDITOR, notify_owners=True, now=now)
    with pytest.raises(Conflict, match="within a minute: 3, and this one would tell 3; at most 5"):
        operate(dags, "start", "loud.a", actor=EDITOR, notify_owners=True, now=now + timedelta(seconds=50))
    dags.rollback()
    assert len(deliveries(dags)) == 3
    # without it, by somebody else, by who may change everything, and later
    operate(dags, "start", "loud.a", actor=EDITOR, now=now + timedelta(seconds=51))
    operate(dags, "pause", "loud.a", actor=OTHER, notify_owners=True, now=now + timedelta(seconds=52))
    operate(dags, "start", "loud.a", actor=BOB, notify_owners=True, now=now + timedelta(seconds=53))
    operate(dags, "pause", "loud.a", actor=BOB, notify_owners=True, now=now + timedelta(seconds=54))
    operate(dags, "start", "loud.a", actor=EDITOR, notify_owners=True, now=now + timedelta(seconds=61))
    assert len(deliveries(dags)) == 15


def test_whether_a_name_has_an_address_does_not_matter_for_the_bound(dags, monkeypatch):
    monkeypatch.setattr(owner_notices, "MAX_A_MINUTE", 2)
    operate(dags, "set-owners", "loud.a", owners=["nobody", "no one", "none"])
    with pytest.raises(Conflict, match="at most 2"):
        operate(dags, "pause", "loud.a", actor=EDITOR, notify_owners=True)
