"""The price of a refresh in queries; what it takes in time is in `make bench`."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from airflow.models.dag import DagModel
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import Setting, Task, Workflow
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.index.refresh import refresh
from tests.support.airflow_db import new_session
from tests.support.many_dags import fill
from tests.support.queries import counted_queries


def queries_of_a_refresh(session: Session, now: datetime, **arguments) -> list[str]:
    with counted_queries() as seen:
        refresh(session, now, **arguments)
    session.commit()
    return seen


def test_nothing_changed_is_three_queries_and_no_write_for_any_number_of_dags(session):
    now = datetime.now(UTC)
    for first, count in ((0, 5), (5, 50)):
        fill(session, count, first=first)
        refresh(session, now)
        session.commit()
        seen = queries_of_a_refresh(session, now + timedelta(seconds=5))
        assert len(seen) == 3
        assert not [statement for statement in seen if not statement.startswith("SELECT")]


def test_something_parsed_but_nothing_changed_is_one_query_more(session):
    now = datetime.now(UTC)
    fill(session, 20)
    refresh(session, now)
    session.execute(update(DagModel).values(last_parsed_time=datetime.now(UTC)))
    session.commit()
    assert len(queries_of_a_refresh(session, now + timedelta(seconds=5))) == 4


def test_changes_cost_queries_by_the_chunk(session, monkeypatch):
    monkeypatch.setattr(index_refresh, "CHUNK", 40)
    now = datetime.now(UTC)
    fill(session, 39)
    one = len(queries_of_a_refresh(session, now))
    fill(session, 40, first=100)
    again = len(queries_of_a_refresh(session, now))
    fill(session, 80, first=200)
    two = len(queries_of_a_refresh(session, now))
    assert again <= one
    assert two - again < 30
    assert session.query(Task).count() == 160 * 3


def test_the_writer_lock_is_taken_for_changes_alone(session, monkeypatch):
    taken = []
    monkeypatch.setattr(index_refresh, "take_writer_lock", lambda session, who: taken.append(who))
    fill(session, 2)
    refresh(session, datetime.now(UTC))
    refresh(session, datetime.now(UTC))
    refresh(session, datetime.now(UTC) + timedelta(minutes=10))
    assert taken == ["index"]


def test_two_processes_at_once(session):
    """One of them indexes, the other waits and finds nothing to do."""
    fill(session, 30)
    failures: list[BaseException] = []
    changes = []

    def work():
        try:
            with new_session() as own:
                changes.append(refresh(own, datetime.now(UTC)))
                own.commit()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(change.workflows_added for change in changes) == [0, 0, 31]
    assert session.query(Workflow).count() == 31
    assert {row.name for row in session.scalars(select(Setting))} == {"index_refreshed_at", "index_watermark"}
