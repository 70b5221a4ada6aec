"""The monitor's step of alarms: look, write down what fired and what is to be said again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.domain.alarms import Kind, On, Rule
from taskops_provider.models import AlarmRule, Setting
from taskops_provider.services import alarm_follow
from taskops_provider.services.alarm_deadlines import late
from taskops_provider.services.alarm_durations import too_long
from taskops_provider.services.alarm_fire import Firing, fire, load_rules
from taskops_provider.services.alarm_replenishments import replenished
from taskops_provider.services.health import span

#: how far each look goes back behind the last one: clocks differ, and transactions commit late
OVERLAP = timedelta(minutes=10)
#: rows that one look takes up; the rest is left to the next
AT_ONCE = 5000
#: of the setting that keeps when was looked last
LOOKED_AT = "alarms_looked_at"


def step(session: Session, now: datetime) -> bool:
    """Look once; tell whether anything fired or is to be said again. The caller commits."""
    said = alarm_follow.step(session, now)
    kinds = set(session.scalars(select(AlarmRule.kind).where(AlarmRule.enabled.is_(True)).distinct()))
    if not kinds:
        return said
    since = _looked_at(session, now) - OVERLAP
    firings: list[Firing] = []
    rules: dict[int, Rule] = {}
    whole = True
    if kinds & {Kind.FAILED, Kind.SUCCEEDED}:
        rows = watch.ended(session, since, AT_ONCE)
        whole = len(rows) < AT_ONCE
        rules |= load_rules(session, {row.rule_id for row in rows}) if rows else {}
        firings += [_ended(row, rules[row.rule_id]) for row in rows]
    if Kind.RUNNING_LONGER_THAN in kinds:
        found, more = too_long(session, now, AT_ONCE)
        firings, rules = firings + found, rules | more
    if kinds & {Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY}:
        found, more = late(session, now)
        firings, rules = firings + found, rules | more
    if kinds & {Kind.REPLENISHMENT_FAILED, Kind.REPLENISHMENT_SUCCEEDED}:
        found, more = replenished(session, since)
        firings, rules = firings + found, rules | more
    fired = fire(session, firings, rules, now)
    if whole:
        _keep(session, now)
    return bool(fired) or said


def _looked_at(session: Session, now: datetime) -> datetime:
    value = session.scalar(select(Setting.value).where(Setting.project == "", Setting.name == LOOKED_AT))
    return datetime.fromisoformat(value) if value else now


def _keep(session: Session, now: datetime) -> None:
    session.execute(delete(Setting).where(Setting.project == "", Setting.name == LOOKED_AT))
    values = {"project": "", "name": LOOKED_AT, "value": now.isoformat(), "changed_at": now, "changed_by": "monitor"}
    session.execute(insert(Setting), values)


def _ended(row: Any, rule: Rule) -> Firing:
    took = f" after {span(row.end_date - row.start_date)}" if row.start_date and row.end_date else ""
    tries = f", try {row.try_number}" if row.try_number else ""
    if rule.kind is Kind.SUCCEEDED:
        what = f"Succeeded{took}{tries}"
    elif rule.parameters["on"] == On.FIRST_FAILURE and row.try_number <= row.max_tries:
        what = f"Failed{took}{tries}, and is tried again"
    else:
        what = f"Failed{took}{tries}, and is not tried again"
    return Firing(
        rule_id=row.rule_id,
        dag_id=row.dag_id,
        task_id=row.task_id,
        run_id=row.run_id,
        map_index=row.map_index,
        attempt=row.attempt,
        data_time=row.logical_date,
        parts=(row.run_id, row.map_index, row.attempt),
        what=what,
        at=row.end_date,
    )
