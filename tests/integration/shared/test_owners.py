"""Owners by key: one function for lists, records, undo and alarms."""

from __future__ import annotations

from sqlalchemy import insert

from taskops_provider.models import Owner
from taskops_provider.services.shared.owners import owners_by_key, owners_of_all_tasks
from tests.support.queries import counted_queries


def write(session, *rows: tuple[str, str, str]) -> None:
    session.execute(insert(Owner), [dict(zip(("dag_id", "task_id", "owner"), row, strict=True)) for row in rows])
    session.commit()


def test_only_the_rows_of_the_keys_are_read(session):
    """Dags share names of tasks: a product of both reads the owners of other tasks too."""
    write(
        session,
        ("a", "load", "zoe"),
        ("a", "load", "ann"),
        ("a", "clean", "bob"),
        ("b", "clean", "eve"),
        ("a", "", "w"),
    )
    assert owners_by_key(session, {("a", "load"), ("b", "clean")}) == {
        ("a", "load"): ["ann", "zoe"],
        ("b", "clean"): ["eve"],
    }
    assert owners_by_key(session, {("a", "")}) == {("a", ""): ["w"]}
    assert owners_by_key(session, set()) == {}


def test_one_query_for_a_page(session):
    """Also where each key is in a Dag of its own, which SQLite takes 1000 of in one expression."""
    costs = []
    for size in (2, 1000):
        keys = {(f"d{number}", "t") for number in range(size)}
        with counted_queries() as statements:
            owners_by_key(session, keys)
        costs.append(len(statements))
    assert costs == [1, 1]


def test_owners_of_whole_dags(session):
    write(session, ("a", "load", "zoe"), ("a", "load", "ann"), ("b", "clean", "eve"), ("a", "", "w"))
    of_a = {("a", "load"): ["ann", "zoe"]}
    assert owners_of_all_tasks(session, {"a"}) == of_a
    assert owners_of_all_tasks(session, None) == of_a | {("b", "clean"): ["eve"]}
