"""The test of a rule: one message by each channel, sent by the sender and followed by who asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState
from taskops_provider.domain.alarms.kinds import AlarmScope
from taskops_provider.exceptions import Conflict
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmDelivery
from taskops_provider.services.alarms import deliver
from taskops_provider.services.alarms.answers import RuleTestAnswer
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.listing import deliveries_by_id
from taskops_provider.services.alarms.message import alarm_content
from taskops_provider.services.alarms.new_deliveries import new_delivery
from taskops_provider.services.alarms.recipients import People, book_for, names_of
from taskops_provider.services.alarms.rules import editable_rule
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import lock_if_allowed
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.watermarks import read_watermark, write_watermark

#: tests that wait to be sent or are being sent at a time, and those of one rule in a minute
MAX_UNDER_WAY, MAX_A_MINUTE = 4, 5
#: tests of all rules in a minute
MAX_OF_ALL_A_MINUTE = 30
#: how long a test is tried: nobody looks for it any more when it comes later
TRIED_FOR = timedelta(minutes=10)
#: how long what came of a test can be looked up
KEPT_FOR = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
#: the watermark that keeps the tests that started within a minute: those that reach nobody leave no message
STARTED = "rule_tests"
_TEST = DeliveryCause.TEST.value
_WAITING, _SENDING = DeliveryState.WAITING.value, DeliveryState.SENDING.value


def start_test(session: Session, actor: Actor, rule_id: int, now: datetime) -> RuleTestAnswer:
    """Hand one message by each channel of a rule, to those it would tell, to the sender. The caller commits.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    :raises Conflict: while a test of the rule or too many others are under way, and after too many in a minute
    """
    # one after the other, so that each sees the messages of those before
    row, rule = lock_if_allowed(session, actor.name, lambda: editable_rule(session, actor, rule_id))
    people, owners = _people(session, rule)
    started = _started(session, now)
    _refuse_too_many(session, actor, rule_id, started, now)
    started.append(_Started(rule_id, now.isoformat(), is_by_name=people.names_anybody))
    write_watermark(session, STARTED, json.dumps([asdict(one) for one in started]), actor.recorded_name, now)
    released = usable_channels()
    content = alarm_content([_facts(row.id, rule, owners, now)], DeliveryCause.TEST, has_links=_has_links(rule))
    rows = [
        new_delivery(channel, recipient, content, DeliveryCause.TEST, now, by_name=people.is_by_name(recipient))
        for channel in released.usable(rule.channels)
        for recipient in (people.addresses if released.tells_people(channel) else [""])
    ]
    for one in rows:
        one.rule_id = row.id
        one.expires_at = now + TRIED_FOR
    session.add_all(rows)
    session.flush()
    return _answer(session, actor, rule_id, rule, [one.id for one in rows], people)


def last_test(session: Session, actor: Actor, rule_id: int, now: datetime) -> RuleTestAnswer:
    """Return what came of the last test of a rule so far; no deliveries if there was none within a day.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    _, rule = editable_rule(session, actor, rule_id)
    of = [
        AlarmDelivery.rule_id == rule_id,
        AlarmDelivery.why == _TEST,
        AlarmDelivery.created_at > now - KEPT_FOR,
    ]
    if not actor.permissions.may_read_addresses():
        # which test was the last one that reached somebody tells that somebody has an address
        of.append(AlarmDelivery.by_name.is_(False))
    newest = select(func.max(AlarmDelivery.created_at)).where(*of).scalar_subquery()
    ids = session.scalars(select(AlarmDelivery.id).where(*of, AlarmDelivery.created_at == newest)).all()
    people, _ = _people(session, rule)
    return _answer(session, actor, rule_id, rule, ids, people)


def send_test(session: Session, actor: Actor, rule_id: int, now: datetime) -> RuleTestAnswer:
    """Start a test, send it in this process and wait for what comes of it: for the command line, which may wait.

    It commits: the messages are sent in transactions of their own, which must find them.

    :raises TaskOpsError: as :func:`start_test`
    """
    started = start_test(session, actor, rule_id, now)
    session.commit()
    deliver.send_now([one.delivery_id for one in started.deliveries if one.delivery_id], f"test of rule {rule_id}")
    # what was read before is not what came of them
    session.rollback()
    return last_test(session, actor, rule_id, now)


