"""What has to be true, whatever the order of events. Each oracle has a name; the docs say what each one means."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation import product
from tests.simulation.dags import WAITING_RULES
from tests.simulation.ledger import Expect, Ledger
from tests.simulation.reference import differences
from tests.simulation.script import Event
from tests.simulation.seen import Seen, deeds, overlaps
from tests.simulation.snapshot import FINISHED, Key, RunKey
from tests.simulation.tally import Violation
from tests.simulation.world import World

_STATE_OF = {"skip": "skipped", "run": "success", "fail": "failed"}
_SCHEDULED_KINDS = frozenset({"scheduled", "asset_triggered"})


def judge_event(world: World, ledger: Ledger, event: Event, seen: Seen) -> list[Violation]:
    """Judge what one event did."""
    found = [("monitor step", text) for kind, text in seen.errors if kind == "monitor"]
    found += [("operation", text) for kind, text in seen.errors if kind == "operation"]
    # Airflow itself refuses a person whose request meets another one with an error of the database
    airflow = [text for kind, text in seen.errors if kind in _airflow_kinds(event)]
    found += [("airflow", text) for text in airflow if not _made_the_same_run(world, event, text)]
    found += _executions(world, ledger, event, seen)
    found += _effects(world, ledger, event, seen)
    found += _clears_of_cells(world, ledger, event, seen)
    return [Violation(oracle, text, world.event) for oracle, text in found]


def judge_end(world: World, ledger: Ledger, *, released: bool) -> list[Violation]:
    """Judge where a history has come to rest: with what people hold, then with nothing held any more."""
    if not released:
        found = [*_pauses(ledger), *_replenishments(world, ledger)]
    else:
        found = [*_unfinished(world, ledger), *differences(world, ledger)]
    found += _escaped(world)
    return [Violation(oracle, text, world.event) for oracle, text in found]


def _escaped(world: World) -> Iterator[tuple[str, str]]:
    with world.session() as session:
        for run in product.escaped_runs(session):
            yield "coverage", f"{run} was created with the gate, and the monitor says without"


def _airflow_kinds(event: Event) -> tuple[str, ...]:
    return ("airflow",) if overlaps(event) else ("airflow", "person")


def _made_the_same_run(world: World, event: Event, text: str) -> bool:
    """Whether two made a run at once that has one key. SQLite has no row locks that Airflow could take before."""
    return world.database.dialect == "sqlite" and overlaps(event) and "UNIQUE constraint failed: dag_run." in text


def _name(run: RunKey, task_id: str) -> str:
    return f"{run[0]}.{task_id} in {run[1]}"


def _executions(world: World, ledger: Ledger, event: Event, seen: Seen) -> Iterator[tuple[str, str]]:
    for execution in seen.executions:
        run, task_id = execution.of_run, execution.task_id
        expect = ledger.expect(run, task_id)
        if expect.effect is not None and expect.sure:
            yield "gated executes", f"{_name(run, task_id)} executes, although it is gated ({expect.effect})"
        is_early = not expect.met and not ledger.upstream_is_over(run, task_id, seen.before)
        if expect.released and is_early and _waits_for_all(world, run, task_id):
            yield "order", f"{_name(run, task_id)}, which was held, executes before its upstream has ended"
        number = ledger.forbidden.get((run, task_id))
        if number is not None:
            yield "cells", f"{_name(run, task_id)} begins after replenishment {number} was stopped"
        paused = ledger.pauses.by_person.get(run[0])
        row = seen.before.runs.get(run) or seen.after.runs.get(run)
        made = ledger.made.get(run, 0)
        if paused is not None and row is not None and made > paused and row.run_type in _SCHEDULED_KINDS:
            yield "pause lifted", f"{_name(run, task_id)} executes in a new run, although a person paused {run[0]}"


def _waits_for_all(world: World, run: RunKey, task_id: str) -> bool:
    task = world.task(run[0], task_id)
    return task is not None and task.rule in WAITING_RULES and task.kind != "teardown"


def _effects(world: World, ledger: Ledger, event: Event, seen: Seen) -> Iterator[tuple[str, str]]:
    for key, ti in seen.after.tis.items():
        old = seen.before.tis.get(key)
        if ti.state not in FINISHED or (old is not None and (old.state, old.id) == (ti.state, ti.id)):
            continue
        expect = ledger.expect(key.of_run, key.task)
        if expect.effect is None or not expect.sure or (key.of_run, key.task) in ledger.touched:
            continue
        if expect.effect != "unselected":
            yield from _effect(world, ledger, key, ti.state, expect, event, seen)


def _effect(
    world: World, ledger: Ledger, key: Key, state: str, expect: Expect, event: Event, seen: Seen
) -> Iterator[tuple[str, str]]:
    name = _name(key.of_run, key.task)
    if state == "upstream_failed" or state == "removed":
        return
    if expect.effect == "hold":
        if state in ("success", "failed"):
            yield "effect", f"{name} is held and has become {state}"
        return
    right = _STATE_OF[expect.effect or ""]
    if state not in (right, "skipped"):
        yield "effect", f"{name} is gated ({expect.effect}) and has become {state}"
    elif state == right and not overlaps(event) and _waits_for_all(world, key.of_run, key.task):
        task = world.task(key.dag, key.task)
        states = [ti.state for up in (task.upstream if task else ()) for _, ti in seen.after.of(key.of_run, up)]
        by_rule = state == "skipped" and not {"skipped", "failed", "upstream_failed", "success"}.isdisjoint(states)
        # what comes after a setup that was skipped is skipped at once, however far it is
        by_rule = by_rule or any(each.kind == "setup" for each in world.spec(key.dag).tasks)
        if any(each not in FINISHED for each in states) and not by_rule:
            yield "order", f"{name} is settled as {state} before its upstream has ended"


def _clears_of_cells(world: World, ledger: Ledger, event: Event, seen: Seen) -> Iterator[tuple[str, str]]:
    """A replenishment clears what it is to execute: never what has succeeded since, nor what is out of service."""
    if not any(deed["do"] == "monitor" for deed in deeds(event)) or overlaps(event):
        return
    for key, ti in seen.after.tis.items():
        old = seen.before.tis.get(key)
        if old is None or old.id == ti.id or old.state != "success":
            continue
        cell = seen.after.cells.get((key.of_run, key.task))
        if cell is None or cell.replenishment in ledger.controlled or _goes_with_work(world, key):
            continue
        since = ledger.replenished.get(cell.replenishment, 0)
        done = [e for e in world.executions if e.of_run == key.of_run and e.task_id == key.task]
        if any(e.event > since and e.end == "success" for e in done):
            yield (
                "cells",
                f"replenishment {cell.replenishment} clears {_name(key.of_run, key.task)}, which has succeeded since",
            )


def _goes_with_work(world: World, key: Key) -> bool:
    """Whether Airflow clears a task with the work that is cleared, whatever became of itself."""
    task = world.task(key.dag, key.task)
    return task is not None and task.kind in ("setup", "teardown")


def _pauses(ledger: Ledger) -> Iterator[tuple[str, str]]:
    for dag_id in ledger.pauses.by_person:
        if not ledger.last.paused.get(dag_id) and not _open_replenishments(ledger, dag_id):
            yield "pause lifted", f"{dag_id}, which a person paused, is not paused any more"


def _open_replenishments(ledger: Ledger, dag_id: str) -> bool:
    return any(dag_id == of and number not in ledger.last.over for number, of, _, _, _ in ledger.last.every_cell)


def _replenishments(world: World, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Reports tell what happened; what can go on went on."""
    last = ledger.last
    for number, state in last.replenishments.items():
        cells = [cell for cell in last.every_cell if cell[0] == number]
        if number not in last.over:
            if state == "running" and not _waits_for_somebody(ledger, number, cells):
                yield "never ends", f"replenishment {number} neither goes on nor ends, and waits for nobody"
            if state in ("queued", "running") and not _says_why(ledger, number, cells):
                yield "reports", f"replenishment {number} does not say what it waits for"
            continue
        if number in ledger.controlled:
            continue
        since = ledger.replenished.get(number, 0)
        for _, dag_id, run_id, task_id, said in cells:
            if run_id is None or (dag_id, run_id) not in last.runs:
                continue
            yield from _report(world, ledger, number, (dag_id, run_id), task_id, said, since)
        ends = {e.end for e in world.executions if any(e.of_run == (c[1], c[2]) for c in cells) and e.event > since}
        works = any(
            _works(world, dag_id, task_id) and (said != "skipped" or not _may_be_skipped(world, dag_id, task_id))
            for _, dag_id, _, task_id, said in cells
        )
        if state == "success" and works and not ends:
            yield "reports", f"replenishment {number} is a success, and nothing was executed"


