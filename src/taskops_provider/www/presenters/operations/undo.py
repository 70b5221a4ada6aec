"""The dialog that undoes an operation."""

from __future__ import annotations

from dataclasses import dataclass

from taskops_provider.domain.operations.plan import Plan
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services.operations.undo import preview_undo, undo
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.answer import DialogAnswer, refused
from taskops_provider.www.presenters.operations.dialog import result_dialog
from taskops_provider.www.presenters.operations.form import STEPS
from taskops_provider.www.presenters.operations.plan import ShownPlan, counted_targets, shown_plan


@dataclass(frozen=True, slots=True)
class UndoDialog:
    """What the template ``operations/undo.html`` shows."""

    title: str
    operation_id: str
    record_url: str
    address: str
    action: str
    progress: str
    can_apply: bool
    plan: ShownPlan
    plan_hash: str
    verb: str


def undo_dialog(asked: PageRequest) -> DialogAnswer:
    """Return what undoing an operation would restore, or what it restored."""
    step = asked.one("step") or "preview"
    try:
        if step not in STEPS:
            raise BadInput(f"step is {step!r}; allowed are {', '.join(STEPS)}")
        number = asked.number("operation_id", of="an operation")
        if step == "apply":
            done = undo(asked.session, asked.actor, number, expected_hash=asked.one("plan_hash") or None)
            return result_dialog(asked, done, _done_title(done))
        return _preview(asked, number, preview_undo(asked.session, asked.actor, number))
    except TaskOpsError as error:
        asked.session.rollback()
        return refused("Undo", error, is_part=step == "apply")


def _preview(asked: PageRequest, number: int, plan: Plan) -> DialogAnswer:
    shown = shown_plan(asked.session, plan, asked.urls)
    dialog = UndoDialog(
        title=f"Undo operation {number}",
        operation_id=str(number),
        record_url=asked.urls.page("operation", {"id": str(number)}),
        address=asked.urls.page("undo"),
        action=f"Restore {shown.noun}",
        progress=f"Restoring {shown.noun}",
        can_apply=bool(shown.counts.applied),
        plan=shown,
        plan_hash=plan.plan_hash,
        verb=plan.verb,
    )
    return DialogAnswer("operations/undo.html", dialog)


def _done_title(done: Plan) -> str:
    return f"{counted_targets(done)} restored" if done.applied() else "Nothing was changed"
