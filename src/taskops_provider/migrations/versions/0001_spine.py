"""The spine: index, states, gate intervals, operation records, settings, leases.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taskops_asset_ref",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("asset", sa.String(length=1500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_asset_ref")),
    )
    with op.batch_alter_table("taskops_asset_ref", schema=None) as batch_op:
        batch_op.create_index(
            op.f("ix_taskops_asset_ref_asset_direction"),
            ["asset", "direction"],
            unique=False,
            mysql_length={"asset": 500},
        )
        batch_op.create_index(op.f("ix_taskops_asset_ref_dag_id_task_id"), ["dag_id", "task_id"], unique=False)

    op.create_table(
        "taskops_edge",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source_dag_id", StringID(), nullable=False),
        sa.Column("up_dag_id", StringID(), nullable=False),
        sa.Column("up_task_id", StringID(), nullable=False),
        sa.Column("down_dag_id", StringID(), nullable=False),
        sa.Column("down_task_id", StringID(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_edge")),
    )
    with op.batch_alter_table("taskops_edge", schema=None) as batch_op:
        batch_op.create_index(
            op.f("ix_taskops_edge_down_dag_id_down_task_id"), ["down_dag_id", "down_task_id"], unique=False
        )
        batch_op.create_index(op.f("ix_taskops_edge_kind_up_dag_id"), ["kind", "up_dag_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_edge_source_dag_id"), ["source_dag_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_edge_up_dag_id_up_task_id"), ["up_dag_id", "up_task_id"], unique=False)

    op.create_table(
        "taskops_gate_interval",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("downstream", sa.String(length=8), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=False),
        sa.Column("to_at", UtcDateTime(), nullable=True),
        sa.Column("operation_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_gate_interval")),
    )
    with op.batch_alter_table("taskops_gate_interval", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_gate_interval_dag_id_task_id"), ["dag_id", "task_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_gate_interval_dag_id_to_at"), ["dag_id", "to_at"], unique=False)

    op.create_table(
        "taskops_lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", StringID(), nullable=False),
        sa.Column("renewed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_taskops_lease")),
    )
    op.create_table(
        "taskops_operation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", StringID(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ticket", StringID(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("applied", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Integer(), nullable=False),
        sa.Column("instances_ended", sa.Integer(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.Column("undone_by_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_operation")),
    )
    with op.batch_alter_table("taskops_operation", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_operation_actor"), ["actor"], unique=False)
        batch_op.create_index(op.f("ix_taskops_operation_at"), ["at"], unique=False)
        batch_op.create_index(op.f("ix_taskops_operation_verb"), ["verb"], unique=False)

    op.create_table(
        "taskops_operation_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("operation_id", sa.BigInteger(), nullable=False),
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("before", sa.String(length=24), nullable=True),
        sa.Column("after", sa.String(length=24), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("restore", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("blocked_by", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskops_operation_item")),
    )
    with op.batch_alter_table("taskops_operation_item", schema=None) as batch_op:
        batch_op.create_index(
            op.f("ix_taskops_operation_item_dag_id_task_id_operation_id"),
            ["dag_id", "task_id", "operation_id"],
            unique=False,
        )
        batch_op.create_index(op.f("ix_taskops_operation_item_operation_id"), ["operation_id"], unique=False)

    op.create_table(
        "taskops_owner",
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("owner", sa.String(length=190), nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "task_id", "owner", name=op.f("pk_taskops_owner")),
    )
    with op.batch_alter_table("taskops_owner", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_owner_owner_dag_id"), ["owner", "dag_id"], unique=False)

    op.create_table(
        "taskops_setting",
        sa.Column("project", StringID(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", StringID(), nullable=False),
        sa.PrimaryKeyConstraint("project", "name", name=op.f("pk_taskops_setting")),
    )
    op.create_table(
        "taskops_task",
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("task_id", StringID(), nullable=False),
        sa.Column("display_name", sa.String(length=2000), nullable=False),
        sa.Column("task_type", StringID(), nullable=False),
        sa.Column("pool", sa.String(length=256), nullable=True),
        sa.Column("queue", sa.String(length=256), nullable=True),
        sa.Column("executor", sa.String(length=256), nullable=True),
        sa.Column("effective_from", UtcDateTime(), nullable=True),
        sa.Column("effective_to", UtcDateTime(), nullable=True),
        sa.Column("first_submitted_at", UtcDateTime(), nullable=True),
        sa.Column("last_submitted_at", UtcDateTime(), nullable=True),
        sa.Column("first_run_at", UtcDateTime(), nullable=True),
        sa.Column("is_present", sa.Boolean(), nullable=False),
        sa.Column("is_root", sa.Boolean(), nullable=False),
        sa.Column("is_leaf", sa.Boolean(), nullable=False),
        sa.Column("is_mapped", sa.Boolean(), nullable=False),
        sa.Column("definition_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("downstream", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ticket", StringID(), nullable=True),
        sa.Column("resume_at", UtcDateTime(), nullable=True),
        sa.Column("state_operation_id", sa.BigInteger(), nullable=True),
        sa.Column("owners_operation_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("dag_id", "task_id", name=op.f("pk_taskops_task")),
    )
    with op.batch_alter_table("taskops_task", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_task_last_submitted_at"), ["last_submitted_at"], unique=False)
        batch_op.create_index(op.f("ix_taskops_task_resume_at"), ["resume_at"], unique=False)
        batch_op.create_index(op.f("ix_taskops_task_state_dag_id"), ["state", "dag_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_task_task_id"), ["task_id"], unique=False)
        batch_op.create_index(op.f("ix_taskops_task_task_type"), ["task_type"], unique=False)

    op.create_table(
        "taskops_workflow",
        sa.Column("dag_id", StringID(), nullable=False),
        sa.Column("display_name", sa.String(length=2000), nullable=False),
        sa.Column("project", StringID(), nullable=False),
        sa.Column("folder", sa.String(length=700), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("effective_from", UtcDateTime(), nullable=True),
        sa.Column("effective_to", UtcDateTime(), nullable=True),
        sa.Column("first_submitted_at", UtcDateTime(), nullable=True),
        sa.Column("last_submitted_at", UtcDateTime(), nullable=True),
        sa.Column("is_present", sa.Boolean(), nullable=False),
        sa.Column("source_mark", sa.String(length=80), nullable=True),
        sa.Column("default_state", sa.String(length=12), nullable=False),
        sa.Column("owners_set", sa.Boolean(), nullable=False),
        sa.Column("owners_operation_id", sa.BigInteger(), nullable=True),
        sa.Column("draining_since", UtcDateTime(), nullable=True),
        sa.Column("saved_create_after", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("dag_id", name=op.f("pk_taskops_workflow")),
    )
    with op.batch_alter_table("taskops_workflow", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_taskops_workflow_draining_since"), ["draining_since"], unique=False)
        batch_op.create_index(op.f("ix_taskops_workflow_folder"), ["folder"], unique=False, mysql_length=255)
        batch_op.create_index(
            op.f("ix_taskops_workflow_is_present_default_state"), ["is_present", "default_state"], unique=False
        )
        batch_op.create_index(op.f("ix_taskops_workflow_project"), ["project"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("taskops_workflow", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_workflow_project"))
        batch_op.drop_index(op.f("ix_taskops_workflow_is_present_default_state"))
        batch_op.drop_index(op.f("ix_taskops_workflow_folder"), mysql_length=255)
        batch_op.drop_index(op.f("ix_taskops_workflow_draining_since"))

    op.drop_table("taskops_workflow")
    with op.batch_alter_table("taskops_task", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_task_task_type"))
        batch_op.drop_index(op.f("ix_taskops_task_task_id"))
        batch_op.drop_index(op.f("ix_taskops_task_state_dag_id"))
        batch_op.drop_index(op.f("ix_taskops_task_resume_at"))
        batch_op.drop_index(op.f("ix_taskops_task_last_submitted_at"))

    op.drop_table("taskops_task")
    op.drop_table("taskops_setting")
    with op.batch_alter_table("taskops_owner", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_owner_owner_dag_id"))

    op.drop_table("taskops_owner")
    with op.batch_alter_table("taskops_operation_item", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_operation_item_operation_id"))
        batch_op.drop_index(op.f("ix_taskops_operation_item_dag_id_task_id_operation_id"))

    op.drop_table("taskops_operation_item")
    with op.batch_alter_table("taskops_operation", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_operation_verb"))
        batch_op.drop_index(op.f("ix_taskops_operation_at"))
        batch_op.drop_index(op.f("ix_taskops_operation_actor"))

    op.drop_table("taskops_operation")
    op.drop_table("taskops_lease")
    with op.batch_alter_table("taskops_gate_interval", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_gate_interval_dag_id_to_at"))
        batch_op.drop_index(op.f("ix_taskops_gate_interval_dag_id_task_id"))

    op.drop_table("taskops_gate_interval")
    with op.batch_alter_table("taskops_edge", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_edge_up_dag_id_up_task_id"))
        batch_op.drop_index(op.f("ix_taskops_edge_source_dag_id"))
        batch_op.drop_index(op.f("ix_taskops_edge_down_dag_id_down_task_id"))
        batch_op.drop_index(op.f("ix_taskops_edge_kind_up_dag_id"))

    op.drop_table("taskops_edge")
    with op.batch_alter_table("taskops_asset_ref", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_taskops_asset_ref_dag_id_task_id"))
        batch_op.drop_index(op.f("ix_taskops_asset_ref_asset_direction"), mysql_length={"asset": 500})

    op.drop_table("taskops_asset_ref")
