"""What is rerun with instances: what is downstream of them in their run, and what follows in other workflows.

Other workflows follow in two ways. A sensor (or a marker) looks at the run of the same data time: its instance there
is rerun with what is downstream of it, and waits again for what it watches. What a trigger or an asset starts is a new
run, which Airflow creates when the instance has run again: nothing is cleared for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from taskops_provider.adapter import rerun_reach as adapter
from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.rerun_reach import Following, RunOfDag
from taskops_provider.domain.instances import Reach
from taskops_provider.domain.operations.answers import Follower
from taskops_provider.domain.operations.limits import MAX_RERUN
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.lineage import LineageLink, links_around
from taskops_provider.services.shared.actor import Actor

#: a run with the tasks that execute in it
_Executing = dict[RunOfDag, set[str]]
_BY_DATE = frozenset({"sensor", "marker"})
_NEW_RUNS = frozenset({"trigger", "asset"})


@dataclass(slots=True)
class Reached:
    """What is rerun with instances.

    :param instances: without themselves
    :param followers: workflows that get new runs
    """

    instances: list[Following] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)


def reach_of(session: Session, actor: Actor, dag_id: str, task_id: str, refs: Sequence[Ref], reach: Reach) -> Reached:
    """Return what is rerun with instances of a task, of other workflows only what the actor may read.

    A few queries for each step from workflow to workflow, however many instances there are.

    :raises BadInput: where there is too much of it
    """
    reached = Reached()
    if reach is Reach.NONE or not refs:
        return reached
    chosen = {run: {task_id} for run in adapter.runs_by_id(session, dag_id, {ref.run_id for ref in refs})}
    executing = _with_downstream(session, chosen)
    steps = _Steps(session, actor)
    everything = executing
    while reach is Reach.EVERYWHERE and executing:
        executing = steps.next(executing, everything)
        for run, tasks in executing.items():
            everything.setdefault(run, set()).update(tasks)
    for one in sorted({run.dag_id for run in everything}):
        if one != dag_id and not actor.may_read_instances(one):
            continue
        named = {task_id} if one == dag_id else set()
        of_runs = {run.run_id: tasks - named for run, tasks in everything.items() if run.dag_id == one}
        room = MAX_RERUN - len(reached.instances)
        reached.instances += adapter.instances_to_rerun(session, one, of_runs, room)
        if len(reached.instances) > MAX_RERUN:
            raise BadInput(f"more than {MAX_RERUN:,} instances follow; at most so many are rerun at once")
    if reach is Reach.EVERYWHERE:
        reached.followers = steps.followers(everything)
    return reached


def _with_downstream(session: Session, tasks: _Executing) -> _Executing:
    """Add what is downstream in the same runs."""
    by_dag: dict[str, list[RunOfDag]] = defaultdict(list)
    for run in tasks:
        by_dag[run.dag_id].append(run)
    found: _Executing = {}
    for dag_id, runs in by_dag.items():
        below = adapter.below_in_runs(session, dag_id, {run.run_id: tasks[run] for run in runs})
        for run in runs:
            found[run] = tasks[run] | below.get(run.run_id, frozenset())
    return found


class _Steps:
    """From workflow to workflow; the links out of each are read once."""

    def __init__(self, session: Session, actor: Actor):
        self._session = session
        self._actor = actor
        self._links: dict[str, list[LineageLink]] = {}

    def _links_of(self, dag_ids: Collection[str]) -> list[LineageLink]:
        new = set(dag_ids) - set(self._links)
        if new:
            self._links.update({dag_id: [] for dag_id in new})
            for link in links_around(self._session, new, downwards=True):
                goes_on = link.down[0] != link.up[0] and self._actor.may_read(link.down[0])
                if goes_on and self._actor.may_follow(link.up[0], link.down[0]):
                    self._links[link.up[0]].append(link)
        return [link for dag_id in dag_ids for link in self._links[dag_id]]

    def next(self, executing: _Executing, known: _Executing) -> _Executing:
        """Return what follows in runs of other workflows that is not known yet."""
        wanted: dict[tuple[str, object], set[str]] = defaultdict(set)
        links = [link for link in self._links_of({run.dag_id for run in executing}) if link.kind in _BY_DATE]
        for run, tasks in executing.items():
            for link in links:
                if link.up[0] == run.dag_id and link.up[1] in tasks and run.logical_date is not None:
                    wanted[link.down[0], run.logical_date].add(link.down[1])
        found = adapter.runs_at(self._session, list(wanted))  # type: ignore[arg-type]
        starts = {run: wanted[run.dag_id, run.logical_date] for run in found}
        following = _with_downstream(self._session, starts)
        return {run: new for run, tasks in following.items() if (new := tasks - known.get(run, set()))}

    def followers(self, executing: _Executing) -> list[Follower]:
        """Return the workflows that get new runs, and those that get some by these."""
        by_task: dict[tuple[str, str], None] = {}
        for run, tasks in sorted(executing.items(), key=lambda one: (one[0].dag_id, one[0].run_id)):
            by_task.update(dict.fromkeys((run.dag_id, one) for one in sorted(tasks)))
        found: dict[str, Follower] = {}
        dag_ids = {run.dag_id for run in executing}
        started: set[str] = set()
        while dag_ids:
            new: set[str] = set()
            for link in self._links_of(dag_ids):
                executes = link.up in by_task or link.up[0] in started
                if link.kind in _NEW_RUNS and executes and link.down[0] not in found:
                    found[link.down[0]] = Follower(link.down[0], link.kind, ".".join(link.up))
                    new.add(link.down[0])
            started |= new
            dag_ids = new
        return list(found.values())
