"""What an operation is asked to do and what a plan of it says (SPEC 5)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from taskops_provider.domain.states import DOWNSTREAM_ALLOWED, Downstream, Verb
from taskops_provider.exceptions import BadInput


class Scope(StrEnum):
    """Whether the targets are tasks or whole workflows."""

    TASK = "task"
    WORKFLOW = "workflow"


class Outcome(StrEnum):
    """What comes of an operation for one target."""

    APPLIED = "applied"
    LEFT_ALONE = "left_alone"
    BLOCKED = "blocked"
    #: a task that keeps its shown status although its row changes (SPEC 2: "leaves the other tasks paused
    #: individually"); recorded for undo, not counted
    SIDE_EFFECT = "side_effect"


class OperationOutcome(StrEnum):
    """What came of a whole operation."""

    SUCCESS = "success"
    PART_SUCCESS = "part_success"
    REFUSED = "refused"


class Target(NamedTuple):
    """A task, or with an empty ``task_id`` a workflow."""

    dag_id: str
    task_id: str = ""


@dataclass(frozen=True)
class Options:
    """What was chosen with an operation; which verbs take which is checked by :func:`check_options`."""

    reason: str | None = None
    ticket: str | None = None
    downstream: Downstream | None = None
    terminate_instances: bool = False
    resume_at: datetime | None = None
    #: start: what becomes of held instances, ``run`` or ``skip``
    held: str = "run"
    cascade: bool = False
    #: start, or pause with ``resume_at``: replenish the cycles missed since the pause
    fill_gap: bool = False
    owners: tuple[str, ...] = ()
    #: tell the owners of what it applies to
    notify_owners: bool = False

    def as_json(self) -> dict[str, Any]:
        """What is recorded (reason and ticket have columns of their own)."""
        chosen: dict[str, Any] = {}
        if self.downstream:
            chosen["downstream"] = self.downstream.value
        if self.terminate_instances:
            chosen["terminate_instances"] = True
        if self.resume_at:
            chosen["resume_at"] = self.resume_at.isoformat()
        if self.held != "run":
            chosen["held"] = self.held
        if self.cascade:
            chosen["cascade"] = True
        if self.fill_gap:
            chosen["fill_gap"] = True
        if self.owners:
            chosen["owners"] = list(self.owners)
        if self.notify_owners:
            chosen["notify_owners"] = True
        return chosen


#: targets that one request may name
MAX_TARGETS = 10_000
MAX_OWNERS = 50
MAX_OWNER_LENGTH = 190
MAX_REASON_LENGTH = 2000
MAX_TICKET_LENGTH = 250


def check_options(verb: Verb, options: Options, *, now: datetime, is_draft: bool = False) -> None:
    """Refuse options that the verb does not take.

    :param is_draft: what the verb needs (the effect of delete, the new owners) may still be missing
    :raises BadInput: one line that says what is wrong and what is allowed
    """
    _check_downstream(verb, options.downstream, is_draft=is_draft)
    if options.terminate_instances and verb not in (Verb.PAUSE, Verb.OFFLINE):
        raise BadInput(f"terminate_instances goes with pause and offline, not with {verb.value}")
    if options.resume_at is not None:
        if verb is not Verb.PAUSE:
            raise BadInput(f"resume_at goes with pause, not with {verb.value}")
        if options.resume_at <= now:
            raise BadInput(f"resume_at {options.resume_at.isoformat()} is not in the future")
    if options.held not in ("run", "skip"):
        raise BadInput(f"held is {options.held!r}; allowed are run, skip")
    if options.held != "run" and verb is not Verb.START:
        raise BadInput(f"held goes with start, not with {verb.value}")
    if options.cascade and verb is not Verb.OFFLINE:
        raise BadInput(f"cascade goes with offline, not with {verb.value}")
    _check_fill_gap(verb, options)
    if options.reason and len(options.reason) > MAX_REASON_LENGTH:
        raise BadInput(f"the reason has {len(options.reason)} characters; at most {MAX_REASON_LENGTH} are kept")
    if options.ticket and len(options.ticket) > MAX_TICKET_LENGTH:
        raise BadInput(f"the ticket has {len(options.ticket)} characters; at most {MAX_TICKET_LENGTH} are kept")
    _check_owners(verb, options.owners, is_draft=is_draft)


def _check_fill_gap(verb: Verb, options: Options) -> None:
    if not options.fill_gap:
        return
    if verb is Verb.PAUSE:
        if options.resume_at is None:
            raise BadInput("fill_gap goes with a pause that has resume_at; without it, give it to the start")
    elif verb is not Verb.START:
        raise BadInput(f"fill_gap goes with start, and with pause that has resume_at, not with {verb.value}")
    if options.held == "skip":
        raise BadInput("held skip and fill_gap do not go together: what is skipped would be executed after all")


def _check_downstream(verb: Verb, downstream: Downstream | None, *, is_draft: bool) -> None:
    allowed = DOWNSTREAM_ALLOWED.get(verb, ())
    if downstream is None:
        if verb is Verb.DELETE and not is_draft:
            raise BadInput("delete needs a downstream effect: run (downstream tasks run normally) or fail (they fail)")
        return
    if downstream not in allowed:
        if not allowed:
            raise BadInput(f"downstream goes with pause, offline and delete, not with {verb.value}")
        raise BadInput(
            f"downstream {downstream.value!r} does not go with {verb.value}; allowed are {', '.join(allowed)}"
        )


def _check_owners(verb: Verb, owners: Sequence[str], *, is_draft: bool) -> None:
    if verb is not Verb.SET_OWNERS:
        if owners:
            raise BadInput(f"owners go with set-owners, not with {verb.value}")
        return
    if not owners and not is_draft:
        raise BadInput("set-owners needs at least one owner")
    if len(owners) > MAX_OWNERS:
        raise BadInput(f"{len(owners)} owners were given; at most {MAX_OWNERS} are kept")
    for owner in owners:
        if not owner.strip():
            raise BadInput("an owner is empty")
        if len(owner) > MAX_OWNER_LENGTH:
            raise BadInput(f"owner {owner[:20]!r}... is longer than {MAX_OWNER_LENGTH} characters")


@dataclass(frozen=True)
class Request:
    """One operation as it was asked for."""

    verb: Verb
    scope: Scope
    targets: tuple[Target, ...]
    options: Options = field(default_factory=Options)


#: (dag_id, task_id) of a blocking task; both None for one of a Dag that the acting user may not read
Blocker = tuple[str, str] | tuple[None, None]


@dataclass(slots=True)
class Item:
    """What a plan or a record says of one target.

    ``before`` and ``after`` are shown statuses. ``task_id`` is empty for a workflow as such.
    """

    dag_id: str
    task_id: str
    outcome: Outcome
    before: str | None = None
    after: str | None = None
    reason: str | None = None
    #: the tasks that block it
    blockers: Sequence[Blocker] = ()
    #: makes what is shown of a blocker; 100,000 items are planned faster than shown
    describe: Callable[[Blocker], dict[str, Any]] | None = field(default=None, repr=False, compare=False)
    #: with ``cascade``: 1 for the leaves, 2 for those above them, ...
    wave: int | None = None
    restore: dict[str, Any] | None = None

    @property
    def blocked_by(self) -> list[dict[str, Any]]:
        """What is shown of the blockers: ``dag_id, task_id, name, task_type, period, owners``.

        Both ids are None for a task of a Dag that the acting user may not read.
        """
        return [self.describe(blocker) for blocker in self.blockers] if self.describe else []

    def as_json(self) -> dict[str, Any]:
        """The item as every surface shows it (SPEC 8)."""
        shown: dict[str, Any] = {
            "dag_id": self.dag_id,
            "task_id": self.task_id or None,
            "outcome": self.outcome.value,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "blocked_by": self.blocked_by,
        }
        if self.wave is not None:
            shown["wave"] = self.wave
        return shown


@dataclass
class Gap:
    """What starting with ``fill_gap`` replenishes: the cells, task by cycle, that were missed since the pause.

    :param cells: how many execute; 0: nothing was missed
    :param notes: what people should know of it
    :param replenishment_id: what executes them, once it is made
    """

    cells: int
    new_runs: int = 0
    existing_runs: int = 0
    notes: Sequence[str] = ()
    replenishment_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The gap as every surface shows it."""
        return {
            "cells": self.cells,
            "new_runs": self.new_runs,
            "existing_runs": self.existing_runs,
            "notes": list(self.notes),
        }


