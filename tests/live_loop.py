"""``python -m tests.live_loop``: what once broke the core, again and again, on running schedulers.

PostgreSQL, two schedulers, a Dag processor, an API server, a monitor. The simulation (``tests.simulation``) plays the
same functions in any order; here nobody plays anything, so what it left out, or took for granted, has its turn. The
three inputs are of the faults that showed on running schedulers first: a gated task that the scheduler took for a
deadlock, operations beside runs that are being created, a paused Dag that a replenishment needs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.database import temporary_postgres_database
from tests.support.live import LiveAirflow

#: seconds in which everything that was begun has to end
PATIENCE = 300
#: runs that are created at once
AT_ONCE = 4
#: of the cycles that are replenished: later than those that the scheduler catches up with meanwhile, whose runs wait
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)

DAGS = """
import os
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task

def step(name, fails=False, **kwargs):
    @task(task_id=name, **kwargs)
    def run():
        ti = get_current_context()["ti"]
        with open(os.environ["MARKS"], "a") as marks:
            marks.write(f"{ti.dag_id} {ti.task_id} {ti.run_id}\\n")
        if fails:
            raise RuntimeError("as it should")
    return run()

with DAG("deadlock", schedule=None, start_date=datetime(2026, 1, 1)):
    step("work", fails=True) >> EmptyOperator(task_id="gate") >> step("cleanup", trigger_rule="all_done")

with DAG("races", schedule=None, start_date=datetime(2026, 1, 1)):
    step("first") >> step("gate") >> step("last", trigger_rule="none_failed")

with DAG("paused", schedule="* * * * *", start_date=datetime(2026, 1, 1), catchup=True, max_active_runs=4):
    step("only")
