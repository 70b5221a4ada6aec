"""Upgrades from each earlier revision, and each downgrade, with rows in every table."""

from __future__ import annotations

import json

import pytest

from tests.integration.test_migrations import installation as installation
from tests.support.database import ROOT

MANAGER = "taskops_provider.models.db_manager.TaskOpsDBManager"

#: runs in a process of its own, which knows the database
_STEPS = """
import json, sys
from datetime import UTC, datetime
import sqlalchemy as sa
from airflow import settings
from airflow.utils.session import create_session
from alembic import command
from alembic.script import ScriptDirectory
from taskops_provider.models.db_manager import TaskOpsDBManager as Manager

engine = settings.get_engine()
revisions = [one.revision for one in ScriptDirectory(Manager.migration_dir).walk_revisions()][::-1]

def tables():
    found = sa.MetaData()
    found.reflect(engine, only=lambda name, _: name.startswith("taskops_"))
    return found.sorted_tables

def value(column, number):
    kind = column.type
    # a pause that an operation made: those of windows do not outlive the tables of windows
    if column.name == "window_id" and column.nullable:
        return None
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, (sa.Integer, sa.Float, sa.Numeric)):
        return number
    if isinstance(kind, sa.DateTime):
        return datetime(2026, 1, number, tzinfo=UTC if engine.dialect.name == "postgresql" else None)
    if isinstance(kind, sa.JSON):
        return {}
    if isinstance(kind, sa.LargeBinary):
        return b"x"
    if isinstance(kind, sa.Uuid):
        return None if column.nullable else __import__("uuid").uuid4()
    return f"v{number}"

def fill():
    with engine.begin() as connection:
        for table in tables():
            connection.execute(sa.delete(table))
            rows = [{column.name: value(column, number) for column in table.columns} for number in (1, 2)]
            connection.execute(sa.insert(table), rows)

def counts():
    with engine.connect() as connection:
        return {t.name: connection.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables()}

def to(revision, up=True):
    with create_session() as session:
        manager = Manager(session)
        config = manager.get_alembic_config()
        session.commit()
        (command.upgrade if up else command.downgrade)(config, revision)
"""

UP = (
    _STEPS
    + """
found = {}
for revision in revisions[:-1]:
    to("base", up=False)
    to(revision)
    fill()
    before = counts()
    to("head")
    after = counts()
    found[revision] = sorted(name for name in before if after.get(name) != before[name])
print(json.dumps(found))
"""
)

DOWN = (
    _STEPS
    + """
fill()
found = {}
for revision in [*revisions[:-1][::-1], "base"]:
    before = counts()
    to(revision, up=False)
    after = counts()
    found[revision] = sorted(name for name in after if before[name] != after[name])
print(json.dumps({"lost": found, "left": sorted(counts())}))
"""
)

FILL = _STEPS + "fill()\nprint(json.dumps(counts()))\n"


def last(output: str):
    return json.loads(output.strip().splitlines()[-1])


@pytest.mark.slow
def test_each_revision_upgrades_and_downgrades_with_rows_in_every_table(installation):
    installation.airflow("db", "migrate")
    lost = last(installation.run("-c", UP))
    assert lost
    assert not any(lost.values()), lost
    assert installation.differences() == []
    found = last(installation.run("-c", DOWN))
    assert not any(found["lost"].values()), found
    assert found["left"] == []


@pytest.mark.slow
def test_the_documented_downgrade_works_on_a_populated_database(installation):
    page = (ROOT / "docs" / "compatibility.md").read_text()
    assert f"AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS={MANAGER}\n" in page
    assert f"airflow db-manager downgrade {MANAGER} --to-revision 0006\n" in page
    installation.airflow("db", "migrate")
    installation.run("-c", FILL)
    installation.env["AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS"] = MANAGER
    installation.airflow("db-manager", "downgrade", MANAGER, "--to-revision", "0006", "--yes")
    assert installation.manager("get_current_revision()").strip().splitlines()[-1] == "0006"
    installation.airflow("db-manager", "migrate", MANAGER)
    assert installation.differences() == []
    installation.airflow("db-manager", "downgrade", MANAGER, "--to-revision", "base", "--yes")
    assert installation.tables() == set()
