"""Alarm rules and what they fired."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query, status

from taskops_provider.api.changing import CHANGING
from taskops_provider.api.datamodels.alarms import (
    Alarm,
    Alarms,
    AlarmsQuery,
    Nothing,
    Rule,
    RuleChange,
    RuleCreate,
    Rules,
    RulesQuery,
    TestAnswer,
)
from taskops_provider.api.datamodels.common import Number
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.services import alarm_changes, alarm_events, alarm_rules, alarm_send

router = APIRouter(prefix="/alarms", tags=["Alarms"])


@router.get("/rules", response_model=Rules)
def list_alarm_rules(query: Annotated[RulesQuery, Query()], session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """List rules on what you may read, the newest first."""
    page = alarm_rules.list_rules(session, actor, query.filter(), limit=query.limit, offset=query.offset)
    return {"rules": page.rows, "total_entries": page.total_entries}


@router.post("/rules", response_model=Rule, status_code=status.HTTP_201_CREATED, **CHANGING)
def create_alarm_rule(body: RuleCreate, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Make a rule on a task, a workflow or a project. It sees what happens from now on.

    It needs to edit the Dag; on a project, or with a notifier of your own choice, to edit every Dag.
    """
    return alarm_changes.create_rule(session, actor, body.given(), now)


@router.get("/rules/{rule_id}", response_model=Rule, responses=NOT_FOUND)
def show_alarm_rule(rule_id: Number, session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """Show one rule: what it watches, and who is told how."""
    return alarm_rules.show_rule(session, actor, rule_id)


@router.patch("/rules/{rule_id}", response_model=Rule, **CHANGING)
def update_alarm_rule(
    rule_id: Number, body: RuleChange, session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """Change the fields that are sent, each as a whole; null takes quiet hours, repeats and escalation away."""
    return alarm_changes.update_rule(session, actor, rule_id, body.given(), now)


@router.delete("/rules/{rule_id}", response_model=Rule, responses=NOT_FOUND)
def delete_alarm_rule(rule_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Delete a rule and show it once more; what it fired stays in the list."""
    return alarm_changes.delete_rule(session, actor, rule_id, now)


@router.post("/rules/{rule_id}/test", response_model=TestAnswer, **CHANGING)
def test_alarm_rule(
    rule_id: Number, body: Nothing, session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """Send one message by each channel of a rule now, to those it would tell, and say what came of each."""
    ids, unreachable = alarm_events.prepare_test(session, actor, rule_id, now)
    # the sender works in transactions of its own, and must find them
    session.commit()
    alarm_send.send_now(ids, f"test of rule {rule_id}")
    session.rollback()
    return {
        "rule_id": rule_id,
        "unreachable": unreachable,
        "deliveries": alarm_events.deliveries_by_id(session, ids),
    }


@router.get("/events", response_model=Alarms)
def list_alarms(query: Annotated[AlarmsQuery, Query()], session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """List what fired on Dags that you may read, the newest first, with the messages about it."""
    page = alarm_events.list_events(session, actor, query.filter(), limit=query.limit, offset=query.offset)
    return {"events": page.rows, "total_entries": page.total_entries}


@router.get("/events/{event_id}", response_model=Alarm, responses=NOT_FOUND)
def show_alarm(event_id: Number, session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """Show one firing, with the messages about it."""
    return alarm_events.show_event(session, actor, event_id)


@router.post("/events/{event_id}/confirm", response_model=Alarm, **CHANGING)
def confirm_alarm(event_id: Number, body: Nothing, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Confirm a firing: it is neither repeated nor escalated any more. It needs to edit the Dag."""
    return alarm_events.confirm_event(session, actor, event_id, now)
