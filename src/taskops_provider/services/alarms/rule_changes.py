"""Changes of alarm rules: make, change, delete, one or many at once. The caller commits; all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, notifiers
from taskops_provider.domain.alarms import DEADLINES, AlarmScope, Rule, read_rule
from taskops_provider.domain.operations import Item, OperationOutcome, Outcome, Target
from taskops_provider.exceptions import BadInput, Forbidden, NotFound
from taskops_provider.models import AlarmRule, Operation, Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_rules import check_editable, editable_rule, editable_rules, rule_json
from taskops_provider.services.pairs import Pair, chunks, matches
from taskops_provider.services.recording import record_items

#: rules that are made, changed or deleted at once
MAX_RULES = 1000
#: fields of a rule that a change may name
FIELDS = (
    *("name", "scope", "dag_id", "task_id", "project", "kind", "level", "parameters", "recipients", "channels"),
    *("quiet_hours", "repeat", "escalation", "enabled"),
)


def create_rule(session: Session, actor: Actor, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Make a rule; what ended before is not seen.

    :raises BadInput: one line, for a rule that cannot be
    :raises NotFound: for a task, workflow or project that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit it
    """
    _refuse_unknown_fields(given)
    return _create(session, actor, [read_rule(given)], now)[0]


def create_rules(
    session: Session, actor: Actor, given: Mapping[str, Any], targets: Collection[Target], now: datetime
) -> list[dict[str, Any]]:
    """Make the same rule on each of some tasks or workflows; a constant number of queries for each 400.

    :param given: the rule, without what it is on
    :raises BadInput: one line, for a rule that cannot be, for more than ``MAX_RULES`` targets
    :raises NotFound: for a task or workflow that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one of them
    """
    _refuse_unknown_fields(given)
    if len(targets) > MAX_RULES:
        told = f"{len(targets):,} rules would be made; at most {MAX_RULES:,} are at once"
        raise BadInput(f"{told}: a rule on a workflow watches each of its tasks")
    first, *_ = targets
    rule = read_rule({**given, "dag_id": first.dag_id, "task_id": first.task_id or None})
    return _create(session, actor, [_on(rule, target) for target in targets], now)


def _on(rule: Rule, target: Target) -> Rule:
    scope = AlarmScope.TASK if target.task_id else AlarmScope.WORKFLOW
    return replace(rule, scope=scope, dag_id=target.dag_id, task_id=target.task_id)


def _create(session: Session, actor: Actor, rules: Sequence[Rule], now: datetime) -> list[dict[str, Any]]:
    _check_targets(session, actor, rules)
    # they differ in what they are on alone
    _check_channels(actor, rules[0], before=None)
    rows = _insert(session, actor, rules, now)
    _record(session, actor, "alarm-create", rows, now)
    return [rule_json(row) for row in rows]


def _insert(session: Session, actor: Actor, rules: Sequence[Rule], now: datetime) -> list[AlarmRule]:
    """Write rules, however many with three queries, and return their rows."""
    newest = session.scalar(select(func.max(AlarmRule.id))) or 0
    made = {"created_at": now, "created_by": actor.name[:250], "version": 1}
    session.execute(insert(AlarmRule), [made | _columns(rule, actor, now) | _watches_from(rule, now) for rule in rules])
    # somebody else's, of the same moment, are not ours
    of_now = (AlarmRule.id > newest, AlarmRule.created_at == now, AlarmRule.created_by == made["created_by"])
    return list(session.scalars(select(AlarmRule).where(*of_now).order_by(AlarmRule.id)))


