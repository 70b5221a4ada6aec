"""Which instances are gated, and how a gated instance is told from others (requirements 3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from taskops_provider.domain.states import OUT_OF_SERVICE, Downstream

#: One pool without slots per downstream effect: the second lock of a gated instance, and what people see of it. The
#: name says what it waits for.
GATE_POOLS: Mapping[Downstream, str] = {effect: f"taskops_{effect.value}" for effect in Downstream}
EFFECT_OF_POOL: Mapping[str, Downstream] = {pool: effect for effect, pool in GATE_POOLS.items()}

#: A gated instance waits as ``up_for_retry`` with a delay that never ends. The scheduler looks at such an instance as
#: at any other: it ends it by the task's trigger rule if something upstream failed or was skipped, counts it as still
#: to come (so it sees no deadlock), and never runs it, whatever its operator; an unexpanded mapped task stays so.
WAITING_STATE = "up_for_retry"
#: seconds, from the moment of each look; exact in a float of four bytes
WAITS_FOR = 1e9
#: what all marks begin with
TASKOPS_MARK = _MARK = "taskops:"
#: effect -> what stands with the delay: it tells the effect even if another policy takes the instance out of our pool
WAITING_MARKS: Mapping[Downstream, str] = {effect: f"{_MARK}{effect.value}" for effect in Downstream}
#: stands with the delay of an instance that is held because of its run: its Dag is unpaused for others only
FOREIGN_MARK = f"{_MARK}foreign"

#: stands with the delay of an instance that people hold; after a colon what it goes back to when it is released: an
#: effect of the gate, ``foreign``, or ``retry`` (it waits for its next try by a delay of its own)
HELD_MARK = f"{_MARK}held"
RETRY = "retry"
#: stands with an instance that people force, until it starts: neither upstream nor earlier runs count for it. Behind a
#: colon its ``max_tries``: clearing the instance later raises that, and ends it
FORCE_MARK = f"{_MARK}force"

_EFFECT_OF_MARK: Mapping[str, Downstream] = {
    **{mark: effect for effect, mark in WAITING_MARKS.items()},
    FOREIGN_MARK: Downstream.HOLD,
}

#: how a waiting instance is called instead of "up for retry", which Airflow's own UI says
WAITS_IN_GATE = "waits in the gate"

#: the ``task_id`` of a workflow's own gate interval: tasks that have no interval of their own
ANY_TASK = ""

#: Airflow's state for an instance whose turn has come and that is not to execute; held ones wait instead
SETTLED_STATE: Mapping[Downstream, str] = {
    Downstream.SKIP: "skipped",
    Downstream.RUN: "success",
    Downstream.FAIL: "failed",
}
#: Airflow's state for an instance that had started and was ended: what has begun cannot be held
ENDED_STATE: Mapping[Downstream, str] = {**SETTLED_STATE, Downstream.HOLD: "failed"}

#: who wrote a note, where Airflow keeps the id of a user; a person who edits the note puts theirs
NOTE_AUTHOR = "taskops:monitor"
NOTE_LENGTH = 1000

_EFFECT_IN_WORDS: Mapping[Downstream, str] = {
    Downstream.SKIP: "skipped without executing once everything upstream is done",
    Downstream.RUN: "counted as success without executing once everything upstream is done",
    Downstream.FAIL: "failed without executing once everything upstream is done",
    Downstream.HOLD: "held without executing until the task is started",
}


_HELD_IN_WORDS = "it does not start until it is released"


#: in a run that a replenishment makes: role of a task -> how it is gated; what executes is not
EFFECT_OF_ROLE: Mapping[str, Downstream | None] = {
    "execute": None,
    "done": Downstream.RUN,
    "pass": Downstream.RUN,
    "follow": Downstream.SKIP,
    "skip": Downstream.SKIP,
}
#: of those, what need not wait for its turn: role -> the state it has from the beginning
STATE_OF_ROLE: Mapping[str, str] = {"done": "success", "skip": "skipped"}


def waits_in_gate(state: str | None, *, gated: bool) -> bool:
    """Tell whether an instance waits in the gate: gated, and neither settled nor let go."""
    return gated and state == WAITING_STATE


def held_mark(before: str | None = None) -> str:
    """Return what stands with the delay of an instance that people hold.

    :param before: the mark that stood there, or ``RETRY``; None of one that would run
    """
    return f"{HELD_MARK}:{before.removeprefix(_MARK)}" if before else HELD_MARK


def force_mark(max_tries: int | str) -> str:
    """Return what stands with an instance that people force."""
    return f"{FORCE_MARK}:{max_tries}"


def is_held(mark: str | None) -> bool:
    """Tell whether people hold an instance with this mark."""
    return mark is not None and (mark == HELD_MARK or mark.startswith(f"{HELD_MARK}:"))


def held_from(mark: str | None) -> str | None:
    """Return what an instance that people hold goes back to: a mark, ``RETRY``, or None to run."""
    before = (mark or "").removeprefix(HELD_MARK).removeprefix(":")
    if not before:
        return None
    return before if before == RETRY else f"{_MARK}{before}"


def effect_of(pool: str, mark: str | None) -> Downstream | None:
    """Return the effect that the gate has for an instance, without what people hold it for."""
    if not is_held(mark):
        return EFFECT_OF_POOL.get(pool)
    before = held_from(mark)
    return _EFFECT_OF_MARK.get(before) if before else None


def effects(intervals: Iterable[tuple[str, str]]) -> dict[str, Downstream]:
    """Return the downstream effect by task id from the (task_id, downstream) pairs in force at one moment.

    Of several for a task the last counts. ``ANY_TASK`` may be among the keys: the effect for every task without
    one of its own. An effect that this version does not know holds: the scheduler asks this, and must neither
    fail nor execute.
    """
    return {task_id: _EFFECTS.get(downstream, Downstream.HOLD) for task_id, downstream in intervals}


_EFFECTS: Mapping[str, Downstream] = {effect.value: effect for effect in Downstream}
#: of several windows, and of a window and a pause, the last of these counts
_STRICTER: Mapping[Downstream, int] = {
    effect: rank for rank, effect in enumerate((Downstream.RUN, Downstream.SKIP, Downstream.FAIL, Downstream.HOLD))
}


def strictest(*found: Downstream | None) -> Downstream | None:
    """Return the strictest of some effects; None where there is none."""
    return max((effect for effect in found if effect is not None), key=_STRICTER.__getitem__, default=None)


@dataclass(frozen=True, slots=True)
class IntervalInForce:
    """A gate interval, as far as it says what becomes of the tasks.

    :param state: of the task: ``paused``, ``offline``, ``deleted``
    :param is_window: it was laid ahead for a window; else an operation opened it
    """

    task_id: str
    state: str
    downstream: str
    is_window: bool


def effects_with_windows(intervals: Iterable[IntervalInForce]) -> dict[str, Downstream]:
    """Return the downstream effect by task id, as :func:`effects`, where windows are among the intervals.

    Of windows, and of a window and a pause, the strictest effect counts. What is out of service stays so: a window
    that held it would end and have it executed. A window with ``ANY_TASK`` covers each task, also one with an
    interval of its own.
    """
    ours: dict[str, IntervalInForce] = {}
    windows: dict[str, Downstream | None] = {}
    for one in intervals:
        if one.is_window:
            effect = _EFFECTS.get(one.downstream, Downstream.HOLD)
            windows[one.task_id] = strictest(windows.get(one.task_id), effect)
        else:
            ours[one.task_id] = one
    found: dict[str, Downstream] = {}
    for task_id in [*ours, *(task_id for task_id in windows if task_id not in ours)]:
        window = strictest(windows.get(task_id), windows.get(ANY_TASK))
        own = ours.get(task_id) or ours.get(ANY_TASK)
        pause = _EFFECTS.get(own.downstream, Downstream.HOLD) if own else None
        effect_of_both = pause if own and own.state in OUT_OF_SERVICE else strictest(pause, window)
        if effect_of_both is not None:
            found[task_id] = effect_of_both
    return found


def effect_for(task_id: str, in_force: Mapping[str, Downstream | None]) -> Downstream | None:
    """Return the effect for a task, or None where it is not gated. A task with None of its own executes."""
    return in_force[task_id] if task_id in in_force else in_force.get(ANY_TASK)


@dataclass(frozen=True)
class Cause:
    """Why an instance is gated: the task's state and, where it is still known, the operation or window behind it."""

    state: str | None = None
    operation_id: int | None = None
    actor: str | None = None
    reason: str | None = None
    #: the name of the window that it is, and until when it lasts in words
    window: str | None = None
    until: str | None = None


