"""The page of a task: head, operations, four views, why it is not running, instances (B19, B20, C1-C4, D9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG
from airflow.sdk import task as task_decorator
from httpx import Response
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import Operation
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.www import csrf
from tests.support.api import fab_user
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.gates import settle
from tests.support.instances import START, run_id_of, write_runs
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import START as DAGS_START
from tests.support.warehouse import chain, install, later, operate, retail

ROOT = "/pluginsv2/taskops"
DAY = timedelta(days=1)


@pytest.fixture
def web(session: Session) -> Iterator[WebApp]:
    install(session, retail())
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def fab(session: Session) -> Iterator[WebApp]:
    with web_app("fab").active() as app:
        yield app


def page(web: WebApp, name: str = "orders.clean", user: str = "admin", answers: int = 200, **query: Any) -> str:
    dag_id, task_id = name.split(".", 1)
    address = f"{ROOT}/task?{urlencode({'dag_id': dag_id, 'task_id': task_id, **query}, doseq=True)}"
    answer = web.client(user).get(address)
    assert answer.status_code == answers, answer.text
    return unescape(answer.text)


def part(web: WebApp, path: str, user: str = "admin", **query: Any) -> Response:
    return web.client(user).get(f"{ROOT}/{path}?{urlencode(query)}", headers={"HX-Request": "true"})


def post(
    web: WebApp, verb: str, *targets: str, user: str = "admin", name: str = "orders.clean", **fields: str
) -> Response:
    """Ask for the dialog of an operation on instances as the page's script does."""
    client = web.client(user)
    made = csrf.make_token(web.flask.secret_key, str(web._users[user].get_id()))
    dag_id, task_id = name.split(".", 1)
    body = {"dag_id": dag_id, "task_id": task_id, "target": list(targets), **fields}
    return client.post(f"{ROOT}/instances/{verb}", data=body, headers={csrf.HEADER: made, "HX-Request": "true"})


def states(session: Session, task_id: str = "clean") -> dict[str, str | None]:
    session.expire_all()
    query = select(TI.run_id, TI.state).where(TI.task_id == task_id, TI.dag_id == "orders").order_by(TI.run_id)
    return {row.run_id: row.state for row in session.execute(query)}


def runs(html: str) -> list[str]:
    return re.findall(r'name="target" value="-?\d+ (.*?)"', html)


def statistics(html: str) -> dict[str, int]:
    found = re.findall(r"<strong>([\d,]+)</strong><span>(.*?)</span>", html)
    return {label: int(number.replace(",", "")) for number, label in found}


def address_of(html: str, label: str) -> str:
    """Where the statistic of this label leads."""
    return unescape(re.search(rf'href="([^"]*)"[^>]*><strong>[\d,]+</strong><span>{label}</span>', html).group(1))  # type: ignore[union-attr]


def problems(html: str) -> list[str]:
    return re.findall(r'role="alert">.*?<span>(.*?)</span></p>', html, re.S)


# --- the head -----------------------------------------------------------------------------------------------------


def test_the_head_names_the_task_its_workflow_and_the_ways_out(web: WebApp) -> None:
    """B20, B21"""
    html = page(web)
    assert re.search(r"<h1>clean<button", html)
    assert 'data-copy="clean"' in html
    assert f'href="{ROOT}/workflow?dag_id=orders"' in html
    assert 'href="/dags/orders/code" data-airflow' in html
    assert 'href="/dags/orders/tasks/clean" data-airflow' in html
    assert "ann, bob" in html
    assert 'class="badge green">Scheduling' in html
    for view in ("lineage", "history", "curve", "info"):
        assert f"view={view}" in html


def test_the_state_says_who_when_why_until_and_what_becomes_of_it(web: WebApp, session: Session) -> None:
    until = later(days=2)
    done = operate(
        session, "pause", "orders.clean", reason="vendor is <down>", ticket="OPS-1", resume_at=until, downstream="run"
    )
    html = web.client("admin").get(f"{ROOT}/task?dag_id=orders&task_id=clean").text
    assert "Paused by <strong>alice</strong>" in html
    assert f'href="{ROOT}/operation?id={done.operation_id}">operation {done.operation_id}</a>' in html
    assert "<q>vendor is &lt;down&gt;</q>" in html
    assert "OPS-1" in html
    assert f'Starts again by itself <time datetime="{until.strftime("%Y-%m-%dT%H:%M:%S")}Z"' in html
    assert "Its instances count as success without executing." in html
    operate(session, "start", "orders.clean")
    html = page(web)
    assert "Paused by" not in html


