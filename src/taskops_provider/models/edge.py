"""Which task waits for which, inside a workflow and across workflows."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID


class Edge(Base):
    """One dependency as the Dag files declare it.

    An empty ``up_task_id`` means the leaves of the upstream Dag (a sensor on a whole Dag), one that ends in
    ``.*`` the tasks of a group; an empty ``down_task_id`` means the roots of the downstream Dag (a Dag that is
    triggered). ``services.catalog.lineage`` resolves them, together with the assets.
    """

    __tablename__ = "taskops_edge"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    #: the Dag whose file declares it: what a refresh of that Dag replaces
    source_dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    up_dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    up_task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    down_dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    down_task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: task, sensor, marker or trigger
    kind: Mapped[str] = mapped_column(String(8), nullable=False)

    __table_args__ = (
        Index(None, "source_dag_id"),
        Index(None, "kind", "up_dag_id"),
        Index(None, "up_dag_id", "up_task_id"),
        Index(None, "down_dag_id", "down_task_id"),
    )