#: what Markdown, its tables and struck-out text, HTML, and addresses that become links without any mark are made of
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#~|&@$]|//|\.(?=\S)")


def quoted(text: str) -> str:
    """Return what a person typed so that Markdown shows it as it is: as it is, or as code where it could be more.

    Airflow's UI shows notes as Markdown: a reason could have everybody who looks at the instance load an image, or lead
    them elsewhere. Escaping each character does not help, for addresses become links after escapes are gone.
    """
    line = " ".join(text.split())
    return "`" + line.replace("`", "'") + "`" if _MARKUP.search(line) else line


def gated_note(cause: Cause, effect: Downstream) -> str:
    """Return what the note of a gated instance says, before and after it is settled; Markdown."""
    return f"TaskOps: {_told(cause.state or 'gated', cause, _EFFECT_IN_WORDS[effect], quoted)}"


def gated_words(cause: Cause, effect: Downstream) -> str:
    """Return the same as plain text, for surfaces that show text as it is."""
    return _told(cause.state or "gated", cause, _EFFECT_IN_WORDS[effect], str)


def unselected_note(replenishment_id: int, actor: str, effect: Downstream) -> str:
    """Return what the note of an instance says that is gated because a replenishment did not select its task."""
    return f"TaskOps: not part of replenishment {replenishment_id} by {quoted(actor)}; {_EFFECT_IN_WORDS[effect]}."


