"""Gate intervals keep their planned end, and what the monitor has still to see to.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE = "taskops_gate_interval"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.add_column(sa.Column("resume_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("held", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("seen_run_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("watched_since", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("terminates", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(op.f("ix_taskops_gate_interval_seen_run_id"), ["seen_run_id"], unique=False)
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.alter_column("terminates", existing_type=sa.Boolean(), nullable=False, server_default=None)
    # the planned end was kept with the task alone
    op.execute(
        "UPDATE taskops_gate_interval SET resume_at = (SELECT resume_at FROM taskops_task"
        " WHERE taskops_task.dag_id = taskops_gate_interval.dag_id"
        " AND taskops_task.task_id = taskops_gate_interval.task_id)"
        " WHERE to_at IS NULL AND state = 'paused'"
    )


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_gate_interval_seen_run_id"))
        for column in ("terminates", "watched_since", "seen_run_id", "held", "resume_at"):
            batch_op.drop_column(column)