def _report(
    world: World, ledger: Ledger, number: int, run: RunKey, task_id: str, said: str, since: int
) -> Iterator[tuple[str, str]]:
    done = [e for e in world.executions if e.of_run == run and e.task_id == task_id and e.event > since]
    rounds = sum(1 for e in done if e.map_index <= 0 and e.end in ("success", "failed", "skipped"))
    # setups and teardowns are cleared with any work of their run
    counted = {task_id} if not _goes_with_work(world, Key(*run, task_id, -1)) else set(world.spec(run[0]).of)
    cleared = [at for (of, task), ats in ledger.cleared.items() if of == run and task in counted for at in ats]
    by_others = len([at for at in cleared if at >= since])
    task = world.task(run[0], task_id)
    retries = task.retries if task else 0
    others = sum(1 for cell in ledger.last.every_cell if cell[1:3] == run and cell[3] in counted) - 1
    counts = any(e.end == "success" for e in done) or (run, task_id) in ledger.marked
    if said == "success" and _works(world, run[0], task_id) and not counts:
        yield "reports", f"replenishment {number} says success of {_name(run, task_id)}, which has not succeeded"
    if rounds > (1 + retries) * (1 + by_others + max(others, 0)):
        yield "cells", f"{_name(run, task_id)} was executed {rounds} times for replenishment {number}"


