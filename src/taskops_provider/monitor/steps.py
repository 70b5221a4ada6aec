"""What the monitor does, step by step. Each can be repeated at will and done by several monitors at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.monitor.per_item import PerItemStep
from taskops_provider.services import gauges, retention
from taskops_provider.services.alarms.evaluate import evaluate
from taskops_provider.services.catalog import first_runs
from taskops_provider.services.exports import prepare
from taskops_provider.services.gate import advance_drains, instance_orders
from taskops_provider.services.gate import coverage as gate_coverage
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.gate import sweep as gate_sweep
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.operations import resume
from taskops_provider.services.replenishments import execute
from taskops_provider.services.windows import laying

#: instances that one round settles, or writes notes of, at most
INSTANCES_A_ROUND = 5000


@dataclass(frozen=True)
class Step:
    """One thing that happens by itself.

    ``do(session, now)`` runs in a transaction of its own, which the loop commits; it tells whether it did anything. A
    step that sees to many things may commit after each.
    """

    name: str
    #: seconds between two times; 0: every round
    every: float
    do: Callable[[Session, datetime], bool]


def _pools(session: Session, now: datetime) -> bool:
    repaired = gate_settle.repair_waiting(session, now)
    return gate_settle.ensure_pools(session) or bool(repaired)


def _index(session: Session, now: datetime) -> bool:
    return bool(index_refresh.refresh(session, now))


def _annotate(session: Session, now: datetime) -> bool:
    return bool(gate_settle.annotate(session, INSTANCES_A_ROUND))


#: in this order: what runs first sees to what the later ones need
STEPS: tuple[Step | PerItemStep[Any], ...] = (
    # 0 slots is what keeps gated instances from executing, so a pool that someone changed is mended soon
    Step("pools", 10, _pools),
    Step("orders", 0, instance_orders.tend_orders),
    PerItemStep("held", 0, instance_orders.runs_out_of_line, instance_orders.repair_run, "/".join),
    PerItemStep("resume", 0, resume.due_dags, resume.resume_dag, str),
    PerItemStep("sweep", 5, gate_sweep.dags_to_sweep, gate_sweep.sweep_dag, str),
    # every round: what a process without the gate created is to be gated before it executes
    PerItemStep("coverage", 0, gate_coverage.dags_to_cover, gate_coverage.cover_dag, str),
    Step("annotate", 0, _annotate),
    PerItemStep("settle", 0, gate_settle.runs_to_settle, gate_settle.settle_run, "/".join),
    Step("replenishments", 0, execute.advance_replenishments),
    Step("drain", 0, advance_drains.advance_drains),
    Step("index", 5, _index),
    # behind the index: Dags that are new in a window's scope are laid for at once
    PerItemStep("windows", 10, laying.windows_to_lay, laying.lay_window, str),
    # messages are sent elsewhere: monitor.sender
    Step("alarms", 0, evaluate),
    Step("exports", 0, prepare.prepare_next),
    Step("first_runs", 60, first_runs.record_first_runs),
    Step("metrics", 10, gauges.send_gauges),
    Step("retention", 3600, retention.delete_old_records),
)
