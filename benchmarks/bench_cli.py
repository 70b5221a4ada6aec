"""The command line's list of 10,000 workflows."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from tests.support.airflow_db import empty_tables, new_session
from tests.support.many_dags import fill

from benchmarks.measure import Row
from taskops_provider.services.index import refresh as index_refresh

OURS = ("taskops", "workflows", "list", "--output", "json")
AIRFLOWS = ("dags", "list", "--output", "json")


def _cost(*words: str) -> tuple[float, float]:
    """CPU seconds, and MiB at the most, of an ``airflow`` command."""
    with subprocess.Popen(
        [sys.executable, "-m", "airflow", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"airflow {' '.join(words)}: exit {process.returncode}\n{errors.decode()[-2000:]}")
    # Linux counts KiB, macOS bytes
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure() -> list[Row]:
    """CPU and memory above those of the same commands while there is no Dag."""
    nothing = [_cost(*words) for words in (OURS, AIRFLOWS)]
    with new_session() as session:
        fill(session, 10_000, tasks=10)
        index_refresh.refresh(session, datetime.now(UTC))
        session.commit()
    full = [_cost(*words) for words in (OURS, AIRFLOWS)]
    empty_tables()
    (my_cpu, my_memory), (their_cpu, their_memory) = (
        (max(cpu - cpu0, 0.001), max(memory - memory0, 0.001))
        for (cpu, memory), (cpu0, memory0) in zip(full, nothing, strict=True)
    )
    against = "airflow dags list"
    what = "airflow taskops workflows list, 10,000 workflows"
    return [
        Row(f"{what} (CPU)", my_cpu, against, their_cpu, 0.25),
        Row(f"{what} (memory)", my_memory, against, their_memory, 0.25, "MiB"),
    ]
