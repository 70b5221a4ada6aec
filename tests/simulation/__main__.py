"""``python -m tests.simulation``: play histories until some are done, or for some minutes.

Every process plays one history after the other on a database of its own, each from a seed of its own; what fails is
shrunk and written down as a script, which ``--replay`` plays again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=0, help="histories to play (default 200)")
    parser.add_argument("--minutes", type=float, default=0, help="play for so long instead")
    parser.add_argument("--seed", type=int, default=None, help="of the first history; the others follow (default: new)")
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--events", type=int, default=40, help="events of a history (default 40)")
    parser.add_argument("--out", type=Path, default=Path("simulation-failures"), help="where scripts of failures go")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the histories (default 1)")
    parser.add_argument("--tally", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--no-shrink", action="store_true", help="write failures down as they are")
    parser.add_argument("--replay", type=Path, default=None, help="play one script, and tell what each event does")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell what each event of that history does")
    return parser.parse_args()


def main() -> int:
    """Prepare the process, then play."""
    given = _arguments()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # the order of sets in Airflow's code is to be the same each time
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    if given.jobs > 1:
        from tests.simulation.sharing import share

        return share(given)
    if Path("/dev/shm").is_dir() and "TMPDIR" not in os.environ:
        tempfile.tempdir = "/dev/shm"  # a database in memory
    os.environ["TASKOPS_TEST_DB"] = given.db
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from tests.support import database

    database.prepare()
    from tests.simulation.runner import replay, run, trace

    if given.replay:
        return replay(given.replay)
    if given.trace and given.seed is not None:
        return trace(given.seed, given.events)
    return run(
        histories=given.histories or (0 if given.minutes else 200),
        minutes=given.minutes,
        seed=given.seed,
        events=given.events,
        out=given.out,
        shrinks=not given.no_shrink,
        kept=given.tally,
    )


if __name__ == "__main__":
    sys.exit(main())