@dataclass
class Plan:
    """What an operation would do, or did."""

    verb: str
    scope: Scope
    items: list[Item]
    plan_hash: str = ""
    #: instances that ``terminate_instances`` would end
    instances: int = 0
    downstream_tasks: int = 0
    downstream_workflows: int = 0
    #: held instances of the targets, which start lets run or skips
    held_instances: int = 0
    #: those of the targets' projects that are in strict mode, where the verb heeds it
    strict_projects: list[str] = field(default_factory=list)
    #: with ``fill_gap``
    gap: Gap | None = None
    operation_id: int | None = None
    dry_run: bool = True
    #: with ``notify_owners``: addresses that are written to (``told``), owners without one (``unreachable``), and
    #: by what is told (``channels``)
    notified: dict[str, Any] | None = None

    def counts(self) -> dict[str, int]:
        """How many targets each outcome has; a workflow's tasks are counted one by one."""
        counter = Counter(item.outcome for item in self.items)
        return {outcome.value: counter[outcome] for outcome in (Outcome.APPLIED, Outcome.LEFT_ALONE, Outcome.BLOCKED)}

    def outcome(self) -> OperationOutcome:
        """Success where every target was applied.

        Tasks that the whole-workflow form leaves alone are not refused: it asks for those that it applies to.
        """
        counts = self.counts()
        refused = counts["blocked"] + sum(
            1
            for item in self.items
            if item.outcome is Outcome.LEFT_ALONE and (self.scope is Scope.TASK or not item.task_id)
        )
        if not counts["applied"]:
            return OperationOutcome.REFUSED
        return OperationOutcome.PART_SUCCESS if refused else OperationOutcome.SUCCESS

    def as_json(self) -> dict[str, Any]:
        """The answer to a change on every surface (SPEC 8)."""
        shown: dict[str, Any] = {
            "operation_id": self.operation_id,
            "verb": self.verb,
            "dry_run": self.dry_run,
            "outcome": self.outcome().value,
            "counts": self.counts(),
            "items": [item.as_json() for item in self.items if item.outcome is not Outcome.SIDE_EFFECT],
        }
        if self.notified is not None:
            shown["notified"] = self.notified
        if self.gap is not None:
            shown["gap"] = self.gap.as_json()
            if self.gap.replenishment_id is not None:
                shown["replenishment_id"] = self.gap.replenishment_id
        if self.dry_run:
            shown["plan_hash"] = self.plan_hash
            shown["affects"] = {
                "instances": self.instances,
                "downstream_tasks": self.downstream_tasks,
                "downstream_workflows": self.downstream_workflows,
            }
        return shown


def plan_hash(request: Request, items: Sequence[Item], *, newest_operation: int) -> str:
    """Return a hash of all that the plan rests on, led by the newest operation it knew.

    The number in front lets a refusal name what came since.
    """
    asked = [request.verb.value, request.scope.value, request.options.as_json()]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
    names = {outcome: outcome.value for outcome in Outcome}
    for item in items:
        # the operation that brought a state stands for the state and all that was chosen with it
        since = item.restore["operation_id"] if item.restore else None
        outcome = names[item.outcome]
        line = (item.dag_id, item.task_id, outcome, item.before, item.after, since, item.wave, item.blockers)
        digest.update(repr(line).encode())
    return f"{newest_operation}.{digest.hexdigest()[:40]}"


def newest_operation_of(hash_: str) -> int:
    """Return the newest operation that a plan hash knew.

    :raises BadInput: when it is no plan hash
    """
    number, dot, digest = hash_.partition(".")
    if not dot or not number.isascii() or not number.isdigit() or len(number) > 18 or len(digest) != 40:
        raise BadInput(f"{hash_[:60]!r} is not a plan hash; take the one a preview returned")
    return int(number)