"""


class Loop:
    """The three inputs, on one installation."""

    def __init__(self, airflow: LiveAirflow, seed: int):
        self.airflow = airflow
        self.random = random.Random(seed)
        self.token = airflow.token("admin")
        self.wrong: list[str] = []
        self.played: Counter[str] = Counter()
        self._cycles = 0

    def play(self, runs: int) -> None:
        """Play until there were so many runs."""
        turns: list[Callable[[], int]] = [self.deadlock, self.races, self.paused]
        self.pause("deadlock", downstream="run")
        number = 0
        while self.played.total() < runs:
            turn = turns[number % len(turns)]
            number += 1
            self.played[turn.__name__] += turn()
            say(f"{dict(self.played)}, {len(self.wrong)} wrong")

    def deadlock(self) -> int:
        """work fails, what follows is gated, the cleanup has to execute."""
        run_ids = self.trigger("deadlock", AT_ONCE)
        self.await_ends("deadlock", run_ids)
        right = {"work": "failed", "gate": "upstream_failed", "cleanup": "success"}
        for run_id in run_ids:
            states = self.airflow.states("deadlock", run_id)
            self.check(states == right, f"deadlock {run_id}: {states}")
            done = self.airflow.executed("deadlock", run_id)
            self.check(done == ["work", "cleanup"], f"deadlock {run_id} executed {done}")
        return len(run_ids)

    def races(self) -> int:
        """A task is paused and started, or ended, while runs are being created."""
        ends = self.random.random() < 0.5
        with ThreadPoolExecutor(2) as pool:
            created = pool.submit(self.trigger, "races", AT_ONCE)
            time.sleep(self.random.uniform(0, 0.6))
            self.pause("races", downstream="run" if ends else "hold", terminate_instances=ends)
            after = self.trigger("races", 1)
            time.sleep(self.random.uniform(0, 0.6))
            self.post("/taskops/v1/tasks/start", {"targets": [{"dag_id": "races", "task_id": "gate"}]})
            before = created.result()
        run_ids = [*before, *after]
        self.await_ends("races", run_ids)
        for run_id in run_ids:
            done = Counter(self.airflow.executed("races", run_id))
            once = all(done[task_id] == 1 for task_id in ("first", "last")) and done["gate"] <= 1
            self.check(once, f"races {run_id} executed {dict(done)}")
            if not ends:
                self.check(done["gate"] == 1, f"races {run_id} was held, and its gate executed {done['gate']} times")
        if ends:
            self.check("gate" not in self.airflow.executed("races", after[0]), f"races {after[0]} executed its gate")
        return len(run_ids)

    def paused(self) -> int:
        """A replenishment executes cycles of a Dag that a person paused, and nothing else of it executes."""
        first = BEGIN + timedelta(minutes=self._cycles)
        self._cycles += AT_ONCE
        last = first + timedelta(minutes=AT_ONCE - 1)
        asked = {
            "tasks": [{"dag_id": "paused", "task_id": "only"}],
            "ranges": [{"from": first.isoformat(), "to": last.isoformat()}],
            "max_active_runs": 2,
        }
        number = self.post("/taskops/v1/replenishments", asked)["replenishment_id"]
        over = self.await_(f"replenishment {number}", lambda: self._over(number))
        self.check(over is not None and over["state"] == "success", f"replenishment {number}: {over}")
        self.await_("the Dag to be paused again", lambda: self.airflow.is_paused("paused"))
        marks = self.airflow.marks.read_text().splitlines()
        executed = Counter(line.split()[2] for line in marks if line.startswith("paused "))
        self.check(
            sum(executed.values()) == self._cycles, f"{sum(executed.values())} executed, right is {self._cycles}"
        )
        others = sorted(run_id for run_id in executed if not run_id.startswith("backfill__"))
        self.check(not others, f"executed although a person paused the Dag: {others}")
        return AT_ONCE

    def _over(self, number: int) -> Any:
        shown = self.get(f"/taskops/v1/replenishments/{number}")
        return shown if shown["ended_at"] else None

    def pause(self, dag_id: str, **options: Any) -> None:
        """Pause the task ``gate`` of a Dag."""
        targets = {"targets": [{"dag_id": dag_id, "task_id": "gate"}]}
        self.post("/taskops/v1/tasks/pause", targets | {k: v for k, v in options.items() if v})

    def trigger(self, dag_id: str, number: int) -> list[str]:
        """Create runs; return their ids."""
        return [
            str(self.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"])
            for _ in range(number)
        ]

    def await_ends(self, dag_id: str, run_ids: list[str]) -> None:
        """Wait until runs have ended; what does not is wrong."""
        wanted = set(run_ids)

        def have_ended() -> bool:
            runs = self.airflow.runs(dag_id)
            return all(runs.get(run_id) in ("success", "failed") for run_id in wanted)

        self.await_(f"the runs of {dag_id}", have_ended)

    def await_(self, what: str, condition: Callable[[], Any]) -> Any:
        """Wait until a condition holds; None, and something wrong, if it does not in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.5)  # between two looks, not instead of a condition
        self.check(False, f"waited {PATIENCE} s for {what}")
        return None

    def check(self, holds: bool, what: str) -> None:
        """Keep what is wrong."""
        if not holds:
            self.wrong.append(what)
            say(f"WRONG: {what}")

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self._request(path, None)

    def post(self, path: str, body: Any) -> Any:
        """What the API answers to a request."""
        return self._request(path, body)

    def _request(self, path: str, body: Any, method: str | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.airflow.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()[:500]}") from error

    def pause_in_airflow(self, dag_id: str) -> None:
        """What a person does with the Dag's switch."""
        self._request(f"/api/v2/dags/{dag_id}", {"is_paused": True}, "PATCH")


def say(text: str) -> None:
    """Print a line for people."""
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")
    sys.stdout.flush()


@contextmanager
def installed(home: Path) -> Iterator[LiveAirflow]:
    """A running installation on a database of its own."""
    settings = {
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",  # each parse brings back the next run of a Dag
        "AIRFLOW__TASKOPS__MONITOR_INTERVAL": "1",
    }
    with temporary_postgres_database() as url, LiveAirflow(home, database=url, **settings) as airflow:
        airflow.write_dag("dags.py", DAGS)
        airflow.airflow("db", "migrate")
        airflow.make_users()
        airflow.airflow("dags", "reserialize")
        airflow.airflow("taskops", "sync")
        airflow.serve()
        yield airflow


def main() -> int:
    """Install, play, tell; return the exit code: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.live_loop", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="runs at least (default 200)")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**9), help="of the pauses between"
    )
    given = parser.parse_args()
    say(f"seed {given.seed}")
    with (
        tempfile.TemporaryDirectory(prefix="taskops-live-", ignore_cleanup_errors=True) as home,
        installed(Path(home)) as airflow,
    ):
        loop = Loop(airflow, given.seed)
        loop.pause_in_airflow("paused")
        airflow.start("scheduler", "second scheduler", "dag-processor", "monitor")
        loop.play(given.runs)
    say(f"{loop.played.total()} runs, {len(loop.wrong)} wrong")
    return 1 if loop.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
