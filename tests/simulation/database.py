"""The metadata database of a history: put back to the migrated, empty state in milliseconds.

SQLite: the file is copied. PostgreSQL: what was written is deleted and the sequences start again. Ids that Airflow
draws at random come from the history's seed, so that a history is the same each time.
"""

from __future__ import annotations

import random
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uuid6
from airflow import settings
from airflow.models.base import Base
from airflow.models.dagbundle import DagBundleModel
from sqlalchemy import Uuid, event, inspect, text
from sqlalchemy.orm import Session

from tests.simulation.product import ensure_pools
from tests.support.airflow_db import BUNDLE

#: what is asked before each statement: (dbapi connection, statement) -> statement
Before = Callable[[Any, str], str]


class Database:
    """The database that this process's Airflow is configured for, which has to be migrated and empty."""

    def __init__(self) -> None:
        self.dialect: str = settings.engine.dialect.name
        self.before: Before | None = None
        self._ids = _Ids()
        self._installed = ExitStack()
        self._installed.enter_context(self._ids.installed())
        self._prepare()
        if self.dialect == "sqlite":
            self._file = Path(settings.engine.url.database)
            self._template = self._file.with_suffix(".template")
            with settings.engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            settings.engine.dispose()
            shutil.copyfile(self._file, self._template)
        else:
            self._clean = _postgres_cleaning()
            settings.engine.dispose()
        event.listen(settings.engine, "before_cursor_execute", self._on_statement, retval=True)
        event.listen(settings.engine, "connect", _faster)

    def close(self) -> None:
        """Stop listening, and leave an empty database."""
        self.reset(0)
        event.remove(settings.engine, "before_cursor_execute", self._on_statement)
        event.remove(settings.engine, "connect", _faster)
        self._installed.close()

    def reset(self, seed: int) -> None:
        """Empty the database; ids are drawn from ``seed`` from now on."""
        self._ids.begin(seed)
        settings.Session.remove()
        if self.dialect == "sqlite":
            settings.engine.dispose()
            for suffix in ("-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            shutil.copyfile(self._template, self._file)
        else:
            with settings.engine.begin() as connection:
                connection.exec_driver_sql(self._clean)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of its own, committed at the end, rolled back by any error."""
        session = settings.NonScopedSession()
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def _prepare(self) -> None:
        with self.session() as session:
            if session.get(DagBundleModel, BUNDLE) is None:
                session.add(DagBundleModel(name=BUNDLE))
            ensure_pools(session)

    def _on_statement(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        if self.before is not None:
            statement = self.before(connection.connection.dbapi_connection, statement)
        return statement, parameters


def _faster(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    if type(connection).__module__.startswith("sqlite3"):
        cursor.execute("PRAGMA synchronous=OFF")
    else:
        cursor.execute("SET synchronous_commit TO off; SET deadlock_timeout TO '50ms'")
        connection.commit()
    cursor.close()


def _postgres_cleaning() -> str:
    names = inspect(settings.engine).get_table_names()
    with settings.engine.connect() as connection:
        # what migrations and the preparation wrote stays
        kept = [n for n in names if connection.execute(text(f'SELECT EXISTS (SELECT 1 FROM "{n}")')).scalar()]
        emptied = [name for name in names if name not in kept]
        sequences = connection.execute(text("SELECT sequencename FROM pg_sequences")).scalars().all()
    begun_again = [name for name in sequences if name.removesuffix("_id_seq") not in kept]
    statements = ["SET LOCAL session_replication_role = replica"]
    statements += [f'DELETE FROM "{name}"' for name in emptied]
    statements += [f"SELECT setval('\"{name}\"', 1, false)" for name in begun_again]
    return ";\n".join(statements)


class _Ids:
    """Ids in the order in which they are drawn, as Airflow's own are, different in each history.

    Airflow keeps Dags in memory by the id of their version: an id must never come twice.
    """

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Draw those of another history."""
        self._bits = random.Random(seed)
        self._head = self._bits.getrandbits(60) << 68
        self._number = 0

    def draw(self, *_: Any) -> uuid.UUID:
        """The next one. Takes the context of a column's default, and needs none."""
        self._number += 1
        return uuid.UUID(int=self._head | (self._number << 40) | self._bits.getrandbits(40))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let Airflow draw its ids here."""
        own = {column: column.default.arg for column in _drawn_ids()}
        real, uuid6.uuid7 = uuid6.uuid7, self.draw  # taskinstance.uuid7 looks it up each time
        for column in own:
            column.default.arg = self.draw
        try:
            yield
        finally:
            uuid6.uuid7 = real
            for column, default in own.items():
                column.default.arg = default


def _drawn_ids() -> Iterator[Any]:
    for table in Base.metadata.tables.values():
        column = table.c.get("id")
        if column is not None and isinstance(column.type, Uuid) and column.default is not None:
            yield column
