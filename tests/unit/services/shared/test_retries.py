"""What the database gave up is done again, everything else is not."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from taskops_provider.services.shared import retries


class Deadlock(Exception):
    pgcode = "40P01"


@pytest.mark.parametrize("cause", [sqlite3.OperationalError("database is locked"), Deadlock("deadlock detected")])
def test_what_the_database_gave_up_is_done_again(cause):
    failures = [OperationalError("UPDATE", {}, cause)] * 2

    @retries.retried
    def change(session: Session, value: int) -> int:
        if failures:
            raise failures.pop()
        return value

    assert change(Session(), 7) == 7
    assert failures == []


def test_another_error_is_raised_at_once():
    calls = []

    @retries.retried
    def change(session: Session) -> None:
        calls.append(1)
        raise OperationalError("UPDATE", {}, sqlite3.OperationalError("no such table: x"))

    with pytest.raises(OperationalError):
        change(Session())
    assert len(calls) == 1
