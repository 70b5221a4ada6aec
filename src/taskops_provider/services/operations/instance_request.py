"""An operation on instances as it is asked for, and what it would do or did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.instances import InstanceVerb, Reach
from taskops_provider.domain.operations.answers import ChangeAnswer, Follower, InstanceOutcome
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.inputs.operation import ReasonAndTicket


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """One operation on instances of a task as it was asked for.

    :param downstream: what is rerun with them (``with_downstream`` on every surface)
    :param override_freeze: do it although a window freezes a task
    """

    dag_id: str
    task_id: str
    verb: InstanceVerb
    refs: Sequence[Ref]
    explanation: ReasonAndTicket
    downstream: Reach = Reach.NONE
    override_freeze: bool = False

    def asked(self) -> list[object]:
        """What is asked for, as JSON: what a plan rests on."""
        refs = sorted(set(self.refs), key=lambda ref: ref._replace(region_id=ref.region_id or ""))
        return [self.dag_id, self.task_id, self.verb.value, self.downstream.value, refs]


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """What an operation on instances, or on whole runs, would do or did.

    :param plan: the item's ``before`` and ``after`` are Airflow's states
    :param refs: of its items, in their order
    :param followers: workflows of which new runs follow
    """

    plan: Plan
    refs: Sequence[Ref]
    followers: Sequence[Follower] = ()

    def pairs(self) -> Iterator[tuple[Item, Ref]]:
        """Each item with the instance that it is of."""
        return zip(self.plan.items, self.refs, strict=True)

    def answer(self) -> ChangeAnswer:
        """The answer as every surface shows it: that of other operations, with the instance in each item."""
        items = [
            copy_as(InstanceOutcome, item.answer(), run_id=ref.run_id, map_index=ref.map_index, region_id=ref.region_id)
            for item, ref in self.pairs()
        ]
        # what is affected downstream is of operations on tasks
        return replace(self.plan.answer(), items=items, affects=None, follows=list(self.followers) or None)

    def outcome(self) -> OperationOutcome:
        """What came of it as a whole."""
        return self.plan.outcome()
