"""What people ordered for single task instances and whole runs: hold, force.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from taskops_provider.models.base import BigKey, StringID, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = "taskops_instance_order"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("run_id", StringID(), nullable=False),
        sa.Column("run_created_at", UtcDateTime, nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("operation_id", sa.BigInteger(), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("max_tries", sa.Integer(), nullable=True),
        sa.Column("saved_limit", sa.Integer(), nullable=True),
        sa.Column("raised_limit", sa.Integer(), nullable=True),
        sa.Column("saved_priority", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_instance_order")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_taskops_instance_order_dag_id_run_id"), TABLE, ["dag_id", "run_id"])
    op.create_index(op.f("ix_taskops_instance_order_operation_id"), TABLE, ["operation_id"])


def downgrade() -> None:
    op.drop_table(TABLE)
