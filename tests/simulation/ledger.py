"""What ought to be: kept beside the database, from what people were told and not from how the gate works.

A task's state is what TaskOps says it is; when a run was made is when its transaction ended. From these follows
whether an instance may execute. Where two transactions overlapped, what both orders have in common is expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tests.simulation.pauses import Pauses
from tests.simulation.product import effects_of_terminating
from tests.simulation.script import Event
from tests.simulation.seen import Seen, deeds, overlaps
from tests.simulation.snapshot import BEGUN, FINISHED, Claim, Key, RunKey, Snapshot, read
from tests.simulation.world import World

#: seconds around a planned end in which either is right: clocks differ
_TOLERANCE = timedelta(seconds=15)


@dataclass
class Expect:
    """What is expected of the instances of a task in a run.

    :param effect: skip, run, fail or hold: they never execute; "unselected": nor do they, in a replenishment's own
        run; None: they execute when Airflow says so
    :param sure: False: either is right
    :param released: they were held, and are not any more
    :param met: since the release, all that they wait for had ended once
    """

    effect: str | None = None
    sure: bool = True
    released: bool = False
    met: bool = False


class Ledger:
    """Follows a history, event by event."""

    def __init__(self, world: World):
        self.world = world
        self.last = read(world)
        self.pauses = Pauses()
        #: run -> task id -> what is expected
        self.expected: dict[RunKey, dict[str, Expect]] = {}
        #: runs in which people, or replenishments, changed instances one by one, or whose Dag changed: how they end
        #: depends on the order of events
        self.loose: set[RunKey] = set()
        #: instances whose state a person or a replenishment set
        self.touched: set[tuple[RunKey, str]] = set()
        #: instances whose state a person set: (run, task)
        self.marked: set[tuple[RunKey, str]] = set()
        #: run -> event that made it
        self.made: dict[RunKey, int] = {}
        #: replenishment -> event that made it
        self.replenished: dict[int, int] = {}
        #: instances that were stopped with a replenishment before they began: (run, task) -> replenishment
        self.forbidden: dict[tuple[RunKey, str], int] = {}
        #: events at which somebody cleared an instance
        self.cleared: dict[tuple[RunKey, str], list[int]] = {}
        #: replenishments that people paused, cancelled or retried
        self.controlled: set[int] = set()
        #: instances that a replenishment cleared: (run, task) -> replenishment
        self.cleared_for: dict[tuple[RunKey, str], int] = {}
        self._executions = 0
        self._errors = 0

    def observe(self, event: Event) -> Seen:
        """Look at the database after an event."""
        world = self.world
        after = read(world)
        seen = Seen(self.last, after, world.executions[self._executions :], world.errors[self._errors :])
        self._executions, self._errors = len(world.executions), len(world.errors)
        self.pauses.note(event, seen, world.event)
        self._note_replenishments(event, seen)
        for run in after.runs:
            old = seen.before.runs.get(run)
            if old is None or old.pk != after.runs[run].pk:
                seen.new_runs.append(run)
                self._expect_of_new(run, event, seen)
        self._note_claims(event, seen)
        self._note_clears(event, seen)
        self._note_changes(event, seen)
        self._note_releases(seen)
        self.last = after
        return seen

    def expect(self, run: RunKey, task_id: str) -> Expect:
        """What is expected of a task in a run; of one that came later either is right."""
        return self.expected.setdefault(run, {}).setdefault(task_id, Expect(sure=False))

    def _expect_of_new(self, run: RunKey, event: Event, seen: Seen) -> None:
        dag_id = run[0]
        self.made[run] = self.world.event
        self.loose.discard(run)
        self.touched = {each for each in self.touched if each[0] != run}
        number = seen.after.made_by.get(run)
        of_run = self.expected[run] = {}
        for task in self.world.spec(dag_id).tasks:
            before, after = seen.before.claims.get((dag_id, task.id)), seen.after.claims.get((dag_id, task.id))
            if number is not None:
                if (run, task.id) in seen.after.cells:
                    stopped = after is not None and after.state in ("offline", "deleted")
                    of_run[task.id] = Expect(after.effect if after and stopped else None, before == after)
                else:
                    of_run[task.id] = Expect("unselected")
            else:
                of_run[task.id] = self._by_claims(before, after, event, (dag_id, task.id))
            if _clears(event, dag_id):
                of_run[task.id].sure = False  # who clears it while it is made lets it execute

    def _by_claims(self, before: Claim | None, after: Claim | None, event: Event, pair: tuple[str, str]) -> Expect:
        dag_id = pair[0]
        if after is None:
            return Expect(sure=not any(claim.is_gated for (d, _), claim in self.last.claims.items() if d == dag_id))
        old, new = self._in_force(before or after), self._in_force(after)
        if old == new:
            return Expect(new.effect, new.sure)
        if not new.effect and old.effect == "hold" and new.sure:
            return Expect(None, released=True)
        if new.effect and not old.effect and (ended := self._terminated(event, pair)):
            return Expect(ended)
        return Expect(new.effect, sure=False)

    def _in_force(self, claim: Claim) -> Expect:
        if not claim.is_gated:
            return Expect()
        if claim.resume_at is not None:
            late = self.world.clock.now - claim.resume_at
            if abs(late) <= _TOLERANCE:
                return Expect(claim.effect, sure=False)
            if late > timedelta(0):
                return Expect()
        return Expect(claim.effect)

    def _note_replenishments(self, event: Event, seen: Seen) -> None:
        for number, state in seen.after.replenishments.items():
            was = seen.before.replenishments.get(number)
            if was is None:
                self.replenished[number] = self.world.event
            elif state != was and any(deed["do"] == "control" for deed in deeds(event)):
                self.controlled.add(number)
                if state in ("cancelled", "paused"):
                    self._forbid(number, seen)
                    # Airflow's cancel of a backfill fails its queued runs as they are
                    self.loose.update(run for run, of in seen.after.made_by.items() if of == number)
                else:
                    self.forbidden = {key: n for key, n in self.forbidden.items() if n != number}

    def _forbid(self, number: int, seen: Seen) -> None:
        for (run, task_id), cell in seen.before.cells.items():
            row = seen.before.runs.get(run)
            ours = seen.before.made_by.get(run) == number or self.cleared_for.get((run, task_id)) == number
            if cell.replenishment == number and cell.state == "active" and ours and row and row.state == "queued":
                self.forbidden[run, task_id] = number

    def _note_claims(self, event: Event, seen: Seen) -> None:
        """Tasks changed their state: held instances are released, or get another effect."""
        for (dag_id, task_id), after in seen.after.claims.items():
            before = seen.before.claims.get((dag_id, task_id))
            if before is None or before == after:
                continue
            for run, row in seen.after.runs.items():
                if run[0] != dag_id or run in seen.new_runs or row.state not in ("queued", "running"):
                    continue
                self._change_of(run, task_id, before, after, event, seen)

    def _change_of(self, run: RunKey, task_id: str, before: Claim, after: Claim, event: Event, seen: Seen) -> None:
        expect = self.expect(run, task_id)
        if expect.effect == "hold" and before.effect == "hold":
            if not after.is_gated:
                skips = any(deed.get("held") == "skip" and deed.get("dag") == run[0] for deed in deeds(event))
                expect.effect = "skip" if skips else None
                expect.released = not skips
            elif after.effect != "hold":
                expect.effect = after.effect
                expect.sure = expect.sure and after.state in ("offline", "deleted")
        elif after.is_gated and not before.is_gated and expect.effect is None:
            ended = self._terminated(event, (run[0], task_id))
            mine = [ti for key, ti in seen.before.of(run, task_id)]
            if ended and any(ti.state not in FINISHED for ti in mine):
                if any(ti.state in BEGUN for ti in mine):
                    self._touch_task(run, task_id)
                expect.effect, expect.sure, expect.released = ended, True, False

    def _terminated(self, event: Event, pair: tuple[str, str]) -> str | None:
        """The effect with which an operation of the event ended the instances of a task, as its record says."""
        if not _terminates(event, *pair):
            return None
        with self.world.session() as session:
            return effects_of_terminating(session, self.last.operation).get(pair)

    def _note_clears(self, event: Event, seen: Seen) -> None:
        kinds = {deed["do"] for deed in deeds(event)}
        by_person = kinds & {"clear", "instance", "mark"}
        by_monitor = "monitor" in kinds or "several" in kinds
        if not by_person and not by_monitor:
            return
        alone = any(
            deed["do"] in ("mark", "instance") or (deed["do"] == "clear" and not deed.get("downstream", True))
            for deed in deeds(event)
        )
        for key, ti in seen.after.tis.items():
            old = seen.before.tis.get(key)
            if old is None or old.id == ti.id:
                if old is not None and old.state != ti.state and by_person & {"mark", "instance"}:
                    self.marked.add((key.of_run, key.task))
                    self._touch(key)
                continue
            waited = old.pool.startswith("taskops_")
            if kinds & {"take", "finish", "work"} and old.state in ("running", "up_for_retry") and not waited:
                continue  # its next try
            # what waits in the gate has not begun, whatever state it waits in
            begun = old.state in BEGUN and self.expect(key.of_run, key.task).effect is None
            self._cleared(key, seen, by_person=bool(by_person), alone=alone or begun)

    def _touch(self, key: Key) -> None:
        self._touch_task(key.of_run, key.task)

    def _touch_task(self, run: RunKey, task_id: str) -> None:
        self.loose.add(run)
        self.touched.add((run, task_id))

    def _cleared(self, key: Key, seen: Seen, *, by_person: bool, alone: bool) -> None:
        run = key.of_run
        claim = seen.after.claims.get((key.dag, key.task))
        out_of_service = claim is not None and claim.state in ("offline", "deleted")
        if alone or not by_person or self.world.spec(key.dag).remembers:
            self.loose.add(run)
        if by_person:
            self.expected.setdefault(run, {})[key.task] = Expect(None, sure=not out_of_service)
            self.cleared.setdefault((run, key.task), []).append(self.world.event)
            # it makes the run go on, and what it waits for upstream
            self.forbidden = {each: number for each, number in self.forbidden.items() if each[0] != run}
            self.touched.discard((run, key.task))
            self.cleared_for.pop((run, key.task), None)
            return
        cell = seen.after.cells.get((run, key.task))
        if cell is not None:
            self.cleared_for[run, key.task] = cell.replenishment
        if out_of_service and claim is not None:
            self.expected.setdefault(run, {})[key.task] = Expect(claim.effect)
            self.touched.add((run, key.task))
        else:
            self.expected.setdefault(run, {})[key.task] = Expect()
            self.touched.add((run, key.task))

    def _note_changes(self, event: Event, seen: Seen) -> None:
        """A new version of a Dag changes its unfinished runs; setting states by hand makes a run its own case."""
        for deed in deeds(event):
            # what a person clears while something else has not ended yet, that may write over
            if deed["do"] in ("change", "spoil") or (overlaps(event) and deed["do"] in ("clear", "mark", "instance")):
                self.loose.update(run for run in seen.after.runs if run[0] == deed["dag"])
            if deed["do"] == "cancel_backfill":  # it fails its queued runs as they are
                before = seen.before.runs
                ended = (run for run, row in seen.after.runs.items() if row.state == "failed" and run in before)
                self.loose.update(run for run in ended if before[run].state == "queued")
        for key, ti in seen.after.tis.items():
            old = seen.before.tis.get(key)
            if old is not None and ti.state == "success" and old.state in ("skipped", "failed"):
                self._touch(key)  # a replenishment lets it count as success for what follows

    def _note_releases(self, seen: Seen) -> None:
        for run, tasks in self.expected.items():
            for task_id, expect in tasks.items():
                if expect.released and not expect.met:
                    expect.met = self.upstream_is_over(run, task_id, seen.after)

    def upstream_is_over(self, run: RunKey, task_id: str, snapshot: Snapshot) -> bool:
        """Whether everything directly upstream of a task has ended in a run."""
        task = self.world.task(run[0], task_id)
        if task is None:
            return True
        return all(ti.state in FINISHED for up in task.upstream for _, ti in snapshot.of(run, up))


def _clears(event: Event, dag_id: str) -> bool:
    """Whether somebody clears, or sets states of, what something else of the event makes meanwhile."""
    return overlaps(event) and any(
        deed["do"] in ("clear", "instance", "mark") and deed["dag"] == dag_id for deed in deeds(event)
    )


def _terminates(event: Event, dag_id: str, task_id: str) -> bool:
    """Whether an operation of the event ends the task's instances."""
    return any(
        deed["do"] == "operate"
        and deed.get("terminate_instances")
        and deed["dag"] == dag_id
        and (deed["tasks"] is None or task_id in deed["tasks"])
        for deed in deeds(event)
    )
