"""What the index reads from serialized Dags: operators, pools, mapping, assets, dependencies, resolvers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.serialized_dag import SerializedDagModel
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from airflow.sdk import DAG, Asset, AssetAlias, AssetOrTimeSchedule, CronTriggerTimetable, task, task_group
from sqlalchemy import select

from taskops_provider.models import AssetRef, Edge, Owner, Task, Workflow
from taskops_provider.services.index.refresh import refresh
from tests.support.airflow_db import write_dags

START = datetime(2024, 1, 1, tzinfo=UTC)


class OurSensor(ExternalTaskSensor):
    """A site's subclass."""


class OurTrigger(TriggerDagRunOperator):
    """A site's subclass."""


class OurMarker(ExternalTaskMarker):
    """A site's subclass."""


@pytest.fixture
def indexed(session):
    """Index Dags; return the tasks by id."""

    def index(*dags, **arguments):
        write_dags(dags, session, **arguments)
        refresh(session, datetime.now(UTC))
        session.commit()
        return {row.task_id: row for row in session.scalars(select(Task))}

    return index


def edges(session, kind):
    query = select(Edge.up_dag_id, Edge.up_task_id, Edge.down_dag_id, Edge.down_task_id).where(Edge.kind == kind)
    return sorted(tuple(row) for row in session.execute(query))


def assets(session):
    return sorted(tuple(row) for row in session.execute(select(AssetRef.task_id, AssetRef.direction, AssetRef.asset)))


def test_what_a_task_says_itself(session, indexed):
    ends = datetime(2025, 1, 1, tzinfo=UTC)
    with DAG("d", schedule=None, start_date=START, end_date=datetime(2031, 1, 1, tzinfo=UTC)) as dag:
        BashOperator(
            task_id="a",
            bash_command="true",
            pool="etl",
            queue="big",
            executor="LocalExecutor",
            start_date=START + timedelta(days=3),
            end_date=ends,
            task_display_name="Ein Schritt",
        )

        @task
        def decorated(): ...

        decorated()
    found = indexed(dag)
    a = found["a"]
    assert (a.pool, a.queue, a.executor, a.display_name) == ("etl", "big", "LocalExecutor", "Ein Schritt")
    assert (a.effective_from, a.effective_to) == (START + timedelta(days=3), ends)
    other = found["decorated"]
    assert (other.task_type, other.effective_from, other.effective_to) == ("@task", START, dag.end_date)
    assert (other.is_mapped, other.is_root, other.is_leaf) == (False, True, True)


def test_defaults_of_the_installation(indexed, monkeypatch):
    """Where the installation changes a default, the serialized Dag says so in one place for all tasks."""
    monkeypatch.setattr("airflow.serialization.serialized_objects.OPERATOR_DEFAULTS", {"queue": "site", "owner": "x"})
    with DAG("d", schedule=None, start_date=START) as dag:
        BashOperator(task_id="a", bash_command="true", queue="site")
        BashOperator.partial(task_id="m", queue="site").expand(bash_command=["1", "2"])
        BashOperator(task_id="b", bash_command="true", queue="default")
    found = indexed(dag)
    assert {name: row.queue for name, row in found.items()} == {"a": "site", "m": "site", "b": "default"}


def test_mapped_tasks_and_groups(session, indexed):
    with DAG("d", schedule=None, start_date=START) as dag:
        mapped = BashOperator.partial(
            task_id="m",
            pool="etl",
            queue="big",
            outlets=[Asset("out", "s3://b/out")],
            end_date=datetime(2025, 1, 1, tzinfo=UTC),
            task_display_name="Many",
        ).expand(bash_command=["a", "b"])

        @task_group
        def each(x):
            EmptyOperator(task_id="e")

        @task_group
        def plain():
            EmptyOperator(task_id="e")

        mapped >> each.expand(x=[1, 2]) >> plain()
    found = indexed(dag)
    assert {name: row.is_mapped for name, row in found.items()} == {"m": True, "each.e": True, "plain.e": False}
    m = found["m"]
    assert (m.pool, m.queue, m.task_type, m.display_name) == ("etl", "big", "BashOperator", "Many")
    assert m.effective_to == datetime(2025, 1, 1, tzinfo=UTC)
    assert {name: (row.is_root, row.is_leaf) for name, row in found.items()} == {
        "m": (True, False),
        "each.e": (False, False),
        "plain.e": (False, True),
    }
    assert edges(session, "task") == [("d", "each.e", "d", "plain.e"), ("d", "m", "d", "each.e")]
    assert assets(session) == [("m", "outlet", "s3://b/out")]


