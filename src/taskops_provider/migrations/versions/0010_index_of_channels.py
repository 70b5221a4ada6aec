"""A channel finds its own due messages by an index.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "taskops_alarm_delivery"

INDEX = "ix_taskops_alarm_delivery_channel_key_state_next_attempt_at"


def upgrade() -> None:
    op.create_index(op.f(INDEX), TABLE, ["channel_key", "state", "next_attempt_at"])


def downgrade() -> None:
    op.drop_index(op.f(INDEX), TABLE)
