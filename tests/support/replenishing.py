"""Replenishments played through: Airflow's scheduler logic and our monitor's steps, turn by turn."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.cells import parse_wanted
from taskops_provider.domain.operations import Target
from taskops_provider.domain.replenishment import Asked, Range
from taskops_provider.services import drain, gating, replenishment_feed
from taskops_provider.services.replenishment_plan import plan_replenishment
from taskops_provider.services.replenishments import create_replenishment, show_replenishment
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def days(first: int, last: int) -> Range:
    """A range of days of January 2026."""
    return Range(FIRST + (first - 1) * DAY, FIRST + (last - 1) * DAY)


def asked(*names: str, ranges: Any = None, cells: str = "missing,failed", **more: Any) -> Asked:
    """``asked("d.a", ranges=[days(1, 3)])``; a name without a dot is a workflow."""
    return Asked(
        workflows=tuple(name for name in names if "." not in name),
        tasks=tuple(Target(*name.split(".", 1)) for name in names if "." in name),
        ranges=tuple(ranges or [days(1, 3)]),
        wanted=parse_wanted(cells),
        **more,
    )


class World:
    """A scheduler, its workers and a monitor."""

    def __init__(self, session: Session, **scheduler: Any):
        self.session = session
        self.scheduler = Scheduler(session, settle=lambda s: gating.settle(s, datetime.now(UTC)), **scheduler)

    @property
    def executed(self) -> Counter[tuple[str, str]]:
        """(logical day, task id) -> how often it executed."""
        query = select(DagRun.run_id, DagRun.logical_date)
        dates = {row.run_id: row.logical_date for row in self.session.execute(query)}
        return Counter((f"{dates[run_id]:%m-%d}", task_id) for run_id, task_id, _ in self.scheduler.executed)

    def create(self, *names: str, **more: Any) -> int:
        """Create a replenishment; return its number."""
        shown = create_replenishment(self.session, ALICE, asked(*names, **more), datetime.now(UTC))
        self.session.commit()
        return int(shown["replenishment_id"])

    def monitor(self) -> None:
        """One round of the monitor's steps that matter here."""
        for step in (gating.settle, replenishment_feed.step, drain.step):
            self.session.expire_all()
            step(self.session, datetime.now(UTC))
            self.session.commit()

    def round(self) -> None:
        """One loop of the scheduler over all Dags, one of the workers, one of the monitor."""
        runner: SchedulerJobRunner = self.scheduler._runner
        runner._start_queued_dagruns(self.session)
        self.session.commit()
        running = select(DagRun.dag_id, DagRun.run_id).where(DagRun.state == "running").order_by(DagRun.id)
        for dag_id, run_id in self.session.execute(running).all():
            self.scheduler.schedule(dag_id, run_id)
        self.scheduler.work()
        self.monitor()

    def play(self, number: int, rounds: int = 120) -> dict[str, Any]:
        """Play until a replenishment is over; return it."""
        for _ in range(rounds):
            self.round()
            shown = self.show(number)
            if shown["ended_at"]:
                return shown
        raise AssertionError(f"still {shown['state']} after {rounds} rounds: {shown['counts']}")

    def show(self, number: int) -> dict[str, Any]:
        """The replenishment now."""
        return show_replenishment(self.session, ALICE, number, datetime.now(UTC))


def make_runs(world: World, dag_id: str, *day_numbers: int) -> None:
    """Scheduled runs of days of January 2026, played to their end."""
    for day in day_numbers:
        run_id = f"scheduled__{day}"
        world.scheduler.create_run(dag_id, run_id, run_type=DagRunType.SCHEDULED, logical_date=FIRST + (day - 1) * DAY)
        world.scheduler.run_to_end(dag_id, run_id)
    world.scheduler.executed.clear()


def plan(world: World, *names: str, **more: Any) -> dict[str, Any]:
    """The plan as surfaces show it."""
    return plan_replenishment(world.session, ALICE, asked(*names, **more), datetime.now(UTC)).as_json()
