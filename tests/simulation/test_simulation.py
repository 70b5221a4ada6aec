"""Histories with new seeds, as many as ``SIMULATION_HISTORIES`` says (default 300), each judged by every oracle.

`make test` leaves this file out: new seeds may find what is not about the change at hand. Ask for it by name:
``SIMULATION_HISTORIES=50 .venv/bin/python -m pytest tests/simulation/test_simulation.py -n0``. What fails prints its
seed; ``python -m tests.simulation --seed SEED --histories 1`` shrinks it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.simulation.database import Database
from tests.simulation.generate import generate
from tests.simulation.play import play

HISTORIES = int(os.environ.get("SIMULATION_HISTORIES", "300"))
#: that a worker plays between two reports
BATCH = 25


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """The worker's own database."""
    opened = Database()
    yield opened
    opened.close()


@pytest.mark.parametrize("batch", range(max(HISTORIES // BATCH, 1)))
def test_no_oracle_is_broken(database, batch):
    first = random.SystemRandom().randrange(10**9)
    seeds = range(first, first + min(BATCH, HISTORIES))
    print(f"seeds {seeds[0]} to {seeds[-1]}")  # noqa: T201
    broken = {
        seed: [str(each) for each in found] for seed in seeds if (found := play(database, generate(seed)).violations)
    }
    assert not broken
