"""Deliveries tell addresses that somebody typed from those that were found by a name.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "taskops_alarm_delivery"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.add_column(sa.Column("by_name", sa.Boolean(), nullable=False, server_default=sa.false()))
    # how an address was found was not kept: none is shown to those who may read typed ones only
    op.execute(
        sa.update(sa.table(TABLE, sa.column("by_name", sa.Boolean), sa.column("recipient", sa.String)))
        .where(sa.column("recipient") != "")
        .values(by_name=True)
    )
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.alter_column("by_name", existing_type=sa.Boolean(), nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch_op:
        batch_op.drop_column("by_name")
