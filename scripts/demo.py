"""Run the demo: Airflow with TaskOps and the workflows of ``dags/``, until Ctrl-C.

Everything it writes is under ``.demo/``: Airflow's home, the SQLite database, the logs. Deleting that folder is a
fresh start. Usage: ``python scripts/demo.py [--port 8080] [--home .demo]``, or ``make demo``.
"""
# ruff: noqa: T201 - a program for the terminal: it prints.

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parent.parent
# The first two need nobody; the others need the web server, which tasks and triggers report to.
FIRST, THEN = ("api-server", "dag-processor"), ("scheduler", "triggerer")
USERS = {"admin": "Admin", "op": "Op", "viewer": "Viewer"}  # name, which is the password too -> role
POOLS = {
    "shop_api": {"slots": 2, "description": "The shop API allows two callers", "include_deferred": False},
    "payment_gateway": {"slots": 1, "description": "One connection to the gateway", "include_deferred": False},
    "warehouse": {"slots": 3, "description": "The warehouse database", "include_deferred": False},
}
#: the channel that an administrator of the demo released: the site's own notifier, which writes into the log of the
#: demo's API server. The demo has no mail server.
CHANNELS = {
    "duty-book": {
        "notifier": "retail_site.DutyBook",
        "args": {"entry": "{{ subject }}"},
        "may_set": {"book": {"choices": ["day", "night"]}},
    }
}
BOOK = json.dumps({"channel": "duty-book", "args": {"book": "night"}})
RULES = {
    "Whatever fails for good": "--project retail --kind failed --level 2",
    "Payments, at once": "--workflow payment_events --kind failed --on first_failure",
    "Sales by six": "--task sales_mart_daily publish_mart --kind not_finished_by --by 06:00 --days 1 --level 3",
}
START_SECONDS = 180
STOP_SECONDS = 20


class DemoError(Exception):
    """The demo cannot start or go on; the message is for the person at the terminal."""


def settings(home: Path, port: int) -> dict[str, str]:
    """Return the environment that makes an ``airflow`` command work on the demo."""
    bundle = {
        "name": "retail",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(ROOT / "dags")},
    }
    return {
        "AIRFLOW_HOME": str(home),
        # what the Dags in dags/ops use to operate on others
        "AIRFLOW_CONN_TASKOPS_DEFAULT": json.dumps(
            {"conn_type": "taskops", "host": f"http://localhost:{port}", "login": "op", "password": "op"}
        ),
        "AIRFLOW__TASKOPS__ALARM_CHANNELS": json.dumps(CHANNELS),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",  # the passwords below are no secret
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        # Beside the chosen port, so that two demos do not meet here.
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(port + 1),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(port + 2),
        "AIRFLOW__TASKOPS__TASK_TYPE_RESOLVER": "retail_site.task_type",
    }


