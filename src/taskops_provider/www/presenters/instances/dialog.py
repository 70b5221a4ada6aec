"""The dialogs of operations on instances and whole runs: rerun, force, hold, release, ... (requirements C2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.instances import InstanceVerb, Reach, RunVerb
from taskops_provider.domain.operations.answers import Counts
from taskops_provider.domain.operations.limits import MAX_INSTANCES, MAX_REASON_LENGTH, MAX_TICKET_LENGTH
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.text import sentence, whole_number
from taskops_provider.exceptions import BadInput, OperationPlanChanged, TaskOpsError
from taskops_provider.inputs.instances import RunsInput
from taskops_provider.inputs.reading import read
from taskops_provider.services.operations.on_instances import (
    InstancePlan,
    InstanceRequest,
    Ref,
    apply_on_instances,
    preview_on_instances,
)
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs, preview_on_runs
from taskops_provider.services.windows.in_force import FROZEN
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.instances.badges import name_of, state_badge
from taskops_provider.www.presenters.instances.words import REACHES, RUN_VERBS, VERBS, InstanceWords
from taskops_provider.www.presenters.operations.form import explanation_of, reason_of, step_of, ticked

#: the box that overrides a freeze
OVERRIDE = "override_freeze"
#: rows of one section; the others are counted
SHOWN = 100


def instances_dialog(asked: PageRequest, verb: InstanceVerb) -> DialogAnswer:
    """Return the dialog of an operation, or what was done. Errors are shown in the dialog."""
    return _dialog(asked, VERBS[verb].label, lambda: _instances_form(asked, verb))


def runs_dialog(asked: PageRequest, verb: RunVerb) -> DialogAnswer:
    """Return the dialog of an operation on whole runs, or what was done. Errors are shown in the dialog."""
    return _dialog(asked, RUN_VERBS[verb].label, lambda: _runs_form(asked, verb))


def _dialog(asked: PageRequest, label: str, form: Callable[[], _Form]) -> DialogAnswer:
    try:
        return _apply(asked, form()) if step_of(asked) == "apply" else _preview(asked, form())
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(label, error, is_part=asked.one("part") == "plan")


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
    """One instance, or one run.

    :param of_task: the task, where there are several
    """

    name: text.Name
    of_task: str
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
class ReachChoice:
    """What may be rerun with the instances."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesPlanPart:
    """What the template ``instances/plan.html`` shows: the plan, also when it is asked for anew.

    :param followers: workflows that get new runs, in words
    """

    action: str
    title: str
    can_apply: bool
    plan: ShownInstances
    plan_hash: str
    followers: Sequence[str]
    noun: str
    is_refresh: bool
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesDialog(InstancesPlanPart):
    """What the template ``instances/dialog.html`` shows: the whole dialog."""

    address: str
    fields: Sequence[tuple[str, str]]
    effect: str
    is_danger: bool
    reaches: Sequence[ReachChoice]
    #: a window freezes some of them, and the actor may do it nevertheless
    may_override: bool
    max_reason: int = MAX_REASON_LENGTH
    max_ticket: int = MAX_TICKET_LENGTH


@dataclass(frozen=True, slots=True)
class InstancesResult:
    """What the template ``instances/result.html`` shows."""

    title: str
    plan: ShownInstances
    operation_id: str
    record_url: str
    followers: Sequence[str]
    noun: str


@dataclass(frozen=True, slots=True)
class _Form:
    """What the dialogs of instances and of runs have in common, and in what they differ.

    :param noun: what is counted
    :param preview: works the plan out
    :param apply: does it, given the hash of the plan that was seen
    """

    words: InstanceWords
    noun: str
    address: str
    fields: Sequence[tuple[str, str]]
    is_danger: bool
    reaches: Sequence[ReachChoice]
    preview: Callable[[], InstancePlan]
    apply: Callable[[str | None], InstancePlan]


def _instances_form(asked: PageRequest, verb: InstanceVerb) -> _Form:
    reach = _reach_of(asked)
    request = InstanceRequest(
        asked.one("dag_id"),
        asked.one("task_id"),
        verb,
        refs_of(asked),
        explanation_of(asked),
        reach,
        ticked(asked, OVERRIDE),
    )
    choices = [ReachChoice(one.value, label, one is reach) for one, label in REACHES.items()]
    return _Form(
        words=VERBS[verb],
        noun="instance",
        address=asked.urls.page(f"instances/{verb.value}"),
        fields=[("dag_id", request.dag_id), ("task_id", request.task_id), *_targets(asked)],
        is_danger=verb is InstanceVerb.TERMINATE,
        reaches=choices if verb is InstanceVerb.RERUN else [],
        preview=partial(preview_on_instances, asked.session, asked.actor, request, asked.now),
        apply=lambda seen: apply_on_instances(asked.session, asked.actor, request, asked.now, expected_hash=seen),
    )


