"""Alarm rules, alarms, and the messages about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from taskops_provider.api.datamodels.common import PageQuery
from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState
from taskops_provider.domain.alarms.kinds import AlarmScope, Kind
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.inputs.fields import Input, Moment, Name, Number
from taskops_provider.services.alarms.listing import AlarmFilter
from taskops_provider.services.alarms.rules import RuleFilter

#: a part of a rule, as it is sent
_Part = Annotated[Json, BeforeValidator(to_plain_data)]


class Rule(BaseModel):
    """One rule."""

    rule_id: int
    name: str
    scope: AlarmScope
    dag_id: str | None
    task_id: str | None
    project: str | None
    kind: Kind
    level: int
    parameters: _Part
    recipients: _Part
    channels: list[_Part]
    set_aside: list[str] = Field(
        description="Names of its channels that no administrator released, or not so: nothing is sent by them."
    )
    quiet_hours: _Part | None
    repeat: _Part | None
    escalation: _Part | None
    enabled: bool
    version: int = Field(description="Counts the changes.")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    problem: str | None = Field(
        description="Why it is not valid any more: it is set aside until somebody corrects it. Null if all is well."
    )
    unreachable: list[str] = Field(
        description="Its users, and the owners of its task, without an e-mail address, if a channel needs one. "
        "Empty unless you may read users."
    )
    reaches_nobody: bool = Field(description="Nobody would get its alarms. False unless you may read users.")


Levels = Annotated[list[Annotated[int, Field(ge=1, le=3)]], Field(max_length=3)]


class Rules(BaseModel):
    """One page of rules."""

    rules: list[Rule] = Field(validation_alias="rows")
    total_entries: int


class RulesQuery(PageQuery):
    """Which rules."""

    dag_id: Name | None = Field(None, description="Those on this workflow and on its tasks.")
    task_id: Name | None = Field(None, description="Those on this task.")
    project: Name | None = Field(None, description="Those on this project.")
    kind: list[Kind] = Field(default=[], max_length=50, description="Any of these kinds.")
    level: Levels = Field(default=[], description="Any of these levels.")
    enabled: bool | None = Field(None, description="Those that watch, or those alone that do not.")
    search: Name | None = Field(None, description="Part of the name, or of the Dag's, task's or project's id.")

    def filter(self) -> RuleFilter:
        """As the services take it."""
        return RuleFilter(
            dag_id=self.dag_id or "",
            task_id=self.task_id or "",
            project=self.project or "",
            kinds=tuple(kind.value for kind in self.kind),
            levels=tuple(self.level),
            enabled=self.enabled,
            search=self.search or "",
        )


class Delivery(BaseModel):
    """One message."""

    delivery_id: int | None = Field(description="Null if you may not see which addresses names have.")
    why: DeliveryCause
    channel: str
    connection: str | None = Field(description="Always null: which connections there are is not told.")
    recipient: str | None = Field(description="An address; null for a channel that knows no persons.")
    state: DeliveryState = Field(description="`uncertain`: it may have gone out, and is not sent again.")
    attempts: int
    created_at: datetime
    ended_at: datetime | None
    error: str | None


class Alarm(BaseModel):
    """One alarm."""

    event_id: int
    rule_id: int
    kind: Kind
    level: int
    dag_id: str
    task_id: str | None
    run_id: str | None
    map_index: int = Field(description="-1: not mapped.")
    iteration: str | None = Field(description="Of a task in a loop: which.")
    data_time: datetime | None = Field(description="The logical date.")
    headline: str
    what: str
    owners: list[str]
    fired_at: datetime
    held_until: datetime | None = Field(description="Quiet hours: nothing is sent before.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    repeats: int
    next_repeat_at: datetime | None
    escalated_at: datetime | None
    unreachable: list[str] = Field(
        description="Owners and users without an e-mail address: they were not told. Empty unless you may read users."
    )
    deliveries: list[Delivery] = Field(
        description="A message about several alarms hangs on the first of them. Those to addresses that were found "
        "by a name are for who may read users."
    )
    confirmed_at: datetime | None
    confirmed_by: str | None


class Alarms(BaseModel):
    """One page of alarms."""

    events: list[Alarm] = Field(validation_alias="rows")
    total_entries: int


class AlarmsQuery(PageQuery):
    """Which alarms."""

    rule_id: Number | None = Field(None, description="Those of this rule.")
    dag_id: Name | None = Field(None, description="Those of this workflow and its tasks.")
    task_id: Name | None = Field(None, description="Those of this task.")
    kind: list[Kind] = Field(default=[], max_length=50, description="Any of these kinds.")
    level: Levels = Field(default=[], description="Any of these levels.")
    acknowledged: bool | None = Field(
        None, description="Those that somebody acknowledged, or only those that nobody has."
    )
    since: Moment | None = Field(None, description="Fired then or later.")
    until: Moment | None = Field(None, description="Fired then or earlier.")
    search: Name | None = Field(None, description="Part of the Dag's or task's id.")

    def filter(self) -> AlarmFilter:
        """As the services take it."""
        return AlarmFilter(
            rule_id=self.rule_id,
            dag_id=self.dag_id or "",
            task_id=self.task_id or "",
            kinds=tuple(kind.value for kind in self.kind),
            levels=tuple(self.level),
            acknowledged=self.acknowledged,
            since=self.since,
            until=self.until,
            search=self.search or "",
        )


class TestAnswer(BaseModel):
    """What came of a test so far."""

    __test__ = False  # a test of a rule, none of pytest's

    rule_id: int
    unreachable: list[str] = Field(description="Who has no e-mail address. Empty unless you may read users.")
    deliveries: list[Delivery] = Field(
        description="Without those to addresses that were found by a name, for who may not read users."
    )


class Nothing(Input):
    """No options: send `{}`."""
