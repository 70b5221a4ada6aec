"""Alarm rules: list and show them. Reading needs read access to the Dag, changing edit access."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.alarms.kinds import Kind
from taskops_provider.domain.chunks import chunks
from taskops_provider.exceptions import Forbidden, NotAllowed, ResourceNotFound
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmRule, Workflow
from taskops_provider.services.alarms.answers import RuleAnswer
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.reach import reach_of
from taskops_provider.services.alarms.stored_rules import rule_of
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_size
from taskops_provider.services.shared.paging import Page, check_page
from taskops_provider.services.shared.task_keys import CHUNK


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules. Several fields mean all of them.

    :param rule_id: this one alone
    :param dag_id: those on the workflow and on its tasks
    :param kinds: any of these
    :param levels: any of these
    :param search: a part of the name, of the Dag's, task's or project's id
    """

    rule_id: int | None = None
    dag_id: str = ""
    task_id: str = ""
    project: str = ""
    kinds: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    enabled: bool | None = None
    search: str = ""


def rule_answer(row: AlarmRule) -> RuleAnswer:
    """Return a rule as every surface shows it."""
    rule = rule_of(row)
    return RuleAnswer(
        rule_id=row.id,
        name=rule.name,
        scope=rule.scope,
        dag_id=rule.dag_id or None,
        task_id=rule.task_id or None,
        project=rule.project or None,
        kind=rule.kind,
        level=rule.level,
        parameters=rule.parameters,
        recipients=rule.recipients,
        channels=rule.channels,
        set_aside=usable_channels().set_aside(rule.channels),
        quiet_hours=rule.quiet_hours,
        repeat=rule.repeat,
        escalation=rule.escalation,
        enabled=rule.enabled,
        version=row.version,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        problem=rule.problem,
    )


def rule_answers(session: Session, actor: Actor, rows: Sequence[AlarmRule]) -> list[RuleAnswer]:
    """Return rules with whom they would not reach, for who may read addresses. Three queries at most."""
    answers = [rule_answer(row) for row in rows]
    if not answers or not actor.permissions.may_read_addresses():
        return answers
    reach = reach_of(session, [rule_of(row) for row in rows])
    return [
        replace(answer, unreachable=list(one.unreachable), reaches_nobody=one.is_nobody)
        for answer, one in zip(answers, reach, strict=True)
    ]


def show_rule(session: Session, actor: Actor, rule_id: int) -> RuleAnswer:
    """Return one rule.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    """
    found = session.scalar(_visible(select(AlarmRule), actor).where(AlarmRule.id == rule_id))
    if found is None:
        raise ResourceNotFound(f"alarm rule {rule_id} does not exist")
    return rule_answers(session, actor, [found])[0]


def list_rules(session: Session, actor: Actor, where: RuleFilter, *, limit: int, offset: int = 0) -> Page[RuleAnswer]:
    """Return rules, the newest first. A constant number of queries.

    :raises BadInput: for an unknown kind, a negative limit or offset
    """
    check_page(limit, offset)
    query = _matching(where, actor)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    found = session.scalars(query.order_by(AlarmRule.id.desc()).limit(limit).offset(offset)).all()
    return Page(rule_answers(session, actor, found), total, limit, offset)


def matching_rules(session: Session, actor: Actor, where: RuleFilter) -> list[int]:
    """Return the numbers of all rules that match, the newest first.

    :raises BadInput: for an unknown kind
    """
    query = _matching(where, actor).with_only_columns(AlarmRule.id).order_by(AlarmRule.id.desc())
    return list(session.scalars(query))


