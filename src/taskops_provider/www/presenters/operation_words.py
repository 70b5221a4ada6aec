"""What an operation did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.services.operations.record_targets import Touched
from taskops_provider.services.operations.records import EXPORT
from taskops_provider.services.replenishments.progress import VERB as REPLENISH
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Piece

#: projects and filter values that a line names; more are counted
NAMED = 3


@dataclass(frozen=True)
class OperationWords:
    """A verb: as a heading, as what was done, as what was asked for; ``{}`` is to whom."""

    label: str
    done: str
    asked: str


VERBS: Mapping[str, OperationWords] = {
    Verb.START: OperationWords("Start", "Started {}", "start {}"),
    Verb.PAUSE: OperationWords("Pause", "Paused {}", "pause {}"),
    Verb.OFFLINE: OperationWords("Take offline", "Took {} offline", "take {} offline"),
    Verb.DELETE: OperationWords("Delete", "Deleted {}", "delete {}"),
    Verb.SUBMIT: OperationWords("Resubmit", "Resubmitted {}", "resubmit {}"),
    Verb.SET_OWNERS: OperationWords("Change owners", "Changed the owners of {}", "change the owners of {}"),
    "undo": OperationWords("Undo", "Undid operation {number}: {}", "undo operation {number}: {}"),
    f"instances-{InstanceVerb.RERUN.value}": OperationWords("Rerun instances", "Reran {}", "rerun {}"),
    f"instances-{InstanceVerb.FORCE.value}": OperationWords("Force instances", "Forced {}", "force {}"),
    f"instances-{InstanceVerb.HOLD.value}": OperationWords("Hold instances", "Held {}", "hold {}"),
    f"instances-{InstanceVerb.RELEASE.value}": OperationWords("Release instances", "Released {}", "release {}"),
    f"runs-{RunVerb.HOLD.value}": OperationWords("Hold runs", "Held {}", "hold {}"),
    f"runs-{RunVerb.RELEASE.value}": OperationWords("Release runs", "Released {}", "release {}"),
    f"instances-{InstanceVerb.TERMINATE.value}": OperationWords("Terminate instances", "Terminated {}", "terminate {}"),
    f"instances-{InstanceVerb.SET_SUCCESS.value}": OperationWords(
        "Set instances to success", "Set {} to success", "set {} to success"
    ),
    f"instances-{InstanceVerb.SET_FAILED.value}": OperationWords(
        "Set instances to failed", "Set {} to failed", "set {} to failed"
    ),
    EXPORT: OperationWords("Download", "Download of {}", "download {}"),
    REPLENISH: OperationWords("Replenish", "Replenished {}", "replenish {}"),
    "alarm-create": OperationWords("Set alarm", "Set an alarm on {}", "set an alarm on {}"),
    "alarm-update": OperationWords("Change alarm", "Changed an alarm on {}", "change an alarm on {}"),
    "alarm-delete": OperationWords("Delete alarm", "Deleted an alarm on {}", "delete an alarm on {}"),
    "window-create": OperationWords("Make window", "Made a window on {}", "make a window on {}"),
    "window-update": OperationWords("Change window", "Changed a window on {}", "change a window on {}"),
    "window-delete": OperationWords("Delete window", "Deleted a window on {}", "delete a window on {}"),
    "window-skip-next": OperationWords("Skip next cycles", "Left out cycles of {}", "leave out cycles of {}"),
    "window-hold-all": OperationWords("Hold all", "Held {}", "hold {}"),
    "window-release-all": OperationWords("Release all", "Released {}", "release {}"),
    "strict-mode-on": OperationWords(
        "Turn strict mode on", "Turned strict mode on for {}", "turn strict mode on for {}"
    ),
    "strict-mode-off": OperationWords(
        "Turn strict mode off", "Turned strict mode off for {}", "turn strict mode off for {}"
    ),
    "dag-deleted": OperationWords("Forget", "Forgot {}, deleted in Airflow", "forget {}"),
    "dag-moved": OperationWords("Change team", "Stopped alarms and replenishments of {}", "stop alarms of {}"),
}
#: from where an operation came
SOURCES: Mapping[str, str] = {
    "ui": "Web",
    "cli": "Command line",
    "api": "REST API",
    "operator": "Dag",
    "monitor": "Monitor",
}
OUTCOMES: Mapping[str, Badge] = {
    OperationOutcome.SUCCESS: Badge("Success", "green"),
    OperationOutcome.PART_SUCCESS: Badge("Partial success", "amber"),
    OperationOutcome.REFUSED: Badge("Refused", "red"),
}
_COUNTS: Mapping[str, str] = {"applied": "applied", "left_alone": "left alone", "blocked": "blocked"}


def label(verb: str) -> str:
    """Return what a verb is called."""
    known = VERBS.get(verb)
    return known.label if known else verb.replace("-", " ").capitalize()


def plain(pieces: Sequence[Piece]) -> str:
    """Return a sentence as one text."""
    return "".join(piece.text for piece in pieces)


def sentence(record: OperationRecord, touched: Touched | None) -> list[Piece]:
    """Return what an operation did: ``Paused 12 tasks of orders``.

    :param record: the operation, as records show it
    :param touched: what it touched; None where that is nothing, or too much to look at
    """
    words = VERBS.get(record.verb) or OperationWords("", f"{label(record.verb)}: {{}}", f"{record.verb} {{}}")
    was_done = record.outcome != OperationOutcome.REFUSED
    template = words.done if was_done else f"Could not {words.asked}"
    before, _, after = template.replace("{number}", str(record.undoes)).partition("{}")
    to_whom = _to_whom(record, touched)
    return [piece for piece in (Piece(before), *to_whom, Piece(after)) if piece.text]


def _to_whom(record: OperationRecord, touched: Touched | None) -> list[Piece]:
    verb, options = record.verb, record.options
    if verb == EXPORT:
        return [Piece(f"{options.get('kind', 'tasks')} as {str(options.get('format', 'csv')).upper()}")]
    if "projects" in options:
        return _projects(options["projects"])
    if verb == "undo":
        return [Piece(f"{label(options.get('verb', '')).lower()} of "), *_targets(record, touched)]
    return _targets(record, touched)


def _projects(names: Sequence[str]) -> list[Piece]:
    if len(names) > NAMED:
        return [Piece(text.count(len(names), "project"))]
    return [Piece("project " if len(names) == 1 else "projects "), Piece(", ".join(names), is_name=True)]


def _targets(record: OperationRecord, touched: Touched | None) -> list[Piece]:
    total, applied = record.counts.total, record.counts.applied
    number = f"{applied:,} of {total:,}" if 0 < applied < total else f"{total:,}"
    if record.verb.startswith("runs-"):
        of = [Piece(" of "), Piece(touched.dag_id, is_name=True)] if touched and touched.dag_id else []
        return [Piece(f"{number} run{'' if total == 1 else 's'}"), *of]
    if record.scope == Scope.WORKFLOW:
        return _workflows(applied or total, touched)
    if record.verb.startswith("instances-"):
        of = [Piece(" of "), *_task(touched)] if touched and touched.task_id else []
        return [Piece(f"{number} instance{'' if total == 1 else 's'}"), *of]
    if touched and touched.task_id and total == 1:
        return _task(touched)
    tasks = Piece(f"{number} task{'' if total == 1 else 's'}")
    if touched is None:
        return [tasks]
    if touched.dag_id:
        return [tasks, Piece(" of "), Piece(touched.dag_id, is_name=True)]
    return [tasks, Piece(f" of {text.count(touched.workflows, 'workflow')}")]


def _workflows(tasks: int, touched: Touched | None) -> list[Piece]:
    if touched is None:
        return [Piece(f"workflows with {text.count(tasks, 'task')}")]
    # one row for a workflow as such: its owners, or why nothing was done with it
    as_such = touched.targets == touched.workflows
    held = "" if as_such and not touched.task_id else f" ({text.count(tasks, 'task')})"
    if touched.dag_id:
        return [Piece("workflow "), Piece(touched.dag_id, is_name=True), Piece(held)]
    return [Piece(f"{text.count(touched.workflows, 'workflow')}{held}")]


def _task(touched: Touched | None) -> list[Piece]:
    if touched is None:
        return []
    return [
        Piece("task "),
        Piece(touched.task_id, is_name=True),
        Piece(" of "),
        Piece(touched.dag_id, is_name=True),
    ]


def filter_words(record: OperationRecord) -> str:
    """Return the filter of a download, empty where it has none: ``status: paused, offline; search: orders``."""
    return "; ".join(
        f"{name.replace('_', ' ')}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in record.options.get("filter", {}).items()
    )


def counts(record: OperationRecord) -> str:
    """Return how many targets each outcome has: ``12 applied, 1 blocked``."""
    if record.verb == EXPORT:
        return ""
    numbers = record.counts.by_outcome()
    return ", ".join(f"{numbers[name]:,} {words}" for name, words in _COUNTS.items() if numbers[name])


@dataclass(frozen=True)
class Ticket:
    """A ticket, with its address where it is one."""

    text: str
    url: str


def ticket(given: str | None) -> Ticket | None:
    """Return a ticket; of an address the last part is shown: ``OPS-17``."""
    if not given:
        return None
    if not given.lower().startswith(("http://", "https://")):
        return Ticket(given, "")
    last = given.partition("?")[0].rstrip("/").rpartition("/")[2]
    return Ticket(last or given, given)
