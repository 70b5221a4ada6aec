"""Histories shared by several processes, each with a database of its own."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from tests.simulation.tally import Tally

#: seeds between the first of one process and that of the next, if nobody knows how many each will play
_APART = 1_000_000


def share(given: argparse.Namespace) -> int:
    """Play in ``given.jobs`` processes and print one table. Return the exit code: 1 if anything was broken."""
    first = SystemRandom().randrange(10**9) if given.seed is None else given.seed
    histories = given.histories or (0 if given.minutes else 200)
    each = math.ceil(histories / given.jobs)
    jobs = math.ceil(histories / each) if each else given.jobs
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="taskops-simulation-") as folder:
        processes, files = [], []
        for job in range(jobs):
            begin = first + job * (each or _APART)
            files.append(Path(folder) / f"{job}.json")
            own = ["--seed", str(begin), "--tally", str(files[-1])]
            own += ["--histories", str(min(each, histories - job * each))] if histories else []
            own += ["--minutes", str(given.minutes)] if given.minutes else []
            own += ["--db", given.db, "--events", str(given.events), "--out", str(given.out)]
            own += ["--no-shrink"] if given.no_shrink else []
            processes.append(subprocess.Popen([sys.executable, "-m", "tests.simulation", *own]))
        try:
            codes = [process.wait() for process in processes]
        except KeyboardInterrupt:
            codes = [process.wait() for process in processes]  # they were interrupted too, and stop
        for file in files:
            if file.exists():
                tally.merge(json.loads(file.read_text()))
    print(tally.told())  # noqa: T201
    return 1 if any(codes) else 0
