"""Keys that are never used twice on SQLite: the numbers of deleted rows are not given to new ones.

Other databases count on by themselves. The tables are copied; nothing in them changes.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "taskops_alarm_rule",
    "taskops_alarm_event",
    "taskops_alarm_delivery",
    "taskops_asset_ref",
    "taskops_edge",
    "taskops_export",
    "taskops_gate_interval",
    "taskops_operation",
    "taskops_operation_item",
    "taskops_replenishment",
    "taskops_replenishment_run",
    "taskops_replenishment_cell",
)
#: what tells of rows that may have been deleted: the table, its references by (table, column)
_REFERENCES = {
    "taskops_alarm_rule": (("taskops_alarm_event", "rule_id"), ("taskops_alarm_delivery", "rule_id")),
    "taskops_alarm_event": (("taskops_alarm_delivery", "event_id"),),
    "taskops_operation": (("taskops_alarm_delivery", "operation_id"), ("taskops_gate_interval", "operation_id")),
}


def _is_sqlite() -> bool:
    # a script cannot copy a table that it does not see
    return op.get_bind().dialect.name == "sqlite" and not op.get_context().as_sql


def _copy(*, counts_on: bool) -> None:
    for table in _TABLES:
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": counts_on}):
            pass


def upgrade() -> None:
    if not _is_sqlite():
        return
    _copy(counts_on=True)
    connection = op.get_bind()
    for table, references in _REFERENCES.items():
        numbers = [connection.scalar(sa.text(f"SELECT max({column}) FROM {other}")) for other, column in references]
        known = max((number for number in numbers if number is not None), default=0)
        row = {"name": table, "known": known}
        done = connection.execute(sa.text("UPDATE sqlite_sequence SET seq = max(seq, :known) WHERE name = :name"), row)
        if not done.rowcount:
            connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :known)"), row)


def downgrade() -> None:
    if _is_sqlite():
        _copy(counts_on=False)
