"""A number that was given is never given again, on every database (issue 12, S8)."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from taskops_provider.models import metadata
from tests.support.alarming import rule
from tests.support.warehouse import install, retail


def test_a_new_rule_does_not_get_the_number_of_a_deleted_one(session):
    """Else alarms of somebody else's rule would be repeated to the channels of the new one."""
    from taskops_provider.models import AlarmRule

    install(session, retail())
    first = rule(session, "orders.clean")
    session.execute(delete(AlarmRule))
    session.commit()
    assert rule(session, "orders.clean") > first


COUNTED = sorted(
    name for name, table in metadata.tables.items() if getattr(table.c.get("id"), "autoincrement", 0) is True
)


@pytest.mark.parametrize("name", COUNTED)
def test_every_counted_key_counts_on(session, name):
    table = metadata.tables[name]
    assert table.dialect_options["sqlite"]["autoincrement"] is True
    bind = session.get_bind()
    if bind.dialect.name == "sqlite":
        made = session.connection().exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).scalar()
        assert "AUTOINCREMENT" in made


def test_there_are_counted_keys():
    assert len(COUNTED) >= 12
