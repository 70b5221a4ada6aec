"""Some hundred hostile requests (issue 12); ``make fuzz`` sends thousands.

The seed is fixed, so that this test says the same each time. ``FUZZ_REQUESTS`` sets how many there are.
"""

from __future__ import annotations

import os

from tests.contract.fuzz.fuzzer import Fuzzer
from tests.support.airflow_db import empty_tables, new_session

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "200"))
SEED = 20261129


def test_hostile_requests_break_nothing() -> None:
    """No 5xx, nothing of the code in an answer, nothing changed by what is refused, and lists work afterwards."""
    empty_tables()
    try:
        with new_session() as session:
            fuzzer = Fuzzer(session)
            try:
                report = fuzzer.play(REQUESTS, SEED)
            finally:
                fuzzer.close()
    finally:
        empty_tables()
    assert report.failures == []
    assert {line.partition(" ")[0] for line in report.statuses} == {"REST", "pages"}
