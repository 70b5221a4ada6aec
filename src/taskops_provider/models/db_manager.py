"""Creates and migrates our tables: ``airflow db migrate`` runs it with Airflow's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.utils.db_manager import BaseDBManager

from taskops_provider.models import metadata

PACKAGE_DIR = Path(__file__).resolve().parents[1]

#: our version -> the Alembic revision it needs; `airflow db downgrade` style commands take either
REVISION_HEADS_MAP = {"0.1.0": "0016"}


class TaskOpsDBManager(BaseDBManager):
    """Manages the ``taskops_*`` tables, versioned in ``alembic_version_taskops``."""

    metadata = metadata
    version_table_name = "alembic_version_taskops"
    migration_dir = (PACKAGE_DIR / "migrations").as_posix()
    alembic_file = (PACKAGE_DIR / "migrations" / "alembic.ini").as_posix()
    supports_table_dropping = True
    revision_heads_map = REVISION_HEADS_MAP

    def downgrade(self, to_revision: str, from_revision: str | None = None, show_sql_only: bool = False) -> None:
        """Downgrade to ``to_revision`` (``base`` removes all our tables).

        :raises ValueError: when ``from_revision`` is given while really downgrading
        """
        from alembic import command

        if from_revision and not show_sql_only:
            raise ValueError("from_revision goes with show_sql_only: a real downgrade starts from the present revision")
        config = self.get_alembic_config()  # type: ignore[no-untyped-call]
        revision = to_revision
        if show_sql_only:
            present = from_revision or self.get_current_revision()  # type: ignore[no-untyped-call]
            revision = f"{present}:{to_revision}"
        # our own connection would wait for the one this session holds open
        self.session.commit()
        command.downgrade(config, revision=revision, sql=show_sql_only)

    def drop_tables(self, connection: Any) -> None:
        """Drop our tables and the version table."""
        from sqlalchemy import inspect

        super().drop_tables(connection)  # type: ignore[no-untyped-call]
        # the base class drops the version table over the session's connection, which can miss it
        if inspect(connection).has_table(self.version_table_name):
            connection.exec_driver_sql(f"DROP TABLE {self.version_table_name}")
