"""The differential oracle: how a run ends in an Airflow without TaskOps in which a gated task ends by itself.

In the reference a gated task is one that executes, with its trigger rule, and ends as its effect says; every other
task ends as it ended in the history's workers. It is played by Airflow's own functions, in a friendly order. Where
Airflow itself lets the order decide (a task with both a skipped and a failed upstream), and below that, nothing is
compared. What is compared is left out of account where people changed single instances of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from airflow._shared.timezones import timezone
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from tests.simulation.dags import WAITING_RULES, DagSpec, TaskSpec, Versions
from tests.simulation.ledger import Ledger
from tests.simulation.scheduling import write
from tests.simulation.snapshot import RunKey
from tests.simulation.working import _push_results
from tests.simulation.world import Execution, World

#: a run that ends while something is held: as if it had been started
_END_OF = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "success", "unselected": "success"}
_FAILED = frozenset({"failed", "upstream_failed"})
_DAG_ID = "reference"

#: task id -> (map index, state), ...
States = dict[str, frozenset[tuple[int, str | None]]]
#: one history's Dags and ends often come again
_known: dict[Any, States] = {}


def differences(world: World, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Compare all runs that can be compared."""
    for run, row in ledger.last.runs.items():
        spec = world.spec(run[0])
        if row.state not in ("success", "failed") or run in ledger.loose or spec.remembers:
            continue
        effects = _effects(world, ledger, run, spec)
        if effects is None or not any(effects.values()):
            continue  # nothing was gated in it: there is nothing of ours to compare
        yield from _compare(world, ledger, run, spec, effects)


def _effects(world: World, ledger: Ledger, run: RunKey, spec: DagSpec) -> dict[str, str | None] | None:
    """Task id -> effect; None where a task may have been gated or not."""
    found: dict[str, str | None] = {}
    for task in spec.tasks:
        expect = ledger.expect(run, task.id)
        if not expect.sure:
            return None
        found[task.id] = expect.effect
    return found


def _compare(
    world: World, ledger: Ledger, run: RunKey, spec: DagSpec, effects: dict[str, str | None]
) -> Iterator[tuple[str, str]]:
    ends = {task.id: _ends(world, run, task, effects[task.id]) for task in spec.tasks}
    wanted = _reference(world, spec, effects, ends)
    doubtful = _doubtful(spec, effects, wanted)
    unselected = "unselected" in effects.values()
    for task in spec.tasks:
        if effects[task.id] or task.id in doubtful:
            continue
        got = frozenset((key.index, ti.state) for key, ti in ledger.last.of(run, task.id))
        if got != wanted[task.id]:
            how = "in a replenishment's run" if unselected else f"with {_gated(effects)} gated"
            yield (
                "ends otherwise",
                f"{run[0]}.{task.id} in {run[1]} has ended as {_words(got)}, {how}; right is {_words(wanted[task.id])}",
            )


def _gated(effects: dict[str, str | None]) -> str:
    return ", ".join(f"{task_id} ({effect})" for task_id, effect in effects.items() if effect)


def _words(states: frozenset[tuple[int, str | None]]) -> str:
    return ", ".join(f"{state}" if index < 0 else f"{index}:{state}" for index, state in sorted(states, key=repr))


def _ends(world: World, run: RunKey, task: TaskSpec, effect: str | None) -> tuple[tuple[int, str], ...]:
    """How the instances of a task end when they execute: (map index, end); index -2 stands for all others."""
    if effect:
        return ((-2, _END_OF[effect]),)
    found = {-2: _last_end(task)}
    for execution in world.executions:
        if (
            execution.of_run == run
            and execution.task_id == task.id
            and execution.end in ("success", "failed", "skipped")
        ):
            found[execution.map_index] = execution.end
    return tuple(sorted(found.items()))


def _last_end(task: TaskSpec) -> str:
    """How a task ends that nobody clears: its retries are used up, or one of them did not fail."""
    tries = [end for end in task.ends if end in ("success", "failed", "skipped")] or ["success"]
    for number in range(task.retries + 1):
        end = tries[min(number, len(tries) - 1)]
        if end != "failed":
            return end
    return "failed"