@dataclass(frozen=True, slots=True)
class _Started:
    """A test that started lately.

    :param at: ISO 8601
    :param is_by_name: it was for somebody by name, whether there is an address or not
    """

    rule_id: int
    at: str
    is_by_name: bool


def _started(session: Session, now: datetime) -> list[_Started]:
    """Return the tests that started within a minute."""
    found = [_Started(**one) for one in json.loads(read_watermark(session, STARTED) or "[]")]
    return [one for one in found if datetime.fromisoformat(one.at) > now - _MINUTE]


def _refuse_too_many(session: Session, actor: Actor, rule_id: int, started: Sequence[_Started], now: datetime) -> None:
    """Keep tests from filling the queues of their channels, in which alarms wait too.

    Who may not know addresses is refused alike whether a name has one or not: what was started for somebody by name
    counts as under way for its minute, and messages that only a name led to do not count beside.
    """
    query = select(AlarmDelivery.rule_id, AlarmDelivery.state, AlarmDelivery.attempts).where(
        AlarmDelivery.created_at > now - _MINUTE, AlarmDelivery.why == _TEST
    )
    of_rule = [one for one in started if one.rule_id == rule_id]
    reads = actor.permissions.may_read_addresses()
    if not reads:
        query = query.where(AlarmDelivery.by_name.is_(False))
    under_way = {
        row.rule_id
        for row in session.execute(query)
        if row.state == _SENDING or (row.state == _WAITING and not row.attempts)
    }
    if rule_id in under_way or (not reads and any(one.is_by_name for one in of_rule)):
        raise Conflict(f"a test of alarm rule {rule_id} is under way")
    if len(under_way) >= MAX_UNDER_WAY:
        raise Conflict(f"{MAX_UNDER_WAY} tests of alarm rules are under way; try again in a minute")
    if len(started) >= MAX_OF_ALL_A_MINUTE:
        raise Conflict(f"{MAX_OF_ALL_A_MINUTE} alarm rules were tested within a minute; try again later")
    if len(of_rule) >= MAX_A_MINUTE:
        raise Conflict(f"alarm rule {rule_id} was tested {MAX_A_MINUTE} times within a minute; try again later")


def _people(session: Session, rule: Rule) -> tuple[People, list[str]]:
    """Whom a rule tells, and the owners of what it is on."""
    pair = (rule.dag_id, rule.task_id)
    owners = owners_by_key(session, [pair]) if rule.dag_id else {}
    own = owners.get(pair, [])
    names = names_of(rule.recipients, own)
    return book_for(session, [rule.recipients], owners).people(names, rule.recipients.addresses), own


def _has_links(rule: Rule) -> bool:
    return rule.scope is not AlarmScope.PROJECT


def _facts(rule_id: int, rule: Rule, owners: list[str], now: datetime) -> AlarmFacts:
    return AlarmFacts(
        rule_id=rule_id,
        rule=rule.name,
        kind=rule.kind.value,
        level=rule.level,
        project=rule.project,
        dag_id=rule.dag_id or rule.project,
        task_id=rule.task_id,
        run_id=None,
        map_index=-1,
        data_time=None,
        what=f"This is how the rule would tell that something {rule.kind.value.replace('_', ' ')}",
        at=now.isoformat(),
        fired_at=now.isoformat(),
        owners=owners,
    )


def _answer(
    session: Session, actor: Actor, rule_id: int, rule: Rule, ids: Sequence[int], people: People
) -> RuleTestAnswer:
    emails = any(map(usable_channels().tells_people, rule.channels))
    reads = actor.permissions.may_read_addresses()
    return RuleTestAnswer(
        rule_id,
        people.unreachable if emails and reads else [],
        deliveries_by_id(session, actor, ids),
    )