def test_buttons_as_status_and_permissions_allow(web: WebApp, session: Session) -> None:
    """C1: operations on the page"""

    def offered(html: str) -> list[str]:
        return re.findall(rf'hx-post="{ROOT}/change/tasks/([a-z-]+)"', html)

    assert offered(page(web)) == ["pause", "offline", "set-owners"]
    assert '{"target": "orders clean"}' in page(web)
    operate(session, "offline", "orders.clean")
    assert offered(page(web)) == ["delete", "submit", "set-owners"]
    assert "This task is offline; it would have to be paused" in page(web)
    assert offered(page(web, user="viewer")) == []
    assert "Operations" not in page(web, user="viewer", view="info").partition("Views of this task")[0]


def test_unknown_tasks_and_bad_addresses(web: WebApp) -> None:
    assert "Task 'nothing' of Dag 'orders' does not exist" in page(web, "orders.nothing", answers=404)
    answer = web.client("admin").get(f"{ROOT}/task?dag_id=orders")
    assert answer.status_code == 422
    html = page(web, view="nonsense")
    assert problems(html) == ["View is “nonsense”; allowed are lineage, history, curve, info."]


def test_a_task_of_a_dag_that_may_not_be_read_does_not_exist(fab: WebApp, session: Session) -> None:
    install(session, [chain(READERS_DAG, "a"), chain("secret_dag", "a")])
    for view in ("lineage", "history", "curve", "info"):
        assert "does not exist" in page(fab, "secret_dag.a", user=READER, answers=404, view=view)
    for path in ("task/why?dag_id=secret_dag&task_id=a",):
        assert fab.client(READER).get(f"{ROOT}/{path}").status_code == 404
    assert fab.client(READER).get(f"{ROOT}/task?dag_id={READERS_DAG}&task_id=a").status_code == 200


def test_inside_airflows_page_there_are_no_tabs_and_it_stays_inside(web: WebApp) -> None:
    html = page(web, embedded="1")
    assert 'aria-label="TaskOps"' not in html
    assert "Task in Airflow" not in html
    for url in re.findall(r'href="(/pluginsv2/taskops/task\?[^"]*)"', html):
        assert "embedded=1" in url
    # a group's page in Airflow knows no task
    html = page(web, "orders.{TASK_ID}", embedded="1")
    assert "A group of tasks" in html
    assert f'href="{ROOT}/tasks?dag_id=orders&tab=dag"' in html


def test_each_view_costs_a_constant_number_of_queries(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["extract", "clean", "load"], range(3))
    client = web.client("admin")
    costs: dict[str, list[int]] = {}
    for numbers in (range(0), range(3, 60)):
        if numbers:
            write_runs(session, "orders", ["extract", "clean", "load"], numbers)
            for _ in range(7):
                operate(session, "set-owners", "orders.clean", owners=["zoe"])
        for view in ("lineage", "history", "curve", "info"):
            client.get(f"{ROOT}/task?dag_id=orders&task_id=clean&view={view}&depth=all")
            with counted_queries() as statements:
                assert client.get(f"{ROOT}/task?dag_id=orders&task_id=clean&view={view}").status_code == 200
            costs.setdefault(view, []).append(len(statements))
    assert all(few == many < 25 for few, many in costs.values()), costs


# --- C1 basic information -----------------------------------------------------------------------------------------


