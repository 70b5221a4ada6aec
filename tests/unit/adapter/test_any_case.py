"""Searching in any case, beyond ASCII (case 25)."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import column
from sqlalchemy.dialects import postgresql, sqlite

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.any_case import glob_in_any_case


@pytest.mark.parametrize(
    ("text", "part", "found"),
    [
        ("Ärzte täglich", "ärzte", True),
        ("Ärzte täglich", "ÄRZTE TÄG", True),
        ("Übernahme", "übernahme", True),
        ("Иван", "иВАН", True),
        ("ΣΊΣΥΦΟΣ", "σίσυφο", True),
        ("日報", "日", True),
        ("100 % ä", "% Ä", True),
        ("100 x ä", "% Ä", False),
        ("a[ä]*?", "[Ä]*?", True),
        ("aä", "*ä?", False),
        ("ä-^]", "Ä-^]", True),
        ("Straße", "STRAßE", True),
        ("Arzte", "ä", False),
    ],
)
def test_glob(text, part, found):
    with sqlite3.connect(":memory:") as database:
        assert bool(database.execute("SELECT ? GLOB ?", (text, glob_in_any_case(part))).fetchone()[0]) is found


def test_each_database_its_way():
    expression = holds(column("name"), "ä")
    assert "GLOB" in str(expression.compile(dialect=sqlite.dialect()))
    assert "name ILIKE" in str(expression.compile(dialect=postgresql.dialect()))
    assert "GLOB" not in str(holds(column("name"), "a").compile(dialect=sqlite.dialect()))
