"""Alarm rules in the database: rows read as rules, rules written into rows."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.kinds import DEADLINES, LEVELS, AlarmScope, Kind
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.inputs.alarms.parameters import Failed, NoParameters
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.inputs.alarms.rule import Rule, RuleCreate
from taskops_provider.models import AlarmRule

log = logging.getLogger(__name__)


def rule_of(row: AlarmRule) -> Rule:
    """Return the rule that a row holds; one that is not valid any more is set aside, with its :attr:`Rule.problem`.

    A row may have been written by another version, or by hand: it must not keep the others from being read.
    """
    try:
        return _read(row)
    except (BadInput, AttributeError, KeyError, TypeError, ValueError) as error:
        problem = str(error) if isinstance(error, BadInput) else "its body cannot be read"
        log.warning("TaskOps set alarm rule %s aside: %s", row.id, problem)
        return _set_aside(row, problem)


def _set_aside(row: AlarmRule, problem: str) -> Rule:
    is_on_task = bool(row.dag_id and row.task_id)
    scope = AlarmScope.TASK if is_on_task else AlarmScope.WORKFLOW if row.dag_id else AlarmScope.PROJECT
    kind = Kind(row.kind) if row.kind in set(Kind) else Kind.FAILED
    return Rule(
        name=row.name,
        scope=scope,
        dag_id=row.dag_id,
        task_id=row.task_id if row.dag_id else "",
        project="" if row.dag_id else row.project,
        kind=kind,
        level=row.level if row.level in LEVELS else LEVELS[0],
        parameters=Failed() if kind is Kind.FAILED else NoParameters(),
        recipients=Recipients(),
        channels=(),
        quiet_hours=None,
        repeat=None,
        escalation=None,
        enabled=row.enabled,
        problem=problem,
    )


def _read(row: AlarmRule) -> Rule:
    return RuleCreate.read(
        {
            "name": row.name,
            "scope": row.scope,
            "dag_id": row.dag_id or None,
            "task_id": row.task_id or None,
            "project": row.project or None,
            "kind": row.kind,
            "level": row.level,
            "enabled": row.enabled,
            **row.body,
            "channels": [Channel.stored(one) for one in row.body.get("channels", ())],
        }
    ).rule()


def load_rules(session: Session, ids: Collection[int]) -> dict[int, Rule]:
    """Return rules by id, without those that are set aside: one query."""
    query = select(AlarmRule).where(AlarmRule.id.in_(sorted(set(ids))))
    found = ((row.id, rule_of(row)) for row in session.scalars(query))
    return {number: rule for number, rule in found if rule.problem is None}


def new_row(rule: Rule, by: str, now: datetime) -> AlarmRule:
    """Return the row of a new rule; what ended before is not seen."""
    row = AlarmRule(created_at=now, created_by=by, version=1)
    _fill(row, rule, by, now)
    _watch_from(row, rule, now)
    return row


def change_row(row: AlarmRule, before: Rule, rule: Rule, by: str, now: datetime) -> None:
    """Write a changed rule into its row. If it looks for something else, or is enabled again, what ended before is not
    seen.
    """
    _fill(row, rule, by, now)
    if rule.watches != before.watches or (rule.enabled and not before.enabled):
        _watch_from(row, rule, now)
    row.version += 1


def _fill(row: AlarmRule, rule: Rule, by: str, now: datetime) -> None:
    row.name = rule.name
    row.scope = rule.scope.value
    row.dag_id, row.task_id, row.project = rule.dag_id, rule.task_id, rule.project
    row.kind = rule.kind.value
    row.on = rule.failed_on or ""
    row.level = rule.level
    row.body = rule.body()
    row.enabled = rule.enabled
    row.changed_at, row.changed_by = now, by


def _watch_from(row: AlarmRule, rule: Rule, now: datetime) -> None:
    row.active_since = now
    row.next_due_at = rule.due_by.deadline.after(now) if rule.kind in DEADLINES else None
