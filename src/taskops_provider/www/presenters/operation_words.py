"""What an operation did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.domain.operations import OperationOutcome, Scope
from taskops_provider.domain.states import Verb
from taskops_provider.services.records import EXPORT
from taskops_provider.services.records_targets import Touched
from taskops_provider.services.replenishment_shown import VERB as REPLENISH
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Piece

#: projects and filter values that a line names; more are counted
NAMED = 3


@dataclass(frozen=True)
class Words:
    """A verb: as a heading, as what was done, as what was asked for; ``{}`` is to whom."""

    label: str
    done: str
    asked: str


VERBS: Mapping[str, Words] = {
    Verb.START: Words("Start", "Started {}", "start {}"),
    Verb.PAUSE: Words("Pause", "Paused {}", "pause {}"),
    Verb.OFFLINE: Words("Take offline", "Took {} offline", "take {} offline"),
    Verb.DELETE: Words("Delete", "Deleted {}", "delete {}"),
    Verb.SUBMIT: Words("Submit again", "Submitted {} again", "submit {} again"),
    Verb.SET_OWNERS: Words("Change owners", "Changed the owners of {}", "change the owners of {}"),
    "undo": Words("Undo", "Undid operation {number}: {}", "undo operation {number}: {}"),
    f"instances-{InstanceVerb.RERUN.value}": Words("Rerun instances", "Reran {}", "rerun {}"),
    f"instances-{InstanceVerb.TERMINATE.value}": Words("Terminate instances", "Terminated {}", "terminate {}"),
    f"instances-{InstanceVerb.SET_SUCCESS.value}": Words(
        "Set instances to success", "Set {} to success", "set {} to success"
    ),
    f"instances-{InstanceVerb.SET_FAILED.value}": Words(
        "Set instances to failed", "Set {} to failed", "set {} to failed"
    ),
    EXPORT: Words("Download", "Download of {}", "download {}"),
    REPLENISH: Words("Replenish", "Replenished {}", "replenish {}"),
    "alarm-create": Words("Set alarm", "Set an alarm on {}", "set an alarm on {}"),
    "alarm-update": Words("Change alarm", "Changed an alarm on {}", "change an alarm on {}"),
    "alarm-delete": Words("Delete alarm", "Deleted an alarm on {}", "delete an alarm on {}"),
    "strict-mode-on": Words("Turn strict mode on", "Turned strict mode on for {}", "turn strict mode on for {}"),
    "strict-mode-off": Words("Turn strict mode off", "Turned strict mode off for {}", "turn strict mode off for {}"),
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
    OperationOutcome.PART_SUCCESS: Badge("Part success", "amber"),
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


def sentence(record: Mapping[str, Any], touched: Touched | None) -> list[Piece]:
    """Return what an operation did: ``Paused 12 tasks of orders``.

    :param record: the operation, as records show it
    :param touched: what it touched; None where that is nothing, or too much to look at
    """
    words = VERBS.get(record["verb"]) or Words("", f"{label(record['verb'])}: {{}}", f"{record['verb']} {{}}")
    was_done = record["outcome"] != OperationOutcome.REFUSED
    template = words.done if was_done else f"Could not {words.asked}"
    before, _, after = template.replace("{number}", str(record["undoes"])).partition("{}")
    to_whom = _to_whom(record, touched)
    return [piece for piece in (Piece(before), *to_whom, Piece(after)) if piece.text]


def _to_whom(record: Mapping[str, Any], touched: Touched | None) -> list[Piece]:
    verb, options = record["verb"], record["options"]
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


def _targets(record: Mapping[str, Any], touched: Touched | None) -> list[Piece]:
    counts = record["counts"]
    total, applied = sum(counts.values()), counts["applied"]
    number = f"{applied:,} of {total:,}" if 0 < applied < total else f"{total:,}"
    if record["scope"] == Scope.WORKFLOW:
        return _workflows(applied or total, touched)
    if record["verb"].startswith("instances-"):
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


def filter_words(record: Mapping[str, Any]) -> str:
    """Return the filter of a download, empty where it has none: ``status: paused, offline; search: orders``."""
    return "; ".join(
        f"{name.replace('_', ' ')}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in record["options"].get("filter", {}).items()
    )


def counts(record: Mapping[str, Any]) -> str:
    """Return how many targets each outcome has: ``12 applied, 1 blocked``."""
    if record["verb"] == EXPORT:
        return ""
    return ", ".join(f"{record['counts'][name]:,} {words}" for name, words in _COUNTS.items() if record["counts"][name])


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
