"""Alarm rules: create, list, show, change, delete. Reading needs read access to the Dag, changing edit access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, notifiers
from taskops_provider.domain.alarms import DEADLINES, AlarmScope, Kind, Rule, read_rule
from taskops_provider.domain.operations import Item, OperationOutcome, Outcome
from taskops_provider.exceptions import BadInput, Forbidden, NotFound
from taskops_provider.models import AlarmRule, Operation, Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_fire import rule_of
from taskops_provider.services.operations import record_items
from taskops_provider.services.paging import Page, check_page

#: fields of a rule that a change may name
FIELDS = (
    *("name", "scope", "dag_id", "task_id", "project", "kind", "level", "parameters", "recipients", "channels"),
    *("quiet_hours", "repeat", "escalation", "enabled"),
)


@dataclass(frozen=True)
class RuleFilter:
    """Which rules. Several fields mean all of them.

    :param dag_id: those on the workflow and on its tasks
    :param kinds: any of these
    """

    dag_id: str = ""
    task_id: str = ""
    project: str = ""
    kinds: tuple[str, ...] = ()
    enabled: bool | None = None


def rule_json(row: AlarmRule) -> dict[str, Any]:
    """A rule as every surface shows it."""
    return {
        "rule_id": row.id,
        **rule_of(row).as_json(),
        "version": row.version,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    }


def create_rule(session: Session, actor: Actor, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Make a rule; what ended before is not seen. The caller commits.

    :raises BadInput: one line, for a rule that cannot be
    :raises NotFound: for a task, workflow or project that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit it
    """
    _refuse_unknown_fields(given)
    rule = read_rule(given)
    _check(session, actor, rule, before=None)
    row = AlarmRule(created_at=now, created_by=actor.name[:250], version=1)
    _store(row, rule, actor, now, anew=True)
    session.add(row)
    session.flush()
    _record(session, actor, "alarm-create", row, now)
    return rule_json(row)


