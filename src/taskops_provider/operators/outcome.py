"""What the answer to a change means to a Dag: what is as wanted, and what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.states import BECOMES, Verb, WorkflowStatus
from taskops_provider.hooks.answers import BlockerJson, ChangeJson, ItemJson, NotifiedJson

#: how many targets, or people, a message names
_NAMED = 10

_WORKFLOW_BECOMES: Mapping[Verb, WorkflowStatus] = {
    Verb.START: WorkflowStatus.ALL_SCHEDULING,
    Verb.PAUSE: WorkflowStatus.ALL_PAUSED,
    Verb.OFFLINE: WorkflowStatus.ALL_OFFLINE,
    Verb.SUBMIT: WorkflowStatus.ALL_SCHEDULING,
}


def is_so_already(verb: Verb, item: ItemJson) -> bool:
    """Whether a target was left alone because it is what the change would make of it.

    A Dag run is cleared, a task tried again: asking twice for the same must succeed twice.
    """
    wanted = BECOMES[verb] if item["task_id"] else _WORKFLOW_BECOMES[verb]
    return item["outcome"] == Outcome.LEFT_ALONE and item["before"] == wanted


def refused(verb: Verb, items: Iterable[ItemJson], *, whole_workflows: bool) -> list[ItemJson]:
    """Return the targets that will not be as wanted.

    :param whole_workflows: the tasks that this form leaves alone are none: it asks for those that it applies to
    """
    return [
        item
        for item in items
        if item["outcome"] == Outcome.BLOCKED
        or (
            item["outcome"] == Outcome.LEFT_ALONE
            and not is_so_already(verb, item)
            and not (whole_workflows and item["task_id"])
        )
    ]


def is_forbidden(item: ItemJson) -> bool:
    """Whether it is the permission that is missing: what strict mode blocks comes with the tasks that block it."""
    return item["outcome"] == Outcome.BLOCKED and not item["blocked_by"]


def result(verb: Verb, answer: ChangeJson, earlier: set[tuple[str, str]], *, whole_workflows: bool) -> ChangeJson:
    """Return what the task pushes: the answer to a change, in the words of the Dag that asked.

    Its ``outcome`` is ``success`` also where all was so already.

    :param earlier: ``(dag_id, task_id)`` of tasks that an earlier try of the same change had already changed
    """
    items = [_as_changed(item) if _key(item) in earlier else item for item in answer["items"]]
    outcomes = [item["outcome"] for item in items]
    outcome = OperationOutcome.SUCCESS
    if refused(verb, items, whole_workflows=whole_workflows):
        some = Outcome.APPLIED in outcomes
        outcome = OperationOutcome.PART_SUCCESS if some else OperationOutcome.REFUSED
    done: ChangeJson = {
        "operation_id": answer["operation_id"],
        "verb": answer["verb"],
        "dry_run": False,
        "outcome": outcome.value,
        "counts": {name: outcomes.count(name) for name in answer["counts"]},
        "items": items,
    }
    if notified := answer.get("notified"):
        done["notified"] = notified
    if gap := answer.get("gap"):
        done["gap"] = gap
    if replenishment_id := answer.get("replenishment_id"):
        done["replenishment_id"] = replenishment_id
    return done


def _key(item: ItemJson) -> tuple[str, str]:
    return item["dag_id"], item["task_id"] or ""


def _as_changed(item: ItemJson) -> ItemJson:
    return {**item, "outcome": Outcome.APPLIED.value, "reason": "changed by an earlier try of this task"}


def named(items: Iterable[ItemJson], *, why: bool = False) -> str:
    """Name targets for a log line.

    :param why: with the reason of each
    """
    texts = [f"{_name(item)}: {_reason(item)}" if why else _name(item) for item in items]
    return _some(texts, "; " if why else ", ")


def told(notified: NotifiedJson) -> str:
    """Say in a log line who is told."""
    # a server that is older than this tells no channels
    others = [f"by {channel}" for channel in notified.get("channels", ()) if channel != EMAIL]
    line = f"owners told: {_some([*notified['told'], *others]) or 'nobody'}"
    lacking = notified["unreachable"]
    return f"{line}; no address is known for {_some(lacking)}" if lacking else line


def _some(texts: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return between.join(texts[:_NAMED]) + more


def _name(item: ItemJson | BlockerJson) -> str:
    return " ".join(filter(None, (item["dag_id"], item["task_id"])))


def _reason(item: ItemJson) -> str:
    reason = item["reason"] or item["outcome"]
    if not item["blocked_by"]:
        return str(reason)
    # the ids are None where the user may not see the task
    blockers = [_name(blocker) or "a task that this user may not see" for blocker in item["blocked_by"]]
    more = f" and {len(blockers) - 3} more" if len(blockers) > 3 else ""
    return f"{reason} (by {', '.join(blockers[:3])}{more})"
