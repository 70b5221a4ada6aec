"""Downloads that are prepared in the background.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taskops_export",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("operation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=250), nullable=False),
        sa.Column("readable", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("last_dag_id", StringID(), nullable=True),
        sa.Column("last_task_id", StringID(), nullable=True),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("piece_count", sa.Integer(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("location", sa.String(length=1500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_export")),
    )
    with op.batch_alter_table("taskops_export", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_export_operation_id"), ["operation_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_export_requested_at"), ["requested_at"], unique=False)
        batch_op.create_index(op.f("ix_taskops_export_state"), ["state"], unique=False)

    op.create_table(
        "taskops_export_piece",
        sa.Column("export_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(length=2**24 - 1), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_taskops_export_piece")),
    )


def downgrade() -> None:
    op.drop_table("taskops_export_piece")
    with op.batch_alter_table("taskops_export", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_export_state"))
        batch_op.drop_index(op.f("ix_taskops_export_requested_at"))
        batch_op.drop_index(op.f("ix_taskops_export_operation_id"))

    op.drop_table("taskops_export")
