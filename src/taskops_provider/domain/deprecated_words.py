"""Words of the public contract that have other ones now: the one table of them. They work until 1.0.

The surfaces read it: ``cli/deprecated.py`` warns on stderr, ``api/deprecated.py`` sets the header ``Deprecation`` and
describes the old names in the OpenAPI document, ``hooks/deprecated.py`` warns Dag authors. ``docs/stability.md`` lists
it for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

#: the version that no longer has them
REMOVED_IN: Final = "1.0"


class WordKind(StrEnum):
    """Where a word stands. What :attr:`OldWord.where` names is behind each."""

    #: of the command line; nothing
    COMMAND = "command"
    #: of commands: ``tasks list``
    FLAG = "flag"
    #: of REST; nothing
    ROUTE = "route"
    #: in the query of routes: ``GET /v1/tasks``
    PARAMETER = "parameter"
    #: in the body of routes; a dot leads into an object: ``filter.workflow``
    FIELD = "field"
    #: in schemas of answers: ``Alarm``. Nobody can say whether it is used
    ANSWER = "answer"
    #: of classes for Dag authors, or of their methods: ``TaskOpsHook.list_tasks``
    ARGUMENT = "argument"


@dataclass(frozen=True, slots=True)
class OldWord:
    """One word that has another one now.

    :param where: all the places that had it; see :class:`WordKind`
    :param new: empty if nothing takes its place
    :param values: what its values are called now, if its type is another one
    """

    kind: WordKind
    old: str
    new: str
    where: tuple[str, ...] = ()
    values: Mapping[object, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What somebody who used it is told."""
        use = f"; use {self.new}" if self.new else ""
        return f"{self.old} is deprecated and will be removed in {REMOVED_IN}{use}"

    @property
    def refusal(self) -> str:
        """What somebody is told who gave the new one too."""
        return f"{self.old} is the old name of {self.new}; give one of them"


_CHANGES_OF_TASKS = tuple(f"tasks {verb}" for verb in ("start", "pause", "offline", "delete", "submit", "set-owners"))
_STOPS = tuple(f"{group} {verb}" for group in ("tasks", "workflows") for verb in ("pause", "offline", "delete"))
_PLANS = ("replenish plan", "replenish create")
_PLAN_ROUTES = ("POST /v1/replenishments/plan", "POST /v1/replenishments")
_PLAN_METHODS = ("TaskOpsHook.plan_replenishment", "TaskOpsHook.create_replenishment")

OLD_WORDS: Final = (
    OldWord(WordKind.COMMAND, "alarms confirm", "alarms acknowledge"),
    OldWord(WordKind.FLAG, "--downstream", "--downstream-effect", _STOPS),
    OldWord(WordKind.FLAG, "--workflow", "--workflow-like", ("tasks list", "tasks export", *_CHANGES_OF_TASKS)),
    OldWord(WordKind.FLAG, "--workflow", "--workflow-like", ("operations list", "replenish list")),
    OldWord(WordKind.FLAG, "--task", "--task-like", ("operations list",)),
    OldWord(WordKind.FLAG, "--upstream", "--direction upstream", ("tasks lineage",)),
    OldWord(WordKind.FLAG, "--downstream", "--direction downstream", ("tasks lineage",)),
    OldWord(WordKind.FLAG, "--upstream", "--upstream-depth", _PLANS),
    OldWord(WordKind.FLAG, "--downstream-tasks", "--downstream-depth", _PLANS),
    OldWord(WordKind.FLAG, "--no-wait", "--if-busy refuse", ("replenish create",)),
    OldWord(WordKind.FLAG, "--cells", "replenish cells ID", ("replenish show",)),
    OldWord(WordKind.FLAG, "--open", "--unacknowledged", ("alarms events",)),
    OldWord(
        WordKind.ROUTE,
        "POST /v1/alarms/events/{event_id}/confirm",
        "POST /v1/alarms/events/{event_id}/acknowledge",
    ),
    OldWord(
        WordKind.PARAMETER,
        "workflow",
        "workflow_like",
        ("GET /v1/tasks", "GET /v1/replenishments", "GET /v1/operations"),
    ),
    OldWord(WordKind.PARAMETER, "task", "task_like", ("GET /v1/operations",)),
    OldWord(WordKind.PARAMETER, "confirmed", "acknowledged", ("GET /v1/alarms/events",)),
    OldWord(WordKind.FIELD, "upstream", "upstream_depth", _PLAN_ROUTES),
    OldWord(WordKind.FIELD, "downstream", "downstream_depth", _PLAN_ROUTES),
    OldWord(WordKind.FIELD, "queue", "if_busy", _PLAN_ROUTES[1:], {True: "queue", False: "refuse"}),
    OldWord(WordKind.FIELD, "filter.workflow", "filter.workflow_like", ("POST /v1/exports",)),
    OldWord(WordKind.ANSWER, "confirmed_at", "acknowledged_at", ("Alarm",)),
    OldWord(WordKind.ANSWER, "confirmed_by", "acknowledged_by", ("Alarm",)),
    OldWord(WordKind.ANSWER, "connection", "", ("Delivery", "Channel")),
    OldWord(WordKind.ARGUMENT, "upstream", "upstream_depth", ("DataReplenishmentOperator", *_PLAN_METHODS)),
    OldWord(WordKind.ARGUMENT, "downstream", "downstream_depth", ("DataReplenishmentOperator", *_PLAN_METHODS)),
    OldWord(WordKind.ARGUMENT, "queue", "if_busy", _PLAN_METHODS[1:], {True: "queue", False: "refuse"}),
    OldWord(WordKind.ARGUMENT, "workflow", "workflow_like", ("TaskOpsHook.list_tasks",)),
)


def old_words(kind: WordKind, where: str) -> tuple[OldWord, ...]:
    """Return the old words of one place."""
    return tuple(word for word in OLD_WORDS if word.kind is kind and where in word.where)


def old_word(kind: WordKind, old: str) -> OldWord | None:
    """Return an old command or route; None if it is not an old one."""
    return next((word for word in OLD_WORDS if word.kind is kind and word.old == old), None)
