"""Rows of ended replenishments are deleted with other records; what may still be asked for stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.models.dagrun import DagRun
from sqlalchemy import func, select, update

from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRole, ReplenishmentRun
from taskops_provider.services import retention
from tests.support.replenishing import World, days
from tests.support.warehouse import chain, install

ALL = (Replenishment, ReplenishmentRun, ReplenishmentCell, ReplenishmentRole)


def left(session) -> list[int]:
    return [session.scalar(select(func.count()).select_from(model)) for model in ALL]


def test_an_ended_one_goes_with_all_of_its_rows_and_others_stay(session, monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 2)
    install(session, [chain("d", "a", "b")])
    world = World(session)
    world.play(world.create("d", ranges=[days(1, 3)]))
    goes_on = world.create("d.a", ranges=[days(5, 5)])
    later = datetime.now(UTC) + timedelta(days=1)
    assert not retention.delete_replenishments(session, datetime.now(UTC) - timedelta(days=1))
    assert retention.delete_replenishments(session, later)
    assert not retention.delete_replenishments(session, later)
    assert session.scalars(select(Replenishment.id)).all() == [goes_on]
    assert left(session) == [1, 1, 1, 2]


def test_one_whose_run_was_cleared_and_goes_on_stays(session):
    install(session, [chain("d", "a", "b")])
    world = World(session)
    world.play(world.create("d.a", ranges=[days(1, 1)]))
    session.execute(update(DagRun).values(state="running"))
    session.commit()
    assert not retention.delete_replenishments(session, datetime.now(UTC) + timedelta(days=1))
    assert left(session)[0] == 1
