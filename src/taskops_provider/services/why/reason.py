"""A reason why a task, or an instance of it, does not run: one plain line, and what it leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from taskops_provider.domain.gate import waits_in_gate


@dataclass(frozen=True)
class Reason:
    """One reason.

    :param code: what programs go by: ``paused``, ``upstream``, ``pool_full``, ...
    :param text: the reason in one line, without the times
    :param since: since when it holds
    :param until: when it is over by itself, as far as that is known
    :param operation_id: the operation behind it
    :param dag_id: with ``task_id``, the task that the line names; None where it names none
    :param pool: the pool that the line names
    """

    code: str
    text: str
    since: datetime | None = None
    until: datetime | None = None
    operation_id: int | None = None
    dag_id: str | None = None
    task_id: str | None = None
    pool: str | None = None


@dataclass(frozen=True)
class InstanceWhy:
    """Why one instance does not run.

    :param map_index: -1 where the task is not mapped
    :param state: Airflow's; None while it waits for what is upstream
    """

    run_id: str
    map_index: int
    state: str | None
    reasons: list[Reason]

    @property
    def waits_in_gate(self) -> bool:
        """Whether it is up for retry only in name: it waits in the gate."""
        return waits_in_gate(self.state, gated=any(reason.code in ("gated", "held") for reason in self.reasons))


@dataclass
class Explanation:
    """Why a task does not run.

    :param status: its shown status
    :param reasons: those of the task itself, with when its next run is made
    :param unfinished_instances: how many are unfinished, or how many one run has where one was asked for; None where
        the actor may not see them
    :param instances: the oldest of them, each with its own reasons
    """

    dag_id: str
    task_id: str
    status: str
    run_id: str | None = None
    reasons: list[Reason] = field(default_factory=list)
    unfinished_instances: int | None = None
    instances: list[InstanceWhy] = field(default_factory=list)
