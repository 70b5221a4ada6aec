"""The dialog that undoes an operation."""

from __future__ import annotations

from taskops_provider.domain.operations import Outcome, Plan
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services.undo import preview_undo, undo
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import STEPS, operation_id_of
from taskops_provider.www.presenters import changes_plan
from taskops_provider.www.presenters.changes import Answer, refused, result


def present(asked: Asked) -> Answer:
    """Return what undoing an operation would restore, or what it restored."""
    step = asked.one("step") or "preview"
    try:
        if step not in STEPS:
            raise BadInput(f"step is {step!r}; allowed are {', '.join(STEPS)}")
        number = operation_id_of(asked)
        if step == "apply":
            done = undo(asked.session, asked.actor, number)
            return result(asked, done, _done_title(done))
        return _preview(asked, number, preview_undo(asked.session, asked.actor, number))
    except TaskOpsError as error:
        asked.session.rollback()
        return refused("Undo", error, is_part=step == "apply")


def _preview(asked: Asked, number: int, plan: Plan) -> Answer:
    shown = changes_plan.show(asked.session, plan, asked.urls)
    count = shown.counts["applied"]
    return Answer(
        "dialog_undo.html",
        {
            "title": f"Undo operation {number}",
            "operation_id": str(number),
            "record_url": asked.urls.page("operation", {"id": str(number)}),
            "address": asked.urls.page("undo"),
            "action": f"Restore {shown.noun}",
            "progress": f"Restoring {shown.noun}",
            "can_apply": bool(count),
            "plan": shown,
            "verb": plan.verb,
        },
    )


def _done_title(done: Plan) -> str:
    applied = [item for item in done.items if item.outcome is Outcome.APPLIED]
    return f"{changes_plan.noun(done, applied)} restored" if applied else "Nothing was changed"
