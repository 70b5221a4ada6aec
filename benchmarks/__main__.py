"""Run all benchmarks, each module in a process and on a database of its own, and print one table.

``python -m benchmarks lists cli`` runs those modules alone.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Row

HERE = Path(__file__).parent
EXPLANATION = """\
Each line compares two things measured in one run. "ratio" is ours divided by theirs and must not exceed "at most";
a line without theirs has a limit of its own, in the unit of ours. Seconds are CPU seconds, so that other work on the
machine does not count. What each line does is in benchmarks/bench_*.py.
"""
ONE = "--one"


def run_one(name: str) -> None:
    """Measure one module and print its rows as JSON (the last line)."""
    module = f"benchmarks.bench_{name}"
    if "NEEDS_DATABASE = False" not in (HERE / f"bench_{name}.py").read_text():
        from tests.support import database

        database.prepare()  # before anything imports Airflow
    rows = importlib.import_module(module).measure()
    print(json.dumps([asdict(row) for row in rows]))  # noqa: T201


def measured(name: str) -> list[Row]:
    """Have a process measure one module.

    :raises RuntimeError: with the ends of what it printed, when it failed
    """
    done = subprocess.run([sys.executable, "-m", "benchmarks", ONE, name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"bench_{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return [Row(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]


def line(row: Row) -> str:
    """A row as it is printed."""
    theirs = "" if row.theirs is None else f"{row.theirs:.3f} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    target = f"{row.target:g}" if row.ratio is not None else f"{row.target:g} {row.unit}"
    return _columns(
        row.what, f"{row.ours:.3f} {row.unit}", row.against, theirs, ratio, target, "ok" if row.holds else "MISSED"
    )


def _columns(what: str, ours: str, against: str, theirs: str, ratio: str, target: str, verdict: str) -> str:
    return f"{what:57} {ours:>12}   {against:40} {theirs:>12} {ratio:>6} {target:>8}  {verdict}"


def main(names: Iterable[str]) -> int:
    """Print the table; 1 where a target is missed or something failed."""
    missed = 0
    print(EXPLANATION)  # noqa: T201
    print(_columns("what", "ours", "against", "theirs", "ratio", "at most", ""), flush=True)  # noqa: T201
    for name in names or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")):
        try:
            rows = measured(name)
        except RuntimeError as error:
            print(error, flush=True)  # noqa: T201
            missed += 1
            continue
        for row in rows:
            missed += not row.holds
            print(line(row), flush=True)  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == [ONE]:
        run_one(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
