"""Which zone ranges are in, what cells wait for, what is left out, which conf and which version existing runs get."""

from __future__ import annotations

from datetime import UTC, datetime

import pendulum
import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.exceptions import BadInput, ResourceNotFound
from taskops_provider.models import Operation, Replenishment
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor
from tests.support.replenishing import DAY, World, asked, days, make_runs, plan
from tests.support.warehouse import ALICE, START, Limited, bash, chain, install


def shanghai(dag_id="sh", **more) -> DAG:
    start = pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai")
    with DAG(dag_id, schedule="@daily", start_date=start, catchup=False, **more) as dag:
        bash("t")
    return dag


def request(*names, first, last, **more):
    from taskops_provider.inputs.reading import read
    from taskops_provider.inputs.replenishment import ReplenishmentCreateInput

    tasks = [dict(zip(("dag_id", "task_id"), name.split("."), strict=True)) for name in names]
    return read(ReplenishmentCreateInput, {"tasks": tasks, "ranges": [{"from": first, "to": last}], **more}).request()


def planned(session, *names, **more):
    from taskops_provider.services.replenishments.plan import plan_replenishment

    return plan_replenishment(session, ALICE, request(*names, **more), datetime.now(UTC))


class TestZones:
    def test_a_range_is_days_of_the_dags_own_zone(self, session):
        """Case 22."""
        install(session, [shanghai()])
        found = planned(session, "sh.t", first="2026-02-01", last="2026-02-03")
        (grid,) = found.grids
        midnights = [datetime(2026, 1, 31, 16, tzinfo=UTC) + n * DAY for n in range(3)]
        assert [cycle.logical_date for cycle in grid.cycles] == midnights
        assert "the ranges are read in Asia/Shanghai" in found.warnings
        assert found.request.timezone == "Asia/Shanghai"

    def test_another_zone_can_be_asked_for_and_is_recorded(self, session):
        install(session, [shanghai()])
        asked_for = request("sh.t", first="2026-02-01", last="2026-02-03", timezone="UTC")
        created = create_replenishment(session, ALICE, asked_for, datetime.now(UTC))
        session.commit()
        record = session.scalars(select(Operation)).one()
        assert record.options["timezone"] == "UTC"
        assert created.inputs.timezone == "UTC"
        assert created.inputs.ranges[0].first == datetime(2026, 2, 1, tzinfo=UTC)
        dates = session.scalars(select(Replenishment)).one()
        assert dates.inputs["ranges"][0]["from"] == "2026-02-01T00:00:00+00:00"

    def test_workflows_in_several_zones_have_each_their_own_days(self, session):
        install(session, [shanghai(), chain("d", "t")])
        found = planned(session, "sh.t", "d.t", first="2026-02-01", last="2026-02-01")
        firsts = {grid.dag_id: grid.cycles[0].logical_date for grid in found.grids}
        assert firsts == {"sh": datetime(2026, 1, 31, 16, tzinfo=UTC), "d": datetime(2026, 2, 1, tzinfo=UTC)}
        assert any("zone of each workflow: Asia/Shanghai, UTC" in warning for warning in found.warnings)
        created = create_replenishment(
            session, ALICE, request("sh.t", "d.t", first="2026-02-01", last="2026-02-01"), datetime.now(UTC)
        )
        assert created.inputs.ranges[0].from_ == "2026-02-01T00:00:00"
        assert created.inputs.timezone is None

    def test_days_have_23_and_25_hours_where_clocks_change(self, session):
        start = pendulum.datetime(2026, 1, 1, tz="Europe/Berlin")
        with DAG("b", schedule="0 * * * *", start_date=start, catchup=False) as dag:
            bash("t")
        install(session, [dag])
        for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
            (grid,) = planned(session, "b.t", first=day, last=day).grids
            assert len(grid.cycles) == hours

    def test_a_range_with_an_end_of_another_kind_is_compared_in_the_zone(self, session):
        install(session, [shanghai()])
        with pytest.raises(BadInput, match="ends before it begins"):
            planned(session, "sh.t", first="2026-02-02T00:00", last="2026-02-01T15:00:00+00:00")

    def test_no_such_zone(self):
        with pytest.raises(BadInput, match="timezone is 'Moon/Sea'; allowed are names of time zones"):
            request("sh.t", first="2026-02-01", last="2026-02-03", timezone="Moon/Sea")