def test_assets_of_tasks_and_of_the_schedule(session, indexed):
    a, b, c = Asset("a", "s3://b/a"), Asset("b"), Asset("c", "s3://b/c")
    condition = (a & (b | AssetAlias("alias"))) | Asset.ref(name="c")
    with DAG("d", schedule=condition, start_date=START) as dag:
        BashOperator(
            task_id="t",
            bash_command="true",
            inlets=[a, Asset.ref(uri="s3://b/c"), Asset.ref(name="c")],
            outlets=[b, c, AssetAlias("alias"), c],
        )
    indexed(dag)
    assert assets(session) == [
        ("", "schedule", "alias"),
        ("", "schedule", "b"),
        ("", "schedule", "s3://b/a"),
        ("", "schedule", "s3://b/c"),
        ("t", "inlet", "s3://b/a"),
        ("t", "inlet", "s3://b/c"),
        ("t", "outlet", "alias"),
        ("t", "outlet", "b"),
        ("t", "outlet", "s3://b/c"),
    ]


def test_an_asset_known_by_name_alone(session, indexed):
    with DAG("d", schedule=Asset.ref(name="nowhere"), start_date=START) as dag:
        EmptyOperator(task_id="t", inlets=[Asset.ref(name="nowhere")])
    indexed(dag)
    assert assets(session) == [("", "schedule", "nowhere"), ("t", "inlet", "nowhere")]


def test_assets_beside_a_time(session, indexed):
    schedule = AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 3 * * *", timezone="Europe/Paris"), assets=[Asset("a", "s3://b/a")]
    )
    with DAG("d", schedule=schedule, start_date=START) as dag:
        EmptyOperator(task_id="t")
    indexed(dag)
    row = session.scalars(select(Workflow)).one()
    assert (row.schedule, row.timezone, row.period) == ("Asset or 0 3 * * *", "Europe/Paris", "event")
    assert assets(session) == [("", "schedule", "s3://b/a")]


