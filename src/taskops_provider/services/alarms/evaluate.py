"""The monitor's step of alarms: evaluate the rules, record new alarms and what follows on old ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.adapter.watch import WatchedInstance
from taskops_provider.domain.alarms.kinds import DEADLINES, REPLENISHMENTS, FailedOn, Kind
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmRule
from taskops_provider.services.alarms.deadlines import missed_deadlines
from taskops_provider.services.alarms.durations import running_too_long
from taskops_provider.services.alarms.follow_up import follow_up
from taskops_provider.services.alarms.record import NewAlarm, record_alarms
from taskops_provider.services.alarms.replenishments import ended_replenishments
from taskops_provider.services.alarms.stored_rules import load_rules
from taskops_provider.services.shared.durations import span
from taskops_provider.services.shared.watermarks import read_watermark, write_watermark

#: how far each evaluation goes back behind the last one: clocks differ, and transactions commit late
OVERLAP = timedelta(minutes=10)
#: rows that one evaluation takes up; the rest is left to the next
AT_ONCE = 5000
#: the watermark that keeps when the rules were last evaluated
EVALUATED_AT = "alarms_looked_at"

_ENDED = {Kind.FAILED, Kind.SUCCEEDED}


def evaluate(session: Session, now: datetime) -> bool:
    """Evaluate all rules once; return whether there is anything new to tell. The caller commits."""
    follows = follow_up(session, now)
    kinds = set(session.scalars(select(AlarmRule.kind).where(AlarmRule.enabled.is_(True)).distinct()))
    if not kinds:
        return follows
    since = _evaluated_at(session, now) - OVERLAP
    found: list[NewAlarm] = []
    rules: dict[int, Rule] = {}
    is_whole = True
    if kinds & _ENDED:
        rows = watch.ended(session, since, AT_ONCE)
        is_whole = len(rows) < AT_ONCE
        found, rules = _ended_instances(session, rows)
    if Kind.RUNNING_LONGER_THAN in kinds:
        more, their_rules = running_too_long(session, now, AT_ONCE)
        found, rules = found + more, rules | their_rules
    if kinds & set(DEADLINES):
        more, their_rules = missed_deadlines(session, now)
        found, rules = found + more, rules | their_rules
    if kinds & set(REPLENISHMENTS):
        more, their_rules = ended_replenishments(session, since)
        found, rules = found + more, rules | their_rules
    recorded = record_alarms(session, found, rules, now)
    if is_whole:
        write_watermark(session, EVALUATED_AT, now.isoformat(), "monitor", now)
    return bool(recorded) or follows


def _evaluated_at(session: Session, now: datetime) -> datetime:
    value = read_watermark(session, EVALUATED_AT)
    return datetime.fromisoformat(value) if value else now


def _ended_instances(session: Session, rows: Sequence[WatchedInstance]) -> tuple[list[NewAlarm], dict[int, Rule]]:
    """Return the alarms of instances that failed or succeeded, and their rules: one query."""
    rules = load_rules(session, {row.rule_id for row in rows}) if rows else {}
    return [_ended_instance(row, rules[row.rule_id]) for row in rows if row.rule_id in rules], rules


def _ended_instance(row: WatchedInstance, rule: Rule) -> NewAlarm:
    took = f" after {span(row.end_date - row.start_date)}" if row.start_date and row.end_date else ""
    tries = f", try {row.try_number}" if row.try_number else ""
    if rule.kind is Kind.SUCCEEDED:
        what = f"Succeeded{took}{tries}"
    elif rule.failed_on is FailedOn.FIRST_FAILURE and row.try_number <= row.max_tries:
        what = f"Failed{took}{tries}, and is tried again"
    else:
        what = f"Failed{took}{tries}, and is not tried again"
    return NewAlarm.of_instance(row, what, row.end_date)
