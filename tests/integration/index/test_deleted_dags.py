"""A Dag that gets the name of one that was deleted in Airflow inherits nothing; one that was only away keeps all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.api.common.delete_dag import delete_dag
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.team import Team
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dags as airflow_dags
from taskops_provider.domain.deleted_dags import name_of_deleted
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.models import (
    AlarmRule,
    EscapedRun,
    GateInterval,
    Operation,
    OperationItem,
    Owner,
    ReplenishmentRun,
    Workflow,
    metadata,
)
from taskops_provider.services.alarms.listing import AlarmFilter, list_alarms
from taskops_provider.services.alarms.rule_changes import enable_rules
from taskops_provider.services.alarms.rules import RuleFilter, list_rules
from taskops_provider.services.gate.sweep import dags_to_sweep, sweep_dag
from taskops_provider.services.index.deleted import VERB
from taskops_provider.services.index.refresh import refresh
from taskops_provider.services.operations.records import RecordFilter, list_operations
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import show_replenishment
from taskops_provider.services.replenishments.listing import list_replenishments
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.windows.in_force import frozen
from taskops_provider.services.windows.listing import show_window
from tests.support.airflow_db import write_dags
from tests.support.alarming import alarms, look, rule
from tests.support.replenishing import World, days, make_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, Limited, chain, install, operate, outcomes, stored
from tests.support.windowing import make as make_window
from tests.support.windowing import once

READER = Actor("reader", "api", Limited(["d"], ["d"]))
BOTH = Actor("both", "api", Limited(["d", "other"], ["d", "other"]))


def is_deleted_name(dag_id: str) -> bool:
    return dag_id.endswith(")") and " (deleted 20" in dag_id


def dags() -> list[Any]:
    return [chain("d", "a", "b"), chain("other", "a")]


def refreshed(session: Session) -> None:
    refresh(session, datetime.now(UTC))
    session.commit()


def deleted_in_airflow(session: Session, *, is_seen: bool) -> None:
    delete_dag("d", session=session)
    session.commit()
    if is_seen:
        refreshed(session)


def come_again(session: Session, bundle: str = "dags-folder") -> None:
    write_dags([chain("d", "a", "b")], session, bundle=bundle)
    refreshed(session)


def give_teams(session: Session, teams: dict[str, str]) -> None:
    """bundle -> team."""
    made = {name: Team(name=name) for name in set(teams.values())}
    for bundle, team in teams.items():
        row = session.get(DagBundleModel, bundle) or DagBundleModel(name=bundle)
        row.teams = [made[team]]
        session.add(row)
    session.commit()


#: whether the monitor looks between the deletion and the new Dag; a Dag is often made anew within its interval
seen = pytest.mark.parametrize("is_seen", [True, False], ids=["seen", "at once"])


def furnish(session: Session) -> dict[str, int]:
    """Have people leave a mark on the Dag in every table."""
    install(session, dags())
    world = World(session)
    make_runs(world, "d", 1)
    numbers = {
        "pause": operate(session, "pause", "d.a", downstream="hold", reason="its source is broken").operation_id,
        "owners": operate(session, "set-owners", "d.b", owners=["zoe"]).operation_id,
        "rule": rule(session, "d.a", recipients={"users": ["zoe"]}),
        "of_project": rule(session, "bundle:dags-folder"),
    }
    ti = session.scalars(select(TI).where(TI.dag_id == "d", TI.task_id == "b")).one()
    ti.state = "failed"
    ti.updated_at = ti.end_date = datetime.now(UTC)
    run = session.scalars(select(DagRun).where(DagRun.dag_id == "d")).one()
    run.updated_at = datetime.now(UTC)
    session.commit()
    look(session)
    session.add(EscapedRun(dag_id="d", run_id="r", found_at=datetime.now(UTC), created_by="cli", gated=1, executed=0))
    numbers["replenishment"] = world.create("d.b", "other.a", ranges=[days(2, 3)], conf={"secret": "of the old one"})
    numbers["both"] = operate(session, "set-owners", "d", "other", owners=["zoe"]).operation_id
    return {name: number for name, number in numbers.items() if number is not None}


def rows_of(session: Session, dag_id: str) -> dict[str, int]:
    """table -> how many of its rows are of the Dag, by any of its columns."""
    found = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith("dag_id") and not column.name.startswith(("up_", "down_", "last_")):
                number = session.scalar(select(func.count()).select_from(table).where(column == dag_id))
                if number:
                    found[f"{table.name}.{column.name}"] = number
    return found


class TestDeleted:
    @pytest.fixture
    def fresh(self, session) -> dict[str, int]:
        """The rows of a Dag that nobody has touched."""
        install(session, dags())
        found = rows_of(session, "d")
        for dag_id in ("d", "other"):
            delete_dag(dag_id, session=session)
        session.commit()
        refreshed(session)
        session.execute(delete(OperationItem))
        session.execute(delete(Operation))
        session.commit()
        return found

    @seen
    def test_nothing_of_it_is_the_new_ones(self, session, fresh, is_seen):
        furnish(session)
        assert {"taskops_operation_item.dag_id", "taskops_alarm_rule.dag_id", "taskops_alarm_event.dag_id",
                "taskops_gate_interval.dag_id", "taskops_replenishment_run.dag_id",
                "taskops_replenishment_role.dag_id"} <= rows_of(session, "d").keys()  # fmt: skip
        deleted_in_airflow(session, is_seen=is_seen)
        if is_seen:
            assert rows_of(session, "d") == {}
        come_again(session, "elsewhere")
        assert rows_of(session, "d") == fresh
        assert stored(session, "d") == {"a": "scheduling", "b": "scheduling"}
        assert set(session.scalars(select(Owner.owner).where(Owner.dag_id == "d"))) == {"ann"}
        assert session.get(Workflow, "d").project == "elsewhere"

    @seen
    def test_its_records_are_for_those_alone_who_may_read_every_dag(self, session, is_seen):
        numbers = furnish(session)
        deleted_in_airflow(session, is_seen=is_seen)
        come_again(session)
        now = datetime.now(UTC)
        seen_records = list_operations(session, READER, RecordFilter(), limit=50).rows
        assert [one.options["projects"] for one in seen_records] == [["dags-folder"]]
        assert list_replenishments(session, READER, now, limit=50).rows == []
        assert list_alarms(session, READER, AlarmFilter(), limit=50).rows == []
        rules = [one.rule_id for one in list_rules(session, READER, RuleFilter(), limit=50).rows]
        assert rules == [numbers["of_project"]]
        verbs = [one.verb for one in list_operations(session, ALICE, RecordFilter(), limit=50).rows]
        assert verbs[0] == VERB
        assert {"pause", "set-owners", "replenish", "alarm-create"} <= set(verbs)
        assert all(is_deleted_name(one.dag_id) for one in alarms(session))
        # of what was about other Dags too, they see the rest
        [shown] = list_replenishments(session, BOTH, now, limit=50).rows
        assert (shown.name, shown.inputs.conf) == ("other", None)
        assert [task.dag_id for task in shown.inputs.tasks] == ["other"]
        details = show_replenishment(session, BOTH, numbers["replenishment"], now)
        assert [one.dag_id for one in details.workflows] == ["other"]
        by_both = list_operations(session, BOTH, RecordFilter(verbs=("replenish",)), limit=50).rows
        assert [[task["dag_id"] for task in one.options["tasks"]] for one in by_both] == [["other"]]

    def test_it_is_recorded_what_was_forgotten(self, session):
        furnish(session)
        deleted_in_airflow(session, is_seen=True)
        record = session.scalars(select(Operation).where(Operation.verb == VERB)).one()
        item = session.scalars(select(OperationItem).where(OperationItem.operation_id == record.id)).one()
        assert is_deleted_name(item.dag_id)
        assert item.reason == "the Dag was deleted in Airflow; it had 1 tasks paused, 1 alarm rules"
        assert (record.actor, record.source, record.applied) == ("taskops monitor", "monitor", 1)
        logged = session.scalars(select(Log.dag_id).where(Log.event == f"taskops.{VERB}")).all()
        assert logged == [item.dag_id]
        refreshed(session)
        assert session.scalar(select(func.count()).select_from(Operation).where(Operation.verb == VERB)) == 1

    @seen
    def test_what_was_queued_for_it_ends_and_the_others_go_on(self, session, is_seen):
        number = furnish(session)["replenishment"]
        deleted_in_airflow(session, is_seen=is_seen)
        come_again(session)
        world = World(session)
        shown = world.play(number)
        assert (shown.state, shown.problem) == ("part_success", "d: the Dag was deleted in Airflow")
        assert session.scalar(select(func.count()).select_from(DagRun).where(DagRun.dag_id == "d")) == 0
        assert {(dag, task) for _, task in world.executed for dag in ("other",)} == {("other", "a")}

    def test_one_for_it_alone_ends_too(self, session):
        install(session, dags())
        world = World(session)
        number = world.create("d.b", ranges=[days(2, 3)])
        world.monitor()  # it has handed runs to Airflow
        deleted_in_airflow(session, is_seen=False)
        come_again(session)
        world.monitor()
        shown = world.show(number)
        assert (shown.state, shown.counts.by_state["failed"]) == ("failed", 2)
        assert session.scalar(select(func.count()).select_from(DagRun)) == 0
        assert session.scalars(select(ReplenishmentRun.backfill_id)).all() == [None, None]
        control_replenishment(session, ALICE, number, ControlVerb.RETRY, datetime.now(UTC))
        session.commit()
        assert world.play(number, 5).state == "failed"
        assert session.scalar(select(func.count()).select_from(DagRun)) == 0

    def test_runs_that_were_made_before_it_was_seen_go_on(self, session):
        furnish(session)
        deleted_in_airflow(session, is_seen=False)
        write_dags([chain("d", "a", "b")], session)
        Scheduler(session).create_run("d", "early")
        query = select(TI.pool).where(TI.run_id == "early", TI.task_id == "a")
        assert session.scalar(query) == "taskops_hold"
        refreshed(session)
        for dag_id in dags_to_sweep(session, datetime.now(UTC)):
            sweep_dag(session, dag_id, datetime.now(UTC))
        session.commit()
        assert session.scalar(query) == "default_pool"
        Scheduler(session).create_run("d", "later")
        assert session.scalar(select(TI.pool).where(TI.run_id == "later", TI.task_id == "a")) == "default_pool"

    def test_an_undo_of_what_was_done_to_the_old_one_leaves_the_new_one_alone(self, session):
        numbers = furnish(session)
        deleted_in_airflow(session, is_seen=False)
        come_again(session)
        plan = undo(session, BOTH, numbers["both"])
        session.commit()
        assert outcomes(plan) == {"other": "applied"}
        assert set(outcomes(undo(session, ALICE, numbers["pause"])).values()) == {"left_alone"}

    def test_a_rule_on_the_project_tells_of_the_new_one_as_well(self, session):
        furnish(session)
        before = len(alarms(session))
        deleted_in_airflow(session, is_seen=False)
        come_again(session)
        make_runs(World(session), "d", 1)
        at = datetime.now(UTC)
        session.execute(update(TI).where(TI.task_id == "b").values(state="failed", end_date=at, updated_at=at))
        session.execute(update(DagRun).values(updated_at=at))
        session.commit()
        look(session)
        assert [one.dag_id for one in alarms(session)][before:] == ["d"]

    def test_again_and_again(self, session):
        now = datetime.now(UTC)
        for time in range(3):
            install(session, dags())
            operate(session, "pause", "d.a")
            delete_dag("d", session=session)
            refresh(session, now + timedelta(seconds=time // 2))  # two within the same second
            session.commit()
        names = set(session.scalars(select(OperationItem.dag_id)))
        assert names == {name_of_deleted("d", now), name_of_deleted("d", now + timedelta(seconds=1))}

    def test_one_that_went_stale_first(self, session):
        furnish(session)
        session.execute(update(DagModel).where(DagModel.dag_id == "d").values(is_stale=True))
        session.commit()
        refreshed(session)
        assert stored(session, "d")["a"] == "paused"
        deleted_in_airflow(session, is_seen=False)
        come_again(session)
        assert stored(session, "d")["a"] == "scheduling"

    def test_the_longest_name(self, session):
        dag_id = "d" * 250
        install(session, [chain(dag_id, "a")])
        operate(session, "pause", f"{dag_id}.a")
        delete_dag(dag_id, session=session)
        session.commit()
        refreshed(session)
        names = set(session.scalars(select(OperationItem.dag_id)))
        assert [len(name) for name in names] == [250]
        assert all(map(is_deleted_name, names))


class TestKept:
    """What is the same Dag, as Airflow sees it, keeps its states, rules and records."""

    @pytest.fixture
    def numbers(self, session) -> dict[str, int]:
        return furnish(session)

    @pytest.fixture
    def before(self, session, numbers) -> dict[str, int]:
        return rows_of(session, "d")

    def _new_version(self, session: Session, *tasks: str) -> None:
        Scheduler(session).create_run("d", f"of_version_{len(tasks)}")
        write_dags([chain("d", *tasks)], session)

    def test_stale_and_back(self, session, before):
        session.execute(update(DagModel).where(DagModel.dag_id == "d").values(is_stale=True))
        session.commit()
        refreshed(session)
        come_again(session)
        assert rows_of(session, "d") == before
        assert stored(session, "d")["a"] == "paused"

    def test_new_versions_of_which_the_old_ones_were_cleaned(self, session, before):
        self._new_version(session, "a", "b", "c")
        session.execute(update(TI).values(dag_version_id=None))
        oldest = session.scalars(select(DagVersion.id).where(DagVersion.dag_id == "d")).first()
        session.execute(delete(DagVersion).where(DagVersion.id == oldest))
        session.commit()
        refreshed(session)
        assert stored(session, "d")["a"] == "paused"
        assert session.scalar(select(func.count()).select_from(Operation).where(Operation.verb == VERB)) == 0

    def test_one_whose_definition_is_missing_for_a_while(self, session, before):
        mark = session.get(Workflow, "d").source_mark
        documents = airflow_dags.SerializedDagModel
        session.execute(update(documents).where(documents.dag_id == "d").values(dag_id="away"))
        session.execute(update(DagModel).where(DagModel.dag_id == "d").values(is_stale=True))
        session.commit()
        refreshed(session)
        assert session.get(Workflow, "d").source_mark == mark

    def test_a_row_of_the_version_before(self, session, before):
        """Its mark does not say which Dag it is: the present one is taken for it."""
        session.execute(update(Workflow).values(source_mark="1:0123"))
        session.commit()
        refresh(session, datetime.now(UTC), thorough=True)
        session.commit()
        assert stored(session, "d")["a"] == "paused"
        assert rows_of(session, "d") == before
        assert len(session.get(Workflow, "d").source_mark.split(":")) == 3

    @pytest.mark.parametrize("teams", [{}, {"dags-folder": "north", "elsewhere": "north"}])
    def test_one_in_another_bundle_of_the_same_team(self, session, before, numbers, teams):
        give_teams(session, teams)
        come_again(session, "elsewhere")
        assert rows_of(session, "d") == before
        assert session.get(AlarmRule, numbers["rule"]).enabled
        assert World(session).play(numbers["replenishment"]).state == "success"

    @pytest.mark.parametrize(
        "teams", [{"dags-folder": "north", "elsewhere": "south"}, {"elsewhere": "south"}, {"dags-folder": "north"}]
    )
    def test_one_of_another_team_stops_what_the_old_one_had_queued_and_was_told(self, session, before, numbers, teams):
        give_teams(session, teams)
        come_again(session, "elsewhere")
        assert stored(session, "d")["a"] == "paused"
        assert not session.get(AlarmRule, numbers["rule"]).enabled
        assert session.get(AlarmRule, numbers["of_project"]).enabled
        shown = World(session).play(numbers["replenishment"])
        assert (shown.state, shown.problem) == ("part_success", "d: it belongs to another team")
        assert session.scalars(select(OperationItem.dag_id).join(Operation, Operation.id == OperationItem.operation_id)
                               .where(Operation.verb == "dag-moved")).all() == ["d"]  # fmt: skip
        # who may edit it now turns them on again
        enable_rules(session, ALICE, [numbers["rule"]], datetime.now(UTC), enabled=True)
        session.commit()
        refreshed(session)
        assert session.get(AlarmRule, numbers["rule"]).enabled

    def test_one_of_another_team_leaves_the_windows_of_the_old_one(self, session, before):
        """A freeze stayed, and nobody of either team could end one that names a Dag of each."""
        install(session, [chain("stays", "a")])
        now = datetime.now(UTC)
        day, soon = timedelta(days=1), timedelta(hours=1)
        both = make_window(session, now, "d", "stays", kinds="freeze,pause", times=once(now - soon, now + day))
        alone = make_window(session, now, "d.a", times=once(now + soon, now + day))
        give_teams(session, {"dags-folder": "north", "elsewhere": "south"})
        come_again(session, "elsewhere")
        assert frozen(session, ALICE, [("d", ""), ("stays", "")], now).keys() == {("stays", "")}
        assert show_window(session, ALICE, both.window_id, now).scope["workflows"] == ["stays"]
        with pytest.raises(ResourceNotFound):
            show_window(session, ALICE, alone.window_id, now)
        of_windows = select(GateInterval.dag_id, GateInterval.window_id).where(
            GateInterval.window_id.in_([both.window_id, alone.window_id]), GateInterval.to_at > datetime.now(UTC)
        )
        assert session.execute(of_windows).all() == [("stays", both.window_id)]

    @pytest.mark.parametrize("to", ["south", None])
    def test_one_whose_bundle_goes_to_another_team_stops_it_too(self, session, numbers, to):
        """The Dag is where it was, and so is its bundle: nothing of either has changed but whose they are."""
        give_teams(session, {"dags-folder": "north"})
        refresh(session, datetime.now(UTC), thorough=True)
        session.commit()
        assert session.get(AlarmRule, numbers["rule"]).enabled, "the first team of a bundle that was everybody's"
        bundle = session.get(DagBundleModel, "dags-folder")
        bundle.teams = [Team(name=to)] if to else []
        session.commit()
        for _ in range(2):
            refresh(session, datetime.now(UTC) + timedelta(minutes=6))
            session.commit()
        assert not session.get(AlarmRule, numbers["rule"]).enabled
        assert session.get(AlarmRule, numbers["of_project"]).enabled
        shown = World(session).play(numbers["replenishment"])
        # a replenishment of which nothing was executed
        assert (shown.state, str(shown.problem).partition(": ")[2]) == ("failed", "it belongs to another team")
        recorded = select(func.count()).select_from(Operation).where(Operation.verb == "dag-moved")
        assert session.scalar(recorded) == 1