class TestExclude:
    def test_what_is_excluded_counts_as_success_in_new_runs(self, session):
        install(session, [chain("d", "a", "b", "c", "e")])
        world = World(session)
        number = world.create("d", ranges=[days(1, 1)], exclude=[{"dag_id": "d", "task_id": x} for x in ("b", "e")])
        assert world.play(number).state == "success"
        assert set(world.executed) == {("01-01", "a"), ("01-01", "c")}
        run_id = session.scalars(select(DagRun.run_id)).one()
        states = world.scheduler.states("d", run_id)
        assert states == dict.fromkeys("abce", "success")

    def test_one_that_failed_does_not_keep_others_from_executing(self, session):
        install(session, [chain("d", "a", "b", "c")])
        world = World(session, outcomes={"b": "failed"})
        make_runs(world, "d", 1)
        shown = plan(world, "d", ranges=[days(1, 1)], exclude=[{"dag_id": "d", "task_id": "b"}])
        assert any("excluded, so that it counts as success" in one and "b" in one for one in shown.warnings)
        number = world.create("d", ranges=[days(1, 1)], exclude=[{"dag_id": "d", "task_id": "b"}])
        assert world.play(number).state == "success"
        assert set(world.executed) == {("01-01", "c")}
        assert world.scheduler.run_state("d", "scheduled__1") == "success"

    def test_what_does_not_exist_or_may_not_be_seen_is_refused_alike(self, session):
        install(session, [chain("d", "a"), chain("hidden", "a")])
        for dag_id, task_id in (("d", "nope"), ("hidden", "a")):
            wish = asked("d", exclude=[{"dag_id": dag_id, "task_id": task_id}])
            limited = type(ALICE)("eve", "cli", Limited(["d"], ["d"]))
            with pytest.raises(ResourceNotFound, match="does not exist"):
                create_replenishment(session, limited, wish, datetime.now(UTC))

    def test_all_of_them(self, session):
        install(session, [chain("d", "a")])
        with pytest.raises(BadInput, match="every task is excluded"):
            create_replenishment(
                session, ALICE, asked("d", exclude=[{"dag_id": "d", "task_id": "a"}]), datetime.now(UTC)
            )


class TestConf:
    def failed_run(self, session) -> World:
        install(session, [chain("d", "a")])
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "d", 1)
        world.scheduler.outcomes.clear()
        return world

    def test_existing_runs_keep_theirs_and_the_plan_says_so(self, session):
        """Case 20."""
        world = self.failed_run(session)
        shown = plan(world, "d", ranges=[days(1, 1)], conf={"full": True})
        assert "d: 1 existing run keeps its own conf; the conf given is for new runs" in shown.warnings

    def test_it_is_overridden_if_that_is_asked_for(self, session):
        world = self.failed_run(session)
        shown = plan(world, "d", ranges=[days(1, 1)], conf={"full": True}, override_conf=True)
        assert "d: the conf of 1 existing run is overridden" in shown.warnings
        number = world.create("d", ranges=[days(1, 1)], conf={"full": True}, override_conf=True)
        assert world.play(number).state == "success"
        assert session.scalars(select(DagRun)).one().conf == {"full": True}
        assert world.show(number).inputs.override_conf

    def test_without_a_conf_there_is_nothing_to_override_with(self):
        with pytest.raises(BadInput, match="give a conf"):
            asked("d", override_conf=True)


class TestVersion:
    @pytest.mark.parametrize(
        ("of_dag", "asked_for", "latest"),
        [(None, None, False), (True, None, True), (True, False, False), (False, True, True), (None, True, True)],
    )
    def test_the_choice_then_the_dag_then_the_configuration(self, session, of_dag, asked_for, latest):
        """Case 9: the new version has a task more, which executes in no old run."""

        def dag(*tasks):
            with DAG("v", schedule="@daily", start_date=START, catchup=False, rerun_with_latest_version=of_dag) as made:
                for before, after in zip([None, *tasks], tasks, strict=False):
                    this = bash(after)
                    if before:
                        made.task_dict[before] >> this
            return made

        install(session, [dag("a")], bundle_version="v1")
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "v", 1)
        world.scheduler.outcomes.clear()
        install(session, [dag("a", "b")], bundle_version="v2")
        number = world.create("v.a", ranges=[days(1, 1)], run_on_latest_version=asked_for)
        assert world.play(number).state == "success"
        session.expire_all()
        run = session.scalars(select(DagRun)).one()
        assert run.bundle_version == ("v2" if latest else "v1")
        assert set(world.executed) == {("01-01", "a")}