def test_assets_and_edges_follow_the_file(session, indexed, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")

    def dag_with(asset, target):
        with DAG("d", schedule=[asset], start_date=START) as dag:
            EmptyOperator(task_id="s", outlets=[asset]) >> TriggerDagRunOperator(task_id="t", trigger_dag_id=target)
        return dag

    indexed(dag_with(Asset("a"), "x"))
    kept = session.scalars(select(Edge.id).where(Edge.kind == "task")).one()
    indexed(dag_with(Asset("b"), "y"))
    assert assets(session) == [("", "schedule", "b"), ("s", "outlet", "b")]
    assert edges(session, "trigger") == [("d", "t", "y", "")]
    assert session.scalars(select(Edge.id).where(Edge.kind == "task")).one() == kept


@pytest.mark.parametrize("sensor", [ExternalTaskSensor, OurSensor])
def test_sensors(session, indexed, sensor):
    with DAG("d", schedule=None, start_date=START) as dag:
        sensor(task_id="one", external_dag_id="up", external_task_id="t")
        sensor(task_id="several", external_dag_id="up", external_task_ids=["t", "u", "{{ v }}"])
        sensor(task_id="group", external_dag_id="up", external_task_group_id="g.h")
        sensor(task_id="whole", external_dag_id="up")
        sensor(task_id="templated_dag", external_dag_id="{{ dag }}", external_task_id="t")
        sensor(task_id="templated_task", external_dag_id="up", external_task_id="{{ task }}")
        sensor(task_id="templated_group", external_dag_id="up", external_task_group_id="{{ group }}")
        sensor.partial(task_id="over_dags", external_task_id="t").expand(external_dag_id=["x", "y"])
        sensor.partial(task_id="over_tasks", external_dag_id="up").expand(external_task_id=["p", "q"])
        sensor.partial(task_id="over_lists", external_dag_id="up").expand(external_task_ids=[["p", "q"], ["r"]])
        sensor.partial(task_id="over_both").expand_kwargs([{"external_dag_id": "z", "external_task_id": "t"}])

        @task
        def names():
            return ["x"]

        sensor.partial(task_id="computed_dag", external_task_id="t").expand(external_dag_id=names())
        sensor.partial(task_id="computed_task", external_dag_id="up").expand(external_task_id=names())
        sensor.partial(task_id="computed_all").expand_kwargs(names())
        sensor.partial(task_id="computed_rest", external_dag_id="up", external_task_id="t").expand_kwargs(names())
    indexed(dag)
    assert edges(session, "sensor") == sorted(
        [
            ("up", "t", "d", "one"),
            ("up", "t", "d", "several"),
            ("up", "u", "d", "several"),
            ("up", "g.h.*", "d", "group"),
            ("up", "", "d", "whole"),
            ("x", "t", "d", "over_dags"),
            ("y", "t", "d", "over_dags"),
            ("up", "p", "d", "over_tasks"),
            ("up", "q", "d", "over_tasks"),
            ("up", "p", "d", "over_lists"),
            ("up", "q", "d", "over_lists"),
            ("up", "r", "d", "over_lists"),
            ("z", "t", "d", "over_both"),
            ("up", "t", "d", "computed_rest"),
        ]
    )


@pytest.mark.parametrize("marker", [ExternalTaskMarker, OurMarker])
def test_markers(session, indexed, marker):
    with DAG("d", schedule=None, start_date=START) as dag:
        marker(task_id="m", external_dag_id="down", external_task_id="t")
        marker(task_id="templated", external_dag_id="down", external_task_id="{{ t }}")
        marker.partial(task_id="mapped", external_task_id="t").expand(external_dag_id=["x", "y"])
    indexed(dag)
    expected = [("d", "m", "down", "t")]
    if marker is ExternalTaskMarker:  # a mapped subclass cannot be told from any other operator
        expected = [("d", "m", "down", "t"), ("d", "mapped", "x", "t"), ("d", "mapped", "y", "t")]
    assert edges(session, "marker") == expected


@pytest.mark.parametrize("operator", [TriggerDagRunOperator, OurTrigger])
def test_triggers(session, indexed, operator):
    with DAG("d", schedule=None, start_date=START) as dag:
        operator(task_id="t", trigger_dag_id="down")
        operator(task_id="templated", trigger_dag_id="down_{{ ds }}")
        operator.partial(task_id="mapped").expand(trigger_dag_id=["x", "y"])
        operator.partial(task_id="confs", trigger_dag_id="down").expand(conf=[{"a": 1}, {"a": 2}])
    indexed(dag)
    assert edges(session, "trigger") == [
        ("d", "confs", "down", ""),
        ("d", "mapped", "x", ""),
        ("d", "mapped", "y", ""),
        ("d", "t", "down", ""),
    ]
    assert set(session.scalars(select(Edge.source_dag_id))) == {"d"}


def test_time_zones(session, indexed):
    import pendulum

    schedules = {
        "of_the_schedule": CronTriggerTimetable("0 3 * * *", timezone="Europe/Paris"),
        "fixed": CronTriggerTimetable("0 3 * * *", timezone=pendulum.FixedTimezone(7200)),
        "of_the_dag": timedelta(hours=3),
    }
    dags = []
    for name, schedule in schedules.items():
        with DAG(name, schedule=schedule, start_date=pendulum.datetime(2024, 1, 1, tz="Asia/Tokyo")) as dag:
            EmptyOperator(task_id="t")
        dags.append(dag)
    indexed(*dags)
    zones = {row.dag_id: (row.timezone, row.period) for row in session.scalars(select(Workflow))}
    assert zones == {
        "of_the_schedule": ("Europe/Paris", "day"),
        "fixed": ("UTC+02:00", "day"),
        "of_the_dag": ("Asia/Tokyo", "hour"),
    }


def type_by_pool(task: dict) -> str:
    """A site's task type resolver."""
    return f"{task['task_type']} in {task.get('pool', '?')}"


def last_directory(bundle_name: str, relative_fileloc: str) -> str:
    """A site's folder resolver."""
    return f"{bundle_name}:{relative_fileloc.split('/')[-2]}"


def broken(*arguments) -> str:
    """A site's mistake."""
    raise RuntimeError("out of order")


def one_dag():
    with DAG("d", schedule=None, start_date=START) as dag:
        BashOperator(task_id="a", bash_command="true", pool="etl")
        BashOperator(task_id="b", bash_command="true")
    return dag


def test_resolvers_of_a_site(session, indexed, monkeypatch):
    monkeypatch.setenv("AIRFLOW__TASKOPS__TASK_TYPE_RESOLVER", f"{__name__}.type_by_pool")
    monkeypatch.setenv("AIRFLOW__TASKOPS__FOLDER_RESOLVER", f"{__name__}:last_directory")
    found = indexed(one_dag(), files={"d": "x/y/d.py"})
    assert (found["a"].task_type, found["b"].task_type) == ("BashOperator in etl", "BashOperator in ?")
    assert session.scalars(select(Workflow.folder)).one() == "dags-folder:y"


def test_a_resolver_configured_later_applies_to_all(session, indexed, monkeypatch):
    indexed(one_dag())
    monkeypatch.setenv("AIRFLOW__TASKOPS__TASK_TYPE_RESOLVER", f"{__name__}.type_by_pool")
    assert indexed()["a"].task_type == "BashOperator in etl"
    assert not refresh(session, datetime.now(UTC))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"{__name__}.broken", "RuntimeError: out of order"),
        (f"{__name__}.missing", "ImportError"),
        ("no.such.module.function", "ModuleNotFoundError"),
        (f"{__name__}.START", "TypeError: it cannot be called"),
        ("builtins.len", "not a string"),
        ("nonsense", "ImportError: nonsense doesn't look like a module path"),
    ],
)
def test_a_broken_resolver_is_warned_of_once_and_done_without(session, indexed, monkeypatch, caplog, path, says):
    monkeypatch.setenv("AIRFLOW__TASKOPS__TASK_TYPE_RESOLVER", path)
    with caplog.at_level(logging.WARNING):
        found = indexed(one_dag(), files={"d": "x/y/d.py"})
    warnings = [record.getMessage() for record in caplog.records if "resolver" in record.getMessage()]
    assert len(warnings) == 1
    assert f"task_type_resolver = {path}" in warnings[0]
    assert says in warnings[0]
    assert found["a"].task_type == "BashOperator"
    assert session.scalars(select(Workflow.folder)).one() == "dags-folder/x/y"