def test_basic_information_has_every_field(web: WebApp, session: Session) -> None:
    """C1"""
    done = operate(session, "pause", "orders.clean", reason="late")
    html = page(web, view="info")
    for label in (
        "Task ID", "Workflow", "Project", "Folder", "Owners", "Type", "Source tables", "Target tables", "Schedule type",
        "Plan", "Pool", "Queue", "Executor", "Effective from", "Expires", "First submission",
        "Last submission", "First run",
    ):  # fmt: skip
        assert f"<dt>{label}</dt>" in html, label
    for words in ("BashOperator", "0 * * * *", "UTC", "default_pool", "2026-01-01 00:00:00", "late"):
        assert words in html, words
    assert f'href="{ROOT}/operation?id={done.operation_id}">Pause</a>' in html
    assert f'href="{ROOT}/operations?dag_id=orders&task_id=clean"' in html
    assert "<li>s3://warehouse/sales</li>" in page(web, "sales.sum", view="info")
    assert "Nobody has operated on it yet" in page(web, "orders.load", view="info")


# --- C2 execution history -----------------------------------------------------------------------------------------


def filled(session: Session) -> None:
    write_runs(session, "orders", ["clean"], range(5), "success")
    write_runs(session, "orders", ["clean"], range(5, 8), "upstream_failed")
    write_runs(session, "orders", ["clean"], range(8, 10), None)
    write_runs(session, "orders", ["clean"], range(10, 11), "running")
    write_runs(session, "orders", ["clean"], range(11, 12), "deferred")
    write_runs(session, "orders", ["clean"], range(12, 13), "queued")


def test_history_counts_every_status_and_each_count_filters(web: WebApp, session: Session) -> None:
    """C2: statistics"""
    filled(session)
    html = page(web, view="history")
    assert statistics(html) == {
        "Total": 13, "Waiting for upstream": 2, "Waiting for event": 1, "Awaiting execution": 1, "Running": 1,
        "Success": 5, "Failure": 3, "Skipped": 0, "Removed": 0, "Gated": 0,
    }  # fmt: skip
    assert len(runs(html)) == 13
    client = web.client("viewer")
    for label, number in statistics(html).items():
        answer = client.get(address_of(html, label))
        shown = re.search(r"of ([\d,]+) · times", answer.text)
        assert (int(shown.group(1)) if shown else 0) == number, label
    failed = page(web, view="history", status="failed")
    assert runs(failed) == ["run_0007", "run_0006", "run_0005"]
    assert statistics(failed)["Total"] == 13  # the ranges are what it counts in
    assert "No instance matches the filter" in page(web, view="history", status="removed")


def test_history_filters_by_data_time_and_start_time_in_a_time_zone(web: WebApp, session: Session) -> None:
    """C2: filters"""
    write_runs(session, "orders", ["clean"], range(6))
    at = "%Y-%m-%dT%H:%M:%S"
    first, last = START + DAY, START + 3 * DAY
    data = page(web, view="history", data_from=first.strftime(at), data_to=last.strftime(at))
    assert runs(data) == ["run_0003", "run_0002", "run_0001"]
    assert statistics(data)["Total"] == 3
    assert f'data-moment="{first.strftime(at)}Z"' in data
    # the same wall clock in Tokyo is nine hours earlier
    tokyo = page(web, view="history", data_from=first.strftime(at), zone="Asia/Tokyo")
    assert f'data-moment="{(first - timedelta(hours=9)).strftime(at)}Z"' in tokyo
    assert f'value="{first.strftime(at)[:16]}"' in tokyo
    started = page(web, view="history", start_from=(START + 4 * DAY).strftime(at))
    assert runs(started) == ["run_0005", "run_0004"]
    wrong = page(
        web,
        view="history",
        data_from="yesterday",
        zone="Mars",
        start_from=last.strftime(at),
        start_to=first.strftime(at),
    )
    assert [line.partition(";")[0] for line in problems(wrong)] == [
        "Time zone “Mars” does not exist",
        "Data time from is “yesterday”",
        "Start time: it ends before it begins",
    ]


