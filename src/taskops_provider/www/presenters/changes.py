"""The dialogs of operations: preview, apply, what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from taskops_provider.domain.operations import Outcome, Plan, Scope
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput, PlanChanged, TaskOpsError
from taskops_provider.services import operations, planning
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import ChangeForm, read_change
from taskops_provider.www.presenters import changes_notices, changes_plan
from taskops_provider.www.presenters.changes_options import WORDS, choices, hints
from taskops_provider.www.presenters.changes_plan import Shown

#: changes that were lost, named one by one
DIFFERENCES_SHOWN = 10
OVERTAKEN = "Something changed meanwhile, so nothing was done. Below is what would be done now."
#: the page behind the dialog is not as it was
CHANGED = {"HX-Trigger": "taskops:changed"}
#: what was done takes the place of the whole dialog, not of its plan
WHOLE = {"HX-Retarget": "#dialog-body"}


@dataclass(frozen=True)
class Answer:
    """What a dialog answers.

    :param template: the part of a page
    """

    template: str
    shown: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def present(asked: Asked, scope: Scope, verb: Verb) -> Answer:
    """Return the dialog of a change, its plan anew, or what was done. Errors are shown in the dialog."""
    is_part = asked.one("part") == "plan"
    try:
        form = read_change(asked, scope, verb)
        if form.is_apply:
            return _apply(asked, form)
        plan = planning.preview(asked.session, asked.actor, form.request, asked.now, is_draft=form.is_draft)
        return _preview(asked, form, plan)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(WORDS[verb].label, error, is_part=is_part)


def refused(title: str, error: TaskOpsError, *, is_part: bool) -> Answer:
    """Return a dialog, or its plan, that says why there is none."""
    template = "dialog_problem.html" if is_part else "dialog_refused.html"
    return Answer(template, {"title": title, "problem": _sentence(error)}, error.http_status)


def _sentence(error: TaskOpsError) -> str:
    line = str(error)
    return line[:1].upper() + line[1:]


def _preview(
    asked: Asked, form: ChangeForm, plan: Plan, *, problem: str = "", differences: Sequence[str] = (), status: int = 200
) -> Answer:
    shown = changes_plan.show(asked.session, plan, asked.urls)
    words = WORDS[form.request.verb]
    action = words.action.format(shown.noun) if shown.counts["applied"] else ""
    common = {
        "title": action or f"{words.label}: nothing to do",
        "action": action or words.label,
        "plan": shown,
        "plan_hash": plan.plan_hash,
        "progress": words.progress.format(shown.noun),
        "is_danger": form.request.verb is Verb.DELETE,
        "terminates": form.request.options.terminate_instances,
        "cascades": form.request.options.cascade,
        "fills_gap": form.request.options.fill_gap,
        "notifies": form.request.options.notify_owners,
        "problem": problem,
        "differences": differences,
        "is_refresh": form.is_part,
        "verb": form.request.verb.value,
        "strict_words": _strict_words(form.request.verb),
    }
    if form.is_part:
        return Answer("dialog_plan.html", common, status)
    more = {
        "address": asked.urls.page(f"change/{form.request.scope.value}s/{form.request.verb.value}"),
        "owners_url": asked.urls.page("owners"),
        "selection": form.selection,
        "choices": choices(form.request, plan, _owners_now(shown)),
        "hint": hints(form.request),
        "notify_help": changes_notices.help_text(form.request.verb),
        "can_apply": bool(shown.counts["applied"]),
        "is_adjustable": bool(shown.counts["applied"]) or (form.request.verb is Verb.OFFLINE and bool(shown.strict)),
    }
    return Answer("dialog_change.html", common | more, status)


def _strict_words(verb: Verb) -> str:
    done = {Verb.PAUSE: "be paused", Verb.OFFLINE: "be taken offline", Verb.DELETE: "be deleted"}.get(verb, "")
    return f"only tasks without a downstream task that is not offline can {done}."


def _owners_now(shown: Shown) -> list[str]:
    """The owners that all targets share, to begin with."""
    rows = shown.applied.rows
    of_each = [[*row.owners.first, *row.owners.rest] for row in rows]
    return of_each[0] if of_each and not shown.applied.more and all(o == of_each[0] for o in of_each) else []


def _apply(asked: Asked, form: ChangeForm) -> Answer:
    if not form.plan_hash:
        raise BadInput("this was not previewed; look at the plan first")
    try:
        done = operations.apply(asked.session, asked.actor, form.request, expected_hash=form.plan_hash)
    except PlanChanged as changed:
        # nothing was done; show what would be done now, so that one click goes on
        asked.session.rollback()
        plan = planning.preview(asked.session, asked.actor, form.request, asked.now)
        return _preview(
            asked,
            replace(form, is_apply=False, is_part=True),
            plan,
            problem=OVERTAKEN,
            differences=_differences(changed),
            status=changed.http_status,
        )
    return result(asked, done, _done_title(form.request.verb, done))


def _differences(changed: PlanChanged) -> list[str]:
    lines = [
        f"{' '.join(filter(None, (one['dag_id'], one['task_id'])))} is now {one['now']}: {one['why']}"
        for one in changed.difference[:DIFFERENCES_SHOWN]
    ]
    more = len(changed.difference) - len(lines)
    if more:
        lines.append(f"and {more:,} more")
    return lines or [_outside(changed)]


def _outside(changed: PlanChanged) -> str:
    """What the error says between its brackets, where no operation made the difference."""
    return str(changed).partition("(")[2].partition(")")[0]


def _done_title(verb: Verb, done: Plan) -> str:
    applied = [item for item in done.items if item.outcome is Outcome.APPLIED]
    return WORDS[verb].done.format(changes_plan.noun(done, applied)) if applied else "Nothing was changed"


def result(asked: Asked, done: Plan, title: str) -> Answer:
    """Return the dialog that says what an operation did."""
    shown = changes_plan.show(asked.session, done, asked.urls)
    number = str(done.operation_id)
    return Answer(
        "dialog_result.html",
        {
            "title": title,
            "plan": shown,
            "operation_id": number,
            "record_url": asked.urls.page("operation", {"id": number}),
            "notified": changes_notices.lines(done.notified) if done.notified else (),
            "undo_url": asked.urls.page("undo") if shown.counts["applied"] else "",
            "verb": done.verb,
        },
        headers=WHOLE | (CHANGED if shown.counts["applied"] else {}),
    )
