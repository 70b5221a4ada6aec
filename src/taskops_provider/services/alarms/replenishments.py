"""Replenishments that are over: they failed, in whole or in part, or succeeded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select, union_all
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.kinds import REPLENISHMENTS, Kind
from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmRule, Replenishment, ReplenishmentCell, ReplenishmentRun, Workflow
from taskops_provider.services.alarms.record import NewAlarm
from taskops_provider.services.alarms.stored_rules import load_rules

_FAILED = (ReplenishmentState.FAILED.value, ReplenishmentState.PART_SUCCESS.value)


def ended_replenishments(session: Session, since: datetime) -> tuple[list[NewAlarm], dict[int, Rule]]:
    """Return alarms and their rules: two queries. One for each rule, replenishment and workflow (or task) of it."""
    matches = or_(
        and_(AlarmRule.kind == Kind.REPLENISHMENT_FAILED.value, Replenishment.state.in_(_FAILED)),
        and_(
            AlarmRule.kind == Kind.REPLENISHMENT_SUCCEEDED.value,
            Replenishment.state == ReplenishmentState.SUCCESS.value,
        ),
    )
    query = (
        select(
            AlarmRule.id.label("rule_id"),
            AlarmRule.task_id,
            ReplenishmentRun.dag_id,
            Replenishment.id,
            Replenishment.name,
            Replenishment.state,
            Replenishment.actor,
            Replenishment.ended_at,
        )
        .select_from(Replenishment)
        .join(ReplenishmentRun, ReplenishmentRun.replenishment_id == Replenishment.id)
        .where(Replenishment.ended_at >= since)
        .distinct()
    )
    has_cell = and_(
        ReplenishmentCell.replenishment_id == Replenishment.id,
        ReplenishmentCell.of_run_id == ReplenishmentRun.id,
        ReplenishmentCell.task_id == AlarmRule.task_id,
    )
    own = and_(
        AlarmRule.dag_id == ReplenishmentRun.dag_id,
        or_(AlarmRule.task_id == "", select(ReplenishmentCell.id).where(has_cell).exists()),
    )
    where = (
        AlarmRule.enabled.is_(True),
        AlarmRule.kind.in_([kind.value for kind in REPLENISHMENTS]),
        Replenishment.ended_at >= AlarmRule.active_since,
        matches,
    )
    in_project = and_(AlarmRule.dag_id == "", AlarmRule.project == Workflow.project)
    parts = [
        query.join(AlarmRule, own).where(*where),
        query.join(Workflow, Workflow.dag_id == ReplenishmentRun.dag_id).join(AlarmRule, in_project).where(*where),
    ]
    rows = session.execute(union_all(*parts)).all()
    if not rows:
        return [], {}
    alarms = [
        NewAlarm(
            rule_id=row.rule_id,
            dag_id=row.dag_id,
            task_id=row.task_id,
            parts=("replenishment", row.id, row.ended_at.isoformat()),
            what=f"Replenishment {row.id}{f' ({row.name})' if row.name else ''} by {row.actor}: "
            f"{str(row.state).replace('_', ' ')}",
            at=row.ended_at,
            replenishment_id=row.id,
        )
        for row in rows
    ]
    rules = load_rules(session, {row.rule_id for row in rows})
    return [alarm for alarm in alarms if alarm.rule_id in rules], rules