def test_history_shows_and_sorts_instances(web: WebApp, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """C2: instance list; B19"""
    write_runs(session, "orders", ["clean"], range(1, 70))
    html = page(web, view="history")
    assert "1–50 of 69" in html
    assert 'href="/dags/orders/runs/run_0069/tasks/clean" data-airflow' in html
    assert '<a role="menuitem" href="/dags/orders/runs/run_0069/tasks/clean?try_number=1" data-airflow>Log</a>' in html
    assert (START + 69 * DAY).strftime("%Y-%m-%d %H:%M:%S") in html
    assert "1 min 9 s" in html
    assert runs(page(web, view="history", sort="duration"))[0] == run_id_of(1)
    assert runs(page(web, view="history", page="2"))[-1] == run_id_of(1)
    client = web.client("admin")
    urls = re.findall(
        r'<a href="([^"]*sort=[^"]*)" title="Sort',
        client.get(f"{ROOT}/task?dag_id=orders&task_id=clean&view=history").text,
    )
    assert len(urls) == 7
    for url in urls:
        assert problems(client.get(unescape(url)).text) == []


def test_gated_instances_are_marked_with_why(web: WebApp, session: Session) -> None:
    gate_settle.ensure_pools(session)
    operate(session, "pause", "orders.clean", reason="vendor")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    html = page(web, view="history", status="gated")
    assert runs(html) == ["run_1"]
    assert statistics(html)["Gated"] == 1
    assert re.search(r'class="badge amber gated" title="TaskOps: paused by alice[^"]*vendor', html)
    assert "Why?" in html
    answer = part(web, "task/why", dag_id="orders", task_id="clean", run_id="run_1")
    assert "It did not execute: paused by alice" in unescape(answer.text)
    assert 'id="dialog-title"' in answer.text


def test_mapped_instances_are_told_apart(web: WebApp, session: Session) -> None:
    with DAG("m", schedule="@daily", start_date=DAGS_START, catchup=False) as dag:

        @task_decorator
        def use(x):
            return x

        use.expand(x=[1, 2, 3])
    install(session, [dag])
    scheduler = Scheduler(session)
    scheduler.create_run("m")
    scheduler.run_to_end("m")
    html = page(web, "m.use", view="history")
    assert sorted(re.findall(r'name="target" value="(.*?)"', html)) == ["0 run_1", "1 run_1", "2 run_1"]
    assert "/dags/m/runs/run_1/tasks/use/mapped/2" in html
    assert "mapped" in html
    curve = page(web, "m.use", view="curve")
    assert "each mapped one by itself" in curve


def test_who_may_not_see_instances_is_told(fab: WebApp, session: Session) -> None:
    install(session, [chain(READERS_DAG, "a")])
    for view in ("history", "curve"):
        assert "you may not see the task instances" in page(
            fab, f"{READERS_DAG}.a", user=READER, answers=403, view=view
        )
    answer = fab.client(READER).get(f"{ROOT}/task/why?dag_id={READERS_DAG}&task_id=a&run_id=x")
    assert answer.status_code == 403
    name = fab_user(fab, "looker", ("can_read", "DAGs"), ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
    write_runs(session, READERS_DAG, ["a"], range(2))
    html = page(fab, f"{READERS_DAG}.a", user=name, view="history")
    assert "run_0001" in html
    assert "instances/rerun" not in html


# --- operations on instances --------------------------------------------------------------------------------------


def test_the_dialog_says_what_it_would_do_and_changes_nothing(web: WebApp, session: Session) -> None:
    """C2: operations, D3"""
    write_runs(session, "orders", ["clean"], range(2), "success")
    write_runs(session, "orders", ["clean"], range(2, 3), None)
    answer = post(web, "rerun", "-1 run_0000", "-1 run_0001", "-1 run_0002")
    assert answer.status_code == 200
    html = unescape(answer.text)
    assert "Rerun: 2 instances" in html
    assert "has not run yet: it runs when its turn comes" in html
    assert html.count('name="target"') == 3
    assert states(session) == {"run_0000": "success", "run_0001": "success", "run_0002": None}
    assert session.scalar(select(Operation.id)) is None
    assert "HX-Trigger" not in answer.headers


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("rerun", "failed", None),
        ("terminate", "running", "failed"),
        ("set-success", "failed", "success"),
        ("set-failed", "success", "failed"),
    ],
)
def test_instances_are_changed_recorded_and_the_page_reloads(
    web: WebApp, session: Session, verb: str, before: str, after: str | None
) -> None:
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), before)
    answer = post(web, verb, "-1 run_0001", step="apply", reason="late data", ticket="OPS-9")
    assert answer.status_code == 200, answer.text
    assert answer.headers["HX-Trigger"] == "taskops:changed"
    assert states(session) == {"run_0000": before, "run_0001": after}
    record = session.scalars(select(Operation)).one()
    assert (record.verb, record.source, record.reason, record.ticket) == (
        f"instances-{verb}",
        "ui",
        "late data",
        "OPS-9",
    )
    assert f'href="{ROOT}/operation?id={record.id}"' in answer.text
    assert "1 instance " in answer.text