def editable_rule(session: Session, actor: Actor, rule_id: int) -> tuple[AlarmRule, Rule]:
    """Return one rule that the actor may change.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    return editable_rules(session, actor, [rule_id])[0]


def editable_rules(session: Session, actor: Actor, rule_ids: Collection[int]) -> list[tuple[AlarmRule, Rule]]:
    """Return rules that the actor may change, each once, in the order of their numbers. One query for each 400.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what one of them is on
    """
    wanted = sorted(set(rule_ids))
    rows: list[AlarmRule] = []
    for some in chunks(wanted, CHUNK):
        query = _visible(select(AlarmRule), actor).where(AlarmRule.id.in_(some))
        rows += session.scalars(query.order_by(AlarmRule.id))
    missing = sorted(set(wanted) - {row.id for row in rows})
    if missing:
        raise ResourceNotFound(f"alarm rule {missing[0]} does not exist")
    found = [(row, rule_of(row)) for row in rows]
    check_editable(actor, {(rule.dag_id, rule.project) for _, rule in found})
    return found


def editable_targets(actor: Actor, targets: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of some (dag_id, project) whose rules the actor may change."""
    dag_ids = actor.permissions.editable({dag_id for dag_id, _ in targets if dag_id})
    all_dags = any(not dag_id for dag_id, _ in targets) and actor.permissions.may_change_settings()
    return {(dag_id, project) for dag_id, project in targets if (dag_id in dag_ids if dag_id else all_dags)}


def may_make_rules(session: Session, actor: Actor) -> bool:
    """Return whether the actor may make rules on anything at all; one query at most."""
    if actor.permissions.may_change_settings():
        return True
    readable = actor.permissions.readable()
    dag_ids = set(session.scalars(select(Workflow.dag_id))) if readable is None else readable
    return bool(actor.permissions.editable(dag_ids))


def project_of(session: Session, dag_id: str) -> str | None:
    """Return the project of a workflow."""
    return session.scalar(select(Workflow.project).where(Workflow.dag_id == dag_id))


def check_editable(actor: Actor, targets: Collection[tuple[str, str]]) -> None:
    """Refuse what the actor may not make or change rules on, each a (dag_id, project).

    :raises Forbidden: for the first of them
    """
    for dag_id, _ in sorted(set(targets) - editable_targets(actor, targets)):
        if not dag_id:
            raise Forbidden("a rule on a project needs the permission to edit every Dag")
        raise Forbidden(f"you may not change rules of Dag {dag_id!r}")


def _matching(where: RuleFilter, actor: Actor) -> Select[AlarmRule]:
    check_size(where)
    for kind in where.kinds:
        if kind not in set(Kind):
            raise NotAllowed("kind", kind, ", ".join(one.value for one in Kind))
    query = _visible(select(AlarmRule), actor)
    if where.rule_id is not None:
        query = query.where(AlarmRule.id == where.rule_id)
    for column, value in (
        (AlarmRule.dag_id, where.dag_id),
        (AlarmRule.task_id, where.task_id),
        (AlarmRule.project, where.project),
    ):
        if value:
            query = query.where(column == value)
    if where.kinds:
        query = query.where(AlarmRule.kind.in_(where.kinds))
    if where.levels:
        query = query.where(AlarmRule.level.in_(where.levels))
    if where.enabled is not None:
        query = query.where(AlarmRule.enabled.is_(where.enabled))
    if where.search:
        columns = (AlarmRule.name, AlarmRule.dag_id, AlarmRule.task_id, AlarmRule.project)
        query = query.where(or_(*(holds(column, where.search) for column in columns)))
    return query


def _visible(query: Select[AlarmRule], actor: Actor) -> Select[AlarmRule]:
    """Rules on what the actor may read; those on a project where they may read a workflow of it."""
    readable = actor.permissions.readable()
    if readable is None:
        return query
    projects = select(Workflow.project).where(Workflow.dag_id.in_(sorted(readable)))
    of_dags: ColumnElement[bool] = AlarmRule.dag_id.in_(sorted(readable)) if readable else false()
    return query.where(or_(of_dags, and_(AlarmRule.dag_id == "", AlarmRule.project.in_(projects))))
