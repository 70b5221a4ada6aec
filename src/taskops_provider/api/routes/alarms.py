"""Alarm rules and alarms."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query, status

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.alarms import (
    Alarm,
    Alarms,
    AlarmsQuery,
    Nothing,
    Rule,
    Rules,
    RulesQuery,
    TestAnswer,
)
from taskops_provider.api.deprecated import OldWordsRoute
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.inputs.alarms.rule import RuleChange, RuleCreate
from taskops_provider.inputs.fields import Number
from taskops_provider.services.alarms import acknowledge, listing, rule_changes, rule_test, rules
from taskops_provider.services.alarms.answers import AlarmAnswer, RuleAnswer, RuleTestAnswer
from taskops_provider.services.shared.paging import Page

router = APIRouter(prefix="/alarms", tags=["Alarms"], route_class=OldWordsRoute)


@router.get("/rules", response_model=Rules)
def list_alarm_rules(query: Annotated[RulesQuery, Query()], session: SessionDep, actor: ActorDep) -> Page[RuleAnswer]:
    """List rules on what you may read, the newest first."""
    return rules.list_rules(session, actor, query.filter(), limit=query.limit, offset=query.offset)


@router.post("/rules", response_model=Rule, status_code=status.HTTP_201_CREATED, **CHANGING)
def create_alarm_rule(body: RuleCreate, session: SessionDep, actor: ActorDep, now: NowDep) -> RuleAnswer:
    """Make a rule on a task, a workflow or a project. It sees what happens from now on.

    It needs to edit the Dag; on a project, to edit every Dag.
    """
    return rule_changes.create_rule(session, actor, body.rule(), now)


@router.get("/rules/{rule_id}", response_model=Rule, responses=NOT_FOUND)
def show_alarm_rule(rule_id: Number, session: SessionDep, actor: ActorDep) -> RuleAnswer:
    """Show one rule: what it watches, and who is told how."""
    return rules.show_rule(session, actor, rule_id)


@router.patch("/rules/{rule_id}", response_model=Rule, **CHANGING)
def update_alarm_rule(
    rule_id: Number, body: RuleChange, session: SessionDep, actor: ActorDep, now: NowDep
) -> RuleAnswer:
    """Change the fields that are sent, each as a whole; null takes quiet hours, repeats and escalation away."""
    return rule_changes.update_rule(session, actor, rule_id, body, now)


@router.delete("/rules/{rule_id}", response_model=Rule, responses=NOT_FOUND)
def delete_alarm_rule(rule_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> RuleAnswer:
    """Delete a rule and show it once more; what it fired stays in the list."""
    return rule_changes.delete_rule(session, actor, rule_id, now)


@router.post("/rules/{rule_id}/test", response_model=TestAnswer, status_code=status.HTTP_202_ACCEPTED, **CHANGING)
def test_alarm_rule(
    rule_id: Number, body: Nothing, session: SessionDep, actor: ActorDep, now: NowDep
) -> RuleTestAnswer:
    """Have one message sent by each channel of a rule, to those it would tell. Follow what comes of them by GET.

    At most four tests are under way at a time, one of a rule; five of a rule, and 30 of all, start within a minute.
    """
    return rule_test.start_test(session, actor, rule_id, now)


@router.get("/rules/{rule_id}/test", response_model=TestAnswer, responses=NOT_FOUND)
def show_alarm_rule_test(rule_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> RuleTestAnswer:
    """Show what came of the last test of a rule so far; no deliveries if there was none within a day.

    It needs to edit the Dag, as the test does.
    """
    return rule_test.last_test(session, actor, rule_id, now)


@router.get("/events", response_model=Alarms)
def list_alarms(query: Annotated[AlarmsQuery, Query()], session: SessionDep, actor: ActorDep) -> Page[AlarmAnswer]:
    """List what fired on Dags that you may read, the newest first, with the messages about it."""
    return listing.list_alarms(session, actor, query.filter(), limit=query.limit, offset=query.offset)


@router.get("/events/{event_id}", response_model=Alarm, responses=NOT_FOUND)
def show_alarm(event_id: Number, session: SessionDep, actor: ActorDep) -> AlarmAnswer:
    """Show one alarm, with the messages about it."""
    return listing.show_alarm(session, actor, event_id)


@router.post("/events/{event_id}/acknowledge", response_model=Alarm, **CHANGING)
def acknowledge_alarm(
    event_id: Number, body: Nothing, session: SessionDep, actor: ActorDep, now: NowDep
) -> AlarmAnswer:
    """Acknowledge an alarm: it is neither repeated nor escalated any more. It needs to edit the Dag."""
    return acknowledge.acknowledge_alarm(session, actor, event_id, now)


@router.post("/events/{event_id}/confirm", response_model=Alarm, deprecated=True, **CHANGING)
def confirm_alarm(event_id: Number, body: Nothing, session: SessionDep, actor: ActorDep, now: NowDep) -> AlarmAnswer:
    """Acknowledge an alarm. Use `/acknowledge`: this path goes in 1.0."""
    return acknowledge.acknowledge_alarm(session, actor, event_id, now)
