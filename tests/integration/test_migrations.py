"""Our tables come and go with Airflow's own database commands, and the ORM is what the migrations make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from taskops_provider.models import metadata
from taskops_provider.models.db_manager import REVISION_HEADS_MAP, TaskOpsDBManager
from tests.support import database
from tests.support.warm import WarmPython

OURS = set(metadata.tables)


class Installation:
    """A database of its own and an AIRFLOW_HOME."""

    def __init__(self, home: Path, url: str):
        self.url = url
        self.env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        self.python = WarmPython(home, self.env)

    def run(self, *command: str) -> str:
        done = self.python.run(command, self.env)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def airflow(self, *command: str) -> str:
        return self.run("-m", "airflow", *command)

    def manager(self, call: str) -> str:
        """Call our DB manager as ``airflow db-manager`` does."""
        return self.run(
            "-c",
            "from airflow.utils.session import create_session\n"
            "from taskops_provider.models.db_manager import TaskOpsDBManager\n"
            f"with create_session() as session: print(TaskOpsDBManager(session).{call})",
        )

    def tables(self) -> set[str]:
        engine = sa.create_engine(self.url)
        try:
            return {name for name in sa.inspect(engine).get_table_names() if name.startswith("taskops_")}
        finally:
            engine.dispose()

    def differences(self) -> list[object]:
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                context = MigrationContext.configure(
                    connection,
                    opts={
                        "compare_type": True,
                        "include_object": lambda _o, name, kind, *_: kind != "table" or name in OURS,
                        "version_table": TaskOpsDBManager.version_table_name,
                    },
                )
                return compare_metadata(context, metadata)
        finally:
            engine.dispose()


@pytest.fixture
def installation(tmp_path) -> Iterator[Installation]:
    with ExitStack() as stack:
        if os.environ.get("TASKOPS_TEST_DB") == "postgresql":
            url = stack.enter_context(database.temporary_postgres_database())
        else:
            url = f"sqlite:///{tmp_path}/airflow.db"
        made = Installation(tmp_path, url)
        stack.callback(made.python.stop)
        yield made


@pytest.mark.slow
def test_airflows_own_commands_carry_our_tables(installation):
    """migrate makes them, check-migrations covers them, reset drops and makes them."""
    installation.airflow("db", "migrate")
    assert installation.tables() == OURS
    installation.airflow("db", "check-migrations", "-t", "1")
    installation.airflow("db", "migrate")  # twice in a row
    installation.airflow("db", "reset", "-y")
    assert installation.tables() == OURS
    assert installation.differences() == []


@pytest.mark.slow
def test_migrations_make_what_the_orm_says_and_unmake_it(installation):
    """Down to nothing and up again by the migrations: the same tables, columns and indexes as from the ORM."""
    installation.airflow("db", "migrate")
    installation.manager('downgrade("base")')
    assert installation.tables() == set()
    installation.manager("upgradedb(use_migration_files=True)")
    assert installation.tables() == OURS
    assert installation.differences() == []
    assert installation.manager("check_migration()").strip().endswith("True")


def test_every_release_names_the_revision_it_needs():
    from alembic.script import ScriptDirectory

    heads = ScriptDirectory(TaskOpsDBManager.migration_dir).get_heads()
    assert [REVISION_HEADS_MAP[max(REVISION_HEADS_MAP)]] == heads


@pytest.mark.slow
def test_numbers_are_never_given_twice_and_rows_stay(installation):
    """SQLite gave the numbers of deleted rules again: alarms of a rule that is gone were told by a new one."""
    installation.airflow("db", "migrate")
    installation.manager('downgrade("0006")')
    engine = sa.create_engine(installation.url)
    row = {
        "name": "'kept'", "scope": "'task'", "dag_id": "'d'", "task_id": "'t'", "project": "''", "kind": "'failed'",
        "on_failure": "''", "level": "1", "body": "'{}'", "enabled": "true", "active_since": "'2026-01-01 00:00:00'",
        "created_at": "'2026-01-01 00:00:00'", "created_by": "'ann'", "changed_at": "'2026-01-01 00:00:00'",
        "changed_by": "'ann'", "version": "1",
    }  # fmt: skip
    insert = sa.text(f"INSERT INTO taskops_alarm_rule ({', '.join(row)}) VALUES ({', '.join(row.values())})")
    event = {
        "rule_id": "7", "key": "'k'", "dag_id": "'d'", "task_id": "'t'", "map_index": "-1", "attempt": "0",
        "kind": "'failed'", "level": "1", "facts": "'{}'", "fired_at": "'2026-01-01 00:00:00'", "unreachable": "'[]'",
        "repeats": "0",
    }  # fmt: skip
    try:
        with engine.begin() as connection:
            connection.execute(insert)
            # of a rule that was deleted
            connection.execute(
                sa.text(f"INSERT INTO taskops_alarm_event ({', '.join(event)}) VALUES ({', '.join(event.values())})")
            )
        installation.manager("upgradedb(use_migration_files=True)")
        assert installation.differences() == []
        numbers = sa.text("SELECT id FROM taskops_alarm_rule ORDER BY id")
        with engine.begin() as connection:
            assert connection.scalar(sa.text("SELECT name FROM taskops_alarm_rule")) == "kept"
            connection.execute(insert)
            if engine.dialect.name == "sqlite":
                assert list(connection.scalars(numbers)) == [1, 8]
            connection.execute(sa.text("DELETE FROM taskops_alarm_rule WHERE id > 1"))
            connection.execute(insert)
            assert max(connection.scalars(numbers)) > 8 or engine.dialect.name != "sqlite"
        installation.manager('downgrade("0006")')
        installation.manager("upgradedb(use_migration_files=True)")
        assert installation.differences() == []
    finally:
        engine.dispose()
