"""Replenishments keep what they wait for, which conf and version existing runs get, and what they leave out.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLE = "taskops_replenishment"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.add_column(sa.Column("override_conf", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("wait_for", sa.String(8), nullable=False, server_default="inside"))
        batch_op.add_column(sa.Column("run_on_latest_version", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("excluded", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.alter_column("override_conf", existing_type=sa.Boolean(), nullable=False, server_default=None)
        batch_op.alter_column("wait_for", existing_type=sa.String(8), nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.drop_column("excluded")
        batch_op.drop_column("run_on_latest_version")
        batch_op.drop_column("wait_for")
        batch_op.drop_column("override_conf")
