"""Replenishments to look at: written as the monitor would leave them, without playing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.replenishment import Range
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.replenishments.recorded import RecordedInputs
from tests.support.replenishing import asked
from tests.support.warehouse import ALICE, BOB

LONG = "reconciliation_of_intercompany_balances_and_fx_per_currency_after_the_move_of_the_ledger_"
#: what cells are in a crowd, in turn
_STATES = ("success",) * 9 + ("failed", "skipped", "active", "waiting", "waiting", "cancelled")


def create(session: Any, *names: str, actor: Any = ALICE, **more: Any) -> int:
    """Create one as people do: of the past days, all cells."""
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = more.pop("days", 25)
    ranges = [Range(today - timedelta(days=days + 5), today - timedelta(days=6))]
    made = create_replenishment(session, actor, asked(*names, ranges=ranges, cells="all", **more), now)
    session.commit()
    return made.replenishment_id


def progress(session: Any, number: int, state: str, cells: Sequence[str], *, ended: bool = False) -> None:
    """Give the cells of one their states, run by run, and a run to each that has begun.

    :param cells: states of the cells of the first runs; the others wait
    """
    runs = session.scalars(
        select(ReplenishmentRun)
        .where(ReplenishmentRun.replenishment_id == number)
        .order_by(ReplenishmentRun.logical_date, ReplenishmentRun.dag_id)
    ).all()
    for run, now in zip(runs, cells, strict=False):
        if now != "waiting" and run.run_id is None:
            run.run_id = f"backfill__{run.logical_date:%Y-%m-%d}"
        session.execute(update(ReplenishmentCell).where(ReplenishmentCell.of_run_id == run.id).values(state=now))
    moment = datetime.now(UTC)
    change = update(Replenishment).where(Replenishment.id == number)
    started = moment - timedelta(minutes=9)
    session.execute(change.values(state=state, started_at=started, ended_at=moment if ended else None))
    session.commit()


def ordinary(session: Any) -> None:
    """Write one that is over, one that is paused, and one that goes on with cells of each state."""
    over = create(session, "sales.sum", actor=BOB, days=2, name="Late rates")
    progress(
        session,
        over,
        "part_success",
        ["success", "success", "failed", "success", "skipped", *["success"] * 150],
        ended=True,
    )
    progress(session, create(session, "orders.load", days=2), "paused", ["success", "success"])
    more = {"reason": "the source was late", "max_active_runs": 4, "conf": {"full": True}}
    going = create(session, "orders", "sales", name="Repair January after the source was late", days=3, **more)
    states = [*["success"] * 18, "failed", *["success"] * 5, "skipped", "failed", "active", "active"]
    progress(session, going, "running", states)


def crowd(session: Any, number: int = 100, *, tasks: int = 40, cycles: int = 2000) -> None:
    """Write very many, the newest of very many cells and with long names."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for at in range(number):
        is_last = at == number - 1
        dag_id = f"{LONG}{at:03}"
        state = "running" if is_last or at % 9 == 0 else ("success", "part_success", "failed", "cancelled")[at % 4]
        one = Replenishment(
            operation_id=at + 1,
            name=f"{LONG if at % 3 else 'Repair '}{at}",
            state=state,
            actor=("alice", "bob", "a.very.long.name.of.a.person@subsidiary.example.com")[at % 3],
            created_at=now - timedelta(hours=number - at),
            started_at=now - timedelta(hours=number - at),
            ended_at=None if state == "running" else now,
            inputs=to_plain_data(RecordedInputs.of(asked(dag_id))),
            max_active_runs=1,
            newest_first=False,
            conf={},
        )
        session.add(one)
        session.flush()
        shape = (cycles, tasks) if is_last else (3, 4)
        _cells(session, one.id, dag_id, now, *shape)
    session.commit()


def _cells(session: Any, number: int, dag_id: str, now: datetime, cycles: int, tasks: int) -> None:
    dates = [now - timedelta(hours=cycles - at) for at in range(cycles)]
    session.execute(
        insert(ReplenishmentRun),
        [
            {"replenishment_id": number, "dag_id": dag_id, "run_id": f"r{at}", "logical_date": date,
             "interval_start": date, "interval_end": date, "run_after": date, "stage": 0, "ordinal": at, "wave": 0,
             "state": "active"}
            for at, date in enumerate(dates)
        ],
    )  # fmt: skip
    runs = session.scalars(select(ReplenishmentRun.id).where(ReplenishmentRun.replenishment_id == number)).all()
    session.execute(
        insert(ReplenishmentCell),
        [
            {"replenishment_id": number, "of_run_id": run, "task_id": f"{LONG[:30]}{task:02}", "was": "no_run",
             "wave": 0, "state": _STATES[(at * 7 + task) % len(_STATES)]}
            for at, run in enumerate(runs)
            for task in range(tasks)
        ],
    )  # fmt: skip