def _may_be_skipped(world: World, dag_id: str, task_id: str) -> bool:
    """Whether Airflow may skip a task for what its upstream tasks did."""
    task = world.task(dag_id, task_id)
    return task is not None and bool(task.upstream)


def _works(world: World, dag_id: str, task_id: str) -> bool:
    task = world.task(dag_id, task_id)
    return task is not None and task.is_work


def _waits_for_somebody(ledger: Ledger, number: int, cells: list[tuple[int, str, str | None, str, str]]) -> bool:
    """Whether what is left of a replenishment waits for a person: something held, a pause, another backfill."""
    last = ledger.last
    dags = {cell[1] for cell in cells}
    if not dags.isdisjoint(ledger.world.unreadable):
        return True  # until somebody mends the Dag, or where the monitor runs; whether it says so is asked beside this
    # a task that depends on the past waits until somebody mends the run before, as without TaskOps
    if any(dag_id in ledger.pauses.by_person or ledger.world.spec(dag_id).remembers for dag_id in dags):
        return True
    others = [n for n, d, _, _, _ in last.every_cell if n != number and d in dags and n not in last.over]
    if others:
        return True
    for run, row in last.runs.items():
        is_backfill = row.backfill_id is not None and run not in last.made_by
        if run[0] in dags and row.state in ("queued", "running") and is_backfill:
            return True
    left = {(cell[1], cell[2]) for cell in cells if cell[4] in ("waiting", "active")}
    return all(
        run[1] is not None and (_is_held(ledger, (run[0], run[1])) or _is_behind_held(ledger, (run[0], run[1]), number))
        for run in left
    )


def _says_why(ledger: Ledger, number: int, cells: list[tuple[int, str, str | None, str, str]]) -> bool:
    """Whether a replenishment that stands still says so; of what Airflow has of it people see the run."""
    return any(cell[4] == "active" for cell in cells) or number in ledger.last.problems


def _is_behind_held(ledger: Ledger, run: RunKey, number: int) -> bool:
    """Whether a run is queued because held ones take all the room that its Dag has, and the replenishment says so."""
    last = ledger.last
    running = [key for key, row in last.runs.items() if key[0] == run[0] and row.state == "running"]
    is_queued = run in last.runs and last.runs[run].state == "queued"
    says = "as many running runs as it may have" in last.problems.get(number, "")
    return is_queued and says and any(_is_held(ledger, each) for each in running)


def _is_held(ledger: Ledger, run: RunKey) -> bool:
    return any(
        ledger.expect(run, key.task).effect == "hold" or not ledger.expect(run, key.task).sure
        for key, ti in ledger.last.tis.items()
        if key.of_run == run and ti.state not in FINISHED
    )


def _unfinished(world: World, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Nobody holds anything any more: every run has ended."""
    for run, row in ledger.last.runs.items():
        if row.state not in ("queued", "running") or world.spec(run[0]).remembers:
            continue
        if ledger.last.paused.get(run[0]) and run not in ledger.pauses.frozen.get(run[0], ()):
            continue  # it was made, or cleared, while its Dag was paused
        if run[0] in world.unreadable or row.backfill_id in ledger.last.paused_backfills:
            continue
        left = {
            f"{key.task}={ti.state} in {ti.pool}"
            for key, ti in ledger.last.tis.items()
            if key.of_run == run and ti.state not in FINISHED
        }
        paused = " (its Dag is paused)" if ledger.last.paused.get(run[0]) else ""
        yield "never ends", f"{run[0]} {run[1]} is {row.state} for ever{paused}: {', '.join(sorted(left)) or 'idle'}"
