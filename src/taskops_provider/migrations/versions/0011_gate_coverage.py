"""Schedulers that have the gate, and runs that a process without it created.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INTERVALS = "taskops_gate_interval"
SCHEDULERS = "taskops_covered_scheduler"
ESCAPED = "taskops_escaped_run"


def upgrade() -> None:
    with op.batch_alter_table(INTERVALS) as batch_op:
        batch_op.add_column(sa.Column("after_run_id", sa.BigInteger(), nullable=True))
        batch_op.create_index(op.f("ix_taskops_gate_interval_to_at_after_run_id"), ["to_at", "after_run_id"])
    op.create_table(
        SCHEDULERS,
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("host", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("trouble", sa.String(length=1000), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_taskops_covered_scheduler")),
    )
    op.create_table(
        ESCAPED,
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("run_id", StringID(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=600), nullable=False),
        sa.Column("gated", sa.Integer(), nullable=False),
        sa.Column("executed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "run_id", name=op.f("pk_taskops_escaped_run")),
    )
    op.create_index(op.f("ix_taskops_escaped_run_found_at"), ESCAPED, ["found_at"])


def downgrade() -> None:
    op.drop_table(ESCAPED)
    op.drop_table(SCHEDULERS)
    with op.batch_alter_table(INTERVALS) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_gate_interval_to_at_after_run_id"))
        batch_op.drop_column("after_run_id")
