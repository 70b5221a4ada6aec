"""What can be done to a replenishment: the buttons and menus, and their dialogs (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskops_provider.domain.operations import MAX_REASON_LENGTH
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.exceptions import BadInput, Conflict, Forbidden, TaskOpsError
from taskops_provider.services.filters import check_choices
from taskops_provider.services.replenishment_control import (
    APPLIES_TO,
    ControlVerb,
    applies,
    control,
    controllable,
)
from taskops_provider.services.replenishments import show_replenishment
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.changes import CHANGED, Answer, refused
from taskops_provider.www.presenters.rows import Action
from taskops_provider.www.presenters.text import Badge
from taskops_provider.www.urls import Urls

BADGES: Mapping[str, Badge] = {
    ReplenishmentState.QUEUED: Badge("Queued", "grey"),
    ReplenishmentState.RUNNING: Badge("Running", "blue"),
    ReplenishmentState.PAUSED: Badge("Paused", "amber"),
    ReplenishmentState.SUCCESS: Badge("Success", "green"),
    ReplenishmentState.PART_SUCCESS: Badge("Part success", "rust"),
    ReplenishmentState.FAILED: Badge("Failed", "red"),
    ReplenishmentState.CANCELLED: Badge("Cancelled", "grey"),
}
#: cancelled, and something of it still runs
_CANCELLING = Badge("Cancelling", "purple")
_STEPS = ("preview", "apply")
#: what becomes of cells that run
_ENDINGS = ("leave", "end")


@dataclass(frozen=True)
class Words:
    """A verb: as a button, as what was done."""

    label: str
    done: str


WORDS: Mapping[ControlVerb, Words] = {
    ControlVerb.PAUSE: Words("Pause", "is paused"),
    ControlVerb.RESUME: Words("Resume", "goes on"),
    ControlVerb.CANCEL: Words("Cancel", "is cancelled"),
    ControlVerb.RETRY: Words("Retry", "goes on"),
}


def badge(shown: Mapping[str, Any]) -> Badge:
    """Return the state of a replenishment."""
    is_ending = shown["state"] == ReplenishmentState.CANCELLED and not shown["ended_at"]
    return _CANCELLING if is_ending else BADGES[shown["state"]]


def actions(shown: Mapping[str, Any], urls: Urls) -> tuple[Action, ...]:
    """Return what can be done to a replenishment; what does not apply says why."""
    return tuple(
        Action(verb.value, words.label, urls.page(f"replenishment/{verb.value}"), why_not(verb, shown))
        for verb, words in WORDS.items()
    )


def why_not(verb: ControlVerb, shown: Mapping[str, Any]) -> str:
    """Return why a verb does not apply, a sentence; empty where it does."""
    if not applies(verb, shown["state"], has_ended=shown["ended_at"] is not None):
        is_now = badge(shown).text.lower()
        return f"This replenishment is {is_now}; it would have to be {APPLIES_TO[verb]}"
    if verb is ControlVerb.RETRY and not _again(shown):
        return "No cell of this replenishment failed or was cancelled"
    return ""


def _again(shown: Mapping[str, Any]) -> int:
    states = shown["counts"]["by_state"]
    return int(states[CellState.FAILED] + states[CellState.CANCELLED])


def present(asked: Asked, verb: ControlVerb) -> Answer:
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


def _preview(asked: Asked, verb: ControlVerb, number: int) -> Answer:
    shown = show_replenishment(asked.session, asked.actor, number, asked.now)
    if number not in controllable(asked.session, asked.actor, [number]):
        raise Forbidden(f"replenishment {number} has Dags that you may not edit")
    if problem := why_not(verb, shown):
        raise Conflict(problem)
    active = shown["counts"]["by_state"][CellState.ACTIVE]
    return Answer(
        "replenishment_control.html",
        {
            "title": f"{WORDS[verb].label} replenishment {number}?",
            "name": shown["name"],
            "number": str(number),
            "address": asked.urls.page(f"replenishment/{verb.value}"),
            "action": f"{WORDS[verb].label} replenishment",
            "is_danger": verb is ControlVerb.CANCEL,
            "lines": _effects(verb, shown),
            "endings": _endings(active) if verb is ControlVerb.CANCEL and active else [],
            "max_reason": MAX_REASON_LENGTH,
        },
    )


def _effects(verb: ControlVerb, shown: Mapping[str, Any]) -> list[str]:
    """What it means for the cells that there are now."""
    states = shown["counts"]["by_state"]
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


def _endings(active: int) -> list[dict[str, Any]]:
    runs = _verbed(active, "runs", "run")
    return [
        {
            "value": "leave",
            "label": "Leave what runs",
            "about": f"{runs} and will go on to the end.",
            "is_chosen": True,
        },
        {
            "value": "end",
            "label": "End what runs",
            "about": f"{runs} and will be ended: their instances are set to failed.",
            "is_chosen": False,
        },
    ]


def _apply(asked: Asked, verb: ControlVerb, number: int, *, end_running: bool) -> Answer:
    reason = asked.one("reason").replace("\r\n", "\n")
    if len(reason) > MAX_REASON_LENGTH:
        raise BadInput(f"the reason has {len(reason):,} characters; at most {MAX_REASON_LENGTH:,} are kept")
    shown = control(asked.session, asked.actor, number, verb, asked.now, end_running=end_running, reason=reason or None)
    return Answer(
        "replenishment_controlled.html",
        {
            "title": f"Replenishment {number} {WORDS[verb].done}",
            "number": str(number),
            "lines": _results(verb, shown, ended=end_running),
            "url": asked.urls.page("replenishment", {"id": str(number)}),
        },
        headers=CHANGED,
    )


def _results(verb: ControlVerb, shown: Mapping[str, Any], *, ended: bool) -> list[str]:
    states = shown["counts"]["by_state"]
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
