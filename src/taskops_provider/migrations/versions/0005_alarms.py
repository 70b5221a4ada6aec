"""Alarms: rules, what fired, and the messages about it.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)


def _indexes(table: str, *indexes: tuple[str, ...]) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        for columns in indexes:
            batch_op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), list(columns), unique=False)


def upgrade() -> None:
    op.create_table(
        "taskops_alarm_rule",
        _key(),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("project", StringID(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("on_failure", sa.String(length=20), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("active_since", UtcDateTime(), nullable=False),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_alarm_rule")),
    )
    _indexes(
        "taskops_alarm_rule",
        ("dag_id", "task_id"),
        ("kind", "enabled"),
        ("next_due_at",),
        ("project",),
    )

    op.create_table(
        "taskops_alarm_event",
        _key(),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("run_id", StringID(), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("data_time", UtcDateTime(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("fired_at", UtcDateTime(), nullable=False),
        sa.Column("unreachable", sa.JSON(), nullable=False),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=250), nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("next_repeat_at", UtcDateTime(), nullable=True),
        sa.Column("escalates_at", UtcDateTime(), nullable=True),
        sa.Column("escalated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_alarm_event")),
        sa.UniqueConstraint("rule_id", "key", name=op.f("uq_taskops_alarm_event_rule_id_key")),
    )
    _indexes(
        "taskops_alarm_event",
        ("dag_id", "task_id", "run_id"),
        ("escalates_at",),
        ("fired_at",),
        ("held_until",),
        ("next_repeat_at",),
    )

    op.create_table(
        "taskops_alarm_delivery",
        _key(),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("operation_id", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(length=12), nullable=False),
        sa.Column("channel_key", sa.String(length=250), nullable=False),
        sa.Column("channel", sa.JSON(), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("sender", sa.String(length=250), nullable=True),
        sa.Column("sending_since", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_alarm_delivery")),
    )
    _indexes(
        "taskops_alarm_delivery",
        ("created_at",),
        ("event_id",),
        ("operation_id",),
        ("state", "next_attempt_at"),
    )


def downgrade() -> None:
    for table in ("taskops_alarm_delivery", "taskops_alarm_event", "taskops_alarm_rule"):
        # its indexes go with it
        op.drop_table(table)