def foreign_note() -> str:
    """Return what the note of an instance says whose run waits for its Dag to be unpaused for everybody."""
    return "TaskOps: held without executing until its Dag is unpaused: it drains, or is awake for a replenishment only."


def held_note(cause: Cause) -> str:
    """Return what the note of an instance says that people hold; Markdown."""
    return f"TaskOps: {_told('held', cause, _HELD_IN_WORDS, quoted)}"


def held_words(cause: Cause) -> str:
    """Return the same as plain text."""
    return _told("held", cause, _HELD_IN_WORDS, str)


def ended_note(cause: Cause, effect: Downstream) -> str:
    """Return what the note of an instance says that had started and was ended by an operation."""
    outcome = f"ended as {ENDED_STATE[effect]} because the task was {cause.state or 'gated'}"
    return f"TaskOps: {_told('terminated', cause, outcome, quoted)}"


def _told(what: str, cause: Cause, outcome: str, form: Callable[[str], str]) -> str:
    """``paused by alice (operation 7): reason; outcome.``, the reason cut so that a note has room for the whole."""
    who = form(cause.actor) if cause.actor else "TaskOps"
    if cause.window is not None:
        who = f"window {form(cause.window)}" + (f" until {cause.until}" if cause.until else "")
    number = f" (operation {cause.operation_id})" if cause.operation_id is not None else ""
    head, tail = f"{what} by {who}{number}", f"; {outcome}."
    reason = " ".join((cause.reason or "").split())
    if not reason:
        return head + tail
    room = NOTE_LENGTH - len("TaskOps: ") - len(head) - len(": ") - len(tail)
    excess = len(form(reason)) - room
    if excess > 0:
        reason = reason[: -excess - 1] + "…"
    return f"{head}: {form(reason)}{tail}"
