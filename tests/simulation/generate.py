"""Histories from a seed: Dags of any shape, and what everybody does, in any order."""

from __future__ import annotations

import random
from typing import Any

from tests.simulation.dags import RULES, DagSpec, TaskSpec, task_json
from tests.simulation.script import Event, Script

EVENTS = 40

#: name -> how often, in comparison
_KINDS = {"bash": 50, "empty": 20, "trigger": 6, "mapped": 8, "fans": 6, "branch": 5, "short": 3}
_ENDS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("success",), 62),
    (("failed",), 17),
    (("skipped",), 6),
    (("failed", "success"), 6),
    (("success", "failed"), 3),
    (("deferred", "success"), 3),
    (("rescheduled", "success"), 3),
)
_EFFECTS = ("skip", "run", "fail", "hold")
_STEPS = ("settle", "annotate", "replenishments", "drain", "resume", "index")
_HOURLY = "0 * * * *"

#: what brings a run one task further
_ONWARDS = ("start_queued", "look", "queue", "work", "look")

_WEIGHTS = {
    "onwards": 6,
    "meet": 6,
    "create_runs": 5,
    "start_queued": 4,
    "look": 12,
    "queue": 8,
    "work": 8,
    "take": 4,
    "finish": 5,
    "fire": 3,
    "heed_executor": 1,
    "complete_backfills": 1,
    "parse": 2,
    "change": 2,
    "monitor": 8,
    "step": 8,
    "killed": 2,
    "operate": 12,
    "undo": 2,
    "instance": 2,
    "replenish": 3,
    "control": 2,
    "trigger": 6,
    "clear": 5,
    "mark": 2,
    "pause_dag": 2,
    "unpause_dag": 1,
    "delete_run": 1,
    "backfill": 1.6,
    "cancel_backfill": 0.3,
    "asset_event": 3,
    "spoil": 0.3,
    "during": 9,
}
#: what may be stopped in its middle, and what may happen then
_STOPPED = (
    *("trigger", "create_runs", "look", "step") * 2,
    *("operate", "queue", "replenish", "clear", "start_queued", "control"),
)
_MEANWHILE = (
    *("operate",) * 4,
    *("step", "look", "clear", "trigger", "work", "create_runs", "control", "pause_dag", "queue"),
)
#: what meets: one of these, and right after it one of those, mostly about the same task
_MEETING = (
    ("clear", "instance", "change", "pause_dag", "trigger", "mark"),
    ("operate", "step", "operate", "replenish"),
)


