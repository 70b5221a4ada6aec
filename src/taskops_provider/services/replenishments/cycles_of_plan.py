"""The cycles of a plan: the ranges as a Dag's zone has them, its cycles inside, and the run of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial

from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.automatic_runs import automatic_runs_around
from taskops_provider.adapter.cells import RunRow
from taskops_provider.adapter.cycles import Cycle, cycles_between, first_and_last, why_no_cycles, zone_of
from taskops_provider.adapter.graphs import DagGraph
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest, clamp, merge
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.large_work import WorkSlot, large_work

#: cells of a plan that takes a while
LARGE = 10_000


class Budget:
    """Counts the cells of all Dags, so that a range of a hundred years is refused before it is laid out.

    Whatever lays out a grid needs one, by :func:`cell_budget`.

    :param slot: taken for a plan that is large; None: it needs no turn
    """

    def __init__(self, most: int, slot: WorkSlot | None):
        self._most = most
        self._left = most
        self._slot = slot

    def cycles(self, cycles: Iterator[Cycle], tasks: int) -> list[Cycle]:
        """Take the cycles of a Dag.

        :raises BadInput: where they are too many
        :raises Conflict: for a large plan while other large requests are under way
        """
        taken = []
        for cycle in cycles:
            self._left -= tasks
            if self._left < 0:
                raise BadInput(
                    f"that is more than {self._most:,} cells, task by cycle ([taskops] max_replenishment_cells); "
                    "ask for shorter ranges or fewer tasks"
                )
            if self._slot and self._most - self._left > LARGE:
                self._slot.take()
            taken.append(cycle)
        return taken


@contextmanager
def cell_budget(actor: Actor, slot: WorkSlot | None = None) -> Iterator[Budget]:
    """Give the budget of one plan: so many cells, and for a large one a turn among the large requests.

    What the monitor does by itself is no request, one at a time anyway, and nobody is there to ask again: it needs no
    turn.

    :param slot: of the request, which may have its turn already
    """
    if slot:
        yield Budget(config.max_replenishment_cells(), slot)
        return
    with large_work("the plan", actor.name) as own:
        yield Budget(config.max_replenishment_cells(), None if actor is MONITOR else own)


def ranges_in_zone(request: ReplenishmentRequest, graph: DagGraph, now: datetime) -> tuple[list[Range], tzinfo]:
    """Return the ranges of a request as a Dag has them, and the zone in which those without one were read.

    :raises BadInput: for one that ends before it begins, or if all of them lie in the future
    """
    zone: tzinfo = parse_zone(request.timezone) if request.timezone else zone_of(graph.dag)
    ranges = [one.in_zone(zone) for one in request.ranges]
    for one in ranges:
        if one.first > one.last:
            raise BadInput(f"the range from {one.first.isoformat()} to {one.last.isoformat()} ends before it begins")
    merged = merge(ranges)
    if merged[0].first > now:
        raise BadInput(f"the range from {merged[0].first.isoformat()} lies in the future; nothing has been missed yet")
    return merged, zone


def clamped(warnings: list[str], graph: DagGraph, ranges: list[Range]) -> list[Range]:
    """Cut ranges at the start and end of a Dag; add to the warnings if that takes something away."""
    start, end = first_and_last(graph.dag)
    inside = clamp(ranges, start, end)
    if inside != ranges:
        bounds = [f"starts on {start:%Y-%m-%d %H:%M}"] if start else []
        bounds += [f"ends on {end:%Y-%m-%d %H:%M}"] if end else []
        warnings.append(f"{graph.dag.dag_id} {' and '.join(bounds)}: the ranges are cut there")
    return inside


@dataclass(frozen=True)
class PlanOfCycles:
    """What the cycles of one Dag are laid out with.

    :param tasks: how many of its tasks are in the plan
    :param warnings: gets what people should know
    """

    session: Session
    graph: DagGraph
    tasks: int
    now: datetime
    budget: Budget
    warnings: list[str]


def lay_out(
    of: PlanOfCycles, ranges: Sequence[Range], runs: Sequence[RunRow]
) -> tuple[list[Cycle], list[RunRow | None]]:
    """Return the cycles of a Dag, oldest first, each with its run.

    The runs that its timetable would make, and those that were made at other dates, under an earlier timetable or
    by assets. A run that a person made at a date of their own is none of the schedule's.
    """
    graph, tasks = of.graph, of.tasks
    dag_id = graph.dag.dag_id
    why_not = why_no_cycles(graph.dag)
    by_date = {run.logical_date: run for run in runs}
    found: dict[datetime, Cycle] = {}
    if why_not is None:
        automatic = partial(automatic_runs_around, of.session, dag_id)
        ended = (
            cycle
            for first, last in ranges
            for cycle in cycles_between(graph.dag, first, min(last, of.now), automatic)
            if cycle.run_after < of.now
        )
        found = {cycle.logical_date: cycle for cycle in of.budget.cycles(ended, tasks)}
        others = [run for run in runs if run.logical_date not in found and not run.is_manual]
    else:
        of.warnings.append(f"of {dag_id} only existing runs are looked at: {why_not}")
        others = list(runs)
    existing = of.budget.cycles((Cycle(*[run.logical_date] * 4) for run in others), tasks)
    pairs: list[tuple[Cycle, RunRow | None]] = [(cycle, by_date.get(date)) for date, cycle in found.items()]
    pairs += zip(existing, others, strict=True)
    # several runs may have one date: those of assets have none but the moment of their events
    pairs.sort(key=lambda pair: pair[0].logical_date)
    return [cycle for cycle, _ in pairs], [run for _, run in pairs]
