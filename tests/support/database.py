"""A migrated metadata database for one pytest process, on SQLite or PostgreSQL (``TASKOPS_TEST_DB``).

``airflow db migrate`` runs once, whatever the number of workers: each gets a copy. What it made on SQLite is kept for
the next time, under a name that tells what it was made from. No database of a test has to survive a power cut.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.support import channels

POSTGRES_SERVER = os.environ.get("TASKOPS_TEST_POSTGRES", "postgresql+psycopg2://postgres@127.0.0.1:5432")
CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
ROOT = Path(__file__).resolve().parents[2]
#: migrated databases of SQLite
KEPT = ROOT / ".pytest_cache" / "migrated"
#: the environment variable with the name of the migrated database on the PostgreSQL server that workers copy
TEMPLATE = "TASKOPS_TEST_TEMPLATE"
#: what tables are made from: our files, and other packages
OURS = (ROOT / "src" / "taskops_provider" / "models", ROOT / "src" / "taskops_provider" / "migrations")
OTHERS = ("apache-airflow-core", "apache-airflow-providers-fab", "flask-appbuilder", "sqlalchemy", "alembic")

#: read by every process of an AIRFLOW_HOME, for each database connection that it opens
LOCAL_SETTINGS = """
from sqlalchemy import event
from sqlalchemy.engine import Engine

__all__ = []


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection, _record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
"""


def prepare() -> None:
    """Point this process's Airflow at a new, migrated database. Called before Airflow is imported."""
    home = Path(tempfile.mkdtemp(prefix="taskops-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # a Dag written twice within half a minute would keep its first form
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "0",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": os.environ.get("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING"),
            # long enough for HS512
            "AIRFLOW__API_AUTH__JWT_SECRET": "test-" * 16,
            # a monitor that works next to a test changes what it compares, and imports at the same time as pytest
            "AIRFLOW__TASKOPS__MONITOR_IN_API_SERVER": "False",
            # Airflow reads a user anew after half a minute: whatever request comes then has three queries more
            "AIRFLOW__FAB__CACHE_TTL": "86400",
            **channels.SETTING,
        }
    )
    (home / "dags").mkdir()
    (home / "plugins").mkdir()
    backend = os.environ.get("TASKOPS_TEST_DB", "sqlite")
    if backend == "sqlite":
        _prepare_sqlite(home)
    elif backend == "postgresql":
        _prepare_postgres()
    else:  # the URL of an empty database of some other kind, MariaDB say
        os.environ[CONNECTION] = backend
        if not _only_hands_out_tests():
            migrate(backend)


def _only_hands_out_tests() -> bool:
    """Whether this is pytest-xdist's controller: its workers prepare databases of their own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses", default="0")
    return "PYTEST_XDIST_WORKER" not in os.environ and parser.parse_known_args()[0].numprocesses != "0"


def migrate(url: str) -> None:
    """Run ``airflow db migrate`` as a site would."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, CONNECTION: url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _prepare_sqlite(home: Path) -> None:
    if _only_hands_out_tests():
        migrated_file()  # once, and not by each worker
    else:
        os.environ[CONNECTION] = new_sqlite_database(home)


def new_sqlite_database(home: Path) -> str:
    """Make a migrated database in an AIRFLOW_HOME and return its URL."""
    shutil.copy(migrated_file(), home / "airflow.db")
    (home / "config").mkdir()
    (home / "config" / "airflow_local_settings.py").write_text(LOCAL_SETTINGS)
    return f"sqlite:///{home}/airflow.db"


def migrated_file() -> Path:
    """A migrated database without rows of ours; made if there is none of these models and packages."""
    file = KEPT / f"{_what_tables_are_made_from()}.db"
    if not file.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="taskops-migrate-") as home:
            made = Path(home) / "airflow.db"
            migrate(f"sqlite:///{made}")
            with closing(sqlite3.connect(made)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it into the one file
            for old in KEPT.iterdir():
                old.unlink(missing_ok=True)
            own = KEPT / f"{uuid.uuid4().hex}.new"
            shutil.copy(made, own)
            own.replace(file)  # whole at once: others may be looking for it
    return file


def _what_tables_are_made_from() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for folder in OURS for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    for package in OTHERS:
        digest.update(f"{package} {version(package)}".encode())
    return digest.hexdigest()[:16]


def _prepare_postgres() -> None:
    stack = ExitStack()
    atexit.register(stack.close)
    url = stack.enter_context(temporary_postgres_database(os.environ.get(TEMPLATE)))
    if TEMPLATE not in os.environ:
        migrate(url)
    if _only_hands_out_tests():
        os.environ[TEMPLATE] = url.rpartition("/")[2]
    else:
        os.environ[CONNECTION] = url


@contextmanager
def temporary_postgres_database(template: str | None = None) -> Iterator[str]:
    """A new database on the PostgreSQL server, empty or a copy of another; yields its URL and drops it."""
    import sqlalchemy as sa

    name = f"taskops_test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(f"{POSTGRES_SERVER}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}"))
        connection.execute(sa.text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield f"{POSTGRES_SERVER}/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
