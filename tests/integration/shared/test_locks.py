"""The writer lock, while others write."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text

from taskops_provider.services.shared.locks import take_writer_lock


def test_sqlite_that_is_locked_for_longer_than_it_waits_loses_no_act(session):
    """The scheduler of a busy machine keeps the one writer's place for longer than SQLite's own five seconds."""
    engine = session.get_bind().engine
    if engine.dialect.name != "sqlite":
        pytest.skip("other databases wait for a row")
    take_writer_lock(session, "before")
    session.commit()
    held = threading.Event()

    def hold() -> None:
        with engine.connect() as other:
            other.execute(text("UPDATE taskops_lease SET note = 'x'"))
            held.set()
            time.sleep(0.25)  # longer than one wait, and shorter than all of them
            other.rollback()

    thread = threading.Thread(target=hold)
    session.execute(text("PRAGMA busy_timeout = 100"))
    try:
        thread.start()
        assert held.wait(10)
        take_writer_lock(session, "after")
        session.commit()
    finally:
        thread.join()
        session.execute(text("PRAGMA busy_timeout = 5000"))
        session.rollback()
