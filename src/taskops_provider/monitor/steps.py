"""What the monitor does, step by step. Each can be repeated at will and done by several monitors at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.services import (
    alarm_watch,
    drain,
    exports_prepare,
    first_runs,
    gating,
    index,
    replenishment_feed,
    resume,
    retention,
)

#: instances that one round settles, or writes notes of, at most
INSTANCES_A_ROUND = 5000


@dataclass(frozen=True)
class Step:
    """One thing that happens by itself.

    ``do(session, now)`` runs in a transaction of its own, which the loop commits; it tells whether it did anything.
    """

    name: str
    #: seconds between two times; 0: every round
    every: float
    do: Callable[[Session, datetime], bool]


def _pools(session: Session, now: datetime) -> bool:
    return gating.ensure_pools(session)


def _index(session: Session, now: datetime) -> bool:
    return bool(index.refresh(session, now))


def _annotate(session: Session, now: datetime) -> bool:
    return bool(gating.annotate(session, INSTANCES_A_ROUND))


def _settle(session: Session, now: datetime) -> bool:
    return bool(gating.settle(session, now, INSTANCES_A_ROUND))


#: in this order: what runs first sees to what the later ones need
STEPS: tuple[Step, ...] = (
    # 0 slots is what keeps gated instances from executing, so a pool that someone changed is mended soon
    Step("pools", 10, _pools),
    Step("resume", 0, resume.step),
    Step("annotate", 0, _annotate),
    Step("settle", 0, _settle),
    Step("replenishments", 0, replenishment_feed.step),
    Step("drain", 0, drain.step),
    Step("index", 5, _index),
    # messages are sent elsewhere: monitor.sender
    Step("alarms", 0, alarm_watch.step),
    Step("exports", 0, exports_prepare.step),
    Step("first_runs", 60, first_runs.step),
    Step("retention", 3600, retention.step),
)
