"""Replenishments played through: Airflow's scheduler logic and our monitor's steps, turn by turn."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.replenishment import Range, ReplenishmentRequest
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import ReplenishmentCreateInput
from taskops_provider.services.gate import advance_drains
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.replenishments import execute as replenishment_execute
from taskops_provider.services.replenishments.create import create_replenishment, show_replenishment
from taskops_provider.services.replenishments.plan import plan_replenishment
from taskops_provider.services.replenishments.plan_summary import PlanSummary, summarize
from taskops_provider.services.replenishments.progress import ReplenishmentDetails
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def days(first: int, last: int) -> Range:
    """A range of days of January 2026."""
    return Range(FIRST + (first - 1) * DAY, FIRST + (last - 1) * DAY)


def asked(*names: str, ranges: Any = None, cells: str = "missing,failed", **more: Any) -> ReplenishmentRequest:
    """``asked("d.a", ranges=[days(1, 3)])``; a name without a dot is a workflow."""
    values = {
        "workflows": [name for name in names if "." not in name],
        "tasks": [dict(zip(("dag_id", "task_id"), name.split(".", 1), strict=True)) for name in names if "." in name],
        "ranges": [{"from": one.first, "to": one.last} for one in ranges or [days(1, 3)]],
        "cells": cells.split(","),
    }
    return read(ReplenishmentCreateInput, values | more).request()


class World:
    """A scheduler, its workers and a monitor."""

    def __init__(self, session: Session, **scheduler: Any):
        self.session = session
        self.scheduler = Scheduler(session, settle=lambda s: gate_settle.settle(s, datetime.now(UTC)), **scheduler)

    @property
    def executed(self) -> Counter[tuple[str, str]]:
        """(logical day, task id) -> how often it executed."""
        query = select(DagRun.run_id, DagRun.logical_date)
        dates = {row.run_id: row.logical_date for row in self.session.execute(query)}
        return Counter((f"{dates[run_id]:%m-%d}", task_id) for run_id, task_id, _ in self.scheduler.executed)

    def create(self, *names: str, **more: Any) -> int:
        """Create a replenishment in a transaction of its own; return its number."""
        self.session.commit()
        created = create_replenishment(self.session, ALICE, asked(*names, **more), datetime.now(UTC))
        self.session.commit()
        return created.replenishment_id

    def monitor(self) -> None:
        """One round of the monitor's steps that matter here."""
        for step in (gate_settle.settle, replenishment_execute.advance_replenishments, advance_drains.advance_drains):
            self.session.expire_all()
            step(self.session, datetime.now(UTC))
            self.session.commit()

    def round(self) -> None:
        """One loop of the scheduler over all Dags, one of the workers, one of the monitor."""
        self.scheduler.start_queued_runs()
        running = select(DagRun.dag_id, DagRun.run_id).where(DagRun.state == "running").order_by(DagRun.id)
        for dag_id, run_id in self.session.execute(running).all():
            self.scheduler.schedule(dag_id, run_id)
        self.scheduler.work()
        self.monitor()

    def play(self, number: int, rounds: int = 120) -> ReplenishmentDetails:
        """Play until a replenishment is over; return it."""
        for _ in range(rounds):
            self.round()
            shown = self.show(number)
            if shown.ended_at:
                return shown
        raise AssertionError(f"still {shown.state} after {rounds} rounds: {shown.counts}")

    def show(self, number: int) -> ReplenishmentDetails:
        """The replenishment now."""
        return show_replenishment(self.session, ALICE, number, datetime.now(UTC))


def make_runs(world: World, dag_id: str, *day_numbers: int) -> None:
    """Scheduled runs of days of January 2026, played to their end."""
    for day in day_numbers:
        run_id = f"scheduled__{day}"
        world.scheduler.create_run(dag_id, run_id, run_type=DagRunType.SCHEDULED, logical_date=FIRST + (day - 1) * DAY)
        world.scheduler.run_to_end(dag_id, run_id)
    world.scheduler.executed.clear()


def plan(world: World, *names: str, **more: Any) -> PlanSummary:
    """The plan as surfaces show it."""
    return summarize(plan_replenishment(world.session, ALICE, asked(*names, **more), datetime.now(UTC)))
