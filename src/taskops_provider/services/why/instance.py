"""Why one instance of a task does not run, or did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import gate_state, waiting
from taskops_provider.adapter.waiting import DagFacts
from taskops_provider.domain.cells import FINISHED
from taskops_provider.domain.gate import EFFECT_OF_POOL, effect_of, force_mark, gated_words, held_words
from taskops_provider.domain.states import Downstream, TaskStatus
from taskops_provider.models import Task
from taskops_provider.services.catalog.filters import join_for_tasks
from taskops_provider.services.catalog.lineage import links_around
from taskops_provider.services.catalog.status import task_status
from taskops_provider.services.catalog.tasks import TaskRow
from taskops_provider.services.gate.instance_orders import InstanceKey, holds_of
from taskops_provider.services.gate.why_gated import GateMoment, why_gated
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.task_keys import is_one_of
from taskops_provider.services.why.reason import Reason

#: upstream tasks that are named
NAMED = 5

_FAILED = frozenset({"failed", "upstream_failed"})

#: checks of Airflow's whose own words will do, by the code they get here; the others keep their name
_CODES: Mapping[str, str] = {
    "PrevDagrunDep": "depends_on_past",
    "NotPreviouslySkippedDep": "skipped_by_branch",
    "MappedTaskUpstreamDep": "mapped_upstream",
    "MappedTaskIsExpanded": "not_expanded",
    "ExecDateAfterStartDateDep": "before_start_date",
    "TaskConcurrencyDep": "task_concurrency",
    "PoolSlotsAvailableDep": "pool_full",
}
#: they are told of in other words below
_TOLD_OTHERWISE = frozenset({"TriggerRuleDep", "NotInRetryPeriodDep", "ReadyToRescheduleDep", "PoolSlotsAvailableDep"})
_NOT_OF_GATED = frozenset({"due"})


@dataclass(frozen=True)
class InstanceContext:
    """What all instances of the task have in common."""

    session: Session
    actor: Actor
    task: TaskRow
    dag: DagFacts | None
    now: datetime


def instance_reasons(context: InstanceContext, ti: Any, *, is_known: bool) -> list[Reason]:
    """Return the reasons of an instance of ``adapter.waiting.dags_of``.

    :param is_known: its task is in the Dag that its run was made of
    """
    state = str(ti.state) if ti.state else None
    effect = effect_of(ti.pool, ti.retry_reason)
    found = [_gated(context, ti, state, effect)] if effect else []
    if state not in FINISHED:
        found = [*_ordered(context, ti), *found]
    if state in FINISHED:
        return found or _ended(context, ti, state, is_known=is_known)
    found += _of_run(context, ti)
    if not is_known:
        return [*found, Reason("task_gone", "Its task is not in the Dag version of this run, or that cannot be read.")]
    tell: dict[str | None, Callable[[InstanceContext, Any], list[Reason]]] = {
        None: _unscheduled,
        "scheduled": _scheduled,
        "queued": _queued,
        "up_for_retry": _retry,
        "up_for_reschedule": _rescheduled,
        "deferred": _deferred,
        "awaiting_input": _input,
    }
    if ti.pool in EFFECT_OF_POOL:
        # it waits for its turn, whatever the state that it does so in is called; that it is next tells nothing of it
        return found + [reason for reason in _unscheduled(context, ti) if reason.code not in _NOT_OF_GATED]
    return found + tell.get(state, _running)(context, ti)


def _ordered(context: InstanceContext, ti: Any) -> list[Reason]:
    """What people ordered for an instance that has not ended, or for its run."""
    key = InstanceKey(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    held = holds_of(context.session, [key]).get(key)
    found = []
    if held is not None:
        what = "Its run is" if held.of_run else "It is"
        found.append(Reason("held", f"{what} {held_words(held.cause)}", operation_id=held.cause.operation_id))
    if ti.retry_reason == force_mark(ti.max_tries):
        found.append(Reason("forced", "It is forced: what is upstream of it and earlier runs do not count."))
    return found


def _gated(context: InstanceContext, ti: Any, state: str | None, effect: Downstream) -> Reason:
    moment = GateMoment(ti.dag_id, ti.task_id, ti.dag_run.created_at or ti.dag_run.run_after)
    cause = why_gated(context.session, [moment])[moment]
    text = gated_words(cause, effect)
    is_held = effect is Downstream.HOLD and state not in FINISHED
    return Reason(
        "held" if is_held else "gated",
        f"When its run was made its task was {text}" if state not in FINISHED else f"It did not execute: {text}",
        until=context.task.resume_at if is_held else None,
        operation_id=cause.operation_id,
    )


def _ended(context: InstanceContext, ti: Any, state: str, *, is_known: bool) -> list[Reason]:
    words = {"success": "It ran and succeeded.", "failed": "It ran and failed.", "skipped": "It was skipped."}
    words |= {"removed": "Its task was no longer in the Dag.", "upstream_failed": "Something upstream of it failed."}
    found = [Reason(state, words[state], since=ti.end_date)]
    if is_known and state in ("skipped", "upstream_failed"):
        found += _upstream(context, ti, wanted=_FAILED | {"skipped"})
    return found


def _of_run(context: InstanceContext, ti: Any) -> list[Reason]:
    run = ti.dag_run
    found: list[Reason] = []
    if run.run_after > context.now:
        found.append(Reason("run_ahead", "Its run starts later.", until=run.run_after))
    elif str(run.state) == "queued":
        limit = context.dag.max_active_runs if context.dag else 0
        if run.backfill_id is not None:
            limit = run.backfill_max_active_runs or limit
        running = waiting.running_runs(context.session, ti.dag_id, backfill_id=run.backfill_id)
        text = f"Its run is queued: {running} of at most {limit} runs are running (max_active_runs)."
        if running < limit:
            text = "Its run is queued: the scheduler starts it next, unless its Dag is paused."
        found.append(Reason("run_queued", text, since=run.queued_at))
    return found


def _unscheduled(context: InstanceContext, ti: Any) -> list[Reason]:
    unmet = waiting.unmet(context.session, ti)
    found = _others(unmet)
    if any(each.check == "TriggerRuleDep" for each in unmet):
        words = next(each.text for each in unmet if each.check == "TriggerRuleDep")
        found = _upstream(context, ti) + found or [Reason("upstream", words), *found]
    if any(each.check == "ReadyToRescheduleDep" for each in unmet):
        found += _rescheduled(context, ti)
    return found or [Reason("due", "Nothing is in its way: the scheduler takes it up next.")]


def _others(unmet: list[waiting.Unmet]) -> list[Reason]:
    return [
        Reason(_CODES.get(each.check, each.check), each.text) for each in unmet if each.check not in _TOLD_OTHERWISE
    ]


def _upstream(context: InstanceContext, ti: Any, wanted: frozenset[str] = frozenset()) -> list[Reason]:
    """Name the upstream tasks that are waited for, or those in wanted states.

    Those that have ended, yet not as the trigger rule wants, are named where nothing is waited for any more.
    """
    counts: dict[str, list[waiting.UpstreamCount]] = defaultdict(list)
    for count in waiting.upstream_counts(context.session, ti):
        counts[count.task_id].append(count)
    chosen = {
        task_id: found
        for task_id, found in counts.items()
        if any((each.state in wanted) if wanted else (each.state not in FINISHED) for each in found)
    }
    if not wanted and not chosen:
        chosen = {task_id: found for task_id, found in counts.items() if any(e.state != "success" for e in found)}
    rule = waiting.trigger_rule(ti)
    told = "" if rule == "all_success" else f" (trigger rule {rule})"
    verb = "Upstream of it" if wanted else "It waits for"
    named = [
        Reason("upstream", f"{verb} {task_id}: {_states(found)}{told}.", dag_id=ti.dag_id, task_id=task_id)
        for task_id, found in list(chosen.items())[:NAMED]
    ]
    if len(chosen) > NAMED:
        named.append(Reason("upstream", f"{verb} {len(chosen) - NAMED} more tasks."))
    return named


def _states(counts: list[waiting.UpstreamCount]) -> str:
    """``running``, or ``2 running, 1 held by TaskOps`` where there are several instances."""
    words: dict[str, int] = defaultdict(int)
    for each in counts:
        gated = EFFECT_OF_POOL.get(each.pool)
        if gated is not None and each.state not in FINISHED:
            words["held by TaskOps" if gated is Downstream.HOLD else "gated by TaskOps"] += each.number
        else:
            words[(each.state or "not scheduled yet").replace("_", " ")] += each.number
    if sum(words.values()) == 1:
        return next(iter(words))
    return ", ".join(f"{number} {word}" for word, number in words.items())


def _scheduled(context: InstanceContext, ti: Any) -> list[Reason]:
    unmet = waiting.unmet(context.session, ti)
    found = _others(unmet)
    if full := next((each for each in unmet if each.check == "PoolSlotsAvailableDep"), None):
        slots = gate_state.slots_of_pools(context.session, [ti.pool]).get(ti.pool)
        if slots is None:
            found.append(Reason("no_pool", f"Its pool {ti.pool} does not exist.", pool=ti.pool))
        else:
            text = f"Its pool {ti.pool} has too few open slots ({slots} in all, it needs {ti.pool_slots})."
            found.append(Reason(_CODES[full.check], text, pool=ti.pool))
    limit = context.dag.max_active_tasks if context.dag else 0
    if limit and waiting.active_in_run(context.session, ti) >= limit:
        text = f"As many tasks of its run are active as its Dag allows ({limit}, max_active_tasks)."
        found.append(Reason("max_active_tasks", text))
    if not found:
        text = (
            "It is scheduled: the scheduler hands it to an executor next, as far as that has room ([core] parallelism)."
        )
        found.append(Reason("scheduled", text, since=ti.scheduled_dttm))
    return found


def _queued(context: InstanceContext, ti: Any) -> list[Reason]:
    where = f"queue {ti.queue}" + (f" of {ti.executor}" if ti.executor else "")
    return [Reason("queued", f"An executor has it ({where}): no worker has begun it yet.", since=ti.queued_dttm)]


def _retry(context: InstanceContext, ti: Any) -> list[Reason]:
    text = f"Try {ti.try_number} of {ti.max_tries + 1} failed: it is tried again."
    return [Reason("retry", text, since=ti.end_date, until=waiting.retry_at(ti))]


def _rescheduled(context: InstanceContext, ti: Any) -> list[Reason]:
    until = waiting.rescheduled_until(context.session, ti)
    return [Reason("rescheduled", "A sensor that looks again later.", until=until), *_sensed(context, ti)]


def _deferred(context: InstanceContext, ti: Any) -> list[Reason]:
    trigger = waiting.trigger_of(context.session, ti)
    text = f"It is deferred: it waits in the triggerer{f' for {trigger}' if trigger else ''}."
    return [Reason("deferred", text, until=ti.trigger_timeout), *_sensed(context, ti)]


def _input(context: InstanceContext, ti: Any) -> list[Reason]:
    return [Reason("input", "It waits for somebody's answer: see its required actions in Airflow.")]


def _running(context: InstanceContext, ti: Any) -> list[Reason]:
    return [Reason("running", "It is running.", since=ti.start_date), *_sensed(context, ti)]


def _sensed(context: InstanceContext, ti: Any) -> list[Reason]:
    """Of a sensor on tasks of other Dags: which of them do not run. Names only those that the actor may see."""
    here = (ti.dag_id, ti.task_id)
    links = links_around(context.session, {ti.dag_id}, downwards=False)
    sensed = {link.up for link in links if link.down == here and link.kind == "sensor"}
    nodes = sorted(node for node in sensed if context.actor.may_follow(ti.dag_id, node[0]))
    if not nodes:
        return []
    query = join_for_tasks(
        select(Task.dag_id, Task.task_id, task_status(context.now).label("status")).select_from(Task)
    ).where(is_one_of(Task.dag_id, Task.task_id, nodes[:NAMED]))
    return [
        Reason(
            "sensor",
            f"It watches {row.task_id} of {row.dag_id}, which is {row.status}.",
            dag_id=row.dag_id,
            task_id=row.task_id,
        )
        for row in context.session.execute(query)
        if row.status != TaskStatus.SCHEDULING
    ]
