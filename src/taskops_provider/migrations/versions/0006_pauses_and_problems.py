"""Whose pause a Dag's is, and what keeps a replenishment from going on.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("taskops_workflow") as batch_op:
        batch_op.add_column(sa.Column("woken_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("paused_by_us", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(op.f("ix_taskops_workflow_woken_at"), ["woken_at"], unique=False)
    with op.batch_alter_table("taskops_workflow") as batch_op:
        batch_op.alter_column("paused_by_us", existing_type=sa.Boolean(), nullable=False, server_default=None)
    with op.batch_alter_table("taskops_replenishment") as batch_op:
        batch_op.add_column(sa.Column("wakes", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("problem", sa.String(length=1000), nullable=True))
    with op.batch_alter_table("taskops_replenishment_run") as batch_op:
        batch_op.create_index(op.f("ix_taskops_replenishment_run_backfill_id"), ["backfill_id"], unique=False)


def downgrade() -> None:
    # the version before knows a woken Dag as one that drains, and pauses it at the end
    op.execute(
        "UPDATE taskops_workflow SET draining_since = woken_at WHERE woken_at IS NOT NULL AND draining_since IS NULL"
    )
    with op.batch_alter_table("taskops_replenishment_run") as batch_op:
        batch_op.drop_index(op.f("ix_taskops_replenishment_run_backfill_id"))
    with op.batch_alter_table("taskops_replenishment") as batch_op:
        batch_op.drop_column("problem")
        batch_op.drop_column("wakes")
    with op.batch_alter_table("taskops_workflow") as batch_op:
        batch_op.drop_index(op.f("ix_taskops_workflow_woken_at"))
        batch_op.drop_column("paused_by_us")
        batch_op.drop_column("woken_at")