def _doubtful(spec: DagSpec, effects: dict[str, str | None], wanted: States) -> set[str]:
    """Tasks of which Airflow itself decides by the order of events, and all below them."""
    found: set[str] = set()
    ended = {state for states in wanted.values() for _, state in states}
    if any(task.kind == "setup" for task in spec.tasks) and "skipped" in ended and _FAILED & ended:
        return set(spec.of)  # setups are upstream of everything between them and their teardown
    for task in spec.tasks:
        above = {state for up in task.upstream for _, state in wanted.get(up, ())}
        chosen_past = any(spec.of[up].kind in ("branch", "short") for up in task.upstream)
        if _FAILED & above and ("skipped" in above or chosen_past):
            found.add(task.id)
        if chosen_past and task.rule not in WAITING_RULES:
            found.add(task.id)  # it may have begun before the branch has chosen
        if task.kind == "fans" and effects.get(task.upstream[0]):
            found.add(task.id)
        if any(spec.of[up].kind in ("mapped", "fans") and effects.get(up) for up in task.upstream):
            # unexpanded where it is gated: one instance, not several
            found.update({task.id} if task.rule not in ("all_success", "all_done") else ())
    return found | spec.below(found)


def _reference(
    world: World, spec: DagSpec, effects: dict[str, str | None], ends: dict[str, tuple[tuple[int, str], ...]]
) -> States:
    plain = replace(
        spec,
        id=_DAG_ID,
        schedule="",
        strict_params=False,
        tasks=tuple(_plain(task, effects[task.id]) for task in spec.tasks),
    )
    key = (plain, tuple(sorted(ends.items())))
    if key not in _known:
        _known[key] = _play(world, plain, ends)
    return _known[key]


def _plain(task: TaskSpec, effect: str | None) -> TaskSpec:
    kind = task.kind
    if (effect and kind not in ("setup", "teardown")) or (kind == "empty" and task.is_work):
        kind = "bash"
    return replace(task, kind=kind, retries=0, ends=("success",), outlet="")


def _play(world: World, spec: DagSpec, ends: dict[str, tuple[tuple[int, str], ...]]) -> States:
    world.dags[spec.id] = Versions(spec)
    try:
        write(world, [spec])
        run_id = f"run_{len(_known)}_{world.event}"
        with world.session() as session:
            now = timezone.utcnow()
            dag = world.api_dags.get_latest_version_of_dag(spec.id, session=session)
            assert dag is not None
            dag.create_dagrun(
                run_id=run_id,
                logical_date=None,
                run_after=now,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                start_date=now,
                session=session,
            )
        for _ in range(3 * len(spec.tasks) + 5):
            if _round(world, spec, run_id, ends):
                break
        with world.session() as session:
            query = select(TI.task_id, TI.map_index, TI.state).where(TI.dag_id == spec.id, TI.run_id == run_id)
            rows = session.execute(query).all()
        return {task.id: frozenset((i, s) for t, i, s in rows if t == task.id) for task in spec.tasks}
    finally:
        del world.dags[spec.id]


def _round(world: World, spec: DagSpec, run_id: str, ends: dict[str, tuple[tuple[int, str], ...]]) -> bool:
    """One look of the scheduler, and everything executes; tell whether the run has ended."""
    with world.session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == spec.id, DagRun.run_id == run_id)).one()
        run.dag = world.api_dags.get_dag_for_run(run, session=session)
        ready, _ = run.update_state(session=session, execute_callbacks=False)
        run.schedule_tis(ready, session=session)
        if run.state in (DagRunState.SUCCESS, DagRunState.FAILED):
            return True
    with world.session() as session:
        waiting = (TaskInstanceState.SCHEDULED, TaskInstanceState.DEFERRED)
        query = select(TI).where(TI.dag_id == spec.id, TI.run_id == run_id, TI.state.in_(waiting))
        for ti in session.scalars(query.order_by(TI.task_id, TI.map_index)).all():
            own = dict(ends[ti.task_id])
            end = own.get(ti.map_index, own[-2])
            if end == "success":
                execution = Execution(0, spec.id, run_id, ti.task_id, ti.map_index, 1, ti.id)
                _push_results(session, world, spec.of[ti.task_id], execution)
            ti.set_state(TaskInstanceState(end), session=session)
    return False
