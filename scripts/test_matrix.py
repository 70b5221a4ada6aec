"""Try TaskOps with other versions of Airflow and Python, on SQLite and PostgreSQL, each in an environment of its own.

    python scripts/test_matrix.py                          # every leg
    python scripts/test_matrix.py 3.4:3.13:postgresql      # AIRFLOW:PYTHON:DATABASE, several if you like
    python scripts/test_matrix.py --short 3.4:3.11:sqlite  # some minutes: units, some integration tests, a live Airflow

Each leg is noted in ``.matrix/results.json``; ``--write`` puts what is noted into docs/compatibility.md. It needs the
Pythons, and ``uv`` from ``make install``; everything else comes through pip's index. Airflow 3.4 is its newest 3.4,
a beta if no release is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".matrix"
RESULTS = HOME / "results.json"
PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- written by scripts/test_matrix.py -->", "<!-- end -->"

#: minor version -> what is asked of pip's index
AIRFLOWS = {
    "3.3": ["apache-airflow==3.3.2"],
    # betas of several packages, which pip takes only if they are asked for by name
    "3.4": [
        "apache-airflow>=3.4.0b2,<3.5",
        "apache-airflow-core>=3.4.0b2,<3.5",
        "apache-airflow-task-sdk>=1.4.0b2,<1.5",
    ],
}
PYTHONS = ("3.11", "3.12", "3.13")
DATABASES = ("sqlite", "postgresql")
#: of one version of Airflow; another one has other versions of them
AIRFLOWS_OWN = ("apache-airflow==", "apache-airflow-core==", "apache-airflow-task-sdk==")

LIVE = "tests/e2e/test_spine.py"
FULL = ("tests/unit", "tests/property", "tests/integration", "tests/contract")
SHORT = (
    "tests/unit",
    "tests/contract/test_airflow_internals.py",
    "tests/integration/versions/test_loops.py",
    "tests/integration/gate/test_draining_in_airflow.py",
    "tests/integration/gate/test_drain.py",
    "tests/integration/gate/test_smoke.py",
    "tests/integration/gate/test_mapped.py",
    f"{LIVE}::test_a_paused_task_is_not_executed_in_any_kind_of_run",
    f"{LIVE}::test_check_says_that_all_is_well",
)
ON_POSTGRESQL = ("tests/integration",)


class LegFailed(Exception):
    """A leg cannot be tried; the text says why."""


@dataclass(frozen=True)
class Leg:
    """One combination of versions."""

    airflow: str
    python: str
    database: str

    @classmethod
    def named(cls, name: str) -> Leg:
        """Read ``3.4:3.11:sqlite``.

        :raises LegFailed: for another name
        """
        parts = name.split(":")
        known = (tuple(AIRFLOWS), PYTHONS, DATABASES)
        if len(parts) != len(known) or any(part not in those for part, those in zip(parts, known, strict=True)):
            raise LegFailed(f"{name!r} is not a leg: AIRFLOW:PYTHON:DATABASE of {', '.join(map(str, known))}")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.airflow}:{self.python}:{self.database}"

    @property
    def environment(self) -> Path:
        """The folder of its virtual environment; both databases share one."""
        return HOME / f"airflow{self.airflow}-python{self.python}"


def interpreter(version: str) -> str:
    """Return the path of a Python.

    :raises LegFailed: if there is none
    """
    candidates = [f"python{version}", *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))]
    for candidate in candidates:
        path = shutil.which(candidate)
        if path and _run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip() == version:
            return path
    raise LegFailed(f"no Python {version} is installed: install it, or leave its legs out")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def install(leg: Leg) -> Path:
    """Make the environment of a leg, or bring it up to date; return its Python.

    :raises LegFailed: if something cannot be installed
    """
    uv = ROOT / ".venv" / "bin" / "uv"
    if not uv.exists():
        raise LegFailed("run `make install` first: it brings uv")
    python = leg.environment / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter(leg.python), "-m", "venv", str(leg.environment)], check=True)
    constraints = leg.environment / "constraints.txt"
    pinned = (ROOT / "constraints.txt").read_text().splitlines(keepends=True)
    constraints.write_text("".join(line for line in pinned if not line.startswith(AIRFLOWS_OWN)))
    command = [
        *(str(uv), "pip", "install", "--quiet", "--python", str(python), "-c", str(constraints)),
        *("--prerelease", "if-necessary-or-explicit", *AIRFLOWS[leg.airflow]),
        *("-e", f"{ROOT}[web,postgres,alarms]", "--group", f"{ROOT / 'pyproject.toml'}:dev"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LegFailed(f"Airflow {leg.airflow} cannot be installed from pip's index:\n{done.stderr.strip()}")
    return python


def test(leg: Leg, python: Path, *, short: bool) -> dict[str, object]:
    """Run the tests of a leg, and return what came of it."""
    version = _run([str(python), "-c", "import importlib.metadata as m; print(m.version('apache-airflow'))"]).strip()
    files = SHORT if short else ON_POSTGRESQL if leg.database == "postgresql" else (*FULL, LIVE)
    report = leg.environment / f"{leg.database}.xml"
    environment = {**os.environ, "TASKOPS_TEST_DB": leg.database, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": ""}
    # two processes: as many as the smallest machines have cores
    command = [str(python), "-m", "pytest", *files, "-q", "-n2", "--dist", "loadfile", f"--junit-xml={report}"]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return {
        **asdict(leg),
        "version": version,
        "short": short,
        "passed": done.returncode == 0,
        "seconds": round(time.monotonic() - began),
        **_counts(report),
        "live": any(file.startswith(LIVE) for file in files),
    }


def _counts(report: Path) -> dict[str, int]:
    import xml.etree.ElementTree as ElementTree

    if not report.exists():
        return {"tests": 0, "failures": 0, "skipped": 0}
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def total(name: str) -> int:
        return sum(int(suite.get(name, 0)) for suite in suites)

    return {"tests": total("tests"), "failures": total("failures") + total("errors"), "skipped": total("skipped")}


def note(result: dict[str, object]) -> None:
    """Keep the result of a leg in place of its earlier one; a short one replaces no whole one."""
    HOME.mkdir(exist_ok=True)
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    names = ("airflow", "python", "database", "short")
    kept = [one for one in found if any(one[name] != result[name] for name in names)]
    RESULTS.write_text(json.dumps([*kept, result], indent=2) + "\n")


def table(results: list[dict[str, object]]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| Airflow | Python | database | executor | tests | passed | skipped | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in sorted(results, key=lambda one: (str(one["version"]), str(one["python"]), str(one["database"]))):
        passed = int(str(one["tests"])) - int(str(one["failures"])) - int(str(one["skipped"]))
        what = "short" if one["short"] else "all"
        executor = "LocalExecutor" if one["live"] else "played by the tests"
        cells = (
            one["version"],
            one["python"],
            one["database"],
            executor,
            what,
            passed,
            one["skipped"],
            one["failures"],
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def write_page(results: list[dict[str, object]]) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")


def main() -> int:
    """Try the legs that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("legs", nargs="*", metavar="AIRFLOW:PYTHON:DATABASE", help="default: all")
    parser.add_argument("--short", action="store_true", help="only what takes some minutes")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md from what is noted")
    args = parser.parse_args()
    every = [f"{a}:{p}:{d}" for a in AIRFLOWS for p in PYTHONS for d in DATABASES]
    failed = []
    for name in args.legs or ([] if args.write else every):
        print(f"== leg {name}", flush=True)  # noqa: T201
        try:
            leg = Leg.named(name)
            result = test(leg, install(leg), short=args.short)
        except LegFailed as error:
            print(f"leg {name} was not tried: {error}", file=sys.stderr)  # noqa: T201
            failed.append(name)
            continue
        note(result)
        if not result["passed"]:
            print(f"leg {name} failed: Airflow {result['version']}, {result['failures']} tests", file=sys.stderr)  # noqa: T201
            failed.append(name)
    if args.write:
        write_page(json.loads(RESULTS.read_text()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