@pytest.mark.parametrize(
    ("targets", "line", "status"),
    [
        ((), "Nothing is selected: name at least one instance", 422),
        (("nonsense",), "names no instance", 422),
        (("x run_0000",), "names no instance", 422),
        (("-1 no_such_run",), "has no instance in run 'no_such_run'", 404),
        (("²2 run",), "names no instance", 422),
    ],
)
def test_bad_targets_are_refused_in_one_line(
    web: WebApp, session: Session, targets: tuple[str, ...], line: str, status: int
) -> None:
    write_runs(session, "orders", ["clean"], range(1))
    for step in ("preview", "apply"):
        answer = post(web, "rerun", *targets, step=step)
        assert answer.status_code == status
        assert line in unescape(answer.text)
    assert session.scalar(select(Operation.id)) is None


def test_too_long_a_reason_changes_nothing(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["clean"], range(1))
    answer = post(web, "rerun", "-1 run_0000", step="apply", ticket="x" * 300)
    assert answer.status_code == 422
    assert states(session) == {"run_0000": "success"}


def test_who_may_not_change_instances_is_not_offered_it_and_refused(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["clean"], range(1))
    assert "instances/rerun" in page(web, view="history", user="user")
    html = page(web, view="history", user="viewer")
    assert "instances/rerun" not in html
    assert 'name="target"' not in html
    for step in ("preview", "apply"):
        answer = post(web, "rerun", "-1 run_0000", user="viewer", step=step)
        assert answer.status_code == 403
        assert "may not change the task instances" in answer.text
    assert states(session) == {"run_0000": "success"}


def test_another_site_cannot_change_instances(web: WebApp, session: Session) -> None:
    write_runs(session, "orders", ["clean"], range(1))
    body = {"dag_id": "orders", "task_id": "clean", "target": "-1 run_0000", "step": "apply"}
    assert web.client("admin").post(f"{ROOT}/instances/rerun", data=body).status_code == 403
    assert states(session) == {"run_0000": "success"}


# --- C3 execution curve -------------------------------------------------------------------------------------------


def test_the_curve_has_the_last_25_50_100_with_all_numbers_in_a_table(web: WebApp, session: Session) -> None:
    """C3"""
    write_runs(session, "orders", ["clean"], range(60), "success")
    write_runs(session, "orders", ["clean"], range(60, 61), "failed")
    for last, number in ((25, 25), (50, 50), (100, 61)):
        html = page(web, view="curve", last=last)
        points = re.findall(r'data-state="(\w+)" data-seconds="([\d.]+)"', html)
        assert len(points) == number
        assert points[-1] == ("failed", "60.000")
    html = page(web, view="curve")
    assert 'data-chart="duration"' in html
    assert 'data-chart="clock"' in html
    assert "<dt>Longest</dt><dd>1 min</dd>" in html
    assert "<dt>Failed</dt><dd>1</dd>" in html
    assert problems(page(web, view="curve", last=7)) == ["Number of instances is “7”; allowed are 25, 50, 100."]
    assert "No curve yet" in page(web, "orders.load", view="curve")


# --- C4 lineage ---------------------------------------------------------------------------------------------------


def test_lineage_as_a_diagram_across_workflows(web: WebApp) -> None:
    """C4: diagram mode"""
    html = page(web, "orders.load")
    assert 'class="diagram-svg"' in html
    near = set(re.findall(r'href="/pluginsv2/taskops/task\?dag_id=(\w+)&task_id=(\w+)&view=lineage[^"]*"', html))
    assert {("orders", "clean"), ("sales", "wait")} <= near
    assert ("orders", "extract") not in near
    everything = page(web, "orders.load", depth="all")
    assert "task_id=extract" in everything
    assert "dag_id=report&task_id=send" in everything
    assert (
        "task_id=clean"
        not in re.sub(r"view=.*?\"", "", page(web, "orders.load", direction="downstream")).partition("diagram-svg")[2]
    )


