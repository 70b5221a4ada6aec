"""What is wrong with one replenishment, one run or one Dag stops nobody else, and conf stays as it was given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk import DAG, Param
from sqlalchemy import select, update

from taskops_provider.adapter import backfills
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Replenishment
from taskops_provider.services.replenishments.create import queue
from taskops_provider.services.replenishments.plan import plan_replenishment
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
        session.execute(
            update(SerializedDagModel)
            .where(SerializedDagModel.dag_id == "broken")
            .values(_data={"__version": 3, "dag": {}}, _data_compressed=None)
        )
        session.commit()
        assert world.play(good).state == "success"
        shown = world.show(bad)
        assert shown.state == "queued"
        assert (shown.problem or "").startswith("waits: ")
        # of one that has both, the other workflow went on
        assert world.show(both).counts.by_state["success"] == 3
        install(session, [chain("broken", "t", owner="bea")])
        assert world.play(bad).state == "success"
        assert world.show(bad).problem is None

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
