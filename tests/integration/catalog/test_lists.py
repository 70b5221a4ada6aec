"""The lists: status as SQL is that of the domain, filters mean what they say, pages, sorting (requirements 8, 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.sdk import DAG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.states import TaskState, TaskStatus, shown_status, workflow_status
from taskops_provider.exceptions import BadInput, ResourceNotFound
from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter
from taskops_provider.services.catalog.tasks import get_task, list_tasks, walk_tasks
from taskops_provider.services.catalog.workflows import get_workflow, list_workflows, walk_workflows
from taskops_provider.services.index import refresh as index_refresh
from tests.support.airflow_db import BUNDLE
from tests.support.warehouse import ALICE, START, bash, chain, install, operate, retail

NOW = datetime(2026, 6, 1, tzinfo=UTC)

#: requirements 8
TASK_JSON = """
    dag_id task_id status owners project folder task_type period schedule pool queue downstream reason resume_at
    first_submitted_at last_submitted_at first_run_at effective_from effective_to source_tables target_tables
""".split()  # noqa: SIM905
WORKFLOW_JSON = """
    dag_id status task_count status_counts owners project folder schedule period draining_runs
    first_submitted_at last_submitted_at
""".split()  # noqa: SIM905
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)


def names(rows) -> list[str]:
    return [f"{row.dag_id}.{row.task_id}" for row in rows]


def dags(rows) -> list[str]:
    return [row.dag_id for row in rows]


task_rows = st.tuples(st.sampled_from(TaskState), st.sampled_from([None, PAST, FUTURE]))
workflow_rows = st.tuples(st.booleans(), st.booleans(), st.lists(task_rows, max_size=4))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(workflow_rows, min_size=1, max_size=5))
def test_the_status_of_the_lists_is_the_status_of_the_domain(session, rows):
    for table in (Task, Workflow, DagModel):
        session.execute(delete(table))
    if not session.scalar(select(DagBundleModel).where(DagBundleModel.name == BUNDLE)):
        session.add(DagBundleModel(name=BUNDLE))
    session.flush()
    expected_tasks, expected_workflows = {}, {}
    for number, (paused, draining, tasks) in enumerate(rows):
        dag_id = f"d{number}"
        session.add(
            DagModel(dag_id=dag_id, bundle_name=BUNDLE, is_paused=paused, is_stale=False, timetable_type="", fileloc="")
        )
        session.execute(
            insert(Workflow).values(
                dag_id=dag_id,
                display_name=dag_id,
                project="p",
                folder="p",
                period="day",
                draining_since=PAST if draining else None,
            )
        )
        counts = dict.fromkeys(TaskStatus, 0)
        for position, (state, ends) in enumerate(tasks):
            session.execute(
                insert(Task).values(
                    dag_id=dag_id,
                    task_id=f"t{position}",
                    display_name="t",
                    task_type="x",
                    definition_hash="-",
                    state=state.value,
                    effective_to=ends,
                )
            )
            status = shown_status(state, effective_to=ends, dag_is_paused=paused, draining=draining, now=NOW)
            expected_tasks[f"{dag_id}.t{position}"] = status.value
            counts[status] += 1
        expected_workflows[dag_id] = workflow_status(counts).value
    session.flush()

    listed = {f"{t.dag_id}.{t.task_id}": t.status for t in walk_tasks(session, ALICE, TaskFilter(deleted=True), NOW)}
    assert listed == expected_tasks
    assert {w.dag_id: w.status for w in walk_workflows(session, ALICE, WorkflowFilter(), NOW)} == expected_workflows
    for status in set(expected_workflows.values()):
        found = list_workflows(session, ALICE, WorkflowFilter(statuses=(status,)), NOW, limit=50)
        assert sorted(dags(found.rows)) == sorted(d for d, s in expected_workflows.items() if s == status)
        assert found.total_entries == len(found.rows)
    ordered = list_workflows(session, ALICE, WorkflowFilter(), NOW, limit=50, order_by="status").rows
    assert [w.status for w in ordered] == sorted(expected_workflows.values())
    session.rollback()


@pytest.fixture
def warehouse(session):
    odd = [chain("shop.orders", "a.b", owner="zoë")]
    install(session, [*retail(), *odd])
    return session


def test_workflow_search_takes_several_names(warehouse):
    def found(search):
        return dags(list_workflows(warehouse, ALICE, WorkflowFilter(search=search), NOW, limit=50).rows)

    assert found("ORD") == ["orders", "shop.orders"]
    assert found("mart|report") == ["mart", "report"]
    assert found(" mart | report |") == ["mart", "report"]
    assert found("100%_") == []
    assert found("nothing") == []


def test_what_is_shown_as_a_name_is_searched_too(session):
    with DAG("fin_07", dag_display_name="Überweisungen 支付", schedule="@daily", start_date=START) as dag:
        bash("t1", task_display_name="Kassenbuch")
        bash("t2")
    install(session, [dag, chain("other", "t1")])

    def tasks(**where):
        return names(list_tasks(session, ALICE, TaskFilter(**where), NOW, limit=9).rows)

    assert dags(list_workflows(session, ALICE, WorkflowFilter(search="支付|nothing"), NOW, limit=9).rows) == ["fin_07"]
    assert tasks(search="kassen") == ["fin_07.t1"]
    assert tasks(workflows=("weisung",)) == ["fin_07.t1", "fin_07.t2"]


def test_what_airflow_no_longer_has_is_listed_and_counted_when_asked_for_alone(session):
    install(session, [chain("stays", "a", "b"), chain("goes", "c")])
    install(session, [chain("stays", "a")])
    session.execute(update(DagModel).where(DagModel.dag_id == "goes").values(is_stale=True))
    session.commit()
    index_refresh.refresh(session, NOW)
    session.commit()

    def both(**where):
        workflows = list_workflows(session, ALICE, WorkflowFilter(**where), NOW, limit=9)
        tasks = list_tasks(session, ALICE, TaskFilter(**where), NOW, limit=9)
        return dags(workflows.rows), workflows.total_entries, names(tasks.rows), tasks.total_entries

    assert both() == (["stays"], 1, ["stays.a"], 1)
    assert both(absent=True) == (["goes", "stays"], 2, ["goes.c", "stays.a", "stays.b"], 3)


def test_percent_and_underscore_mean_themselves(session):
    install(session, [chain("one_two", "a_b", "axb"), chain("onextwo", "c")])

    def found(**where):
        return names(list_tasks(session, ALICE, TaskFilter(**where), NOW, limit=50).rows)

    assert found(search="a_b") == ["one_two.a_b"]
    assert found(search="%") == []
    assert dags(list_workflows(session, ALICE, WorkflowFilter(search="e_t"), NOW, limit=9).rows) == ["one_two"]
    assert found(search="'; DROP TABLE taskops_task; --") == []


def test_task_filters(warehouse):
    def found(**where):
        return names(list_tasks(warehouse, ALICE, TaskFilter(**where), NOW, limit=50).rows)

    assert found(owners=("bob",)) == ["orders.clean", "orders.load"]
    assert found(owners=("bob", "zoë")) == ["orders.clean", "orders.load", "shop.orders.a.b"]
    assert found(workflows=("mar", "repor")) == ["mart.build", "mart.report_now", "report.render", "report.send"]
    assert found(dag_ids=("sales",), search="su") == ["sales.sum"]
    assert found(task_types=("ExternalTaskSensor",)) == ["sales.wait"]
    assert found(target_table="warehouse/sa") == ["sales.sum"]
    assert found(source_table="warehouse") == []
    assert found(periods=("event",)) == ["mart.build", "mart.report_now"]
    assert found(statuses=("paused",)) == []
    operate(warehouse, "pause", "orders.clean")
    assert found(statuses=("paused",)) == ["orders.clean"]
    with pytest.raises(BadInput, match="status is 'napping'; allowed are scheduling, paused"):
        found(statuses=("napping",))


def test_folders_hold_what_is_below_them(session):
    from taskops_provider.services.index import refresh as index_refresh
    from tests.support.airflow_db import write_dags

    files = {"one": "ingest/one.py", "two": "ingest/orders/two.py", "three": "ingestion/three.py", "top": "top.py"}
    write_dags([chain(dag_id, "a") for dag_id in files], session, files=files)
    index_refresh.refresh(session, NOW)
    session.commit()

    def found(*folders):
        return dags(list_workflows(session, ALICE, WorkflowFilter(folders=folders), NOW, limit=50).rows)

    assert found(f"{BUNDLE}/ingest") == ["one", "two"]
    assert found(f"{BUNDLE}/ingest/orders/") == ["two"]
    assert found(f"{BUNDLE}/ingest/orders", f"{BUNDLE}/ingestion") == ["three", "two"]
    assert found(BUNDLE) == ["one", "three", "top", "two"]


def test_pages_and_sorting(warehouse):
    first = list_tasks(warehouse, ALICE, TaskFilter(), NOW, limit=3, order_by="-task_id")
    second = list_tasks(warehouse, ALICE, TaskFilter(), NOW, limit=3, offset=3, order_by="-task_id")
    everything = names(walk_tasks(warehouse, ALICE, TaskFilter(), NOW))
    assert first.total_entries == second.total_entries == len(everything) == 10
    assert names(first.rows) == ["sales.wait", "sales.sum", "report.send"]
    assert not set(names(first.rows)) & set(names(second.rows))
    by_size = list_workflows(warehouse, ALICE, WorkflowFilter(), NOW, limit=2, order_by="-task_count")
    assert [w.task_count for w in by_size.rows] == [3, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is 0; allowed are 1 to 1000"),
        ({"limit": 5000}, "limit is 5000"),
        ({"limit": 5, "offset": -1}, "offset is -1"),
        ({"limit": 5, "order_by": "colour"}, "order_by is 'colour'; allowed are dag_id"),
    ],
)
def test_pages_that_cannot_be(session, arguments, message):
    for listing, where in ((list_tasks, TaskFilter()), (list_workflows, WorkflowFilter())):
        with pytest.raises(BadInput, match=message):
            listing(session, ALICE, where, NOW, **arguments)


def test_unknown_names(session):
    with pytest.raises(ResourceNotFound, match="Workflow 'x' does not exist"):
        get_workflow(session, ALICE, "x", NOW)
    with pytest.raises(ResourceNotFound, match="Task 'y' of Dag 'x' does not exist"):
        get_task(session, ALICE, "x", "y", NOW)


def test_the_json_has_the_fields_of_the_contract(warehouse):
    [task] = list_tasks(warehouse, ALICE, TaskFilter(dag_ids=("orders",)), NOW, limit=1).rows
    assert list(to_plain_data(task)) == TASK_JSON
    workflow = get_workflow(warehouse, ALICE, "orders", NOW)
    assert list(to_plain_data(workflow)) == WORKFLOW_JSON
    assert workflow.status_counts == {"scheduling": 3, "paused": 0, "offline": 0, "invalid": 0}