def _runs_form(asked: PageRequest, verb: RunVerb) -> _Form:
    given = {
        "run_ids": asked.many("target"),
        "reason": reason_of(asked),
        "ticket": asked.one("ticket"),
        OVERRIDE: ticked(asked, OVERRIDE),
    }
    wanted = read(RunsInput, given)
    request = RunRequest(asked.one("dag_id"), verb, wanted.run_ids, wanted.explanation(), wanted.override_freeze)
    return _Form(
        words=RUN_VERBS[verb],
        noun="run",
        address=asked.urls.page(f"runs/{verb.value}"),
        fields=[("dag_id", request.dag_id), *_targets(asked)],
        is_danger=False,
        reaches=[],
        preview=partial(preview_on_runs, asked.session, asked.actor, request, asked.now),
        apply=lambda seen: apply_on_runs(asked.session, asked.actor, request, asked.now, expected_hash=seen),
    )


def _targets(asked: PageRequest) -> list[tuple[str, str]]:
    return [("target", one) for one in asked.many("target")]


def _reach_of(asked: PageRequest) -> Reach:
    given = asked.one("with_downstream") or Reach.NONE.value
    if given not in list(Reach):
        raise BadInput(f"with_downstream is {given[:60]!r}; allowed are {', '.join(Reach)}")
    return Reach(given)


def _preview(asked: PageRequest, form: _Form, *, problem: str = "", status: int = 200) -> DialogAnswer:
    plan = form.preview()
    shown = _shown(asked, plan)
    words, applied = form.words, shown.counts.applied
    action = f"{words.label}: {text.count(applied, form.noun) if applied else 'nothing to do'}"
    is_refresh = asked.one("part") == "plan"
    part = InstancesPlanPart(
        action=action,
        title=action,
        can_apply=bool(applied),
        plan=shown,
        plan_hash=plan.plan.plan_hash,
        followers=_followers(plan),
        noun=form.noun,
        is_refresh=is_refresh,
        problem=problem,
    )
    if is_refresh:
        return DialogAnswer("instances/plan.html", part, status)
    dialog = copy_as(
        InstancesDialog,
        part,
        address=form.address,
        fields=form.fields,
        effect=words.effect,
        is_danger=form.is_danger,
        reaches=form.reaches,
        may_override=_is_frozen(plan) and asked.actor.permissions.may_change_settings(),
    )
    return DialogAnswer("instances/dialog.html", dialog)


def _apply(asked: PageRequest, form: _Form) -> DialogAnswer:
    try:
        done = form.apply(asked.one("plan_hash") or None)
    except OperationPlanChanged as error:
        asked.session.rollback()
        return _preview(asked, form, problem=sentence(error), status=error.http_status)
    shown, number = _shown(asked, done), str(done.plan.operation_id)
    applied = shown.counts.applied
    title = f"{text.count(applied, form.noun)} {form.words.done}" if applied else "Nothing was changed"
    record_url = asked.urls.page("operation", {"id": number})
    result = InstancesResult(title, shown, number, record_url, _followers(done), form.noun)
    return DialogAnswer("instances/result.html", result, headers=WHOLE | (CHANGED if applied else {}))


def _is_frozen(plan: InstancePlan) -> bool:
    return any((item.reason or "").startswith(FROZEN) for item in plan.plan.items)


def _followers(plan: InstancePlan) -> list[str]:
    by = {"trigger": "triggered by", "asset": "by an asset of"}
    return [f"{one.dag_id}: a new run, {by.get(one.by, one.by)} {one.of_task}" for one in plan.followers]


def _shown(asked: PageRequest, plan: InstancePlan) -> ShownInstances:
    groups: dict[tuple[Outcome, str], list[tuple[Item, Ref]]] = defaultdict(list)
    for item, ref in plan.pairs():
        groups[item.outcome, item.reason or ""].append((item, ref))
    several = len({(item.dag_id, item.task_id) for item in plan.plan.items}) > 1
    every = [(what, _group(asked, why, found, names_tasks=several)) for (what, why), found in groups.items()]
    return ShownInstances(
        counts=plan.plan.counts(),
        applied=[group for what, group in every if what is Outcome.APPLIED],
        left_alone=[group for what, group in every if what is not Outcome.APPLIED],
    )


def _group(asked: PageRequest, reason: str, found: Sequence[tuple[Item, Ref]], *, names_tasks: bool) -> InstanceGroup:
    rows = [
        InstanceTargetRow(
            name=text.name(name_of(ref.run_id, ref.map_index)),
            of_task=f"{item.dag_id}.{item.task_id}" if names_tasks and item.task_id else "",
            url=_url(asked, item, ref),
            before=state_badge(item.before),
            after=_after(item) if item.outcome is Outcome.APPLIED else None,
        )
        for item, ref in found[:SHOWN]
    ]
    return InstanceGroup(reason, len(found), max(len(found) - SHOWN, 0), rows)


def _url(asked: PageRequest, item: Item, ref: Ref) -> str:
    if not item.task_id:
        return asked.urls.run(item.dag_id, ref.run_id)
    return asked.urls.instance(item.dag_id, ref.run_id, item.task_id, ref.map_index)


def _after(item: Item) -> text.Badge:
    """What becomes of an instance; one that is cleared has no state."""
    return text.Badge("Cleared", "grey") if item.after is None else state_badge(item.after)