class Generator:
    """Draws one history."""

    def __init__(self, seed: int):
        self.seed = seed
        self.random = random.Random(seed)
        self.dags: list[DagSpec] = []
        #: tasks that were probably stopped, to start some of them again
        self.stopped: list[tuple[str, str]] = []
        #: the Dag and task that most of the history is about: what happens at random elsewhere seldom meets
        self.focus = ("", "")

    def script(self, events: int = EVENTS) -> Script:
        """Draw the whole."""
        draw = self.random
        self.dags = [self._dag("d0")]
        if draw.random() < 0.3:
            self.dags.append(self._dag("d1"))
        main = draw.choice(self.dags)
        self.focus = (main.id, draw.choice(main.tasks).id)
        found = []
        if draw.random() < 0.75:
            found.append(self._timed(self._operate(verb="pause")))
        while len(found) < events:
            found += [self._timed(event) for event in self._any()]
        return Script(self.seed, tuple(self.dags), tuple(found), self._skews())

    def _skews(self) -> dict[str, float]:
        draw = self.random
        if draw.random() < 0.6:
            return {}
        return {process: round(draw.uniform(-2.5, 2.5), 1) for process in ("scheduler", "api", "monitor")}

    def _timed(self, event: Event) -> Event:
        draw, kind = self.random, self.random.random()
        seconds = draw.uniform(0.05, 1.5) if kind < 0.86 else draw.uniform(5, 40)
        if kind > 0.96:
            seconds = draw.uniform(600, 4000)
        return {**event, "dt": round(seconds, 2)}

    def _dag(self, dag_id: str) -> DagSpec:
        draw = self.random
        tasks: list[TaskSpec] = []
        for number in range(draw.randint(2, 6)):
            tasks.append(self._task(f"t{number}", tasks))
        if draw.random() < 0.1:
            tasks = self._with_setup(tasks)
        if draw.random() < 0.08:
            one = draw.randrange(len(tasks))
            waits = draw.random() < 0.5
            tasks[one] = TaskSpec(**{**tasks[one].__dict__, "depends_on_past": True, "wait_for_downstream": waits})
        schedule = draw.choices(("", _HOURLY, "delta:3600", "asset:a"), (40, 32, 10, 18))[0]
        if schedule.startswith("asset:"):  # else it would trigger itself for ever
            tasks = [TaskSpec(**{**task.__dict__, "outlet": ""}) for task in tasks]
        return DagSpec(
            dag_id,
            tuple(tasks),
            schedule=schedule,
            since=draw.randint(1, 4),
            catchup=draw.random() < 0.4,
            max_active_runs=draw.choice((1, 2, 16)),
            strict_params=draw.random() < 0.08,
        )

    def _task(self, task_id: str, before: list[TaskSpec]) -> TaskSpec:
        draw = self.random
        above = [task.id for task in before if task.kind != "teardown"]
        number = min(len(above), draw.choices((0, 1, 2), (12, 62, 26))[0])
        upstream = tuple(draw.sample(above[-3:], min(number, len(above[-3:]))))
        kind = draw.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind == "fans" and not (upstream and self._pushes(before, upstream[0])):
            kind = "bash"
        ends = draw.choices([each for each, _ in _ENDS], [weight for _, weight in _ENDS])[0]
        rule = "all_success"
        if upstream and draw.random() < 0.4:
            rule = draw.choices(RULES, [4 if each in ("all_done", "none_failed") else 1 for each in RULES])[0]
        return TaskSpec(
            task_id,
            kind,
            upstream,
            rule,
            ends,
            retries=1 if draw.random() < 0.12 else 0,
            indexes=draw.choice((1, 2, 3)),
            group="g" if draw.random() < 0.08 else "",
            outlet="a" if draw.random() < 0.1 else "",
        )

    @staticmethod
    def _pushes(before: list[TaskSpec], task_id: str) -> bool:
        return any(task.id == task_id and task.kind == "bash" for task in before)

    def _with_setup(self, tasks: list[TaskSpec]) -> list[TaskSpec]:
        first = TaskSpec("up", "setup", ends=self.random.choice((("success",), ("failed",))))
        work = [
            TaskSpec(**{**task.__dict__, "upstream": ("up",)}) if not task.upstream and task.kind != "fans" else task
            for task in tasks
        ]
        leaves = {task.id for task in work} - {up for task in work for up in task.upstream}
        return [first, *work, TaskSpec("down", "teardown", ("up", *sorted(leaves)))]

    def _any(self) -> list[Event]:
        name = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if name == "onwards":
            return [{"do": each} for each in _ONWARDS if self.random.random() < 0.9]
        if name == "meet":
            return [self._one(self.random.choice(names)) for names in _MEETING]
        return [self._during() if name == "during" else self._one(name)]

    def _during(self) -> Event:
        draw = self.random
        then = [self._one(draw.choice(_MEANWHILE)) for _ in range(draw.choice((1, 1, 2)))]
        return {
            "do": "during",
            "first": {**self._one(draw.choice(_STOPPED)), "dt": 0.0},
            "at": int(2 ** draw.uniform(0, 5.6)),
            "then": [self._timed(event) for event in then],
        }

    def _one(self, name: str) -> Event:
        maker = getattr(self, f"_{name}", None)
        return maker() if maker else {"do": name}

    def _of(self) -> DagSpec:
        main = next(dag for dag in self.dags if dag.id == self.focus[0])
        return main if self.random.random() < 0.7 else self.random.choice(self.dags)

    def _task_of(self, dag: DagSpec) -> str:
        """The task that the history is about, one next to it, or any."""
        kind = self.random.random()
        if dag.id == self.focus[0] and kind < 0.75:
            beside = [*dag.of[self.focus[1]].upstream, *sorted(dag.downstream[self.focus[1]])]
            return self.random.choice(beside) if beside and kind > 0.5 else self.focus[1]
        return self.random.choice(dag.tasks).id

    def _look(self) -> Event:
        return {"do": "look"} if self.random.random() < 0.6 else {"do": "look", "run": self.random.randrange(3)}

    def _work(self) -> Event:
        return {"do": "work", "n": self.random.randint(1, 3)}

    def _take(self) -> Event:
        return {"do": "take", "n": self.random.randint(1, 2), "last": self.random.random() < 0.4}

    def _finish(self) -> Event:
        return {"do": "finish", "n": 1, "last": self.random.random() < 0.4}

    def _parse(self) -> Event:
        return {"do": "parse", "dag": self._of().id}

    def _change(self) -> Event:
        dag, draw = self._of(), self.random
        kind = draw.random()
        if kind < 0.6:
            return {
                "do": "change",
                "dag": dag.id,
                "kind": {self._task_of(dag): draw.choice(("bash", "empty", "trigger", "mapped"))},
            }
        if kind < 0.85:
            return {"do": "change", "dag": dag.id, "task": task_json(self._task("new", list(dag.tasks)))}
        return {"do": "change", "dag": dag.id, "gone": draw.choice(dag.tasks).id}

    def _step(self) -> Event:
        return {"do": "monitor", "steps": [self.random.choice(_STEPS)]}

    def _killed(self) -> Event:
        return {"do": "monitor", "kill": int(2 ** self.random.uniform(0, 6.5))}

    def _operate(self, verb: str = "") -> Event:
        dag, draw = self._of(), self.random
        verb = verb or draw.choices(("pause", "start", "offline", "delete", "submit"), (40, 34, 12, 4, 10))[0]
        known = [task for of, task in self.stopped if of == dag.id]
        tasks: list[str] | None = sorted({self._task_of(dag) for _ in range(draw.choice((1, 1, 2)))})
        if verb in ("start", "submit", "delete") and known and draw.random() < 0.75:
            tasks = [draw.choice(known)]
        if draw.random() < 0.17:
            tasks = None
        event: Event = {"do": "operate", "verb": verb, "dag": dag.id, "tasks": tasks}
        if verb in ("pause", "offline", "delete"):
            allowed = {"pause": _EFFECTS, "offline": _EFFECTS[:3], "delete": ("run", "fail")}[verb]
            event["downstream"] = draw.choice(allowed)
            self.stopped += [(dag.id, task) for task in tasks or [t.id for t in dag.tasks]]
        if verb in ("pause", "offline") and draw.random() < 0.2:
            event["terminate_instances"] = True
        if verb == "pause" and draw.random() < 0.12:
            event["resume_in"] = draw.choice((20, 60, 3600))
        if verb == "start" and draw.random() < 0.3:
            event.update(draw.choice(({"held": "skip"}, {"fill_gap": True})))
        return event

    def _undo(self) -> Event:
        return {"do": "undo", "back": self.random.choice((0, 0, 1, 2))}

    def _in_run(self) -> dict[str, Any]:
        dag = self._of()
        return {"dag": dag.id, "run": self.random.choice((-1, -1, -2, 0)), "task": self._task_of(dag)}

    def _instance(self) -> Event:
        verb = self.random.choice(("rerun", "rerun", "terminate", "set-success", "set-failed"))
        return {"do": "instance", "verb": verb, **self._in_run()}

    def _replenish(self) -> Event:
        dag, draw = self._of(), self.random
        first = draw.randint(1, dag.since + 1)
        event: Event = {"do": "replenish", "dag": dag.id, "first": first, "last": draw.choice((0, -1, first - 1))}
        if draw.random() < 0.6:
            event["tasks"] = sorted(draw.sample([t.id for t in dag.tasks], min(len(dag.tasks), draw.choice((1, 2, 3)))))
        if draw.random() < 0.35:
            event["cells"] = "all"
        if draw.random() < 0.4:
            event["at_once"] = 3
        if dag.strict_params and draw.random() < 0.4:
            event["conf"] = {"number": "no number"}
        return event

    def _control(self) -> Event:
        verb = self.random.choice(("pause", "resume", "cancel", "cancel", "retry"))
        event: Event = {"do": "control", "verb": verb, "which": self.random.choice((0, 0, 1))}
        return {**event, "end_running": True} if verb == "cancel" and self.random.random() < 0.3 else event

    def _trigger(self) -> Event:
        return {"do": "trigger", "dag": self._of().id}

    def _clear(self) -> Event:
        return {"do": "clear", **self._in_run(), "downstream": self.random.random() < 0.65}

    def _mark(self) -> Event:
        return {"do": "mark", **self._in_run(), "state": self.random.choice(("success", "failed", "skipped"))}

    def _pause_dag(self) -> Event:
        return {"do": "pause_dag", "dag": self._of().id}

    def _unpause_dag(self) -> Event:
        return {"do": "unpause_dag", "dag": self._of().id}

    def _delete_run(self) -> Event:
        return {"do": "delete_run", "dag": self._of().id, "run": self.random.choice((-1, 0))}

    def _backfill(self) -> Event:
        dag = self._of()
        event: Event = {"do": "backfill", "dag": dag.id, "first": self.random.randint(1, 3), "last": 0}
        if self.random.random() < 0.4:
            event["conf"] = {"taskops": {"replenishment": self.random.choice((1, 2))}}
        return event

    def _asset_event(self) -> Event:
        return {"do": "asset_event", "asset": "a"}

    def _spoil(self) -> Event:
        return {"do": "spoil", "dag": self.dags[-1].id}


def generate(seed: int, events: int = EVENTS) -> Script:
    """Draw the history of a seed: always the same."""
    return Generator(seed).script(events)
