"""What the API reads: lists, details, graphs; same names and filters as everywhere; one line where it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text

from taskops_provider.models import OperationItem, Owner
from tests.support import rows
from tests.support.api import Api
from tests.support.apps import READER, READERS_DAG, web_app
from tests.support.gates import operation
from tests.support.instances import write_runs
from tests.support.queries import counted_queries
from tests.support.warehouse import install, operate, retail


@pytest.fixture
def api(session):
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def warehouse(session):
    install(session, retail())
    return session


def names(answer) -> list[str]:
    return [f"{task['dag_id']}.{task['task_id']}" for task in answer["tasks"]]


def dags(answer) -> list[str]:
    return [workflow["dag_id"] for workflow in answer["workflows"]]


def test_tasks_are_listed_with_the_fields_of_the_contract(api, warehouse):
    answer = api.get("tasks", dag_id="orders", order_by="-task_id", limit=2)
    assert names(answer) == ["orders.load", "orders.extract"]
    assert answer["total_entries"] == 3
    task = api.get("tasks", search="sum")["tasks"][0]
    assert task["target_tables"] == ["s3://warehouse/sales"]
    assert task["status"] == "scheduling"
    assert task["resume_at"] is None
    assert datetime.fromisoformat(task["first_submitted_at"]).tzinfo is not None


def test_filters_take_several_values(api, warehouse):
    assert names(api.get("tasks", owner=["bob"])) == ["orders.clean", "orders.load"]
    assert dags(api.get("workflows", search="mart|report")) == ["mart", "report"]
    assert dags(api.get("workflows", owner=["ann", "nobody"])) == ["orders"]
    assert names(api.get("tasks", dag_id=["sales", "mart"], task_type="BashOperator")) == ["mart.build", "sales.sum"]
    assert names(api.get("tasks", workflow_like="repor")) == ["report.render", "report.send"]
    assert names(api.get("tasks", target_table="warehouse/sa")) == ["sales.sum"]
    operate(warehouse, "pause", "orders.clean")
    assert names(api.get("tasks", status=["paused"])) == ["orders.clean"]
    assert dags(api.get("workflows", status=["partially_scheduling"])) == ["orders"]
    assert names(api.get("tasks", period=["event"])) == ["mart.build", "mart.report_now"]


def test_pages(api, warehouse):
    pages = [names(api.get("tasks", limit=4, offset=offset)) for offset in (0, 4, 8)]
    everything = names(api.get("tasks"))
    assert [name for page in pages for name in page] == everything
    assert len(everything) == 9


def test_one_workflow_and_one_task(api, warehouse):
    operate(warehouse, "pause", "orders.clean", reason="source is down", ticket="OPS-1")
    workflow = api.get("workflows/orders")
    assert workflow["status_counts"] == {"scheduling": 2, "paused": 1, "offline": 0, "invalid": 0}
    assert [operation["verb"] for operation in workflow["last_operations"]] == ["pause"]
    task = api.get("tasks/orders/clean")
    assert (task["state"], task["reason"], task["ticket"]) == ("paused", "source is down", "OPS-1")
    assert task["last_operations"][0]["counts"] == {"applied": 1, "left_alone": 0, "blocked": 0}


def test_diagram_and_lineage(api, warehouse):
    diagram = api.get("workflows/orders/diagram")
    assert [node["task_id"] for node in diagram["nodes"]] == ["clean", "extract", "load"]
    assert {(edge["up"]["task_id"], edge["down"]["task_id"]) for edge in diagram["edges"]} == {
        ("extract", "clean"),
        ("clean", "load"),
    }
    lineage = api.get("tasks/orders/load/lineage", depth=2, direction="downstream")
    assert [(node["dag_id"], node["task_id"], node["level"]) for node in lineage["nodes"]] == [
        ("orders", "load", 0),
        ("sales", "wait", 1),
        ("sales", "sum", 2),
    ]
    assert not lineage["complete"]
    assert api.get("tasks/orders/load/lineage", depth=50)["complete"]


@pytest.mark.parametrize(
    ("path", "query", "status", "told"),
    [
        ("tasks", {"limit": 0}, 422, "limit is '0'; allowed are 1 and more"),
        ("tasks", {"limit": "many"}, 422, "limit is 'many'; allowed is a whole number"),
        ("tasks", {"offset": -1}, 422, "offset is '-1'; allowed are 0 and more"),
        ("tasks", {"order_by": "colour"}, 422, "order_by is 'colour'; allowed are dag_id"),
        ("tasks", {"status": "napping"}, 422, "status[0] is 'napping'; allowed are scheduling, paused"),
        ("workflows", {"period": "fortnight"}, 422, "period[0] is 'fortnight'; allowed are minute"),
        ("tasks", {"search": " "}, 422, "search is empty; leave it out to match everything"),
        ("tasks", {"owner": "\0"}, 422, "owner[0] holds a zero byte"),
        ("tasks", {"statuses": "paused"}, 422, "statuses: there is no such parameter; allowed are"),
        ("tasks/orders/clean/lineage", {"depth": 0}, 422, "depth is '0'; allowed are 1 and more"),
        ("tasks/orders/clean/curve", {"last": 26}, 422, "last is '26'; allowed are 25, 50, 100"),
        ("tasks/orders/clean/instances", {"state": "asleep"}, 422, "state is 'asleep'; allowed are none"),
        ("tasks/orders/nothing", {}, 404, "Task 'nothing' of Dag 'orders' does not exist"),
        ("workflows/nothing", {}, 404, "Workflow 'nothing' does not exist"),
        ("workflows/nothing/diagram", {}, 404, "Workflow 'nothing' does not exist"),
        ("operations", {"outcome": "good"}, 422, "outcome[0] is 'good'; allowed are success, part_success, refused"),
        ("operations", {"since": "12"}, 422, "since is '12'; allowed are a date and time in ISO 8601"),
        ("replenishments", {"until": "-9.3e-244"}, 422, "until is '-9.3e-244'; allowed are a date and time"),
        ("operations", {"since": "0001-01-01T00:00:00+14:00"}, 422, "since is beyond the times that can be kept"),
        ("operations/9999999", {}, 404, "operation 9999999 does not exist"),
        ("operations/0", {}, 422, "operation_id is '0'; allowed are 1 and more"),
        (
            "operations/99999999999999999999",
            {},
            422,
            "operation_id is '99999999999999999999'; allowed",
        ),
        ("settings/strict-mode", {"project": "none"}, 404, "project 'none' does not exist"),
        ("exports/1", {}, 404, "export 1 does not exist"),
        ("nothing", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(api, warehouse, path, query, status, told):
    assert api.refused(status, "GET", path, params=query).startswith(told)


def test_times_without_a_zone_are_in_airflows(api, warehouse):
    operate(warehouse, "pause", "orders.clean")
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    for since, found in ((past, 1), (future, 0)):
        naive = since.replace(tzinfo=None).isoformat()
        assert api.get("operations", since=naive)["total_entries"] == found
        assert api.get("operations", since=since.isoformat())["total_entries"] == found


def test_operations_are_listed_and_shown(api, warehouse):
    operate(warehouse, "pause", "orders.clean", reason="one")
    operate(warehouse, "start", "orders.clean", "sales.sum")
    answer = api.get("operations", dag_id="orders")
    assert [(record["verb"], record["outcome"]) for record in answer["operations"]] == [
        ("start", "part_success"),
        ("pause", "success"),
    ]
    assert api.get("operations", verb="pause", actor="alice")["total_entries"] == 1
    assert api.get("operations", task_id="sum")["total_entries"] == 1
    shown = api.get(f"operations/{answer['operations'][0]['operation_id']}")
    assert [(item["dag_id"], item["outcome"]) for item in shown["items"]] == [
        ("orders", "applied"),
        ("sales", "left_alone"),
    ]


def test_missing_tables_are_told_with_what_to_do(api, session):
    for name in ("taskops_owner", "alembic_version_taskops"):
        session.execute(text(f"ALTER TABLE {name} RENAME TO {name}_away"))
    session.commit()
    try:
        install_first = api.refused(503, "GET", "tasks", params={"owner": "ann"})
        assert "airflow db migrate" in install_first
    finally:
        for name in ("taskops_owner", "alembic_version_taskops"):
            session.execute(text(f"ALTER TABLE {name}_away RENAME TO {name}"))
        session.commit()


LISTS = [
    ("tasks", {}),
    ("tasks", {"owner": "ann", "status": "scheduling", "order_by": "-last_submitted_at"}),
    ("workflows", {}),
    ("workflows", {"status": "all_scheduling", "order_by": "task_count"}),
    ("operations", {"verb": "pause"}),
    ("tasks/w0000/step_00/instances", {"status": "success"}),
]


def grow(session, first, last):
    """So many workflows, operations and runs of one task."""
    rows.write([rows.Flow(f"w{number:04}") for number in range(first, last)], session)
    write_runs(session, "w0000", ["step_00"], range(first, last))
    for number in range(first, last):
        session.add(
            OperationItem(operation_id=operation(session).id, dag_id=f"w{number:04}", task_id="", outcome="applied")
        )
    session.commit()


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["admin", READER])
def test_lists_take_the_same_number_of_queries_for_ten_rows_and_a_thousand(session, reader):
    counted = {}
    with web_app("fab").active() as web:
        api = Api(web, reader)
        for first, last in ((0, 10), (10, 1000)):
            grow(session, first, last)
            if not first:
                rows.write([rows.Flow(READERS_DAG)], session)
            for path, query in LISTS:
                if reader == READER and path.endswith("instances"):
                    continue
                api.get(path, limit=1000, **query)
                with counted_queries() as statements:
                    answer = api.get(path, limit=1000, **query)
                counted.setdefault((path, str(query)), []).append(len(statements))
                if reader == "admin":
                    assert answer["total_entries"] >= last
    for path, numbers in counted.items():
        assert numbers[0] == numbers[1], (path, numbers)
        assert numbers[0] <= 12, (path, numbers)


def test_a_task_of_a_hundred_owners_is_whole(api, session):
    rows.write([rows.Flow("one")], session)
    session.execute(insert(Owner), [{"dag_id": "one", "task_id": "step_00", "owner": f"o{n:03}"} for n in range(100)])
    session.commit()
    assert len(api.get("tasks/one/step_00")["owners"]) == 101