def update_rule(
    session: Session, actor: Actor, rule_id: int, changes: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Change the fields that are named, each as a whole. The caller commits.

    Where it looks for something else now, or is enabled again, what ended before is not seen.

    :raises BadInput: one line, for a rule that cannot be
    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is, or would be, on
    """
    _refuse_unknown_fields(changes)
    row = _get(session, actor, rule_id)
    before = rule_of(row)
    _check_editable(actor, before)
    given = {**before.as_json(), **changes}
    if "kind" in changes and changes["kind"] != before.kind and "parameters" not in changes:
        given["parameters"] = {}
    rule = read_rule(given)
    if rule == before:
        return rule_json(row)
    _check(session, actor, rule, before=before)
    _store(row, rule, actor, now, anew=rule.watches != before.watches or (rule.enabled and not before.enabled))
    row.version += 1
    session.flush()
    _record(session, actor, "alarm-update", row, now)
    return rule_json(row)


def delete_rule(session: Session, actor: Actor, rule_id: int, now: datetime) -> dict[str, Any]:
    """Delete a rule and return it; its firings stay, and are not repeated any more. The caller commits.

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    row = _get(session, actor, rule_id)
    _check_editable(actor, rule_of(row))
    shown = rule_json(row)
    _record(session, actor, "alarm-delete", row, now)
    session.delete(row)
    session.flush()
    return shown


def show_rule(session: Session, actor: Actor, rule_id: int) -> dict[str, Any]:
    """Return one rule.

    :raises NotFound: where there is no such rule, or it may not be seen
    """
    return rule_json(_get(session, actor, rule_id))


def list_rules(
    session: Session, actor: Actor, where: RuleFilter, *, limit: int, offset: int = 0
) -> Page[dict[str, Any]]:
    """Return rules, the newest first. A constant number of queries.

    :raises BadInput: for an unknown kind, a negative limit or offset
    """
    check_page(limit, offset)
    for kind in where.kinds:
        if kind not in set(Kind):
            raise BadInput(f"kind {kind!r} does not exist; allowed are {', '.join(one.value for one in Kind)}")
    query = _visible(select(AlarmRule), actor)
    for column, value in (
        (AlarmRule.dag_id, where.dag_id),
        (AlarmRule.task_id, where.task_id),
        (AlarmRule.project, where.project),
    ):
        if value:
            query = query.where(column == value)
    if where.kinds:
        query = query.where(AlarmRule.kind.in_(where.kinds))
    if where.enabled is not None:
        query = query.where(AlarmRule.enabled.is_(where.enabled))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    found = session.scalars(query.order_by(AlarmRule.id.desc()).limit(limit).offset(offset))
    return Page([rule_json(row) for row in found], total, limit, offset)


def editable_rule(session: Session, actor: Actor, rule_id: int) -> tuple[AlarmRule, Rule]:
    """Return one rule that the actor may change.

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    row = _get(session, actor, rule_id)
    rule = rule_of(row)
    _check_editable(actor, rule)
    return row, rule


def _get(session: Session, actor: Actor, rule_id: int) -> AlarmRule:
    found = session.scalar(_visible(select(AlarmRule), actor).where(AlarmRule.id == rule_id))
    if found is None:
        raise NotFound(f"alarm rule {rule_id} does not exist")
    return found


def _visible(query: Select[Any], actor: Actor) -> Select[Any]:
    """Rules on what the actor may read; those on a project where they may read a workflow of it."""
    readable = actor.permissions.readable()
    if readable is None:
        return query
    projects = select(Workflow.project).where(Workflow.dag_id.in_(sorted(readable)))
    of_dags: ColumnElement[bool] = AlarmRule.dag_id.in_(sorted(readable)) if readable else false()
    return query.where(or_(of_dags, and_(AlarmRule.dag_id == "", AlarmRule.project.in_(projects))))


def _refuse_unknown_fields(given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise BadInput(f"a rule has no {unknown[0]!r}; allowed are {', '.join(FIELDS)}")


def _check(session: Session, actor: Actor, rule: Rule, before: Rule | None) -> None:
    _check_there(session, actor, rule)
    _check_editable(actor, rule)
    had = {channel.channel: channel for channel in before.channels} if before else {}
    for channel in rule.channels:
        # a class runs in the API server, or in the monitor
        is_new = had.get(channel.channel) != channel
        if channel.is_site_class and is_new and not actor.permissions.may_change_settings():
            raise Forbidden("a notifier of your own choice needs the permission to edit every Dag")
        notifiers.check_channel(channel)


def _check_there(session: Session, actor: Actor, rule: Rule) -> None:
    if rule.scope is AlarmScope.PROJECT:
        query = select(Workflow.project).distinct()
        readable = actor.permissions.readable()
        if readable is not None:
            query = query.where(Workflow.dag_id.in_(sorted(readable)))
        projects = sorted(session.scalars(query))
        if rule.project not in projects:
            raise NotFound(f"project {rule.project!r} does not exist; there are {', '.join(projects) or 'none yet'}")
        return
    there = session.scalar(select(Workflow.dag_id).where(Workflow.dag_id == rule.dag_id))
    if there is None or not actor.may_read(rule.dag_id):
        raise NotFound(f"Dag {rule.dag_id!r} does not exist; `airflow taskops sync` reads new Dags in")
    if rule.scope is AlarmScope.TASK:
        found = select(Task.task_id).where(Task.dag_id == rule.dag_id, Task.task_id == rule.task_id)
        if session.scalar(found) is None:
            raise NotFound(f"task {rule.task_id!r} of Dag {rule.dag_id!r} does not exist")


def _check_editable(actor: Actor, rule: Rule) -> None:
    if rule.scope is AlarmScope.PROJECT:
        if not actor.permissions.may_change_settings():
            raise Forbidden("a rule on a project needs the permission to edit every Dag")
    elif not actor.permissions.editable([rule.dag_id]):
        raise Forbidden(f"you may not change rules of Dag {rule.dag_id!r}")


def _store(row: AlarmRule, rule: Rule, actor: Actor, now: datetime, *, anew: bool) -> None:
    row.name, row.scope, row.kind, row.level = rule.name, rule.scope.value, rule.kind.value, rule.level
    row.dag_id, row.task_id, row.project = rule.dag_id, rule.task_id, rule.project
    row.on = str(rule.parameters.get("on", ""))
    row.body = rule.body()
    row.enabled = rule.enabled
    row.changed_at, row.changed_by = now, actor.name[:250]
    if anew:
        row.active_since = now
        row.next_due_at = rule.deadline().after(now) if rule.kind in DEADLINES else None


def _record(session: Session, actor: Actor, verb: str, row: AlarmRule, now: datetime) -> None:
    """Keep it as an operation, as every change, and write it to Airflow's audit log."""
    operation = Operation(
        verb=verb,
        scope=row.scope,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options={"rule_id": row.id, "kind": row.kind, **({"projects": [row.project]} if row.project else {})},
        outcome=OperationOutcome.SUCCESS.value,
        applied=1,
        left_alone=0,
        blocked=0,
    )
    session.add(operation)
    session.flush()
    items = [Item(row.dag_id, row.task_id, Outcome.APPLIED)] if row.dag_id else []
    record_items(session, operation.id, items)
    told = {"rule_id": row.id, "kind": row.kind, "project": row.project or None, "source": actor.source}
    entries = [(row.dag_id or None, row.task_id or None, told)]
    audit.write(session, event=f"taskops.{verb}", actor=actor.name, at=now, entries=entries)
