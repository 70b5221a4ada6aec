"""A real Airflow: its processes, on a database of its own, driven through its command line, the web and a browser.

Nothing here imports Airflow: what needs it runs in processes that know the home.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from tests.support.database import new_sqlite_database
from tests.support.warm import WarmProcess, WarmPython

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
#: name, which is the password too -> role
USERS = {"admin": "Admin", "op": "Op", "user": "User", "viewer": "Viewer"}
COMPONENTS = {
    "scheduler": ["scheduler"],
    "second scheduler": ["scheduler"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer"],
    "api-server": ["api-server", "--workers", "1"],
    "monitor": ["taskops", "monitor"],
}
#: how long a process waits for the others to have written; it is five seconds, which a busy machine takes
LOCKED_SECONDS = 60
START_SECONDS = 240

_FAB_USERS = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    manager = builder.sm
    manager.sync_roles()
    for name, role in json.loads(sys.argv[1]).items():
        if not manager.find_user(username=name):
            made = manager.add_user(name, name, name, name + "@example.com", manager.find_role(role), name)
            assert made, name
    for role in ("Viewer", "User"):
        permission = manager.create_permission("can_read", "Plugins")
        manager.add_permission_to_role(manager.find_role(role), permission)
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class LiveAirflow:
    """One installation in ``home``; every component is a process group of its own. A context manager: ends them.

    Tasks write what they did into ``marks`` (environment variable ``MARKS``): one line ``dag task run`` each.

    :param database: where it is; in ``home`` if not told
    :param settings: environment beside the usual: ``AIRFLOW__SECTION__OPTION``
    """

    def __init__(self, home: Path, auth_manager: str = SIMPLE, *, database: str | None = None, **settings: str):
        self.home = home
        self.auth_manager = auth_manager
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.dags = home / "dags"
        self.dags.mkdir(parents=True, exist_ok=True)
        (home / "plugins").mkdir(exist_ok=True)
        self.marks = home / "marks"
        self.marks.touch()
        self._processes: dict[str, WarmProcess] = {}
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "MARKS": str(self.marks),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{home}/airflow.db?timeout={LOCKED_SECONDS}",
            "AIRFLOW__CORE__AUTH_MANAGER": auth_manager,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",  # five logins in 40 seconds by default
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": "live-test",
            "AIRFLOW__API_AUTH__JWT_SECRET": "live-test-secret-that-is-long-enough-to-sign-with-hs512-keys-0123456789",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            # a file that was written anew is read at once all the same
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "1",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            # on its own, where it runs at all: it would index away rows that have no Dag behind them
            "AIRFLOW__TASKOPS__MONITOR_IN_API_SERVER": "False",
            "AIRFLOW__TASKOPS__MONITOR_INTERVAL": "1",
            **settings,
        }

    def __enter__(self) -> LiveAirflow:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @cached_property
    def _warm(self) -> WarmPython:
        return WarmPython(self.home, self.env)

    def migrate(self) -> None:
        """Have the database that ``airflow db migrate`` makes."""
        new_sqlite_database(self.home)

    def make_users(self) -> None:
        """Make the users of ``USERS`` for the auth manager."""
        if self.auth_manager == SIMPLE:
            (self.home / "passwords.json").write_text(json.dumps({name: name for name in USERS}))
        else:
            self.python(_FAB_USERS, json.dumps(USERS))

    def serve(self) -> None:
        """Start the API server and wait until it answers."""
        self.start("api-server")
        self.wait("the API server", self.answers, timeout=START_SECONDS)

    def token(self, name: str) -> str:
        """A bearer token of a user."""
        body = json.dumps({"username": name, "password": name}).encode()
        request = urllib.request.Request(
            f"{self.url}/auth/token", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def python(self, code: str, *args: str) -> str:
        """Run Python code in the home and return what it printed."""
        done = self._warm.run(["-c", code, *args], self.env)
        if done.returncode:
            raise AssertionError(f"failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def write_dag(self, name: str, source: str) -> None:
        """Write a Dag file; the dag-processor reads it within seconds."""
        (self.dags / name).write_text(source)

    def airflow(self, *args: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run one ``airflow`` command.

        :param expect: the exit code it must have; None for any
        """
        done = self._warm.run(["-m", "airflow", *args], self.env)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"airflow {' '.join(args)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def taskops(self, *args: str, expect: int | None = 0) -> Any:
        """Run one ``airflow taskops`` command with ``--output json`` and return what it printed."""
        done = self.airflow("taskops", *args, "--output", "json", expect=expect)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def start(self, *components: str) -> None:
        """Start components; their output goes to ``home/NAME.log``."""
        for name in components:
            with open(os.devnull) as nothing, (self.home / f"{name}.log").open("ab") as log:
                self._processes[name] = self._warm.start(
                    ["-m", "airflow", *COMPONENTS[name]], self.env, stdin=nothing, stdout=log, stderr=log
                )

    def answers(self) -> bool:
        """Whether the API server answers; an error when it has ended instead."""
        server = self._processes["api-server"]
        if server.poll() is not None:
            raise AssertionError(f"the API server has ended\n{self._log_ends()}")
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/version", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kill(self, name: str) -> None:
        """``kill -9`` a component and its children."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything."""
        for name in list(self._processes):
            self.kill(name)
        if "_warm" in self.__dict__:
            self._warm.stop()
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        """End what a component left behind: a task is in a session of its own, and outlives its scheduler."""
        killed = []
        for process in psutil.process_iter():
            # whoever ended meanwhile, or is another user's
            with suppress(psutil.Error):
                if process.environ().get("MARKS") == str(self.marks):
                    process.kill()
                    killed.append(process)
        # what nobody collects stays behind as a zombie
        psutil.wait_procs(killed, timeout=3)

    def executed(self, dag_id: str, run_id: str | None = None) -> list[str]:
        """Task ids that really executed, in order."""
        lines = [line.split() for line in self.marks.read_text().splitlines()]
        return [task for dag, task, run in lines if dag == dag_id and run_id in (None, run)]

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Task id -> state of a run, straight from the database."""
        rows = self.query(
            "SELECT task_id, state FROM task_instance WHERE dag_id = :dag AND run_id = :run", dag=dag_id, run=run_id
        )
        return dict(rows)

    def runs(self, dag_id: str) -> dict[str, str]:
        """Run id -> state."""
        return dict(self.query("SELECT run_id, state FROM dag_run WHERE dag_id = :dag ORDER BY id", dag=dag_id))

    def is_paused(self, dag_id: str) -> bool:
        """Whether Airflow has the Dag paused."""
        [[paused]] = self.query("SELECT is_paused FROM dag WHERE dag_id = :dag", dag=dag_id)
        return bool(paused)

    def query(self, sql: str, **parameters: Any) -> list[Any]:
        """Read from the database."""
        import sqlalchemy as sa

        engine = sa.create_engine(self.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sa.text(sql), parameters)]
        finally:
            engine.dispose()

    def wait(self, what: str, condition: Callable[[], Any], timeout: float = 120) -> Any:
        """Wait until a condition holds; show the logs' ends when it does not in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.1)  # between two looks, not instead of a condition
        raise AssertionError(f"waited {timeout} s for {what}\n{self._log_ends()}")

    def _log_ends(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.home.glob("*.log")))
