"""``python -m tests.contract.fuzz``: send hostile requests, and tell what went wrong."""

from __future__ import annotations

import argparse
import functools
import os
import random
import sys
import time
from collections import Counter


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="how many (default 10,000)")
    parser.add_argument("--seed", type=int, default=None, help="what they are made from (default: new)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    return parser.parse_args()


def main() -> int:
    """Prepare the process, then play."""
    given = _arguments()
    os.environ["TASKOPS_TEST_DB"] = "sqlite"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from tests.support import database

    database.prepare()
    from tests.contract.fuzz.fuzzer import Fuzzer
    from tests.support.airflow_db import new_session

    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    began = time.monotonic()
    with new_session() as session:
        fuzzer = Fuzzer(session, functools.partial(print, flush=True))
        try:
            report = fuzzer.play(given.requests, seed, first=given.first)
        finally:
            fuzzer.close()
    answers = ", ".join(f"{kind}: {count}" for kind, count in sorted(report.statuses.items()))
    print(f"seed {seed}: {given.requests} requests in {time.monotonic() - began:.0f} s; {answers}")  # noqa: T201
    kinds = Counter(one.partition("\n")[0][:120] for one in report.failures)
    for kind, count in kinds.most_common():
        print(f"{count} x {kind}")  # noqa: T201
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
