"""A Python in which Airflow is imported already: it forks for each command, which spares every one of them seconds.

``python -m tests.support.warm SOCKET`` is that Python: it imports, says ``ready`` and forks until its input ends.
:class:`WarmPython` starts one and asks it. What is asked for is a process of its own like any other: with its
environment, its files, a session of its own and an exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

#: what all of Airflow's commands need, and ours
IMPORTED = (
    "airflow.cli.cli_parser",
    "airflow.models.dagrun",
    "airflow.serialization.serialized_objects",
    "airflow.dag_processing.bundles.manager",
    "taskops_provider.cli.run",
)
ROOT = Path(__file__).resolve().parents[2]
Stream = int | IO[Any]


class WarmProcess:
    """A process that was forked: what is used of ``subprocess.Popen``."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._answers = connection.makefile("r")
        self.returncode: int | None = None
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Its exit code, None while it runs; below 0, the signal that ended it."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode


class WarmPython:
    """Starts processes of one environment.

    :param home: where its log lies
    :param env: environment in which Airflow is imported
    :raises AssertionError: when that fails
    """

    def __init__(self, home: Path, env: Mapping[str, str]):
        self._folder = tempfile.TemporaryDirectory(prefix="taskops-warm-")
        self._address = f"{self._folder.name}/socket"  # the address of a socket has to be short
        with (home / "warm.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm", self._address],
                env=dict(env),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        assert b"ready\n" in iter(self._process.stdout.readline, b""), (home / "warm.log").read_text()

    def start(
        self, arguments: Sequence[str], env: Mapping[str, str], *, stdin: Stream, stdout: Stream, stderr: Stream
    ) -> WarmProcess:
        """Have a process started: ``-m MODULE ...`` or ``-c CODE ...``.

        :param stdin, stdout, stderr: open files, or their numbers
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        files = [each if isinstance(each, int) else each.fileno() for each in (stdin, stdout, stderr)]
        request = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": str(ROOT)}).encode() + b"\n"
        sent = socket.send_fds(connection, [request], files)
        connection.sendall(request[sent:])
        return WarmProcess(connection)

    def run(self, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Have a process run to its end, with nothing to read, and return what it printed."""
        outputs: list[IO[bytes]] = []
        texts = ["", ""]

        def read(number: int) -> None:
            texts[number] = outputs[number].read().decode()

        with open(os.devnull) as nothing:
            ends = [os.pipe(), os.pipe()]
            outputs += [os.fdopen(reading, "rb") for reading, _ in ends]
            process = self.start(arguments, env, stdin=nothing, stdout=ends[0][1], stderr=ends[1][1])
        for _, writing in ends:
            os.close(writing)
        readers = [threading.Thread(target=read, args=(number,)) for number in range(2)]
        for reader in readers:
            reader.start()
        for reader, output in zip(readers, outputs, strict=True):
            reader.join()
            output.close()
        return subprocess.CompletedProcess(list(arguments), process.wait(), *texts)

    def stop(self) -> None:
        """Start no more. Processes that were started go on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._folder.cleanup()


def serve(address: str) -> None:
    """Fork for each request; in the process that was asked for, return once its work is done."""
    for name in IMPORTED:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    gc.collect()
    gc.freeze()  # else the forks would copy all pages with their first collection
    print("ready", flush=True)  # noqa: T201
    attending: set[int] = set()
    while sys.stdin not in (readable := select.select([listener, sys.stdin], [], [], 1)[0]):
        if readable:
            connection, _ = listener.accept()
            pid = os.fork()
            if not pid:
                listener.close()
                _attend(connection)
                return
            connection.close()
            attending.add(pid)
        attending -= {pid for pid in attending if os.waitpid(pid, os.WNOHANG)[0]}


def _attend(connection: socket.socket) -> None:
    content, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not content.endswith(b"\n"):
        content += connection.recv(1 << 16)
    if pid := os.fork():
        for number in files:
            os.close(number)
        connection.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    connection.close()
    os.setsid()
    for number, target in zip(files, range(3), strict=True):
        os.dup2(number, target)
        os.close(number)
    request = json.loads(content)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    _run(request["arguments"])


def _run(arguments: Sequence[str]) -> None:
    match arguments:
        case ["-c", code, *rest]:
            sys.argv = ["-c", *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(sys.argv[1])
