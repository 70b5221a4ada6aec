"""What is wrong with one replenishment, one run or one Dag stops nobody else, and conf stays as it was given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, Param
from sqlalchemy import select, update

from taskops_provider.adapter import backfills
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Replenishment
from taskops_provider.services.replenishments.create import queue
from taskops_provider.services.replenishments.listing import list_replenishments
from taskops_provider.services.replenishments.plan import plan_replenishment
from tests.support.airflow_db import spoil
from tests.support.replenishing import World, asked, days, make_runs, plan
from tests.support.warehouse import ALICE, START, bash, chain, install


def with_param(dag_id: str = "p") -> DAG:
    with DAG(
        dag_id,
        schedule="@daily",
        start_date=START,
        catchup=False,
        params={"country": Param("de", enum=["de", "fr"])},
    ) as dag:
        bash("t")
    return dag


def queue_old(world: World, *names: str, conf: dict[str, object], **more: object) -> int:
    """A replenishment whose conf nothing checked: that of an earlier version, or whose Dag has changed since."""
    session = world.session
    planned = plan_replenishment(session, ALICE, asked(*names, **more), datetime.now(UTC))
    number: int = queue(session, ALICE, planned, datetime.now(UTC)).id
    session.execute(update(Replenishment).where(Replenishment.id == number).values(conf=conf))
    session.commit()
    return number


class TestConf:
    def test_the_dags_params_are_asked_at_plan_and_create(self, session):
        install(session, [with_param()])
        world = World(session)
        for ask in (plan, world.create):
            conf = {"country": "xx"}
            with pytest.raises(BadInput, match="p refuses the conf: Invalid input for param country: 'xx' is not one"):
                ask(*((world,) if ask is plan else ()), "p.t", conf=conf)
        world.play(world.create("p.t", conf={"country": "fr"}))
        assert {str(conf) for conf in session.scalars(select(DagRun.conf))} == {"{'country': 'fr'}"}

    @pytest.mark.parametrize("conf", [{"country": "xx"}, {"country": None}, {"country": ["de"]}])
    def test_one_that_cannot_start_fails_alone_with_its_reason(self, session, conf):
        install(session, [with_param(), chain("other", "t")])
        world = World(session)
        bad = queue_old(world, "p.t", conf=conf)
        good = world.create("other.t")
        assert world.play(good).state == "success"
        shown = world.play(bad)
        assert shown.state == "failed"
        assert "p refuses the conf: Invalid input for param country" in (shown.problem or "")
        assert not [day for day, task_id in world.executed if world.executed[day, task_id] != 1]

    def test_a_dag_that_changes_in_between_does_not_stop_what_was_started(self, session):
        install(session, [chain("p", "t"), chain("other", "t")])
        world = World(session)
        number = world.create("p.t", ranges=[days(1, 1)], conf={"country": "xx"})
        world.monitor()
        install(session, [with_param()])
        assert world.play(number).state == "success"

    def test_the_runs_conf_is_what_was_given(self, session):
        """A Dag that decides by its conf sees nothing of ours (case 21)."""
        install(session, [chain("d", "a", "b", "c")])
        world = World(session)
        world.play(world.create("d.b", ranges=[days(1, 1)]))
        world.play(world.create("d.b", ranges=[days(2, 2)], conf={"taskops": 1}))
        assert world.executed == {("01-01", "b"): 1, ("01-02", "b"): 1}
        assert session.scalars(select(DagRun.conf).order_by(DagRun.logical_date)).all() == [{}, {"taskops": 1}]

    def test_existing_runs_keep_theirs_and_the_plan_says_so(self, session):
        """Case 20."""
        install(session, [chain("d", "t")])
        world = World(session, outcomes={"t": "failed"})
        make_runs(world, "d", 1)
        shown = plan(world, "d.t", ranges=[days(1, 1)], conf={"full": True})
        assert shown.warnings == ["d: 1 existing run keeps its own conf; the conf given is for new runs"]


class TestOthersGoOn:
    def test_a_dag_that_cannot_be_deserialized(self, session):
        install(session, [chain("broken", "t"), chain("other", "t")])
        world = World(session)
        bad, both, good = world.create("broken.t"), world.create("broken.t", "other.t"), world.create("other.t")
        spoil("broken", session)
        assert world.play(good).state == "success"
        shown = world.show(bad)
        assert shown.state == "queued"
        assert (shown.problem or "").startswith("waits: ")
        # of one that has both, the other workflow went on
        assert world.show(both).counts.by_state["success"] == 3
        install(session, [chain("broken", "t", owner="bea")])
        assert world.play(bad).state == "success"
        assert world.show(bad).problem is None

    def test_a_plan_leaves_a_dag_out_that_cannot_be_read(self, session):
        install(session, [chain("broken", "t"), chain("other", "t")])
        world = World(session)
        spoil("broken", session)
        with pytest.raises(BadInput, match="broken is left out: broken cannot be read: DeserializationError"):
            plan(world, "broken.t")
        assert plan(world, "broken", "other").warnings[0].startswith("broken is left out: broken cannot be read")
        assert world.play(world.create("broken.t", "other.t")).state == "success"

    def test_a_run_that_cannot_be_created(self, session, monkeypatch):
        install(session, [chain("d", "t")])
        world = World(session)
        number = world.create("d.t", ranges=[days(1, 3)])
        create = backfills._create_backfill_dag_run_non_partitioned

        def refuses_the_second(**arguments):
            if arguments["info"].logical_date.day == 2:
                raise ValueError("not today")
            create(**arguments)

        monkeypatch.setattr(backfills, "_create_backfill_dag_run_non_partitioned", refuses_the_second)
        shown = world.play(number)
        assert shown.state == "part_success"
        assert shown.problem == "d 2026-01-02 00:00: ValueError: not today"
        assert world.executed == {("01-01", "t"): 1, ("01-03", "t"): 1}

    @pytest.mark.parametrize(
        "values",
        [
            {"window": "later"},
            {"wakes": {"d": 1}},
            {"wakes": 5},
            {"conf": ["x"]},
            {"conf": "x"},
            {"inputs": []},
            {"inputs": {"ranges": [1], "tasks": "d.a", "workflows": 5}},
            {"max_active_runs": 0},
        ],
    )
    def test_a_row_that_something_else_wrote(self, session, values):
        """Another version, say. The others go on, what was woken sleeps again, and both are shown."""
        install(session, [chain("d", "a"), chain("e", "a")])
        world = World(session)
        session.execute(update(DagModel).where(DagModel.dag_id == "e").values(is_paused=True))
        bad = world.create("d.a", ranges=[days(1, 2)])
        session.execute(update(Replenishment).where(Replenishment.id == bad).values(**values))
        session.commit()
        good = world.create("e.a", ranges=[days(1, 2)])
        assert world.play(good).state == "success"
        world.round()
        session.expire_all()
        assert session.scalars(select(DagModel.is_paused).where(DagModel.dag_id == "e")).one()
        assert len(list_replenishments(session, ALICE, datetime.now(UTC), limit=10).rows) == 2
        if "window" in values:
            assert (world.show(bad).problem or "").startswith("waits: its window is 'later'; allowed is HH:MM-HH:MM")

    def test_a_dag_whose_file_is_gone_for_a_while(self, session):
        """Airflow runs nothing of it: the replenishment says so, and goes on when it is back."""
        install(session, [chain("d", "a")])
        world = World(session)
        number = world.create("d.a", ranges=[days(1, 3)])
        world.monitor()
        for is_stale in (True, False):
            session.execute(update(DagModel).values(is_stale=is_stale))
            session.commit()
            world.monitor()
            assert world.show(number).problem == ("waits: no Dag file has d any more" if is_stale else None)
        assert world.play(number).state == "success"