class Demo:
    """The demo's home, its environment and its running processes."""

    def __init__(self, home: Path, port: int):
        self.home = home
        self.port = port
        self.logs = home / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.lock = self._take_lock()
        own = settings(home, port)
        programs = str(Path(sys.executable).parent)
        # An Airflow of the person's own must not leak in.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")} | own
        self.env["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
        lines.append(f'export PATH={shlex.quote(programs)}:"$PATH"')
        (home / "env").write_text("\n".join(lines) + "\n")

    def _take_lock(self) -> IO[str]:
        """Refuse a second demo on the same home; the components inherit the lock, so it tells of orphans too."""
        lock = (self.home / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pids = ", ".join(lock.read().split())
            raise DemoError(f"a demo is still running in {self.home} (processes {pids})") from None
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                raise DemoError(f"port {self.port} is in use: choose another one with `make demo PORT=...`") from None
        return lock

    def airflow(self, *args: str) -> bytes:
        """Run one airflow command to its end and return what it printed, which ``setup.log`` gets too."""
        log = self.logs / "setup.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *args],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=out,
            )
            out.write(done.stdout)
        if done.returncode:
            raise DemoError(f"`airflow {' '.join(args)}` failed:\n{tail(log)}")
        return done.stdout

    def set_up(self) -> None:
        """Migrate the database and, unless an earlier start did, make the pools, the users and some alarms."""
        (self.logs / "setup.log").unlink(missing_ok=True)
        wanted = json.dumps({"pools": POOLS, "users": USERS, "rules": RULES})
        stamp = self.home / "set-up.json"
        done = stamp.exists() and stamp.read_text() == wanted and (self.home / "airflow.db").exists()
        print(
            "setting up the database" + ("" if done else ", the pools, the users and the alarms: takes a minute"),
            flush=True,
        )
        self.airflow("db", "migrate")
        if done:
            return
        pools = self.home / "pools.json"
        pools.write_text(json.dumps(POOLS))
        self.airflow("pools", "import", str(pools))
        for name, role in USERS.items():
            person = ["--firstname", name.title(), "--lastname", "Demo", "--email", f"{name}@retail.example"]
            self.airflow("users", "create", "--username", name, "--password", name, "--role", role, *person)
        # Without it Viewers and Users see no navigation entry of any plugin.
        self.airflow("roles", "add-perms", "Viewer", "User", "-a", "can_read", "-r", "Plugins")
        # rules are on Dags that TaskOps knows
        self.airflow("dags", "reserialize")
        self.airflow("taskops", "sync")
        # a start that was broken off, or one of an older demo, may have made some
        there = {rule["name"] for rule in json.loads(self.airflow("taskops", "alarms", "list", "--output", "json"))}
        for name, flags in RULES.items():
            if name not in there:
                self.airflow("taskops", "alarms", "create", *flags.split(), "--name", name, "--channel", BOOK)
        stamp.write_text(wanted)

    def start(self, components: Iterable[str]) -> None:
        """Start components of Airflow, each in a session of its own: Ctrl-C reaches this process alone."""
        for name in components:
            with (self.logs / f"{name}.log").open("wb") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "airflow", name],
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(self.lock.fileno(),),
                )
            print(self.processes[name].pid, file=self.lock, flush=True)

    def check_alive(self) -> None:
        """Raise when a component has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise DemoError(f"{name} ended with exit code {process.returncode}:\n{tail(self.logs / f'{name}.log')}")

    def wait_for_web(self) -> None:
        """Wait until the web server answers."""
        url = f"http://127.0.0.1:{self.port}/api/v2/version"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise DemoError(f"no answer from {url} in {START_SECONDS} s:\n{tail(self.logs / 'api-server.log')}")

    def stop(self) -> None:
        """End every process the components started: politely, in order, and by force what is left."""
        # Remembered while alive: the children of a component that has ended can no longer be asked for.
        known: set[psutil.Process] = set()
        for process in self.processes.values():
            known |= family(process.pid)
        if "scheduler" in self.processes:
            # By itself, not its group: its workers finish the tasks they are at, which report to the API server.
            self.processes["scheduler"].terminate()
            self._wait([self.processes["scheduler"]], known)
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        self._wait(list(self.processes.values()), known)
        left = [process for process in known if process.is_running()]
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for process in self.processes.values():
            process.wait()
        psutil.wait_procs(left, timeout=5)

    def _wait(self, processes: list[subprocess.Popen[bytes]], known: set[psutil.Process]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(process.poll() is None for process in processes):
            for process in processes:
                known |= family(process.pid)
            time.sleep(0.2)


def family(pid: int) -> set[psutil.Process]:
    """Return a process and everything below it."""
    try:
        top = psutil.Process(pid)
        return {top, *top.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def tail(log: Path, lines: int = 30) -> str:
    """Return the end of a log, with its name."""
    last = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([f"--- the end of {log}", *(line[:300] for line in last)])


def welcome(demo: Demo) -> None:
    """Tell where the demo is and who may enter."""
    logins = "\n".join(f"    {name:<8}password {name:<8}role {role}" for name, role in USERS.items())
    print(
        f"\nAirflow with TaskOps answers: http://localhost:{demo.port}\n\n{logins}\n\n"
        f"  command line, in another shell:  source {os.path.relpath(demo.home)}/env && airflow taskops --help\n"
        f"  logs:                            {os.path.relpath(demo.logs)}\n"
        f"  stop:                            Ctrl-C\n",
        flush=True,
    )


def interrupted(signum: int, _frame: object) -> None:
    """Turn SIGTERM and SIGHUP into what Ctrl-C is."""
    raise KeyboardInterrupt


def main() -> int:
    """Set up, start, wait for Ctrl-C, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080, help="port of the web server (default 8080)")
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="folder for everything (default .demo)")
    args = parser.parse_args()
    # Set even for SIGINT, which a shell hands to background jobs as ignored.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupted)
    demo = None
    try:
        demo = Demo(args.home.resolve(), args.port)
        demo.set_up()
        print("starting Airflow", flush=True)
        demo.start(FIRST)
        demo.wait_for_web()
        demo.start(THEN)
        welcome(demo)
        while True:
            demo.check_alive()
            time.sleep(1)
    except KeyboardInterrupt:
        return 0
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if demo and demo.processes:
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave half of it running
            print("\nstopping Airflow", flush=True)
            demo.stop()


if __name__ == "__main__":
    sys.exit(main())
