"""Replenishments: what was asked for, their runs and cells, and the roles of tasks in the runs they make.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)


def _indexes(table: str, *indexes: tuple[str, ...]) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        for columns in indexes:
            batch_op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), list(columns), unique=False)


def upgrade() -> None:
    op.create_table(
        "taskops_replenishment",
        _key(),
        sa.Column("operation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=250), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("max_active_runs", sa.Integer(), nullable=False),
        sa.Column("newest_first", sa.Boolean(), nullable=False),
        sa.Column("window", sa.String(length=16), nullable=True),
        sa.Column("conf", sa.JSON(), nullable=False),
        sa.Column("estimated_seconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_replenishment")),
    )
    _indexes("taskops_replenishment", ("state",), ("created_at",), ("operation_id",))

    op.create_table(
        "taskops_replenishment_role",
        sa.Column("replenishment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("replenishment_id", "dag_id", "task_id", name=op.f("pk_taskops_replenishment_role")),
    )

    op.create_table(
        "taskops_replenishment_run",
        _key(),
        sa.Column("replenishment_id", sa.BigInteger(), nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("run_id", StringID(), nullable=True),
        sa.Column("logical_date", UtcDateTime(), nullable=False),
        sa.Column("interval_start", UtcDateTime(), nullable=False),
        sa.Column("interval_end", UtcDateTime(), nullable=False),
        sa.Column("run_after", UtcDateTime(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("backfill_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_replenishment_run")),
    )
    _indexes("taskops_replenishment_run", ("replenishment_id", "state", "dag_id", "ordinal"), ("dag_id", "run_id"))

    op.create_table(
        "taskops_replenishment_cell",
        _key(),
        sa.Column("replenishment_id", sa.BigInteger(), nullable=False),
        sa.Column("of_run_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("was", sa.String(length=16), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_replenishment_cell")),
    )
    _indexes("taskops_replenishment_cell", ("replenishment_id", "state"), ("of_run_id",))


def downgrade() -> None:
    for table, indexes in (
        ("taskops_replenishment_cell", (("of_run_id",), ("replenishment_id", "state"))),
        ("taskops_replenishment_run", (("dag_id", "run_id"), ("replenishment_id", "state", "dag_id", "ordinal"))),
        ("taskops_replenishment_role", ()),
        ("taskops_replenishment", (("operation_id",), ("created_at",), ("state",))),
    ):
        if indexes:
            with op.batch_alter_table(table, schema=None) as batch_op:
                for columns in indexes:
                    batch_op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"))
        op.drop_table(table)