def test_long_names_fit(session, indexed):
    with DAG("d" * 250, schedule=None, start_date=START, default_args={"owner": "o" * 300}) as dag:
        EmptyOperator(task_id="t" * 250, pool="p" * 300, outlets=[Asset("u", "s3://b/" + "u" * 1400)])
    found = indexed(dag, files={"d" * 250: "/".join(["x" * 100] * 9) + "/d.py"})
    assert len(found["t" * 250].pool) == 256
    assert len(session.scalars(select(Workflow.folder)).one()) == 700
    assert not refresh(session, datetime.now(UTC), force=True)


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_the_index_says_what_airflow_says_of_the_demo(session, indexed, monkeypatch):
    """The JSON is read as Airflow deserializes it, on Dags that people wrote."""
    folder = Path(__file__).parents[3] / "dags"
    monkeypatch.syspath_prepend(folder)
    dags = DagBag(folder).dags.values()
    assert dags
    indexed(*dags)
    inside = set(edges(session, "task"))
    for dag_id, dag in SerializedDagModel.read_all_dags(session=session).items():
        rows = {row.task_id: row for row in session.scalars(select(Task).where(Task.dag_id == dag_id))}
        assert set(rows) == set(dag.task_ids)
        for operator in dag.tasks:
            row = rows[operator.task_id]
            assert (row.pool, row.queue, row.task_type) == (operator.pool, operator.queue, operator.operator_name)
            assert row.display_name == operator.task_display_name
            assert row.effective_from == (operator.start_date or dag.start_date)
            assert row.effective_to == (operator.end_date or dag.end_date)
            assert row.is_root is not bool(operator.upstream_task_ids)
            assert row.is_leaf is not bool(operator.downstream_task_ids)
            assert row.is_mapped is bool(operator.get_needs_expansion())
            below = {edge[3] for edge in inside if edge[:2] == (dag_id, operator.task_id)}
            assert below == set(operator.downstream_task_ids)
            owners = select(Owner.owner).where(Owner.dag_id == dag_id, Owner.task_id == operator.task_id)
            assert set(session.scalars(owners)) == {name.strip() for name in operator.owner.split(",")}
