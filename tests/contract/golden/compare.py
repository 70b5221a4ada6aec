"""Recorded answers: what of them is not fixed, and how they are compared."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

from airflow.configuration import AIRFLOW_HOME

RECORDED = Path(__file__).parent / "recorded"
#: lines of a difference that are shown
SHOWN = 60
#: of a line of JSON that holds an object or a list
WIDTH = 170

#: what is another one in every run, process or build -> what stands for it
_VARIES: tuple[tuple[str, str], ...] = (
    (re.escape(str(AIRFLOW_HOME)), "AIRFLOW_HOME"),
    (r"\bversion 3\.\d+\.\w+: TaskOps", "version AIRFLOW: TaskOps"),
    # names of built files have a hash of what is in them
    (r"(static/dist/[\w-]+)-[0-9A-Z]{8}\b", r"\1-HASH"),
    (r"(static/[\w.-]+\?v=)[0-9a-f]{12}\b", r"\1HASH"),
    (r"(X-TaskOps-CSRF(?:\"|&quot;|&#34;): *(?:\"|&quot;|&#34;))[\w.-]+", r"\1TOKEN"),
    # a plan's fingerprint says nothing but that nothing has changed
    (r"\b[0-9]{1,18}\.[0-9a-f]{40}\b", "PLAN-HASH"),
    # what the page shows already, a digest for each part of it
    (r"((?:&|&amp;|\?)seen=)[0-9a-f.]+", r"\1DIGESTS"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    # of a file that is being written
    (r"\.[0-9]+\.part\b", ".N.part"),
    # the time something took: (0.1 s), "seconds": 0.07
    (r"((?:up to date \(|round took ))[0-9.]+ s", r"\1N s"),
    (r"(\"?seconds\"?: )[0-9.]+$", r"\1N"),
    # host:process:number
    (r"\b[\w.-]+:[0-9]+:[0-9a-f]{8,32}\b", "HOLDER"),
)


def steady(text: str) -> str:
    """Put fixed words in the place of what no two runs have in common."""
    text = text.replace("\r\n", "\n")
    for pattern, replacement in _VARIES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def as_text(value: Any, indent: str = "") -> str:
    """JSON as it is recorded: the keys in the order in which they came, on one line what is short."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent + short) <= WIDTH or not isinstance(value, dict | list) or not value:
        return short
    inner = indent + " "
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {as_text(one, inner)}" for key, one in value.items()]
        return "\n".join(["{", ",\n".join(lines), indent + "}"])
    return "\n".join(["[", ",\n".join(inner + as_text(one, inner) for one in value), indent + "]"])


class Golden:
    """The recorded answers.

    :param writes: record them anew, instead of comparing
    """

    def __init__(self, *, writes: bool):
        self.writes = writes

    def check(self, name: str, text: str) -> None:
        """Compare an answer with the recorded one.

        :param name: of the file, below ``recorded``
        """
        path = RECORDED / name
        text = steady(text).rstrip("\n") + "\n"
        if self.writes:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{name} is not recorded: run `make golden`, and read what it writes"
        recorded = path.read_text(encoding="utf-8")
        if text == recorded:
            return
        lines = list(
            difflib.unified_diff(recorded.splitlines(), text.splitlines(), "recorded", "answered", n=2, lineterm="")
        )
        more = [f"... and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
        told = "\n".join([*lines[:SHOWN], *more])
        raise AssertionError(f"{name} is not as recorded (if that is meant: `make golden`)\n{told}")


def file_name(*words: str) -> str:
    """A name of a file out of a route or a command: ``tasks-{dag_id}-why``."""
    return re.sub(r"[^\w{}-]+", "-", " ".join(words)).strip("-")


def left_over(folder: str, names: set[str]) -> set[str]:
    """Return recorded files that nothing is compared with any more."""
    there = {path.relative_to(RECORDED).as_posix() for path in (RECORDED / folder).rglob("*") if path.is_file()}
    return there - names
