"""The index through the life of a Dag: new, changed, gone, back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from sqlalchemy import delete, select, update

from taskops_provider.models import Setting, Task, Workflow
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.index.refresh import IndexChange, refresh
from tests.support.airflow_db import write_dags
from tests.support.scheduling import Scheduler

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _write_serialized_dags_at_once(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")


def dag_of(dag_id="d", commands=None, **arguments):
    """A Dag of independent tasks: task id -> command."""
    with DAG(dag_id, **{"schedule": None, "start_date": START, **arguments}) as dag:
        for task_id, command in (commands or {"a": "true", "b": "true"}).items():
            BashOperator(task_id=task_id, bash_command=command)
    return dag


def refreshed(session, **arguments) -> IndexChange:
    change = refresh(session, datetime.now(UTC), **arguments)
    session.commit()
    return change


def workflow(session, dag_id="d") -> Workflow:
    return session.scalars(select(Workflow).where(Workflow.dag_id == dag_id)).one()


def tasks(session, dag_id="d") -> dict[str, Task]:
    return {task.task_id: task for task in session.scalars(select(Task).where(Task.dag_id == dag_id))}


def versions(session, dag_id="d") -> list[DagVersion]:
    query = select(DagVersion).where(DagVersion.dag_id == dag_id).order_by(DagVersion.version_number)
    return list(session.scalars(query))


def new_version(session, dag, run_id):
    """Run the present version once, so that the next write of the Dag makes a new one."""
    Scheduler(session).create_run(dag.dag_id, run_id)
    write_dags([dag], session)


def counts(change: IndexChange) -> dict[str, int]:
    return {name: value for name in IndexChange.__slots__ if name != "seconds" and (value := getattr(change, name))}


def test_new_dag(session):
    write_dags(
        [dag_of(schedule="0 3 * * *", dag_display_name="Daily sales", end_date=datetime(2030, 1, 1, tzinfo=UTC))],
        session,
        files={"d": "retail/sales/d.py"},
    )
    assert counts(refreshed(session)) == {"workflows_added": 1, "tasks_added": 2}
    row, version = workflow(session), versions(session)[0]
    assert (row.display_name, row.project, row.folder) == ("Daily sales", "dags-folder", "dags-folder/retail/sales")
    assert (row.schedule, row.timezone, row.period) == ("0 3 * * *", "UTC", "day")
    assert (row.effective_from, row.effective_to) == (START, datetime(2030, 1, 1, tzinfo=UTC))
    assert row.first_submitted_at == row.last_submitted_at == version.created_at
    assert (row.is_present, row.default_state, row.owners_set) == (True, "scheduling", False)
    task = tasks(session)["a"]
    assert (task.task_type, task.pool, task.queue, task.executor) == ("BashOperator", "default_pool", "default", None)
    assert (task.effective_from, task.effective_to) == (row.effective_from, row.effective_to)
    assert task.first_submitted_at == task.last_submitted_at == version.created_at
    assert (task.state, task.first_run_at, task.is_present) == ("scheduling", None, True)


def test_schedule_none_and_file_at_the_root(session):
    write_dags([dag_of()], session)
    refreshed(session)
    row = workflow(session)
    assert (row.schedule, row.period, row.folder) == (None, "manual", "dags-folder")


def test_nothing_changed_changes_nothing(session):
    write_dags([dag_of()], session)
    refreshed(session)
    write_dags([dag_of()], session)
    assert not refreshed(session)


def test_a_new_version_touches_only_the_changed_task(session):
    write_dags([dag_of()], session)
    refreshed(session)
    new_version(session, dag_of(commands={"a": "false", "b": "true"}), "r1")
    assert counts(refreshed(session)) == {"workflows_changed": 1, "tasks_changed": 1}
    first, second = versions(session)
    found = tasks(session)
    assert (found["a"].first_submitted_at, found["a"].last_submitted_at) == (first.created_at, second.created_at)
    assert (found["b"].first_submitted_at, found["b"].last_submitted_at) == (first.created_at, first.created_at)
    row = workflow(session)
    assert (row.first_submitted_at, row.last_submitted_at) == (first.created_at, second.created_at)


def test_new_edges_alone_are_no_submission_of_a_task(session):
    write_dags([dag_of()], session)
    refreshed(session)
    dag = dag_of()
    dag.get_task("a") >> dag.get_task("b")
    new_version(session, dag, "r1")
    refreshed(session)
    first = versions(session)[0]
    assert {task.last_submitted_at for task in tasks(session).values()} == {first.created_at}
    assert (tasks(session)["a"].is_leaf, tasks(session)["b"].is_root) == (False, False)


def test_a_version_updated_in_place(session):
    write_dags([dag_of()], session)
    refreshed(session)
    write_dags([dag_of(commands={"a": "false", "b": "true"})], session)
    assert len(versions(session)) == 1
    later = datetime.now(UTC) + timedelta(seconds=30)
    session.execute(update(SerializedDagModel).values(last_updated=later))
    session.commit()
    assert counts(refreshed(session)) == {"workflows_changed": 1, "tasks_changed": 1}
    assert workflow(session).last_submitted_at == later
    found = tasks(session)
    assert (found["a"].last_submitted_at, found["b"].last_submitted_at) == (later, versions(session)[0].created_at)
    assert found["a"].first_submitted_at == versions(session)[0].created_at


def test_versions_that_were_never_looked_at_count(session):
    """The history of versions tells when each task appeared and last changed."""
    write_dags([dag_of(commands={"a": "1", "b": "1"})], session)
    new_version(session, dag_of(commands={"a": "2", "b": "1", "c": "1"}), "r1")
    new_version(session, dag_of(commands={"a": "2", "b": "1", "c": "1", "e": "1"}), "r2")
    refreshed(session)
    created = [version.created_at for version in versions(session)]

    def times():
        return {
            task_id: (created.index(task.first_submitted_at), created.index(task.last_submitted_at))
            for task_id, task in tasks(session).items()
        }

    assert times() == {"a": (0, 1), "b": (0, 0), "c": (1, 1), "e": (2, 2)}
    new_version(session, dag_of(commands={"a": "2", "b": "2", "c": "1", "e": "1"}), "r3")
    new_version(session, dag_of(commands={"a": "2", "b": "2", "c": "1", "e": "1", "f": "1"}), "r4")
    refreshed(session)
    created = [version.created_at for version in versions(session)]
    assert times() == {"a": (0, 1), "b": (0, 3), "c": (1, 1), "e": (2, 2), "f": (4, 4)}


def test_first_submission_outlives_db_clean(session):
    write_dags([dag_of()], session)
    first = versions(session)[0].created_at
    refreshed(session)
    new_version(session, dag_of(commands={"a": "false"}), "r1")
    refreshed(session)
    old = versions(session)[0].id
    session.execute(update(TaskInstance).where(TaskInstance.dag_version_id == old).values(dag_version_id=None))
    session.execute(delete(DagVersion).where(DagVersion.id == old))
    session.commit()
    new_version(session, dag_of(commands={"a": "other"}), "r2")
    refreshed(session)
    assert workflow(session).first_submitted_at == first
    assert tasks(session)["a"].first_submitted_at == first


def test_a_task_goes_and_comes_back(session):
    write_dags([dag_of()], session)
    refreshed(session)
    session.execute(update(Task).where(Task.task_id == "b").values(state="paused", reason="why", ticket="T-1"))
    session.commit()
    write_dags([dag_of(commands={"a": "true"})], session)
    assert counts(refreshed(session)) == {"workflows_changed": 1, "tasks_gone": 1}
    gone = tasks(session)["b"]
    assert (gone.is_present, gone.state, gone.reason) == (False, "paused", "why")
    before = gone.last_submitted_at
    assert not refreshed(session)
    write_dags([dag_of()], session)
    assert counts(refreshed(session)) == {"workflows_changed": 1, "tasks_changed": 1}
    back = tasks(session)["b"]
    assert (back.is_present, back.state, back.reason, back.ticket) == (True, "paused", "why", "T-1")
    assert back.last_submitted_at == before


def test_a_dag_goes_and_comes_back(session):
    write_dags([dag_of(), dag_of("other")], session)
    refreshed(session)
    session.execute(update(DagModel).where(DagModel.dag_id == "d").values(is_stale=True))
    session.commit()
    assert counts(refreshed(session)) == {"workflows_gone": 1}
    assert not workflow(session).is_present
    assert [task.is_present for task in tasks(session).values()] == [True, True]
    assert workflow(session, "other").is_present
    assert not refreshed(session)
    write_dags([dag_of()], session)
    assert counts(refreshed(session)) == {"workflows_back": 1}
    assert workflow(session).is_present


def test_a_stale_dag_that_was_never_seen_is_left_out(session):
    write_dags([dag_of()], session)
    session.execute(update(DagModel).values(is_stale=True))
    session.commit()
    assert not refreshed(session)
    assert session.scalars(select(Workflow)).all() == []


def test_a_dag_moves_to_another_file_and_bundle(session):
    write_dags([dag_of()], session)
    refreshed(session)
    write_dags([dag_of()], session, files={"d": "deep/er/d.py"})
    assert counts(refreshed(session)) == {"workflows_changed": 1}
    assert workflow(session).folder == "dags-folder/deep/er"
    write_dags([dag_of()], session, bundle="retail", files={"d": "deep/er/d.py"})
    assert counts(refreshed(session)) == {"workflows_changed": 1}
    assert (workflow(session).project, workflow(session).folder) == ("retail", "retail/deep/er")
    assert not refreshed(session)


def test_only_some_dags(session):
    write_dags([dag_of("d1"), dag_of("d2")], session)
    assert counts(refreshed(session, dag_ids=["d2", "unknown"])) == {"workflows_added": 1, "tasks_added": 2}
    assert session.scalars(select(Workflow.dag_id)).all() == ["d2"]
    assert session.get(Setting, ("", "index_refreshed_at")) is None
    assert counts(refreshed(session)) == {"workflows_added": 1, "tasks_added": 2}


def test_compressed_dags_are_read(session, monkeypatch):
    monkeypatch.setattr("airflow.models.serialized_dag._COMPRESS_SERIALIZED_DAGS", True)
    write_dags([dag_of()], session)
    assert session.scalars(select(SerializedDagModel._data)).all() == [None]
    assert counts(refreshed(session)) == {"workflows_added": 1, "tasks_added": 2}


def test_a_dag_that_cannot_be_read_hinders_no_other(session, caplog):
    write_dags([dag_of("good"), dag_of()], session)
    query = update(SerializedDagModel).where(SerializedDagModel.dag_id == "d")
    session.execute(query.values({SerializedDagModel._data: {"dag": {"tasks": 5}}}))
    session.commit()
    assert counts(refreshed(session)) == {"workflows_added": 2, "tasks_added": 2}
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1
    assert (workflow(session).period, workflow(session).display_name) == ("custom", "d")
    assert not refreshed(session)


def test_the_time_of_the_refresh_is_noted_once_a_minute(session):
    write_dags([dag_of()], session)
    now = datetime.now(UTC)

    def noted():
        return datetime.fromisoformat(
            session.get_one(Setting, ("", "index_refreshed_at"), populate_existing=True).value
        )

    refresh(session, now)
    assert noted() == now
    refresh(session, now + timedelta(seconds=50))
    assert noted() == now
    refresh(session, now + timedelta(seconds=61))
    assert noted() == now + timedelta(seconds=61)


def test_what_the_signs_do_not_show_is_found_in_time(session):
    """A version changed by a process whose clock is far behind: the next comparison of all Dags finds it."""
    write_dags([dag_of()], session)
    now = datetime.now(UTC)
    refresh(session, now)
    parsed_at = session.scalars(select(DagModel.last_parsed_time)).one()
    write_dags([dag_of(commands={"a": "false", "b": "true"})], session)
    session.execute(update(DagModel).values(last_parsed_time=parsed_at))
    session.commit()
    assert not refresh(session, now + timedelta(seconds=5))
    assert refresh(session, now + timedelta(minutes=6))


def test_thorough_and_force(session, monkeypatch):
    write_dags([dag_of()], session)
    refreshed(session)
    session.execute(update(Workflow).values(source_mark="0:other"))
    session.execute(update(Task).values(pool="wrong"))
    session.commit()
    assert not refreshed(session)
    assert counts(refreshed(session, thorough=True)) == {"workflows_changed": 1, "tasks_changed": 2}
    session.execute(update(Task).values(pool="wrong"))
    session.commit()
    assert not refreshed(session, thorough=True)
    assert counts(refreshed(session, force=True)) == {"tasks_changed": 2}


def test_objects_loaded_before_are_fresh_afterwards(session):
    write_dags([dag_of()], session)
    refreshed(session)
    loaded = tasks(session)["a"]
    assert loaded.pool == "default_pool"
    write_dags([dag_of(default_args={"pool": "other"})], session)
    refresh(session, datetime.now(UTC))
    assert loaded.pool == "other"


def test_many_chunks(session, monkeypatch):
    monkeypatch.setattr(index_refresh, "CHUNK", 3)
    write_dags([dag_of(f"d{i}") for i in range(10)], session)
    assert counts(refreshed(session)) == {"workflows_added": 10, "tasks_added": 20}
