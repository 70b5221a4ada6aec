"""Alembic's environment for the ``taskops_*`` tables."""

from __future__ import annotations

import contextlib
from typing import Any

from airflow import settings
from alembic import context

from taskops_provider.models.db_manager import TaskOpsDBManager

target_metadata = TaskOpsDBManager.metadata
config = context.config


def include_object(_obj: Any, name: str | None, type_: str, *_args: Any) -> bool:
    """Only our own tables: Airflow's live in the same schema."""
    return not (type_ == "table" and name not in target_metadata.tables)


OPTIONS: dict[str, Any] = {
    "target_metadata": target_metadata,
    "compare_type": True,
    "include_object": include_object,
    "render_as_batch": True,
}


def run_migrations_offline() -> None:
    """Print the SQL instead of running it."""
    context.configure(
        url=settings.SQL_ALCHEMY_CONN,
        literal_binds=True,
        version_table=TaskOpsDBManager.version_table_name,
        **OPTIONS,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run them over Airflow's engine, or over the connection a caller hands in."""
    with contextlib.ExitStack() as stack:
        connection = config.attributes.get("connection") or stack.enter_context(settings.get_engine().connect())
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            version_table=TaskOpsDBManager.version_table_name,
            **OPTIONS,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
