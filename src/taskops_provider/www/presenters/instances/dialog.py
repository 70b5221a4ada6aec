"""The dialogs of operations on instances: rerun, terminate, set success, set failed (requirements C2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.domain.operations.answers import Counts
from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH, MAX_TICKET_LENGTH
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.text import whole_number
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services.operations.on_instances import (
    MAX_INSTANCES,
    InstancePlan,
    InstanceRequest,
    Ref,
    apply_on_instances,
    preview_on_instances,
)
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.instances.badges import name_of, state_badge
from taskops_provider.www.presenters.instances.words import VERBS
from taskops_provider.www.presenters.operations.form import explanation_of, step_of

#: rows of one section; the others are counted
SHOWN = 100


def instances_dialog(asked: PageRequest, verb: InstanceVerb) -> DialogAnswer:
    """Return the dialog of an operation, or what was done. Errors are shown in the dialog."""
    try:
        return _apply(asked, verb) if step_of(asked) == "apply" else _preview(asked, verb)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(VERBS[verb].label, error, is_part=asked.one("part") == "plan")


def refs_of(asked: PageRequest) -> list[Ref]:
    """Return the instances that were chosen: ``MAP_INDEX RUN_ID`` each, ``MAP_INDEX@REGION RUN_ID`` in a loop.

    :raises BadInput: for too many, or one that is none
    """
    given = asked.many("target")
    if len(given) > MAX_INSTANCES:
        raise BadInput(f"{len(given):,} instances are selected; at most {MAX_INSTANCES:,} are changed at once")
    refs = []
    for target in given:
        key, space, run_id = target.partition(" ")
        index, _, region_id = key.partition("@")
        if not (space and run_id) or whole_number(index.removeprefix("-")) is None:
            raise BadInput(f"{target[:60]!r} names no instance; it is a map index (-1: not mapped) and a run id")
        refs.append(Ref(run_id, int(index), region_id or None))
    return refs


@dataclass(frozen=True, slots=True)
class InstanceTargetRow:
    """One instance."""

    name: text.Name
    url: str
    before: text.Badge
    after: text.Badge | None


@dataclass(frozen=True, slots=True)
class InstanceGroup:
    """Instances that came to the same, for the same reason.

    :param more: how many are not shown
    """

    reason: str
    count: int
    more: int
    rows: Sequence[InstanceTargetRow]


@dataclass(frozen=True, slots=True)
class ShownInstances:
    """What is applied to, and what is left alone, by reason."""

    counts: Counts
    applied: Sequence[InstanceGroup]
    left_alone: Sequence[InstanceGroup]


@dataclass(frozen=True, slots=True)
class InstancesDialog:
    """What the template ``instances/dialog.html`` shows."""

    action: str
    title: str
    address: str
    fields: Sequence[tuple[str, str]]
    effect: str
    is_danger: bool
    can_apply: bool
    plan: ShownInstances
    max_reason: int = MAX_REASON_LENGTH
    max_ticket: int = MAX_TICKET_LENGTH


@dataclass(frozen=True, slots=True)
class InstancesResult:
    """What the template ``instances/result.html`` shows."""

    title: str
    plan: ShownInstances
    operation_id: str
    record_url: str


def _request(asked: PageRequest, verb: InstanceVerb) -> InstanceRequest:
    return InstanceRequest(asked.one("dag_id"), asked.one("task_id"), verb, refs_of(asked), explanation_of(asked))


def _preview(asked: PageRequest, verb: InstanceVerb) -> DialogAnswer:
    request = _request(asked, verb)
    shown = _shown(asked, preview_on_instances(asked.session, asked.actor, request, asked.now))
    words, applied = VERBS[verb], shown.counts.applied
    action = f"{words.label}: {text.count(applied, 'instance') if applied else 'nothing to do'}"
    targets = [("target", one) for one in asked.many("target")]
    dialog = InstancesDialog(
        action=action,
        title=action,
        address=asked.urls.page(f"instances/{verb.value}"),
        fields=[("dag_id", request.dag_id), ("task_id", request.task_id), *targets],
        effect=words.effect,
        is_danger=verb is InstanceVerb.TERMINATE,
        can_apply=bool(applied),
        plan=shown,
    )
    return DialogAnswer("instances/dialog.html", dialog)


def _apply(asked: PageRequest, verb: InstanceVerb) -> DialogAnswer:
    done = apply_on_instances(asked.session, asked.actor, _request(asked, verb), asked.now)
    shown, number = _shown(asked, done), str(done.plan.operation_id)
    applied = shown.counts.applied
    title = f"{text.count(applied, 'instance')} {VERBS[verb].done}" if applied else "Nothing was changed"
    result = InstancesResult(title, shown, number, asked.urls.page("operation", {"id": number}))
    return DialogAnswer("instances/result.html", result, headers=WHOLE | (CHANGED if applied else {}))


def _shown(asked: PageRequest, plan: InstancePlan) -> ShownInstances:
    groups: dict[tuple[Outcome, str], list[tuple[Item, Ref]]] = defaultdict(list)
    for item, ref in plan.pairs():
        groups[item.outcome, item.reason or ""].append((item, ref))
    return ShownInstances(
        counts=plan.plan.counts(),
        applied=[_group(asked, why, found) for (what, why), found in groups.items() if what is Outcome.APPLIED],
        left_alone=[_group(asked, why, found) for (what, why), found in groups.items() if what is not Outcome.APPLIED],
    )


def _group(asked: PageRequest, reason: str, found: Sequence[tuple[Item, Ref]]) -> InstanceGroup:
    rows = [
        InstanceTargetRow(
            name=text.name(name_of(ref.run_id, ref.map_index)),
            url=asked.urls.instance(item.dag_id, ref.run_id, item.task_id, ref.map_index),
            before=state_badge(item.before),
            after=_after(item) if item.outcome is Outcome.APPLIED else None,
        )
        for item, ref in found[:SHOWN]
    ]
    return InstanceGroup(reason, len(found), max(len(found) - SHOWN, 0), rows)


def _after(item: Item) -> text.Badge:
    """What becomes of an instance; one that is cleared has no state."""
    return text.Badge("Cleared", "grey") if item.after is None else state_badge(item.after)
