"""Changes of alarm rules: make, change, delete, one or many at once. The caller commits; all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, notifiers
from taskops_provider.domain.alarms.kinds import AlarmScope
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.operations.targets import Target
from taskops_provider.exceptions import BadInput, Conflict, ResourceNotFound
from taskops_provider.inputs.alarms.rule import Rule, RuleChange
from taskops_provider.models import AlarmRule, Operation, Task, Workflow
from taskops_provider.services.alarms.answers import RuleAnswer
from taskops_provider.services.alarms.channels import released_channels
from taskops_provider.services.alarms.rules import (
    check_editable,
    editable_rule,
    editable_rules,
    rule_answer,
    rule_answers,
)
from taskops_provider.services.alarms.stored_rules import change_row, new_row
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.bulk_inserts import insert_returning
from taskops_provider.services.shared.locks import lock_if_allowed
from taskops_provider.services.shared.recording import record_items
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

#: rules that are made, changed or deleted at once
MAX_RULES = 1000
#: rules on one workflow with its tasks, or on one project
MAX_ON_ONE = 2_000


def create_rule(session: Session, actor: Actor, rule: Rule, now: datetime) -> RuleAnswer:
    """Make a rule; what ended before is not seen.

    :raises BadInput: one line, for a channel that nobody released
    :raises ResourceNotFound: for a task, workflow or project that does not exist, or that the actor may not see
    :raises Forbidden: if the actor may not edit it
    :raises Conflict: if there are too many on it
    """
    return _create(session, actor, [rule], now)[0]


def create_rules(
    session: Session, actor: Actor, rule: Rule, targets: Collection[Target], now: datetime
) -> list[RuleAnswer]:
    """Make the same rule on each of some tasks or workflows; a constant number of queries for each 400.

    :param rule: what it is on does not count
    :raises BadInput: one line, for a channel that this installation does not have, for more than ``MAX_RULES`` targets
    :raises ResourceNotFound: for a task or workflow that does not exist, or that the actor may not see
    :raises Forbidden: if the actor may not edit one of them
    """
    if len(targets) > MAX_RULES:
        told = f"{len(targets):,} rules would be made; at most {MAX_RULES:,} are at once"
        raise BadInput(f"{told}: a rule on a workflow watches each of its tasks")
    return _create(session, actor, [rule.on(target.dag_id, target.task_id) for target in targets], now)


def _create(session: Session, actor: Actor, rules: Sequence[Rule], now: datetime) -> list[RuleAnswer]:
    # one after the other, so that each counts the rules of those before
    lock_if_allowed(session, actor.name, lambda: _check_targets(session, actor, rules))
    # they differ in what they are on alone
    _check_channels(rules[0], before=None)
    _refuse_too_many(session, rules)
    rows = insert_returning(session, [new_row(rule, actor.recorded_name, now) for rule in rules])
    _record(session, actor, "alarm-create", rows, now)
    return rule_answers(session, actor, rows)


def _refuse_too_many(session: Session, rules: Sequence[Rule]) -> None:
    """Keep anybody from filling the table: each evaluation looks at all rules of what they are on."""
    more = Counter((rule.dag_id, rule.project) for rule in rules)
    for some in chunks(sorted(more)):
        query = (
            select(AlarmRule.dag_id, AlarmRule.project, func.count())
            .where(tuple_(AlarmRule.dag_id, AlarmRule.project).in_(some))
            .group_by(AlarmRule.dag_id, AlarmRule.project)
        )
        for dag_id, project, number in session.execute(query):
            if number + more[dag_id, project] > MAX_ON_ONE:
                on = f"Dag {dag_id!r}" if dag_id else f"project {project!r}"
                raise Conflict(f"{on} has {number:,} alarm rules; at most {MAX_ON_ONE:,} are kept: delete some")


def update_rule(session: Session, actor: Actor, rule_id: int, change: RuleChange, now: datetime) -> RuleAnswer:
    """Change the fields that are named, each as a whole.

    If it looks for something else now, or is enabled again, what ended before is not seen.

    :raises BadInput: one line, for a rule that is not valid
    :raises ResourceNotFound: if there is no such rule, or the actor may not see it
    :raises Forbidden: if the actor may not edit what it is, or would be, on
    :raises Conflict: if there are too many on what it would be on
    """

    def look() -> tuple[AlarmRule, Rule, Rule]:
        row, before = editable_rule(session, actor, rule_id)
        rule = change.apply_to(before)
        if rule != before:
            _check_targets(session, actor, [rule])
        return row, before, rule

    row, before, rule = lock_if_allowed(session, actor.name, look)
    if rule == before:
        return rule_answer(row)
    _check_channels(rule, before)
    if (rule.dag_id, rule.project) != (before.dag_id, before.project):
        _refuse_too_many(session, [rule])
    change_row(row, before, rule, actor.recorded_name, now)
    session.flush()
    _record(session, actor, "alarm-update", [row], now)
    return rule_answers(session, actor, [row])[0]


def enable_rules(
    session: Session, actor: Actor, rule_ids: Collection[int], now: datetime, *, enabled: bool
) -> list[RuleAnswer]:
    """Enable or disable rules, and return those that were not so before; enabled again, they see what ends from now on.

    :raises BadInput: to enable one that is set aside as a whole
    :raises ResourceNotFound: if there is no such rule, or the actor may not see it
    :raises Forbidden: if the actor may not edit what one of them is on
    """
    editable = lock_if_allowed(session, actor.name, lambda: editable_rules(session, actor, rule_ids))
    found = [(row, rule) for row, rule in editable if rule.enabled is not enabled]
    for row, rule in found:
        if rule.problem is None:
            change_row(row, rule, replace(rule, enabled=enabled), actor.recorded_name, now)
        elif enabled:
            raise BadInput(f"alarm rule {row.id} is set aside, correct it first: {rule.problem}")
        else:
            row.enabled, row.version = False, row.version + 1
    session.flush()
    if found:
        _record(session, actor, "alarm-update", [row for row, _ in found], now)
    return [rule_answer(row) for row, _ in found]


def delete_rule(session: Session, actor: Actor, rule_id: int, now: datetime) -> RuleAnswer:
    """Delete a rule and return it; its alarms stay, and are not repeated any more.

    :raises ResourceNotFound: if there is no such rule, or the actor may not see it
    :raises Forbidden: if the actor may not edit what it is on
    """
    return delete_rules(session, actor, [rule_id], now)[0]


def delete_rules(session: Session, actor: Actor, rule_ids: Collection[int], now: datetime) -> list[RuleAnswer]:
    """Delete rules and return them, as :func:`delete_rule` does one.

    :raises ResourceNotFound: if there is no such rule, or the actor may not see it
    :raises Forbidden: if the actor may not edit what one of them is on
    """
    # who comes second finds them gone
    editable = lock_if_allowed(session, actor.name, lambda: editable_rules(session, actor, rule_ids))
    rows = [row for row, _ in editable]
    shown = [rule_answer(row) for row in rows]
    _record(session, actor, "alarm-delete", rows, now)
    for row in rows:
        session.delete(row)
    session.flush()
    return shown


def _check_channels(rule: Rule, before: Rule | None) -> None:
    """Refuse channels that nobody released. Those that a rule has already may stay, set aside."""
    if before is not None and rule.channels == before.channels and rule.recipients == before.recipients:
        return
    released = released_channels()
    had = before.channels if before else ()
    for channel in rule.channels:
        if channel not in had:
            notifiers.check_channel(channel.channel, released.check(channel), channel.args)
    if not rule.recipients and any(map(released.tells_people, rule.channels)):
        raise BadInput("no recipient: name owners, users or addresses; only channels other than e-mail need none")


def check_targets(session: Session, actor: Actor, targets: Collection[Target]) -> None:
    """Refuse tasks and workflows that the actor may not make rules on.

    :raises ResourceNotFound: for what does not exist, or that the actor may not see
    :raises Forbidden: if the actor may not edit one of them
    """
    _check_there(session, actor, {(target.dag_id, target.task_id) for target in targets})
    check_editable(actor, {(target.dag_id, "") for target in targets})


def _check_targets(session: Session, actor: Actor, rules: Collection[Rule]) -> None:
    for project in sorted({rule.project for rule in rules if rule.scope is AlarmScope.PROJECT}):
        _check_project(session, actor, project)
    _check_there(session, actor, {(rule.dag_id, rule.task_id) for rule in rules if rule.dag_id})
    check_editable(actor, {(rule.dag_id, rule.project) for rule in rules})


def _check_there(session: Session, actor: Actor, pairs: Collection[TaskKey]) -> None:
    """Refuse what does not exist, or may not be seen; a workflow as such has no task_id."""
    dag_ids = {dag_id for dag_id, _ in pairs}
    there: set[str] = set()
    for some in chunks([(dag_id, "") for dag_id in actor.readable_of(dag_ids)]):
        found = session.scalars(select(Workflow.dag_id).where(Workflow.dag_id.in_([dag_id for dag_id, _ in some])))
        there.update(found)
    if missing := sorted(dag_ids - there):
        raise ResourceNotFound(f"Dag {missing[0]!r} does not exist; `airflow taskops sync` reads new Dags in")
    tasks = {pair for pair in pairs if pair[1]}
    for some in chunks(tasks):
        known = session.execute(select(Task.dag_id, Task.task_id).where(is_one_of(Task.dag_id, Task.task_id, some)))
        tasks.difference_update((row.dag_id, row.task_id) for row in known)
    if tasks:
        dag_id, task_id = min(tasks)
        raise ResourceNotFound(f"task {task_id!r} of Dag {dag_id!r} does not exist")


def _check_project(session: Session, actor: Actor, project: str) -> None:
    query = select(Workflow.project).distinct()
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(Workflow.dag_id.in_(sorted(readable)))
    projects = sorted(session.scalars(query))
    if project not in projects:
        raise ResourceNotFound(f"project {project!r} does not exist; there are {', '.join(projects) or 'none yet'}")


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
        actor=actor.recorded_name,
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
