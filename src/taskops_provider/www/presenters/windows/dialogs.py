"""The dialogs that make, change and delete windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskops_provider.domain.answers import Json
from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.windows.window import MAX_NAME_LENGTH, WindowChange, WindowCreate
from taskops_provider.services.windows.answers import WindowPreview
from taskops_provider.services.windows.changes import create_window, delete_window, update_window
from taskops_provider.services.windows.listing import show_window
from taskops_provider.services.windows.preview import preview_window
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.operations.form import ticked
from taskops_provider.www.presenters.windows.page import DELETE, EDIT, NEW
from taskops_provider.www.presenters.windows.words import EFFECTS, KINDS, scope_words

STEPS = ("", "preview", "apply")
_LISTS = ("workflows", "folders", "projects", "tags")
_NAMED = 10


@dataclass(frozen=True, slots=True)
class WindowDialog:
    """What ``windows/dialog.html`` shows.

    :param number: of the window that is changed; empty: a new one
    :param values: what the fields hold
    """

    title: str
    action: str
    address: str
    number: str
    values: Json
    kinds: Sequence[tuple[str, str, bool]]
    effects: Sequence[tuple[str, str]]
    max_name: int = MAX_NAME_LENGTH
    max_reason: int = MAX_REASON_LENGTH


@dataclass(frozen=True, slots=True)
class OccurrenceLine:
    """One time at which a window is open, and what it stops."""

    begin: text.Time | None
    end: text.Time | None
    cycles: Sequence[str]
    more: int


@dataclass(frozen=True, slots=True)
class PreviewPart:
    """What ``windows/preview.html`` shows."""

    summary: str
    occurrences: Sequence[OccurrenceLine]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class WindowQuestion:
    """What ``windows/ask.html`` shows: whether to delete a window."""

    title: str
    address: str
    number: str
    lines: Sequence[str]
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class WindowDone:
    """What ``windows/done.html`` shows."""

    title: str


def present_new(asked: PageRequest) -> DialogAnswer:
    """Return the dialog of a new window, a preview of it, or make it."""
    return _answer(asked, "New window", lambda: _new(asked))


def present_edit(asked: PageRequest) -> DialogAnswer:
    """Return the dialog of a window, a preview of the change, or change it."""
    return _answer(asked, "Change window", lambda: _edit(asked))


def present_delete(asked: PageRequest) -> DialogAnswer:
    """Return the dialog that asks whether to delete a window, or delete it."""
    return _answer(asked, "Delete window", lambda: _delete(asked))


def _answer(asked: PageRequest, title: str, present: Any) -> DialogAnswer:
    step = asked.one("step")
    try:
        if step not in STEPS:
            raise BadInput(f"step is {step[:60]!r}; allowed are preview, apply")
        answer: DialogAnswer = present()
        return answer
    except TaskOpsError as error:
        asked.session.rollback()
        return refused(title, error, is_part=bool(step))


def _new(asked: PageRequest) -> DialogAnswer:
    step = asked.one("step")
    if not step:
        values = {"zone": "UTC", "enabled": True, "workflows": asked.one("dag_id")}
        return DialogAnswer("windows/dialog.html", _dialog(asked, "New window", "Create", NEW, values))
    window = read(WindowCreate, _given(asked))
    if step == "preview":
        return _preview(preview_window(asked.session, asked.actor, window, asked.now))
    made = create_window(asked.session, asked.actor, window, asked.now)
    return _done(f"Window {made.window_id} is made")


def _edit(asked: PageRequest) -> DialogAnswer:
    step, number = asked.one("step"), asked.number("id", of="a window")
    shown = show_window(asked.session, asked.actor, number, asked.now)
    if shown.purpose is not WindowPurpose.WINDOW:
        raise BadInput(f"window {number} can be deleted, not changed")
    if not step:
        values = {
            **{name: "\n".join(shown.scope[name]) for name in _LISTS},
            **shown.times,
            "name": shown.name,
            "reason": shown.reason or "",
            "downstream": shown.downstream.value if shown.downstream else "",
            "kinds": [kind.value for kind in shown.kinds],
            "tasks": "\n".join(f"{one['dag_id']} {one['task_id']}" for one in shown.scope["tasks"]),
            "everything": shown.scope["everything"],
            "exceptions": "\n".join(shown.times.get("exceptions", ())),
            "zone": shown.times.get("zone", "UTC"),
            "enabled": shown.enabled,
        }
        return DialogAnswer(
            "windows/dialog.html", _dialog(asked, f"Window {number}", "Save", EDIT, values, str(number))
        )
    given = _given(asked)
    if step == "preview":
        return _preview(preview_window(asked.session, asked.actor, read(WindowCreate, given), asked.now))
    update_window(asked.session, asked.actor, number, read(WindowChange, given), asked.now)
    return _done(f"Window {number} is changed")


def _delete(asked: PageRequest) -> DialogAnswer:
    number = asked.number("id", of="a window")
    if asked.one("step") == "apply":
        delete_window(asked.session, asked.actor, number, asked.now)
        return _done(f"Window {number} is deleted")
    shown = show_window(asked.session, asked.actor, number, asked.now)
    lines = ["It is open: it ends now, and what it held goes on."] if shown.open_until else []
    question = WindowQuestion(
        title=f"Delete window {shown.name}?",
        address=asked.urls.page(DELETE),
        number=str(number),
        lines=[*lines, "It covers:"],
        items=scope_words(shown.scope)[:_NAMED],
    )
    return DialogAnswer("windows/ask.html", question)


def _dialog(asked: PageRequest, title: str, action: str, page: str, values: Json, number: str = "") -> WindowDialog:
    chosen = values.get("kinds", [WindowKind.PAUSE.value])
    return WindowDialog(
        title=title,
        action=action,
        address=asked.urls.page(page),
        number=number,
        values=values,
        kinds=[(kind.value, KINDS[kind], kind.value in chosen) for kind in WindowKind],
        effects=[(effect.value, EFFECTS[effect].capitalize()) for effect in Downstream],
    )


def _given(asked: PageRequest) -> Json:
    """The window that the fields of the dialog say."""
    kinds = list(asked.many("kind"))
    given: Json = {
        "name": asked.one("name"),
        "kinds": kinds,
        "scope": _scope(asked),
        "times": _times(asked),
        "reason": asked.one("reason").replace("\r\n", "\n") or None,
        "enabled": ticked(asked, "enabled"),
    }
    if WindowKind.PAUSE.value in kinds and asked.one("downstream"):
        given["downstream"] = asked.one("downstream")
    return given


def _scope(asked: PageRequest) -> Json:
    scope: Json = {name: _entries(asked, name) for name in _LISTS}
    scope["everything"] = ticked(asked, "everything")
    tasks = []
    for line in _entries(asked, "tasks"):
        dag_id, blank, task_id = line.partition(" ")
        if not blank or " " in task_id.strip():
            raise BadInput(f"task {line[:80]!r} is not 'DAG_ID TASK_ID'")
        tasks.append({"dag_id": dag_id, "task_id": task_id.strip()})
    return {**scope, "tasks": tasks}


def _entries(asked: PageRequest, name: str) -> list[str]:
    """What stands in the lines of a field."""
    return [line.strip() for line in asked.one(name).splitlines() if line.strip()]


def _times(asked: PageRequest) -> Json:
    times: Json = {
        name: value for name in ("rrule", "cron", "starts", "duration", "until") if (value := asked.one(name))
    }
    zone = asked.one("zone")
    for name in ("begin", "end", "last"):
        if value := asked.one(name):
            times[name] = _moment(value, zone)
    if exceptions := _entries(asked, "exceptions"):
        times["exceptions"] = exceptions
    # of one that is open once the zone says what the begin and end mean, no more
    return times if "begin" in times or "end" in times else {**times, "zone": zone or "UTC"}


def _moment(value: str, zone: str) -> Any:
    """A time without a zone is on the clock of the dialog's zone; what is none is told by the input model."""
    try:
        moment: datetime = read_iso_time(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=parse_zone(zone or "UTC"))
    except ValueError:
        return value


def _preview(shown: WindowPreview) -> DialogAnswer:
    notes = []
    if shown.without_cycles:
        notes.append(f"Without cycles to tell: {', '.join(shown.without_cycles[:_NAMED])}")
    if shown.not_looked_at:
        notes.append(f"Cycles of {text.count(shown.not_looked_at, 'more workflow')} are not told")
    part = PreviewPart(
        summary=f"{text.count(shown.workflows, 'workflow')}, {text.count(shown.tasks, 'task')}",
        occurrences=[
            OccurrenceLine(
                text.time(one.begin),
                text.time(one.end),
                [f"{cycle.dag_id} {cycle.run_after:%Y-%m-%d %H:%M:%S} UTC" for cycle in one.cycles[:_NAMED]],
                max(len(one.cycles) - _NAMED, 0) + one.more_cycles,
            )
            for one in shown.occurrences
        ],
        notes=notes,
    )
    return DialogAnswer("windows/preview.html", part)


def _done(title: str) -> DialogAnswer:
    return DialogAnswer("windows/done.html", WindowDone(title), headers={**CHANGED, **WHOLE})