def update_rule(
    session: Session, actor: Actor, rule_id: int, changes: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Change the fields that are named, each as a whole.

    Where it looks for something else now, or is enabled again, what ended before is not seen.

    :raises BadInput: one line, for a rule that cannot be
    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is, or would be, on
    """
    _refuse_unknown_fields(changes)
    row, before = editable_rule(session, actor, rule_id)
    given = {**before.as_json(), **changes}
    if "kind" in changes and changes["kind"] != before.kind and "parameters" not in changes:
        given["parameters"] = {}
    rule = read_rule(given)
    if rule == before:
        return rule_json(row)
    _check_targets(session, actor, [rule])
    _check_channels(actor, rule, before)
    _change(row, before, rule, actor, now)
    session.flush()
    _record(session, actor, "alarm-update", [row], now)
    return rule_json(row)


def enable_rules(
    session: Session, actor: Actor, rule_ids: Collection[int], now: datetime, *, enabled: bool
) -> list[dict[str, Any]]:
    """Enable or disable rules, and return those that were not so before; enabled again, they see what ends from now on.

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what one of them is on
    """
    found = [(row, rule) for row, rule in editable_rules(session, actor, rule_ids) if rule.enabled is not enabled]
    for row, rule in found:
        _change(row, rule, replace(rule, enabled=enabled), actor, now)
    session.flush()
    if found:
        _record(session, actor, "alarm-update", [row for row, _ in found], now)
    return [rule_json(row) for row, _ in found]


def delete_rule(session: Session, actor: Actor, rule_id: int, now: datetime) -> dict[str, Any]:
    """Delete a rule and return it; its firings stay, and are not repeated any more.

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    return delete_rules(session, actor, [rule_id], now)[0]


def delete_rules(session: Session, actor: Actor, rule_ids: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Delete rules and return them, as :func:`delete_rule` does one.

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what one of them is on
    """
    rows = [row for row, _ in editable_rules(session, actor, rule_ids)]
    shown = [rule_json(row) for row in rows]
    _record(session, actor, "alarm-delete", rows, now)
    for row in rows:
        session.delete(row)
    session.flush()
    return shown


def _refuse_unknown_fields(given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise BadInput(f"a rule has no {unknown[0]!r}; allowed are {', '.join(FIELDS)}")


def _check_channels(actor: Actor, rule: Rule, before: Rule | None) -> None:
    had = {channel.channel: channel for channel in before.channels} if before else {}
    for channel in rule.channels:
        # a class runs in the API server, or in the monitor
        is_new = had.get(channel.channel) != channel
        if channel.is_site_class and is_new and not actor.permissions.may_change_settings():
            raise Forbidden("a notifier of your own choice needs the permission to edit every Dag")
        notifiers.check_channel(channel)


def check_targets(session: Session, actor: Actor, targets: Collection[Target]) -> None:
    """Refuse tasks and workflows that the actor may not make rules on.

    :raises NotFound: for what does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one of them
    """
    _check_there(session, actor, {(target.dag_id, target.task_id) for target in targets})
    check_editable(actor, {(target.dag_id, "") for target in targets})


def _check_targets(session: Session, actor: Actor, rules: Collection[Rule]) -> None:
    for project in sorted({rule.project for rule in rules if rule.scope is AlarmScope.PROJECT}):
        _check_project(session, actor, project)
    _check_there(session, actor, {(rule.dag_id, rule.task_id) for rule in rules if rule.dag_id})
    check_editable(actor, {(rule.dag_id, rule.project) for rule in rules})


def _check_there(session: Session, actor: Actor, pairs: Collection[Pair]) -> None:
    """Refuse what does not exist, or may not be seen; a workflow as such has no task_id."""
    dag_ids = {dag_id for dag_id, _ in pairs}
    there: set[str] = set()
    for some in chunks([(dag_id, "") for dag_id in dag_ids]):
        found = session.scalars(select(Workflow.dag_id).where(Workflow.dag_id.in_([dag_id for dag_id, _ in some])))
        there.update(dag_id for dag_id in found if actor.may_read(dag_id))
    if missing := sorted(dag_ids - there):
        raise NotFound(f"Dag {missing[0]!r} does not exist; `airflow taskops sync` reads new Dags in")
    tasks = {pair for pair in pairs if pair[1]}
    for some in chunks(tasks):
        known = session.execute(select(Task.dag_id, Task.task_id).where(matches(Task.dag_id, Task.task_id, some)))
        tasks.difference_update((row.dag_id, row.task_id) for row in known)
    if tasks:
        dag_id, task_id = min(tasks)
        raise NotFound(f"task {task_id!r} of Dag {dag_id!r} does not exist")


def _check_project(session: Session, actor: Actor, project: str) -> None:
    query = select(Workflow.project).distinct()
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(Workflow.dag_id.in_(sorted(readable)))
    projects = sorted(session.scalars(query))
    if project not in projects:
        raise NotFound(f"project {project!r} does not exist; there are {', '.join(projects) or 'none yet'}")


def _change(row: AlarmRule, before: Rule, rule: Rule, actor: Actor, now: datetime) -> None:
    values = _columns(rule, actor, now)
    if rule.watches != before.watches or (rule.enabled and not before.enabled):
        values |= _watches_from(rule, now)
    for name, value in values.items():
        setattr(row, name, value)
    row.version += 1


def _columns(rule: Rule, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "name": rule.name,
        "scope": rule.scope.value,
        "dag_id": rule.dag_id,
        "task_id": rule.task_id,
        "project": rule.project,
        "kind": rule.kind.value,
        "on": str(rule.parameters.get("on", "")),
        "level": rule.level,
        "body": rule.body(),
        "enabled": rule.enabled,
        "changed_at": now,
        "changed_by": actor.name[:250],
    }


def _watches_from(rule: Rule, now: datetime) -> dict[str, Any]:
    """What ended before is not seen."""
    return {"active_since": now, "next_due_at": rule.deadline().after(now) if rule.kind in DEADLINES else None}


def _record(session: Session, actor: Actor, verb: str, rows: Sequence[AlarmRule], now: datetime) -> None:
    """Keep it as one operation, as every change, and write it to Airflow's audit log."""
    first = rows[0]
    about = {"rule_id": first.id, "kind": first.kind} if len(rows) == 1 else {"rule_ids": [row.id for row in rows]}
    projects = sorted({row.project for row in rows if row.project})
    targets = dict.fromkeys((row.dag_id, row.task_id) for row in rows if row.dag_id)
    operation = Operation(
        verb=verb,
        scope=first.scope,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options={**about, **({"projects": projects} if projects and not targets else {})},
        outcome=OperationOutcome.SUCCESS.value,
        applied=len(targets) or 1,
        left_alone=0,
        blocked=0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, [Item(*target, Outcome.APPLIED) for target in targets])
    audit.write(
        session,
        event=f"taskops.{verb}",
        actor=actor.name,
        at=now,
        entries=[
            (
                row.dag_id or None,
                row.task_id or None,
                {"rule_id": row.id, "kind": row.kind, "project": row.project or None, "source": actor.source},
            )
            for row in rows
        ],
    )
