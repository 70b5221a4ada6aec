"""What people chose for the pages.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taskops_preference",
        sa.Column("user_id", sa.String(length=250), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_taskops_preference")),
    )


def downgrade() -> None:
    op.drop_table("taskops_preference")
