"""The list of replenishments and the cells of one: one answer on every surface (requirements 6; D5, D10)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.exceptions import BadInput, ResourceNotFound
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.cells import Stretch, list_cells, read_window
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.replenishments.listing import ReplenishmentFilter, list_replenishments
from taskops_provider.services.shared.actor import Actor
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.queries import counted_queries
from tests.support.replenishing import asked, days
from tests.support.warehouse import ALICE, BOB, Limited, chain, install


@pytest.fixture
def warehouse(session: Session) -> Session:
    install(session, [chain("orders", "extract", "clean", "load"), chain("stock", "count")])
    return session


def create(session: Session, *names: str, actor: Actor = ALICE, **more: Any) -> int:
    made = create_replenishment(session, actor, asked(*names, **more), datetime.now(UTC))
    session.commit()
    return int(made.replenishment_id)


def fail(session: Session, number: int, task_id: str) -> None:
    change = update(ReplenishmentCell).where(ReplenishmentCell.replenishment_id == number)
    session.execute(change.where(ReplenishmentCell.task_id == task_id).values(state="failed"))
    session.commit()


def test_cells_one_by_one(warehouse: Session) -> None:
    number = create(warehouse, "orders.clean", "stock", ranges=[days(1, 2)])
    page = list_cells(warehouse, ALICE, number, limit=3)
    assert page.total_entries == 4
    assert [(one.dag_id, one.task_id, f"{one.logical_date:%d}") for one in page.rows] == [
        ("orders", "clean", "01"),
        ("stock", "count", "01"),
        ("orders", "clean", "02"),
    ]
    assert to_plain_data(page.rows[0]) | {"logical_date": None} == {
        "dag_id": "orders",
        "task_id": "clean",
        "logical_date": None,
        "run_id": None,
        "was": "no_run",
        "state": "waiting",
    }
    fail(warehouse, number, "count")
    assert list_cells(warehouse, ALICE, number, states=["failed"], limit=9).total_entries == 2
    assert list_cells(warehouse, ALICE, number, dag_ids=["orders"], limit=9).total_entries == 2
    with pytest.raises(BadInput):
        list_cells(warehouse, ALICE, number, states=["lost"], limit=9)
    with pytest.raises(ResourceNotFound):
        list_cells(warehouse, ALICE, number + 1, limit=9)


def test_a_window_is_bounded_with_a_constant_number_of_queries(warehouse: Session) -> None:
    number = create(warehouse, "orders", "stock", ranges=[days(1, 300)])
    counts = []
    for size in (1, 60):
        with counted_queries() as statements:
            found = read_window(warehouse, ALICE, number, Stretch(0, size), Stretch(0, size), failed_only=False)
        counts.append(len(statements))
    assert counts == [4, 4]
    assert (len(found.dates), found.date_count, found.task_count) == (60, 300, 4)
    assert found.tasks == [("orders", "extract"), ("orders", "clean"), ("orders", "load"), ("stock", "count")]
    assert len(found.cells) == 240
    fail(warehouse, number, "count")
    found = read_window(warehouse, ALICE, number, Stretch(280, 20), Stretch(0, 9), failed_only=True)
    assert found.tasks == [("stock", "count")]
    assert (len(found.dates), found.date_count, len(found.cells)) == (20, 300, 20)
    # in the order of the plan, whichever failed first
    for task_id, day in (("load", 1), ("extract", 9)):
        of_day = select(ReplenishmentRun.id).where(ReplenishmentRun.logical_date == days(day, day).first)
        change = update(ReplenishmentCell).where(ReplenishmentCell.task_id == task_id)
        warehouse.execute(change.where(ReplenishmentCell.of_run_id.in_(of_day)).values(state="failed"))
    found = read_window(warehouse, ALICE, number, Stretch(0, 9), Stretch(0, 9), failed_only=True)
    assert found.tasks == [("orders", "extract"), ("orders", "load"), ("stock", "count")]


def test_who_may_read_one_dag_sees_its_cells_alone(warehouse: Session) -> None:
    number = create(warehouse, "orders", "stock")
    reader = Actor("rita", "api", Limited({"stock"}))
    assert {one.dag_id for one in list_cells(warehouse, reader, number, limit=99).rows} == {"stock"}
    assert list_cells(warehouse, reader, number, dag_ids=["orders"], limit=99).total_entries == 0
    found = read_window(warehouse, reader, number, Stretch(0, 9), Stretch(0, 9), failed_only=False)
    assert found.tasks == [("stock", "count")]
    assert {dag_id for dag_id, _, _ in found.cells} == {"stock"}


def test_one_filter_on_every_surface(
    warehouse: Session, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D10: the service, REST and the command line."""
    cli = Cli(capsys, monkeypatch)
    late = create(warehouse, "orders.clean", name="Late source")
    create(warehouse, "stock", actor=BOB)
    now = datetime.now(UTC)
    with web_app("simple").active() as app:
        client = app.client("viewer")
        for where, query, args in (
            (ReplenishmentFilter(dag_id="orders"), {"dag_id": "orders"}, ["--dag-id", "orders"]),
            (ReplenishmentFilter(name="LATE"), {"name": "LATE"}, ["--name", "LATE"]),
            (ReplenishmentFilter(workflow="rder"), {"workflow_like": "rder"}, ["--workflow-like", "rder"]),
            (ReplenishmentFilter(actors=("alice",)), {"actor": "alice"}, ["--actor", "alice"]),
            (ReplenishmentFilter(states=("queued",), name="late"), {"state": "queued", "name": "late"},
             ["--state", "queued", "--name", "late"]),
        ):  # fmt: skip
            page = list_replenishments(warehouse, ALICE, now, where, limit=9)
            assert [one.replenishment_id for one in page.rows] == [late], where
            answer = client.get("/taskops/v1/replenishments", params=query).json()
            assert [one["replenishment_id"] for one in answer["replenishments"]] == [late], query
            listed = cli.json("replenish", "list", *args)
            assert [one["replenishment_id"] for one in listed] == [late], args
        rest = client.get(f"/taskops/v1/replenishments/{late}/cells", params={"limit": 2, "state": "waiting"}).json()
        assert (rest["total_entries"], len(rest["cells"])) == (3, 2)
        assert client.get(f"/taskops/v1/replenishments/{late}/cells", params={"state": "lost"}).status_code == 422
    told = cli.json("replenish", "cells", str(late), "--limit", "2")
    assert [one["logical_date"] for one in told] == [one["logical_date"] for one in rest["cells"]]
    assert {one["was"] for one in told} == {"no_run"}
    assert "1 more: --offset 2" in cli("replenish", "cells", str(late), "--limit", "2").err
