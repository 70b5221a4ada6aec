"""A migrated metadata database for one pytest process, on SQLite or PostgreSQL (``TASKOPS_TEST_DB``)."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

POSTGRES_SERVER = os.environ.get("TASKOPS_TEST_POSTGRES", "postgresql+psycopg2://postgres@127.0.0.1:5432")


def prepare() -> None:
    """Point this process's Airflow at a new, migrated database. Called before Airflow is imported."""
    home = Path(tempfile.mkdtemp(prefix="taskops-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    backend = os.environ.get("TASKOPS_TEST_DB", "sqlite")
    if "://" in backend:  # an empty database of some other kind, MariaDB say
        url = backend
    else:
        url = _new_postgres_database() if backend == "postgresql" else f"sqlite:///{home}/airflow.db"
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # a Dag written twice within half a minute would keep its first form
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "0",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            # long enough for HS512
            "AIRFLOW__API_AUTH__JWT_SECRET": "test-" * 16,
        }
    )
    (home / "dags").mkdir()
    (home / "plugins").mkdir()
    if not _only_hands_out_tests():
        migrate()


def _only_hands_out_tests() -> bool:
    """Whether this is pytest-xdist's controller: its workers prepare databases of their own."""
    return "PYTEST_XDIST_WORKER" not in os.environ and any(argument.startswith("-n") for argument in sys.argv[1:])


def migrate() -> None:
    """Run ``airflow db migrate`` as a site would."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


@contextmanager
def temporary_postgres_database() -> Iterator[str]:
    """A new database on the PostgreSQL server; yields its URL and drops it."""
    import sqlalchemy as sa

    name = f"taskops_test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(f"{POSTGRES_SERVER}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield f"{POSTGRES_SERVER}/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _new_postgres_database() -> str:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(temporary_postgres_database())
