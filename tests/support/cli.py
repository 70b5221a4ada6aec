"""``airflow taskops ...`` in this process, as the airflow command runs it."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()


class Terminal(io.StringIO):
    """A standard input at which a person sits."""

    def isatty(self) -> bool:
        return True


class Cli:
    """Runs commands: ``cli("tasks", "pause", "orders", "clean")``."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, stdin: str = "", answers: str | None = None) -> Answer:
        """Run one command.

        :param stdin: what is piped in
        :param answers: what a person types instead, at a terminal
        """
        from airflow.cli.cli_parser import get_parser

        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["airflow", "taskops", *words])
            patch.setattr(sys, "stdin", io.StringIO(stdin) if answers is None else Terminal(answers))
            if answers is not None:
                patch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
            self._capsys.readouterr()
            code = 0
            try:
                args = get_parser().parse_args(["taskops", *words])
                args.func(args)
            except SystemExit as end:
                code = int(end.code or 0)
            captured = self._capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    def json(self, *words: str, code: int = 0, **kwargs: Any) -> Any:
        """Run one command with ``--output json`` and return what it says."""
        answer = self(*words, "--output", "json", **kwargs)
        assert answer.code == code, answer
        return answer.json
