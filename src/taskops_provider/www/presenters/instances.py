"""The dialogs of operations on instances: rerun, terminate, set success, set failed (C2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.domain.operations import MAX_REASON_LENGTH, MAX_TICKET_LENGTH, Item, Outcome
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services import instance_operations
from taskops_provider.services.instance_operations import MAX_INSTANCES, InstancePlan, Ref
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import reason_of, step_of
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.changes import CHANGED, WHOLE, Answer, refused
from taskops_provider.www.presenters.instances_words import VERBS
from taskops_provider.www.presenters.task_instances import name_of, state_badge

#: rows of one section; the others are counted
SHOWN = 100


def present(asked: Asked, verb: InstanceVerb) -> Answer:
    """Return the dialog of an operation, or what was done. Errors are shown in the dialog."""
    try:
        return _apply(asked, verb) if step_of(asked) == "apply" else _preview(asked, verb)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(VERBS[verb].label, error, is_part=asked.one("part") == "plan")


def refs_of(asked: Asked) -> list[Ref]:
    """Return the instances that were chosen: ``MAP_INDEX RUN_ID`` each.

    :raises BadInput: for too many, or one that is none
    """
    given = asked.many("target")
    if len(given) > MAX_INSTANCES:
        raise BadInput(f"{len(given):,} instances are selected; at most {MAX_INSTANCES:,} are changed at once")
    refs = []
    for target in given:
        index, space, run_id = target.partition(" ")
        digits = index.removeprefix("-")
        if not (space and run_id and digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise BadInput(f"{target[:60]!r} names no instance; it is a map index (-1: not mapped) and a run id")
        refs.append(Ref(run_id, int(index)))
    return refs


def _preview(asked: Asked, verb: InstanceVerb) -> Answer:
    dag_id, task_id = asked.one("dag_id"), asked.one("task_id")
    plan = instance_operations.preview(asked.session, asked.actor, dag_id, task_id, verb, refs_of(asked), asked.now)
    words, shown = VERBS[verb], _shown(asked, plan)
    noun = text.count(shown["counts"]["applied"], "instance")
    action = f"{words.label}: {noun}" if shown["counts"]["applied"] else f"{words.label}: nothing to do"
    return Answer(
        "instances_change.html",
        {
            "title": action,
            "action": action,
            "address": asked.urls.page(f"instances/{verb.value}"),
            "fields": [("dag_id", dag_id), ("task_id", task_id), *(("target", one) for one in asked.many("target"))],
            "effect": words.effect,
            "is_danger": verb is InstanceVerb.TERMINATE,
            "can_apply": bool(shown["counts"]["applied"]),
            "max_reason": MAX_REASON_LENGTH,
            "max_ticket": MAX_TICKET_LENGTH,
            "plan": shown,
        },
    )


def _apply(asked: Asked, verb: InstanceVerb) -> Answer:
    done = instance_operations.apply(
        asked.session,
        asked.actor,
        asked.one("dag_id"),
        asked.one("task_id"),
        verb,
        refs_of(asked),
        reason=reason_of(asked),
        ticket=asked.one("ticket") or None,
        now=asked.now,
    )
    shown, number = _shown(asked, done), str(done.plan.operation_id)
    applied = shown["counts"]["applied"]
    title = f"{text.count(applied, 'instance')} {VERBS[verb].done}" if applied else "Nothing was changed"
    return Answer(
        "instances_result.html",
        {
            "title": title,
            "plan": shown,
            "operation_id": number,
            "record_url": asked.urls.page("operation", {"id": number}),
        },
        headers=WHOLE | (CHANGED if applied else {}),
    )


def _shown(asked: Asked, plan: InstancePlan) -> dict[str, Any]:
    """What is applied to, and what is left alone, by reason."""
    groups: dict[tuple[str, str], list[tuple[Item, Ref]]] = defaultdict(list)
    for item, ref in zip(plan.plan.items, plan.refs, strict=True):
        groups[item.outcome.value, item.reason or ""].append((item, ref))
    return {
        "counts": plan.plan.counts(),
        "applied": [_group(asked, reason, found) for (o, reason), found in groups.items() if o == Outcome.APPLIED],
        "left_alone": [_group(asked, reason, found) for (o, reason), found in groups.items() if o != Outcome.APPLIED],
    }


def _group(asked: Asked, reason: str, found: Sequence[tuple[Item, Ref]]) -> dict[str, Any]:
    return {
        "reason": reason,
        "count": len(found),
        "more": max(len(found) - SHOWN, 0),
        "rows": [
            {
                "name": text.name(name_of(ref.run_id, ref.map_index)),
                "url": asked.urls.instance(item.dag_id, ref.run_id, item.task_id, ref.map_index),
                "before": state_badge(item.before),
                "after": _after(item) if item.outcome is Outcome.APPLIED else None,
            }
            for item, ref in found[:SHOWN]
        ],
    }


def _after(item: Item) -> text.Badge:
    """What becomes of an instance; one that is cleared has no state."""
    return text.Badge("Cleared", "grey") if item.after is None else state_badge(item.after)
