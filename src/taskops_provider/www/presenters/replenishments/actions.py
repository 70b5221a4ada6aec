"""What can be done to a replenishment: the buttons and menus, and their dialogs (requirements 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.exceptions import Conflict, TaskOpsError
from taskops_provider.inputs import problems
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import ControlInput
from taskops_provider.services.catalog.filters import check_choices
from taskops_provider.services.replenishments.control import (
    APPLIES_TO,
    ControlVerb,
    Rights,
    applies,
    control_replenishment,
    rights_to_control,
)
from taskops_provider.services.replenishments.create import show_replenishment
from taskops_provider.services.replenishments.progress import ReplenishmentDetails, ReplenishmentProgress
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.answer import CHANGED, DialogAnswer, refused
from taskops_provider.www.presenters.lists.rows import Action
from taskops_provider.www.presenters.operations.form import reason_of
from taskops_provider.www.presenters.text import Badge
from taskops_provider.www.urls import Urls

BADGES: Mapping[str, Badge] = {
    ReplenishmentState.QUEUED: Badge("Queued", "grey"),
    ReplenishmentState.RUNNING: Badge("Running", "blue"),
    ReplenishmentState.PAUSED: Badge("Paused", "amber"),
    ReplenishmentState.SUCCESS: Badge("Success", "green"),
    ReplenishmentState.PART_SUCCESS: Badge("Partial success", "rust"),
    ReplenishmentState.FAILED: Badge("Failed", "red"),
    ReplenishmentState.CANCELLED: Badge("Cancelled", "grey"),
}
#: cancelled, and something of it still runs
_CANCELLING = Badge("Cancelling", "purple")
_STEPS = ("preview", "apply")
#: what a verb means for the cells, for who may not read how many they are
_UNCOUNTED: Mapping[ControlVerb, str] = {
    ControlVerb.PAUSE: "What waits will not start until it is resumed; what runs will go on to the end.",
    ControlVerb.RESUME: "What waits will execute.",
    ControlVerb.CANCEL: "What waits will never execute.",
    ControlVerb.RETRY: "What failed or was cancelled will execute again; what has succeeded stays as it is.",
}
#: what becomes of cells that run
_ENDINGS = ("leave", "end")


@dataclass(frozen=True)
class ActionWords:
    """A verb: as a button, as what was done."""

    label: str
    done: str


WORDS: Mapping[ControlVerb, ActionWords] = {
    ControlVerb.PAUSE: ActionWords("Pause", "is paused"),
    ControlVerb.RESUME: ActionWords("Resume", "goes on"),
    ControlVerb.CANCEL: ActionWords("Cancel", "is cancelled"),
    ControlVerb.RETRY: ActionWords("Retry", "goes on"),
}


def badge(progress: ReplenishmentProgress) -> Badge:
    """Return the state of a replenishment."""
    is_ending = progress.state == ReplenishmentState.CANCELLED and not progress.ended_at
    return _CANCELLING if is_ending else BADGES[progress.state]


def actions(progress: ReplenishmentProgress, rights: Rights, urls: Urls) -> tuple[Action, ...]:
    """Return what the actor may do to a replenishment; what does not apply says why."""
    return tuple(
        Action(verb.value, words.label, urls.page(f"replenishment/{verb.value}"), why_not(verb, progress))
        for verb, words in WORDS.items()
        if rights.may(verb)
    )


def why_not(verb: ControlVerb, progress: ReplenishmentProgress) -> str:
    """Return why a verb does not apply, a sentence; empty where it does."""
    if not applies(verb, progress.state, has_ended=progress.ended_at is not None):
        is_now = badge(progress).text.lower()
        return f"This replenishment is {is_now}; it would have to be {APPLIES_TO[verb]}"
    if verb is ControlVerb.RETRY and not _can_retry(progress):
        return "No cell of this replenishment failed or was cancelled"
    return ""


def _can_retry(progress: ReplenishmentProgress) -> bool:
    states = progress.counts.by_state
    # of one whose cells the person may not read, the service knows
    return bool(states[CellState.FAILED] or states[CellState.CANCELLED]) or not any(states.values())


@dataclass(frozen=True)
class Ending:
    """What may become of the cells that run: a choice of the dialog."""

    value: str
    label: str
    about: str
    is_chosen: bool


@dataclass(frozen=True)
class ControlDialog:
    """What the template ``replenishments/control.html`` shows.

    :param lines: what it means for the cells
    :param endings: empty if there is nothing to choose
    """

    title: str
    name: str
    number: str
    address: str
    action: str
    is_danger: bool
    lines: Sequence[str]
    endings: Sequence[Ending]
    max_reason: int = MAX_REASON_LENGTH


@dataclass(frozen=True)
class ControlledDialog:
    """What the template ``replenishments/controlled.html`` shows."""

    title: str
    number: str
    lines: Sequence[str]
    url: str


def control_dialog(asked: PageRequest, verb: ControlVerb) -> DialogAnswer:
    """Return the dialog that asks whether, or do it and say what came of it. Errors are shown in the dialog."""
    try:
        number, step = asked.number("target"), asked.one("step") or _STEPS[0]
        check_choices("step", [step], _STEPS)
        ending = asked.one("running") or _ENDINGS[0]
        check_choices("running", [ending], _ENDINGS)
        if step == "apply":
            return _apply(asked, verb, number, end_running=ending == "end")
        return _preview(asked, verb, number)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(WORDS[verb].label, error, is_part=False)


def _preview(asked: PageRequest, verb: ControlVerb, number: int) -> DialogAnswer:
    details = show_replenishment(asked.session, asked.actor, number, asked.now)
    rights = rights_to_control(asked.session, asked.actor, [number])[number]
    rights.refuse(verb)
    if problem := why_not(verb, details):
        raise Conflict(problem)
    active = details.counts.by_state[CellState.ACTIVE]
    dialog = ControlDialog(
        title=f"{WORDS[verb].label} replenishment {number}?",
        name=details.name,
        number=str(number),
        address=asked.urls.page(f"replenishment/{verb.value}"),
        action=f"{WORDS[verb].label} replenishment",
        is_danger=verb is ControlVerb.CANCEL,
        lines=_effects(verb, details),
        endings=_endings(active)
        if active and verb is ControlVerb.CANCEL and rights.may(verb, end_running=True)
        else [],
    )
    return DialogAnswer("replenishments/control.html", dialog)


def _effects(verb: ControlVerb, details: ReplenishmentDetails) -> list[str]:
    """What it means for the cells that there are now."""
    states = details.counts.by_state
    if not any(states.values()):
        return [_UNCOUNTED[verb]]
    waiting, active = (states[state] for state in (CellState.WAITING, CellState.ACTIVE))
    if verb is ControlVerb.CANCEL:
        return [f"{_verbed(waiting, 'waits', 'wait')} and will never execute."]
    if verb is ControlVerb.RETRY:
        failed, cancelled = states[CellState.FAILED], states[CellState.CANCELLED]
        cells = f"{text.count(failed, 'failed cell')} and {text.count(cancelled, 'cancelled cell')}"
        return [f"{cells} will execute again, in the runs in which they were.", "What has succeeded stays as it is."]
    if verb is ControlVerb.RESUME:
        return [f"{_verbed(waiting, 'waits', 'wait')} and will execute."]
    lines = [f"{_verbed(waiting, 'waits', 'wait')} and will not start until it is resumed."]
    if active:
        lines.append(f"{_verbed(active, 'runs', 'run')} and will go on to the end.")
    return lines


def _verbed(number: int, one: str, many: str) -> str:
    return f"{text.count(number, 'cell')} {one if number == 1 else many}"


def _endings(active: int) -> list[Ending]:
    runs = _verbed(active, "runs", "run")
    return [
        Ending("leave", "Leave what runs", f"{runs} and will go on to the end.", is_chosen=True),
        Ending(
            "end", "End what runs", f"{runs} and will be ended: their instances are set to failed.", is_chosen=False
        ),
    ]


def _apply(asked: PageRequest, verb: ControlVerb, number: int, *, end_running: bool) -> DialogAnswer:
    values = {"terminate_instances": end_running, "reason": reason_of(asked)}
    inputs = read(ControlInput, values, name=_label)
    details = control_replenishment(
        asked.session,
        asked.actor,
        number,
        verb,
        asked.now,
        end_running=inputs.terminate_instances,
        reason=inputs.reason,
    )
    dialog = ControlledDialog(
        title=f"Replenishment {number} {WORDS[verb].done}",
        number=str(number),
        lines=_results(verb, details, ended=end_running),
        url=asked.urls.page("replenishment", {"id": str(number)}),
    )
    return DialogAnswer("replenishments/controlled.html", dialog, headers=CHANGED)


def _label(path: problems.Path) -> str:
    return f"the {path[0]}"


def _results(verb: ControlVerb, details: ReplenishmentDetails, *, ended: bool) -> list[str]:
    states = details.counts.by_state
    if not any(states.values()):
        return [_UNCOUNTED[verb]]
    active = states[CellState.ACTIVE]
    if verb is ControlVerb.CANCEL:
        lines = [f"{text.count(states[CellState.CANCELLED], 'cell')} will never execute."]
        if active:
            lines.append(f"{_verbed(active, 'is', 'are')} {'being ended' if ended else 'left to run to the end'}.")
        return lines
    if verb is ControlVerb.PAUSE:
        return (
            [f"Nothing more starts; {_verbed(active, 'goes', 'go')} on to the end."]
            if active
            else ["Nothing more starts."]
        )
    return [f"{text.count(states[CellState.WAITING], 'cell')} will execute; the monitor starts them."]
