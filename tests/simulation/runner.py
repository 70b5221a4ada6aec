"""Play many histories, count what they break, shrink and write down the first failures of each kind."""

from __future__ import annotations

import gc
import json
import random
import re
import sys
import time
from pathlib import Path

from tests.simulation.database import Database
from tests.simulation.generate import generate
from tests.simulation.play import Verdict, play
from tests.simulation.script import Script
from tests.simulation.shrink import shrink
from tests.simulation.tally import Tally, Violation, likeness

#: failures of one oracle that are shrunk; further kinds of it are written down as they are
_SHRUNK_OF_AN_ORACLE = 3
#: plays that shrinking one takes at most
_ATTEMPTS = 120


def say(text: str) -> None:
    """Print a line for people."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(
    *, histories: int, minutes: float, seed: int | None, events: int, out: Path, shrinks: bool, kept: Path | None
) -> int:
    """Play; print seeds, speed and failures. Return the exit code: 1 if anything was broken.

    :param seed: of the first history; None draws one
    :param kept: a file for the tally, if another process is to print it
    """
    first = random.SystemRandom().randrange(10**9) if seed is None else seed
    say(f"seeds from {first}")
    database = Database()
    _collect_seldom()
    tally = Tally()
    shrinking = 0.0
    try:
        number = 0
        while (number < histories) if histories else (time.perf_counter() - tally.began - shrinking < 60 * minutes):
            own = first + number
            number += 1
            verdict = play(database, generate(own, events))
            new = tally.add(own, verdict)
            if new:
                before = time.perf_counter()
                _write_down(database, verdict, new, tally, out, shrinks=shrinks)
                spent = time.perf_counter() - before
                shrinking, tally.began = shrinking + spent, tally.began + spent
            if number % 25 == 0:
                say(f"... {number} played, {tally.failed} failed")
    except KeyboardInterrupt:
        say("stopped")
    finally:
        database.close()
    if kept:
        kept.write_text(json.dumps(tally.as_json()))
    else:
        say(tally.told())
        say(f"seeds {first} to {first + tally.played - 1}")
    return 1 if tally.failed else 0


def _collect_seldom() -> None:
    """Python's collector looks through all of Airflow again and again; a history leaves little garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _write_down(
    database: Database, verdict: Verdict, new: list[Violation], tally: Tally, out: Path, *, shrinks: bool
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for violation in new:
        like = likeness(violation)
        say(f"history {tally.played}, seed {verdict.script.seed}: {violation}")
        # what breaks in the middle needs no end; what comes after it needs not be played
        rests = violation.event > len(verdict.script.events)
        script = verdict.script if rests else verdict.script.without_events(violation.event, 10_000)

        def fails(candidate: Script, like: str = like, oracle: str = violation.oracle, rests: bool = rests) -> bool:
            found = play(database, candidate, stop_at=oracle, rests=rests)
            return any(each.oracle == oracle and likeness(each) == like for each in found.violations)

        tally.shrunk[violation.oracle] += 1
        if shrinks and tally.shrunk[violation.oracle] <= _SHRUNK_OF_AN_ORACLE:
            script = shrink(script, fails, attempts=_ATTEMPTS)
        name = re.sub(r"\W+", "-", like)[:70].strip("-")
        path = out / f"{name}-{verdict.script.seed}.json"
        path.write_text(script.dumps())
        say(f"  {path}: {len(script.events)} events")


def replay(path: Path) -> int:
    """Play a script and tell what each event does."""
    return _tell(Script.read(path))


def trace(seed: int, events: int) -> int:
    """Play the history of a seed and tell what each event does."""
    return _tell(generate(seed, events))


def _tell(script: Script) -> int:
    database = Database()
    try:
        verdict = play(database, script, traces=True)
    finally:
        database.close()
    say(script.dumps())
    for line in verdict.trace:
        say(line)
    for violation in verdict.violations:
        say(str(violation))
    return 1 if verdict.violations else 0
