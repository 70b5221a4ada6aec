"""An alarm rule: read here from REST bodies, forms, flags and the database, and nowhere else.

:class:`RuleChange` and :class:`RuleCreate` are what is sent. :class:`Rule` is a whole rule, complete and checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StrictBool

from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.domain.alarms.kinds import AlarmScope, FailedOn, Kind
from taskops_provider.domain.alarms.times import Quiet
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import MAX_CHANNELS, Channel
from taskops_provider.inputs.alarms.fields import Level, one_of
from taskops_provider.inputs.alarms.follow_up import Escalation, QuietHours, Repeat
from taskops_provider.inputs.alarms.parameters import DueBy, Failed, Parameters, read_parameters
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.inputs.fields import Input, LongText, Name
from taskops_provider.inputs.reading import read

MAX_NAME_LENGTH = 250
#: dag_id, task_id, project: which of them a scope needs
_NEEDED: Mapping[AlarmScope, tuple[str, ...]] = {
    AlarmScope.TASK: ("dag_id", "task_id"),
    AlarmScope.WORKFLOW: ("dag_id",),
    AlarmScope.PROJECT: ("project",),
}
_TARGET = ("dag_id", "task_id", "project")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, complete and checked.

    :param problem: of one that is kept and not valid any more: it is set aside, with nothing in it that could be used
    :param dag_id: empty if the scope has none, as ``task_id`` and ``project``
    :param parameters: those of its kind
    """

    name: str
    scope: AlarmScope
    dag_id: str
    task_id: str
    project: str
    kind: Kind
    level: int
    parameters: Parameters
    recipients: Recipients
    channels: tuple[Channel, ...]
    quiet_hours: QuietHours | None
    repeat: Repeat | None
    escalation: Escalation | None
    enabled: bool
    problem: str | None = None

    @property
    def watches(self) -> tuple[object, ...]:
        """What it looks for: if this changes, it starts anew."""
        return (self.scope, self.dag_id, self.task_id, self.project, self.kind, self.parameters)

    @property
    def quiet(self) -> Quiet | None:
        """Its quiet hours."""
        return self.quiet_hours.quiet if self.quiet_hours else None

    @property
    def due_by(self) -> DueBy:
        """The parameters of a rule with a deadline."""
        assert isinstance(self.parameters, DueBy)
        return self.parameters

    @property
    def failed_on(self) -> FailedOn | None:
        """Which failure a rule of the kind ``failed`` waits for; None for other kinds."""
        return self.parameters.on if isinstance(self.parameters, Failed) else None

    def on(self, dag_id: str, task_id: str) -> Rule:
        """Return the same rule on a task, or on a workflow (``task_id`` empty)."""
        scope = AlarmScope.TASK if task_id else AlarmScope.WORKFLOW
        return replace(self, scope=scope, dag_id=dag_id, task_id=task_id, project="")

    def body(self) -> Json:
        """Return what the database keeps of it next to the columns."""
        return {name: to_plain_data(getattr(self, name)) for name in BODY}


#: fields that have no column of their own
BODY = ("parameters", "recipients", "channels", "quiet_hours", "repeat", "escalation")


class RuleChange(Input):
    """Fields of a rule to change, each as a whole. Those that are not sent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    name: LongText | None = Field(None, max_length=MAX_NAME_LENGTH)
    scope: Annotated[AlarmScope, one_of(AlarmScope)] | None = Field(
        None, description="What it is on; told by the next three where it is left out."
    )
    dag_id: Name | None = None
    task_id: Name | None = None
    project: Name | None = None
    kind: Annotated[Kind, one_of(Kind)] | None = Field(None, description="What it waits for.")
    level: Level | None = None
    parameters: Json | None = Field(
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
        """Return the fields that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def apply_to(self, rule: Rule) -> Rule:
        """Return a rule with the fields that were sent. A new kind without parameters has the default ones.

        :raises BadInput: one line about what is not valid
        """
        before = {one.name: getattr(rule, one.name) for one in fields(rule)} | {
            "parameters": to_plain_data(rule.parameters)
        }
        given = self.given()
        if self.kind not in (None, rule.kind):
            given = {"parameters": {}, **given}
        return _complete(before | given)


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

    kind: Annotated[Kind, one_of(Kind)]

    def rule(self) -> Rule:
        """Return the whole rule; null is the same as nothing.

        :raises BadInput: one line about what is not valid
        """
        return _complete({name: value for name, value in self.given().items() if value is not None})

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Read a rule from a form, from flags or from the database.

        :raises InvalidInput: one line about what is not valid
        """
        return read(cls, values)


def _complete(values: Mapping[str, Any]) -> Rule:
    """Return the whole rule of values that are valid each by itself.

    :raises BadInput: for what does not go together
    """
    target = {name: values.get(name) or "" for name in _TARGET}
    scope = values.get("scope") or _scope_of(target)
    if {name for name in _TARGET if target[name]} != set(_NEEDED[scope]):
        needed = " and ".join(_NEEDED[scope])
        raise BadInput(f"a rule on a {scope.value} needs {needed} and nothing else of {', '.join(_TARGET)}")
    for name, allowed in (("level", "1 (lowest), 2, 3"), ("enabled", "true, false"), ("kind", ", ".join(Kind))):
        if values.get(name, "") is None:
            raise BadInput(f"{name} is null; allowed are {allowed}")
    recipients = values.get("recipients") or Recipients()
    channels = tuple(values.get("channels") or [Channel(channel=EMAIL)])
    if not recipients and any(one.channel == EMAIL for one in channels):
        raise BadInput("no recipient: name owners, users or addresses; only channels other than email need none")
    return Rule(
        **target,
        name=(values.get("name") or "").strip(),
        scope=scope,
        kind=values["kind"],
        level=values.get("level", 1),
        parameters=read_parameters(values["kind"], values.get("parameters")),
        recipients=recipients,
        channels=channels,
        quiet_hours=values.get("quiet_hours"),
        repeat=values.get("repeat"),
        escalation=values.get("escalation"),
        enabled=values.get("enabled", True),
    )


def _scope_of(target: Mapping[str, str]) -> AlarmScope:
    if target["project"]:
        return AlarmScope.PROJECT
    return AlarmScope.TASK if target["task_id"] else AlarmScope.WORKFLOW
