"""What a plan of an operation says of its targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.answers import (
    Affects,
    BlockingTask,
    ChangeAnswer,
    Counts,
    Gap,
    Notified,
    TargetOutcome,
    WindowNotice,
)
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.targets import Scope

NOTHING = Affects()

#: an enumeration's .value costs as much as the rest of an item
_NAMES = {outcome: outcome.value for outcome in Outcome}

#: (dag_id, task_id) of a blocking task; both None for one of a Dag that the acting user may not read
Blocker = tuple[str, str] | tuple[None, None]


@dataclass(slots=True)
class Item:
    """What is planned for, or came of, one target. It is worked on while the plan is made.

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
    describe: Callable[[Blocker], BlockingTask] | None = field(default=None, repr=False, compare=False)
    #: with ``cascade``: 1 for the leaves, 2 for those above them, ...
    wave: int | None = None
    #: what undo gives back, as the record keeps it
    restore: Json | None = None

    @property
    def blocked_by(self) -> list[BlockingTask]:
        """What is shown of the blockers."""
        return [self.describe(blocker) for blocker in self.blockers] if self.describe else []

    def answer(self) -> TargetOutcome:
        """The item as every surface answers with it."""
        return TargetOutcome(
            self.dag_id,
            self.task_id or None,
            _NAMES[self.outcome],
            self.before,
            self.after,
            self.reason,
            self.blocked_by,
            self.wave,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operation would do, or did.

    :param held_instances: of the targets; start lets them run or skips them
    :param strict_projects: those of the targets' projects that are in strict mode, where the verb heeds it
    :param gap: with ``fill_gap``
    :param notified: with ``notify_owners``, once it is done
    :param windows: those that the targets are in, of a preview of a start
    """

    verb: str
    scope: Scope
    items: Sequence[Item]
    plan_hash: str = ""
    affects: Affects = NOTHING
    held_instances: int = 0
    strict_projects: Sequence[str] = ()
    gap: Gap | None = None
    operation_id: int | None = None
    dry_run: bool = True
    notified: Notified | None = None
    windows: Sequence[WindowNotice] = ()

    def applied(self) -> list[Item]:
        """The items that it applies to."""
        return [item for item in self.items if item.outcome is Outcome.APPLIED]

    def counts(self) -> Counts:
        """How many targets each outcome has; a workflow's tasks are counted one by one."""
        counter = Counter(item.outcome for item in self.items)
        return Counts(counter[Outcome.APPLIED], counter[Outcome.LEFT_ALONE], counter[Outcome.BLOCKED])

    def outcome(self) -> OperationOutcome:
        """Success where every target was applied.

        Tasks that the whole-workflow form leaves alone are not refused: it asks for those that it applies to.
        """
        counts = self.counts()
        refused = counts.blocked + sum(
            1
            for item in self.items
            if item.outcome is Outcome.LEFT_ALONE and (self.scope is Scope.TASK or not item.task_id)
        )
        if not counts.applied:
            return OperationOutcome.REFUSED
        return OperationOutcome.PART_SUCCESS if refused else OperationOutcome.SUCCESS

    def answer(self) -> ChangeAnswer:
        """The answer to a change on every surface (requirements 8)."""
        return ChangeAnswer(
            operation_id=self.operation_id,
            verb=self.verb,
            dry_run=self.dry_run,
            outcome=self.outcome(),
            counts=self.counts(),
            items=[item.answer() for item in self.items if item.outcome is not Outcome.SIDE_EFFECT],
            notified=self.notified,
            gap=self.gap,
            replenishment_id=self.gap.replenishment_id if self.gap else None,
            plan_hash=self.plan_hash if self.dry_run else None,
            affects=self.affects if self.dry_run else None,
            windows=self.windows or None,
        )
