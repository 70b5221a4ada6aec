"""Our tables come and go with Airflow's own database commands, and the ORM is what the migrations make."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from taskops_provider.models import metadata
from taskops_provider.models.db_manager import REVISION_HEADS_MAP, TaskOpsDBManager
from tests.support import database

OURS = set(metadata.tables)


class Installation:
    """A database of its own and an AIRFLOW_HOME."""

    def __init__(self, home: Path, url: str):
        self.url = url
        self.env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}

    def run(self, *command: str) -> str:
        done = subprocess.run([sys.executable, *command], env=self.env, capture_output=True, text=True, check=False)
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
    if os.environ.get("TASKOPS_TEST_DB") == "postgresql":
        with database.temporary_postgres_database() as url:
            yield Installation(tmp_path, url)
    else:
        yield Installation(tmp_path, f"sqlite:///{tmp_path}/airflow.db")


def test_airflows_own_commands_carry_our_tables(installation):
    """migrate makes them, check-migrations covers them, reset drops and makes them."""
    installation.airflow("db", "migrate")
    assert installation.tables() == OURS
    installation.airflow("db", "check-migrations", "-t", "1")
    installation.airflow("db", "migrate")  # twice in a row
    installation.airflow("db", "reset", "-y")
    assert installation.tables() == OURS
    assert installation.differences() == []


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
