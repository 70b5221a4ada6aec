"""Operations as every surface answers with them (requirements 8): one just done or previewed, and recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from taskops_provider.domain.answers import INTERNAL, OMIT_NONE, Json, to_plain_data
from taskops_provider.domain.operations.outcomes import OperationOutcome


@dataclass(frozen=True, slots=True)
class Counts:
    """How many targets each outcome has; a workflow's tasks are counted one by one."""

    applied: int
    left_alone: int
    blocked: int

    @property
    def total(self) -> int:
        """How many targets there are."""
        return self.applied + self.left_alone + self.blocked

    def by_outcome(self) -> dict[str, int]:
        """The numbers by the outcome's name."""
        return {"applied": self.applied, "left_alone": self.left_alone, "blocked": self.blocked}


@dataclass(frozen=True, slots=True)
class BlockingTask:
    """A task that blocks another one in strict mode.

    One that has only a text in the place of its name stands for all that the acting user may not see, be they one or
    many.
    """

    dag_id: str | None
    task_id: str | None
    name: str
    task_type: str | None = field(default=None, metadata=OMIT_NONE)
    period: str | None = field(default=None, metadata=OMIT_NONE)
    owners: Sequence[str] | None = field(default=None, metadata=OMIT_NONE)

    @classmethod
    def recorded(cls, kept: Json) -> BlockingTask:
        """Return what a record keeps of one."""
        return cls(
            kept["dag_id"], kept["task_id"], kept["name"], kept.get("task_type"), kept.get("period"), kept.get("owners")
        )


HIDDEN = BlockingTask(None, None, "others that you may not see")


# not frozen: an answer may have 100,000 of them, and they are made in a third of the time
@dataclass(slots=True)
class TargetOutcome:
    """What came, or would come, of an operation for one target.

    :param task_id: None for a workflow as such
    :param before: the shown status, or the state of an instance
    :param wave: with ``cascade``: 1 for the leaves, 2 for those above them, ...
    """

    dag_id: str
    task_id: str | None
    outcome: str
    before: str | None
    after: str | None
    reason: str | None
    blocked_by: Sequence[BlockingTask]
    wave: int | None = field(default=None, metadata=OMIT_NONE)


@dataclass(slots=True)
class RecordedOutcome(TargetOutcome):
    """What came of a recorded operation for one target; with owners where those were changed."""

    owners_before: Sequence[str] | None = field(default=None, metadata=OMIT_NONE)
    owners_after: Sequence[str] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(slots=True)
class InstanceOutcome(TargetOutcome):
    """What came, or would come, of an operation for one task instance."""

    run_id: str = ""
    map_index: int = -1
    region_id: str | None = None


@dataclass(frozen=True, slots=True)
class Affects:
    """How far an operation reaches, as far as the acting user may see.

    :param instances: unfinished ones, which ``terminate_instances`` ends
    :param workflows: the ids of the first of the downstream workflows
    :param drains: workflows of which no task stays scheduling: they drain, then their Dags are paused
    """

    instances: int = 0
    downstream_tasks: int = 0
    downstream_workflows: int = 0
    workflows: Sequence[str] = ()
    drains: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WindowNotice:
    """A window that targets are in: what is started inside it does not execute in runs that are created in it.

    :param until: in words
    :param tasks: how many of the targets
    """

    window_id: int
    name: str
    downstream: str
    until: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Notified:
    """Who is told of an operation (``notify_owners``).

    :param told: addresses that are written to
    :param unreachable: owners without one
    :param channels: by what they are told
    :param names: the owners for whom a message is meant, as they are named; of the record, and in place of addresses
    :param meant: by what they would be told if each had an address; likewise
    """

    told: Sequence[str]
    unreachable: Sequence[str]
    channels: Sequence[str]
    names: Sequence[str] = field(default=(), metadata=INTERNAL, compare=False)
    meant: Sequence[str] = field(default=(), metadata=INTERNAL, compare=False)

    @classmethod
    def recorded(cls, kept: Json) -> Notified:
        """Return what a record keeps of it."""
        # records of old versions do not say by what, nor the names
        return cls(*(kept.get(one.name, ()) for one in fields(cls)))

    def for_record(self) -> Json:
        """Return what a record keeps of it."""
        return {**to_plain_data(self), "names": list(self.names), "meant": list(self.meant)}

    def without_addresses(self) -> Notified:
        """Return it for who may not know addresses: names stand in their place, and that somebody has one is not told,
        be it by the channels.
        """
        return replace(self, told=self.names, unreachable=(), channels=self.meant)


@dataclass(frozen=True, slots=True)
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
    replenishment_id: int | None = field(default=None, metadata=INTERNAL)


@dataclass(frozen=True, slots=True)
class Follower:
    """A workflow that gets a new run once an instance has run again.

    :param by: ``trigger`` or ``asset``
    :param of_task: the task that causes it, as ``dag.task``
    """

    dag_id: str
    by: str
    of_task: str


@dataclass(frozen=True, slots=True)
class ChangeAnswer:
    """What was done or, as a preview, would be done, target by target.

    :param operation_id: the record; None for a preview
    :param plan_hash: of a preview, as ``affects``
    :param follows: of a rerun everywhere: the workflows that get new runs by it
    """

    operation_id: int | None
    verb: str
    dry_run: bool
    outcome: OperationOutcome
    counts: Counts
    items: Sequence[TargetOutcome]
    notified: Notified | None = field(default=None, metadata=OMIT_NONE)
    gap: Gap | None = field(default=None, metadata=OMIT_NONE)
    replenishment_id: int | None = field(default=None, metadata=OMIT_NONE)
    follows: Sequence[Follower] | None = field(default=None, metadata=OMIT_NONE)
    plan_hash: str | None = field(default=None, metadata=OMIT_NONE)
    affects: Affects | None = field(default=None, metadata=OMIT_NONE)
    windows: Sequence[WindowNotice] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far the download behind a record is.

    :param size: in bytes
    """

    export_id: int
    state: str
    rows: int
    size: int
    error: str | None


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One operation that somebody made, or asked for.

    :param counts: of the targets that the acting user may see
    :param options: what was chosen with it, as its verb keeps it
    """

    operation_id: int
    verb: str
    scope: str
    at: datetime
    actor: str
    source: str
    outcome: str
    counts: Counts
    instances_ended: int
    options: Json
    reason: str | None
    ticket: str | None
    undoes: int | None
    undone_by: int | None
    export: ExportProgress | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, slots=True)
class OperationDetails(OperationRecord):
    """One operation with what came of each target that the acting user may see."""

    items: Sequence[RecordedOutcome] = ()
