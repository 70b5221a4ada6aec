"""Windows, and the gate intervals that are laid ahead for them.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = "taskops_gate_interval"


def upgrade() -> None:
    op.create_table(
        "taskops_window",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("pauses", sa.Boolean(), nullable=False),
        sa.Column("stops_replenishments", sa.Boolean(), nullable=False),
        sa.Column("freezes", sa.Boolean(), nullable=False),
        sa.Column("downstream", sa.String(length=8), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("lay_again_at", UtcDateTime(), nullable=True),
        sa.Column("laid_for", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_window")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("taskops_window") as batch_op:
        batch_op.create_index(op.f("ix_taskops_window_deleted_at"), ["deleted_at"], unique=False)
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.add_column(sa.Column("window_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("by_cycle", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(op.f("ix_taskops_gate_interval_window_id_to_at"), ["window_id", "to_at"], unique=False)
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.alter_column("by_cycle", existing_type=sa.Boolean(), nullable=False, server_default=None)


def downgrade() -> None:
    # the version before would take the rows of everybody's windows for operations' own
    op.execute(sa.text(f"DELETE FROM {TABLE} WHERE window_id IS NOT NULL"))
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_gate_interval_window_id_to_at"))
        batch_op.drop_column("by_cycle")
        batch_op.drop_column("window_id")
    op.drop_table("taskops_window")
