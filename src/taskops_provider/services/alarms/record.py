"""Recording new alarms with their deliveries, in the transaction that found them: once, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import NO_REGION
from taskops_provider.adapter.loops import loop_regions
from taskops_provider.adapter.watch import WatchedInstance, recorded_keys
from taskops_provider.domain.alarms.deliveries import DeliveryCause
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.turns import in_turn
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmDelivery, AlarmEvent, Workflow
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.new_deliveries import AT_ONCE, alarm_deliveries
from taskops_provider.services.alarms.recipients import AddressBook, book_for, names_of
from taskops_provider.services.shared.bulk_inserts import insert_rows
from taskops_provider.services.shared.owners import owners_by_key


@dataclass(frozen=True, slots=True)
class NewAlarm:
    """What a rule found.

    :param parts: what tells it from every other alarm of the rule
    :param what: what happened, for people
    :param at: when it happened
    """

    rule_id: int
    dag_id: str
    task_id: str
    parts: tuple[object, ...]
    what: str
    at: datetime | None = None
    run_id: str | None = None
    map_index: int = -1
    region_id: UUID | None = None
    attempt: int = 0
    data_time: datetime | None = None
    replenishment_id: int | None = None

    @classmethod
    def of_instance(cls, row: WatchedInstance, what: str, at: datetime | None) -> NewAlarm:
        """What happened to an instance, each of its tries by itself."""
        region = () if row.region_id == NO_REGION else (row.region_id,)
        return cls(
            rule_id=row.rule_id,
            dag_id=row.dag_id,
            task_id=row.task_id,
            run_id=row.run_id,
            map_index=row.map_index,
            region_id=row.region_id,
            attempt=row.attempt,
            data_time=row.logical_date,
            parts=(row.run_id, row.map_index, *region, row.attempt, row.run_created_at.isoformat()),
            what=what,
            at=at,
        )

    @property
    def key(self) -> str:
        """The same for the same alarm, whoever finds it."""
        parts = (self.dag_id, self.task_id, *self.parts)
        return sha256("\0".join(map(str, parts)).encode()).hexdigest()[:40]


def record_alarms(session: Session, found: Sequence[NewAlarm], rules: Mapping[int, Rule], now: datetime) -> int:
    """Record the alarms that are new, with their deliveries; return how many. The number of queries is constant.

    :param rules: all that the alarms name
    """
    fresh = {(alarm.rule_id, alarm.key): alarm for alarm in found}
    if fresh:
        recorded = recorded_keys(session, [rule_id for rule_id, _ in fresh], [key for _, key in fresh])
        fresh = {name: alarm for name, alarm in fresh.items() if name not in recorded}
    if not fresh:
        return 0
    alarms = list(fresh.values())
    owners = owners_by_key(session, {(alarm.dag_id, alarm.task_id) for alarm in alarms})
    projects = _projects(session, {alarm.dag_id for alarm in alarms})
    book = book_for(session, [rules[alarm.rule_id].recipients for alarm in alarms], owners)
    loops = loop_regions(session, ((alarm.task_id, alarm.region_id or NO_REGION) for alarm in alarms))
    rows = []
    for alarm in alarms:
        rule = rules[alarm.rule_id]
        own = owners.get((alarm.dag_id, alarm.task_id), [])
        facts = _facts(alarm, rule, own, projects.get(alarm.dag_id, ""), now)
        if region := loops.get(alarm.region_id or NO_REGION):
            facts = replace(facts, iteration=region.iteration(alarm.map_index))
        rows.append(_row(alarm, rule, facts, book, now))
    session.add_all(rows)
    session.flush()
    deliveries: list[AlarmDelivery] = []
    # many alarms of one Dag leave room for those of others
    for row in in_turn(rows, lambda row: row.dag_id):
        if row.held_until is not None:
            continue
        if len(deliveries) >= AT_ONCE:
            # those behind it are told in the next turns, those of a rule together: nothing else waits for them
            row.held_until = now
        else:
            rule = rules[row.rule_id]
            deliveries += alarm_deliveries(rule, [row], rule.recipients, book, DeliveryCause.ALARM, now)
    insert_rows(session, deliveries)
    return len(rows)


def _projects(session: Session, dag_ids: Collection[str]) -> dict[str, str]:
    query = select(Workflow.dag_id, Workflow.project).where(Workflow.dag_id.in_(sorted(dag_ids)))
    return {row.dag_id: row.project for row in session.execute(query)}


def _facts(alarm: NewAlarm, rule: Rule, owners: list[str], project: str, now: datetime) -> AlarmFacts:
    return AlarmFacts(
        rule_id=alarm.rule_id,
        rule=rule.name,
        kind=rule.kind.value,
        level=rule.level,
        project=project,
        dag_id=alarm.dag_id,
        task_id=alarm.task_id,
        run_id=alarm.run_id,
        map_index=alarm.map_index,
        data_time=alarm.data_time.isoformat() if alarm.data_time else None,
        what=alarm.what,
        at=(alarm.at or now).isoformat(),
        fired_at=now.isoformat(),
        owners=owners,
        replenishment_id=alarm.replenishment_id,
    )


def _row(alarm: NewAlarm, rule: Rule, facts: AlarmFacts, book: AddressBook, now: datetime) -> AlarmEvent:
    held_until = rule.quiet.until(now, rule.level) if rule.quiet else None
    told_at = held_until or now
    needs_addresses = any(map(usable_channels().tells_people, rule.channels))
    names = names_of(rule.recipients, facts.owners) if needs_addresses else []
    return AlarmEvent(
        rule_id=alarm.rule_id,
        key=alarm.key,
        dag_id=alarm.dag_id,
        task_id=alarm.task_id,
        run_id=alarm.run_id,
        map_index=alarm.map_index,
        region_id=alarm.region_id,
        attempt=alarm.attempt,
        data_time=alarm.data_time,
        kind=rule.kind.value,
        level=rule.level,
        facts=to_plain_data(facts),
        fired_at=now,
        unreachable=book.people(names).unreachable,
        held_until=held_until,
        repeats=0,
        next_repeat_at=told_at + timedelta(minutes=rule.repeat.minutes) if rule.repeat else None,
        escalates_at=told_at + timedelta(minutes=rule.escalation.after) if rule.escalation else None,
    )
