"""Workflows with dependencies, for the diagrams: rows of the index, without Dag files."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from tests.support import rows
from tests.support.rows import Flow

#: a warehouse load as people write them
SHOP = "shop_daily"
SHOP_EDGES = (
    ("wait_for_source", "extract.orders"),
    ("wait_for_source", "extract.customers"),
    ("wait_for_source", "extract.products"),
    ("extract.orders", "stage.orders"),
    ("extract.customers", "stage.customers"),
    ("extract.products", "stage.products"),
    ("stage.orders", "build_fact_sales"),
    ("stage.customers", "build_dim_customer_with_slowly_changing_attributes_type_2"),
    ("stage.products", "build_fact_sales"),
    ("build_dim_customer_with_slowly_changing_attributes_type_2", "build_fact_sales"),
    ("build_fact_sales", "check_totals"),
    ("check_totals", "publish"),
    ("stage.customers", "publish"),
    ("wait_for_source", "publish"),
    ("check_totals", "mail_report"),
)
#: its state by task; the others are scheduling
SHOP_STATES = {"stage.products": "paused", "mail_report": "offline", "extract.products": "paused"}


def write(session: Any, flow: Flow, edges: Iterable[tuple[str, str]]) -> None:
    """Insert a workflow and the dependencies between its tasks."""
    rows.write([flow], session)
    link(session, ((flow.dag_id, up, flow.dag_id, down, "task") for up, down in edges))


def link(session: Any, links: Iterable[tuple[str, str, str, str, str]]) -> None:
    """Insert dependencies: (up dag, up task, down dag, down task, kind)."""
    from sqlalchemy import insert

    from taskops_provider.models import Edge

    made = [
        {
            "source_dag_id": down_dag,
            "up_dag_id": up_dag,
            "up_task_id": up,
            "down_dag_id": down_dag,
            "down_task_id": down,
            "kind": kind,
        }
        for up_dag, up, down_dag, down, kind in links
    ]
    if made:
        session.execute(insert(Edge), made)
    session.commit()


def shop(session: Any, dag_id: str = SHOP) -> None:
    """Insert the warehouse load."""
    names = tuple(dict.fromkeys(name for edge in SHOP_EDGES for name in edge))
    flow = Flow(
        dag_id,
        "Shop, daily load",
        folder=f"{rows.BUNDLE}/warehouse/shop",
        owners=("ann", "bob"),
        tasks=names,
        states=tuple(SHOP_STATES.get(name, "scheduling") for name in names),
    )
    write(session, flow, SHOP_EDGES)


def large(session: Any, dag_id: str = "large", number: int = 2000) -> None:
    """Insert a workflow of very many tasks: pipelines of ten that hang together here and there."""
    source = random.Random(number)
    names = [f"area_{index // 100:02}.step_{index:04}" for index in range(number)]
    edges = {(index - 1, index) for index in range(1, number) if index % 10}
    edges |= {(max(0, index - source.randrange(20, 300)), index) for index in range(10, number, 10)}
    while len(edges) < 2 * number:
        end = source.randrange(50, number)
        edges.add((end - source.randrange(1, 50), end))
    states = tuple("scheduling" if index % 9 else ("paused", "offline")[index % 2] for index in range(number))
    flow = Flow(dag_id, tasks=tuple(names), states=states)
    write(session, flow, [(names[start], names[end]) for start, end in sorted(edges)])
