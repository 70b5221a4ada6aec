"""Cells of replenishments tell how often and when what was done had begun, so that it is seen when it executes again.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE = "taskops_replenishment_cell"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("began_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.drop_column("began_at")
        batch_op.drop_column("tries")
