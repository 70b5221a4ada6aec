"""What messages and webhooks are told of, kept as JSON with each alarm and delivery."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from taskops_provider.domain.alarms.kinds import Kind
from taskops_provider.domain.answers import OMIT_NONE, Json


@dataclass(frozen=True, slots=True)
class AlarmFacts:
    """What is said of an alarm. Times are texts in ISO 8601.

    :param rule: the name of the rule
    :param task_id: empty for a workflow as such
    :param map_index: -1: not mapped
    :param data_time: the logical date
    :param at: when it happened
    :param iteration: which, of a task in a loop
    """

    rule_id: int
    rule: str
    kind: str
    level: int
    project: str
    dag_id: str
    task_id: str
    run_id: str | None
    map_index: int
    data_time: str | None
    what: str
    at: str
    fired_at: str
    owners: list[str]
    replenishment_id: int | None = field(default=None, metadata=OMIT_NONE)
    iteration: str | None = field(default=None, metadata=OMIT_NONE)

    @classmethod
    def stored(cls, kept: Json) -> AlarmFacts:
        """Return what a row keeps. What another version did not keep is empty: it keeps nobody from the others."""
        empty: Json = {"level": 1, "rule_id": 0, "map_index": -1, "owners": [], "kind": Kind.FAILED.value}
        empty |= {"run_id": None, "data_time": None}
        known: Json = {one.name: kept.get(one.name, empty.get(one.name, "")) for one in fields(cls)}
        return cls(**known | {name: kept.get(name) for name in ("replenishment_id", "iteration")})


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What is said of an operation. ``at`` is a text in ISO 8601."""

    operation_id: int
    verb: str
    actor: str
    at: str
    reason: str | None
    ticket: str | None
