"""The dialogs of operations: preview, apply, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput, OperationPlanChanged, TaskOpsError
from taskops_provider.inputs.operation import Options
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.operations import notices
from taskops_provider.www.presenters.operations.form import ChangeForm, read_change
from taskops_provider.www.presenters.operations.options import DialogFields, choices, hints
from taskops_provider.www.presenters.operations.plan import ShownPlan, counted_targets, shown_plan
from taskops_provider.www.presenters.verbs import WORDS

#: changes that were lost, named one by one
DIFFERENCES_SHOWN = 10
OVERTAKEN = "Something changed meanwhile, so nothing was done. Below is what would be done now."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlanPart:
    """What the template ``operations/plan.html`` shows: the plan of an open dialog, as the options are now."""

    title: str
    action: str
    plan: ShownPlan
    plan_hash: str
    progress: str
    is_danger: bool
    options: Options
    problem: str
    differences: Sequence[str]
    is_refresh: bool
    verb: str
    strict_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDialog(ChangePlanPart):
    """What the template ``operations/dialog.html`` shows: the whole dialog.

    :param is_adjustable: an option may change what it applies to
    :param may_override: the actor may do it although a window freezes it
    """

    address: str
    owners_url: str
    selection: Sequence[tuple[str, str]]
    choices: DialogFields
    hint: str
    notify_help: str
    can_apply: bool
    is_adjustable: bool
    may_override: bool


@dataclass(frozen=True, slots=True)
class ResultDialog:
    """What the template ``operations/result.html`` shows: what was done.

    :param notified: who is told, in lines of words
    """

    title: str
    plan: ShownPlan
    operation_id: str
    record_url: str
    notified: Sequence[Sequence[notices.NoticeWords]]
    undo_url: str
    verb: str


def change_dialog(asked: PageRequest, scope: Scope, verb: Verb) -> DialogAnswer:
    """Return the dialog of a change, its plan anew, or what was done. Errors are shown in the dialog."""
    is_part = asked.one("part") == "plan"
    try:
        form = read_change(asked, scope, verb)
        if form.is_apply:
            return _apply(asked, form)
        plan = preview_operation(asked.session, asked.actor, form.request, asked.now, is_draft=form.is_draft)
        return _preview(asked, form, plan)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(WORDS[verb].label, error, is_part=is_part)


def _preview(
    asked: PageRequest,
    form: ChangeForm,
    plan: Plan,
    *,
    problem: str = "",
    differences: Sequence[str] = (),
    status: int = 200,
) -> DialogAnswer:
    shown = shown_plan(asked.session, plan, asked.urls)
    words, verb = WORDS[form.request.verb], form.request.verb
    action = words.action.format(shown.noun) if shown.counts.applied else ""
    part = ChangePlanPart(
        title=action or f"{words.label}: {'blocked' if shown.counts.blocked else 'nothing to do'}",
        action=action or words.label,
        plan=shown,
        plan_hash=plan.plan_hash,
        progress=words.progress.format(shown.noun),
        is_danger=verb is Verb.DELETE,
        options=form.request.options,
        problem=problem,
        differences=differences,
        is_refresh=form.is_part,
        verb=verb.value,
        strict_words=_strict_words(verb),
    )
    if form.is_part:
        return DialogAnswer("operations/plan.html", part, status)
    may_override = asked.actor.permissions.may_change_settings()
    dialog = copy_as(
        ChangeDialog,
        part,
        address=asked.urls.page(f"change/{form.request.scope.value}s/{verb.value}"),
        owners_url=asked.urls.page("owners"),
        selection=form.selection,
        choices=choices(form.request, plan, _owners_now(shown)),
        hint=hints(form.request),
        notify_help=notices.help_text(verb),
        can_apply=bool(shown.counts.applied),
        is_adjustable=_is_adjustable(shown, verb, may_override=may_override),
        may_override=may_override,
    )
    return DialogAnswer("operations/dialog.html", dialog, status)


def _is_adjustable(shown: ShownPlan, verb: Verb, *, may_override: bool) -> bool:
    if shown.counts.applied or (shown.is_frozen and may_override):
        return True
    return verb is Verb.OFFLINE and bool(shown.strict)


def _strict_words(verb: Verb) -> str:
    done = {Verb.PAUSE: "be paused", Verb.OFFLINE: "be taken offline", Verb.DELETE: "be deleted"}.get(verb, "")
    return f"a task can {done} only if all its downstream tasks are offline or deleted."


def _owners_now(shown: ShownPlan) -> list[str]:
    """The owners that all targets share, to begin with."""
    rows = shown.applied.rows
    of_each = [[*row.owners.first, *row.owners.rest] for row in rows]
    return of_each[0] if of_each and not shown.applied.more and all(o == of_each[0] for o in of_each) else []


def _apply(asked: PageRequest, form: ChangeForm) -> DialogAnswer:
    if not form.plan_hash:
        raise BadInput("this was not previewed; look at the plan first")
    try:
        done = apply_operation(asked.session, asked.actor, form.request, expected_hash=form.plan_hash)
    except OperationPlanChanged as changed:
        # nothing was done; show what would be done now, so that one click goes on
        asked.session.rollback()
        plan = preview_operation(asked.session, asked.actor, form.request, asked.now)
        return _preview(
            asked,
            replace(form, is_apply=False, is_part=True),
            plan,
            problem=OVERTAKEN,
            differences=_differences(changed),
            status=changed.http_status,
        )
    return result_dialog(asked, done, _done_title(form.request.verb, done))


def _differences(changed: OperationPlanChanged) -> list[str]:
    lines = [str(target) for target in changed.targets[:DIFFERENCES_SHOWN]]
    more = len(changed.targets) - len(lines)
    if more:
        lines.append(f"and {more:,} more")
    return lines or [changed.OTHERWISE]


def _done_title(verb: Verb, done: Plan) -> str:
    return WORDS[verb].done.format(counted_targets(done)) if done.applied() else "Nothing was changed"


def result_dialog(asked: PageRequest, done: Plan, title: str) -> DialogAnswer:
    """Return the dialog that says what an operation did."""
    number, applied = str(done.operation_id), done.counts().applied
    result = ResultDialog(
        title=title,
        plan=shown_plan(asked.session, done, asked.urls),
        operation_id=number,
        record_url=asked.urls.page("operation", {"id": number}),
        notified=notices.lines(done.notified) if done.notified else (),
        undo_url=asked.urls.page("undo") if applied else "",
        verb=done.verb,
    )
    return DialogAnswer("operations/result.html", result, headers=WHOLE | (CHANGED if applied else {}))
