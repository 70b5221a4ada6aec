"""Each database has its own words for the texts of a JSON list."""

from __future__ import annotations

import pytest
from sqlalchemy import JSON, column, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect

from taskops_provider.services.shared.json_texts import json_texts


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        (sqlite.dialect(), "json_each(names)"),
        (postgresql.dialect(), "json_array_elements_text(names)"),
        # tried on MariaDB 10.11
        (mysql.dialect(), "JSON_TABLE(names, '$[*]' COLUMNS (value TEXT PATH '$'))"),
    ],
    ids=lambda given: given.name if isinstance(given, Dialect) else "",
)
def test_each_database_is_asked_in_its_own_words(dialect: Dialect, written: str) -> None:
    names = json_texts(column("names", JSON)).table_valued("value")
    assert f"FROM {written} AS anon_1" in str(select(names.c.value).compile(dialect=dialect))
