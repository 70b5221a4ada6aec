"""Alarm rules, what fired, and the messages about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from taskops_provider.api.datamodels.common import Asked, LongText, Moment, Name, Number, PageQuery, Text
from taskops_provider.domain.alarms import MAX_CHANNELS, MAX_PEOPLE, AlarmScope, DeliveryState, Kind, Why
from taskops_provider.services.alarm_events import EventFilter
from taskops_provider.services.alarm_rules import RuleFilter

_People = Annotated[list[Text], Field(max_length=MAX_PEOPLE)]


class Recipients(Asked):
    """Who is told."""

    owners: StrictBool = Field(False, description="The owners of the task.")
    users: _People = Field(default=[], description="Users of Airflow.")
    addresses: _People = Field(default=[], description="E-mail addresses.")


class Channel(Asked):
    """How people are told."""

    channel: Text = Field(
        description="`email`, `webhook` or the class path of an Airflow notifier.", examples=["email"]
    )
    connection: Text | None = Field(None, description="Id of the Airflow connection; null: the channel's default one.")
    args: dict[str, Any] = Field(default={}, description="Further arguments of the notifier. No secrets.")


class QuietHours(Asked):
    """When nothing is sent; what fires then is sent at their end, as one message."""

    opens: Text = Field(alias="from", examples=["22:00"])
    closes: Text = Field(alias="to", examples=["07:00"])
    zone: Text = Field("UTC", examples=["Europe/Berlin"])
    except_level: StrictInt | None = Field(None, ge=1, le=3, description="This level and above is sent all the same.")


class Repeat(Asked):
    """Say it again until somebody confirms."""

    minutes: StrictInt = Field(description="After so many minutes each time.")
    max: StrictInt = Field(3, description="At most so often.")


class Escalation(Asked):
    """Tell others too when nobody confirms."""

    after: StrictInt = Field(description="After so many minutes.")
    recipients: Recipients


class RuleChange(Asked):
    """Fields of a rule to change, each as a whole. Those that are not sent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    name: LongText | None = Field(None, max_length=250)
    scope: AlarmScope | None = Field(None, description="What it is on; told by the next three where it is left out.")
    dag_id: Name | None = None
    task_id: Name | None = None
    project: Name | None = None
    kind: Kind | None = Field(None, description="What it waits for.")
    level: StrictInt | None = Field(None, ge=1, le=3)
    parameters: dict[str, Any] | None = Field(
        None,
        description="By kind. failed: `on` (`first_failure`, `retries_exhausted`). running_longer_than: `minutes`, or "
        "`percent` over the average of the `last` runs. not_finished_by, not_started_by: `time`, `zone`, `days` after "
        "the data day.",
        examples=[{"time": "08:00", "zone": "Europe/Berlin", "days": 0}],
    )
    recipients: Recipients | None = None
    channels: Annotated[list[Channel], Field(max_length=MAX_CHANNELS)] | None = None
    quiet_hours: QuietHours | None = None
    repeat: Repeat | None = None
    escalation: Escalation | None = None
    enabled: StrictBool | None = None

    def given(self) -> dict[str, Any]:
        """What was sent, as the services take it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class RuleCreate(RuleChange):
    """A rule to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dag_id": "orders",
                    "task_id": "clean",
                    "kind": "failed",
                    "level": 2,
                    "recipients": {"owners": True, "addresses": ["ops@example.com"]},
                }
            ]
        }
    )

    kind: Kind

    def given(self) -> dict[str, Any]:
        """What was sent, as the services take it; null is the same as nothing."""
        return {name: value for name, value in super().given().items() if value is not None}


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
    parameters: dict[str, Any]
    recipients: dict[str, Any]
    channels: list[dict[str, Any]]
    quiet_hours: dict[str, Any] | None
    repeat: dict[str, Any] | None
    escalation: dict[str, Any] | None
    enabled: bool
    version: int = Field(description="Counts the changes.")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


Levels = Annotated[list[Annotated[int, Field(ge=1, le=3)]], Field(max_length=3)]


class Rules(BaseModel):
    """One page of rules."""

    rules: list[Rule]
    total_entries: int


class RulesQuery(PageQuery):
    """Which rules."""

    dag_id: Name | None = Field(None, description="Those on this workflow and on its tasks.")
    task_id: Name | None = Field(None, description="Those on this task.")
    project: Name | None = Field(None, description="Those on this project.")
    kind: list[Kind] = Field(default=[], description="Any of these kinds.")
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

    delivery_id: int
    why: Why
    channel: str
    connection: str | None
    recipient: str | None = Field(description="An address; null for a channel that knows no persons.")
    state: DeliveryState = Field(description="`uncertain`: it may have gone out, and is not sent again.")
    attempts: int
    created_at: datetime
    ended_at: datetime | None
    error: str | None


class Alarm(BaseModel):
    """One firing."""

    event_id: int
    rule_id: int
    kind: Kind
    level: int
    dag_id: str
    task_id: str | None
    run_id: str | None
    map_index: int = Field(description="-1: not mapped.")
    data_time: datetime | None = Field(description="The logical date.")
    headline: str
    what: str
    owners: list[str]
    fired_at: datetime
    held_until: datetime | None = Field(description="Quiet hours: nothing is sent before.")
    confirmed_at: datetime | None
    confirmed_by: str | None
    repeats: int
    next_repeat_at: datetime | None
    escalated_at: datetime | None
    unreachable: list[str] = Field(description="Owners and users without an e-mail address: they were not told.")
    deliveries: list[Delivery] = Field(description="A message about several firings hangs on the first of them.")


class Alarms(BaseModel):
    """One page of firings."""

    events: list[Alarm]
    total_entries: int


class AlarmsQuery(PageQuery):
    """Which firings."""

    rule_id: Number | None = Field(None, description="Those of this rule.")
    dag_id: Name | None = Field(None, description="Those of this workflow and its tasks.")
    task_id: Name | None = Field(None, description="Those of this task.")
    kind: list[Kind] = Field(default=[], description="Any of these kinds.")
    level: Levels = Field(default=[], description="Any of these levels.")
    confirmed: bool | None = Field(None, description="Those that somebody confirmed, or those alone that nobody did.")
    since: Moment | None = Field(None, description="Fired then or later.")
    until: Moment | None = Field(None, description="Fired then or earlier.")
    search: Name | None = Field(None, description="Part of the Dag's or task's id.")

    def filter(self) -> EventFilter:
        """As the services take it."""
        return EventFilter(
            rule_id=self.rule_id,
            dag_id=self.dag_id or "",
            task_id=self.task_id or "",
            kinds=tuple(kind.value for kind in self.kind),
            levels=tuple(self.level),
            confirmed=self.confirmed,
            since=self.since,
            until=self.until,
            search=self.search or "",
        )


class TestAnswer(BaseModel):
    """What came of a test."""

    __test__ = False  # a test of a rule, none of pytest's

    rule_id: int
    unreachable: list[str] = Field(description="Who has no e-mail address.")
    deliveries: list[Delivery]


class Nothing(Asked):
    """No options: send `{}`."""