class TestWaitFor:
    def test_inside_executes_beside_what_is_missing_upstream(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        assert world.play(world.create("d.b", ranges=[days(1, 1)])).state == "success"

    def test_all_waits_until_what_is_upstream_has_succeeded(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session)
        shown = plan(world, "d.b", ranges=[days(1, 2)], wait_for="all")
        assert any("d: 2 of 2 runs wait" in one and "d a of 2026-01-01" in one for one in shown.warnings)
        number = world.create("d.b", ranges=[days(1, 2)], wait_for="all")
        for _ in range(4):
            world.round()
        assert not world.executed
        assert "waits: d a of 2026-01-01 00:00 UTC has not succeeded" in str(world.show(number).problem)
        # the second of them is made by somebody, the first later
        make_runs(world, "d", 2)
        for _ in range(4):
            world.round()
        make_runs(world, "d", 1)
        shown = world.play(number)
        assert shown.state in ("success", "part_success")

    def test_all_of_an_existing_run_looks_at_its_own_upstream(self, session):
        install(session, [chain("d", "a", "b")])
        world = World(session, outcomes={"a": "failed"})
        make_runs(world, "d", 1)
        world.scheduler.outcomes.clear()
        number = world.create("d.b", ranges=[days(1, 1)], wait_for="all")
        for _ in range(3):
            world.round()
        assert not world.executed
        other = world.create("d.a", ranges=[days(1, 1)])
        world.session.execute(update(Replenishment).where(Replenishment.id == other).values(name="a"))
        world.session.commit()
        assert world.play(other).state == "success"
        assert world.play(number).state == "success"
        assert world.executed == {("01-01", "a"): 1, ("01-01", "b"): 1}

    def test_all_waits_for_other_workflows(self, session):
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor

        with DAG("down", schedule="@daily", start_date=START, catchup=False) as down:
            ExternalTaskSensor(task_id="s", external_dag_id="up", external_task_id="x") >> bash("y")
        install(session, [chain("up", "x"), down])
        world = World(session)
        number = world.create("down.s", ranges=[days(1, 1)], wait_for="all")
        for _ in range(3):
            world.round()
        assert not world.executed
        assert "a task upstream of down" in str(world.show(number).problem)
        make_runs(world, "up", 1)
        assert world.play(number).state == "success"

    @pytest.mark.parametrize("lacks", ["instances_readable", "dependencies_readable"])
    def test_states_of_other_workflows_are_told_who_may_see_them(self, session, lacks):
        """It was named, and so told what has not succeeded, to who may read the Dag but none of its instances."""
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor

        from taskops_provider.services.replenishments.plan import plan_replenishment

        with DAG("down", schedule="@daily", start_date=START, catchup=False) as down:
            ExternalTaskSensor(task_id="s", external_dag_id="up", external_task_id="x")
        install(session, [chain("up", "x"), down])
        wanted = asked("down", ranges=[days(1, 1)], wait_for="all")
        may = Limited(["up", "down"], ["up", "down"])
        told = plan_replenishment(session, Actor("bob", "api", may), wanted, datetime.now(UTC)).warnings
        assert any("the first for up x of" in one for one in told)
        setattr(may, lacks, lambda: frozenset({"down"}))
        told = plan_replenishment(session, Actor("bob", "api", may), wanted, datetime.now(UTC)).warnings
        assert any("the first for a task of another workflow of" in one for one in told)
        assert "up x" not in " ".join(told)

    def test_none_has_workflows_begin_at_once(self, session):
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor

        with DAG("down", schedule="@daily", start_date=START, catchup=False) as down:
            ExternalTaskSensor(task_id="s", external_dag_id="up", external_task_id="x")
        install(session, [chain("up", "x"), down])
        world = World(session)
        for wait_for, stages in (("inside", {0, 1}), ("none", {0})):
            from taskops_provider.services.replenishments.plan import plan_replenishment

            found = plan_replenishment(
                session, ALICE, asked("up", "down", ranges=[days(1, 1)], wait_for=wait_for), datetime.now(UTC)
            )
            assert {grid.stage for grid in found.grids} == stages
        assert world.play(world.create("up", "down", ranges=[days(1, 1)], wait_for="none")).state == "success"