def test_lineage_as_a_list_with_a_status_filter(web: WebApp, session: Session) -> None:
    """C4: list mode"""

    def names(html: str) -> list[str]:
        return re.findall(r'<th scope="row" class="name">.*?<a class="strong" href="[^"]*">(.*?)</a>', html)

    operate(session, "pause", "sales.wait")
    html = page(web, "orders.load", mode="list", depth="all")
    assert [name.replace("<wbr>", "") for name in names(html)] == [
        "clean", "extract", "wait", "sum", "build", "report_now", "render", "send",
    ]  # fmt: skip
    assert "sensor" in html
    assert statistics(html) == {"Scheduling": 7, "Paused": 1, "Offline": 0, "Invalid": 0}
    assert names(page(web, "orders.load", mode="list", depth="all", status="paused")) == ["wait"]
    assert "there are more further away" in page(web, "orders.load", mode="list", depth="1")
    assert names(page(web, "orders.load", mode="list", direction="upstream", depth="3")) == ["clean", "extract"]
    html = page(web, "orders.load", mode="pie", depth="17", status="sad", direction="sideways")
    assert [line.partition(" ")[0] for line in problems(html)] == ["Mode", "Direction", "Depth", "Status"]


def test_lineage_never_names_a_workflow_that_may_not_be_read(fab: WebApp, session: Session) -> None:
    dags = retail()
    install(session, dags)
    name = fab_user(fab, "sales_reader", ("can_read", "DAG:sales"), ("can_read", "DAG Dependencies"))
    for mode in ("diagram", "list"):
        html = fab.client(name).get(f"{ROOT}/task?dag_id=sales&task_id=wait&mode={mode}&depth=all").text
        assert "sum" in html
        for hidden in ("orders", "extract", "mart", "report"):
            assert hidden not in html.replace("report_", ""), (mode, hidden)
        assert "may not see" in html


# --- D9 why -------------------------------------------------------------------------------------------------------


def test_why_is_a_part_of_the_page_and_links_to_what_it_names(web: WebApp, session: Session) -> None:
    """D9"""
    html = page(web)
    assert f'hx-get="{ROOT}/task/why?dag_id=orders&task_id=clean" hx-trigger="toggle once"' in html
    done = operate(session, "pause", "orders.extract", reason="late", downstream="hold")
    assert 'hx-trigger="load"' in page(web, "orders.extract")
    Scheduler(session).create_run("orders")
    answer = part(web, "task/why", dag_id="orders", task_id="extract", user="viewer")
    html = unescape(answer.text)
    assert "<html" not in html
    assert 'data-code="paused"' in html
    assert f'href="{ROOT}/operation?id={done.operation_id}"' in html
    assert 'data-code="held"' in html
    waiting = unescape(part(web, "task/why", dag_id="orders", task_id="clean").text)
    assert "It waits for extract: held by TaskOps." in waiting
    assert f'href="{ROOT}/task?dag_id=orders&task_id=extract"' in waiting
    assert 'href="/dags/orders/runs/run_1/tasks/clean" data-airflow' in waiting
    # without script it is a page
    assert "<html" in web.client("viewer").get(f"{ROOT}/task/why?dag_id=orders&task_id=clean").text
    assert part(web, "task/why", dag_id="orders", task_id="nothing").status_code == 404
    assert part(web, "task/why", dag_id="orders").status_code == 422


def test_text_from_people_is_escaped(web: WebApp, session: Session) -> None:
    evil = "<script>alert(1)</script>"
    operate(session, "pause", "orders.clean", reason=evil, ticket=evil)
    write_runs(session, "orders", ["clean"], range(1))
    session.execute(update(Operation).values(actor=evil))
    session.commit()
    client = web.client("admin")
    for query in (
        "view=info",
        "view=history&data_from=" + evil,
        "view=" + evil,
        "view=curve&last=" + evil,
        "mode=" + evil,
    ):
        assert evil not in client.get(f"{ROOT}/task?dag_id=orders&task_id=clean&{query}").text
    assert evil not in part(web, "task/why", dag_id="orders", task_id="clean").text
    assert evil not in post(web, "rerun", f"-1 {evil}").text
