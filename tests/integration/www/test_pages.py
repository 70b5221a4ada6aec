"""What the pages show: rows, filters, order, pages, empty and error states; and what they cost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from taskops_provider.www.urls import Urls
from taskops_provider.www.views.base import CONTENT_SECURITY_POLICY
from tests.support import rows
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.queries import counted_queries
from tests.support.rows import Flow

WORKFLOWS, TASKS = "/pluginsv2/taskops/workflows", "/pluginsv2/taskops/tasks"


@pytest.fixture
def web() -> Iterator[WebApp]:
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def filled(web: WebApp, session: Session) -> WebApp:
    rows.write(rows.ordinary(), session)
    return web


def get(web: WebApp, path: str, name: str = "viewer", status: int = 200) -> str:
    answer = web.client(name).get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def heading(page: str) -> str:
    return re.search(r"<h1>(.*?)</h1>", page).group(1)  # type: ignore[union-attr]


def ids(page: str) -> list[str]:
    """The ids in the first column, in order."""
    names = re.findall(r'<th scope="row" class="name">(.*?)</th>', page, re.S)
    return [unescape(re.findall(r'data-copy="(.*?)"', name)[-1]) for name in names]


def problems(page: str) -> list[str]:
    return [unescape(line) for line in re.findall(r'role="alert">.*?<span>(.*?)</span></p>', page, re.S)]


def test_workflow_list_shows_what_the_index_holds(filled: WebApp) -> None:
    page = get(filled, WORKFLOWS)
    assert heading(page) == "12 workflows"
    assert ids(page)[:2] == ["customer_dim", "customer_master"]
    for words in (
        "Customer master data", "All paused", "All scheduling", "All offline", "All unscheduled", "All expired",
        "Partially scheduling", "Draining: 2 runs left", "5 scheduling, 1 paused, 1 offline", "30 2 * * *",
        "retail/warehouse/dimensions", "Payments / 支付结算", "gülşen",
    ):  # fmt: skip
        assert words in page, words
    assert rows.NOW.strftime("%Y-%m-%d %H:%M:%S") in page
    assert 'href="/dags/customer_dim/code"' in page
    assert 'href="/pluginsv2/taskops/tasks?dag_id=customer_dim"' in page


def test_task_list_shows_what_the_index_holds(filled: WebApp) -> None:
    page = get(filled, TASKS)
    assert heading(page) == "38 tasks"
    for words in (
        "BashOperator", "warehouse (queue default)", "Scheduling", "Paused", "Offline", "Invalid",
        "vendor API is down, ticket OPS-4711", "until <time", "with its workflow",
    ):  # fmt: skip
        assert words in page, words
    assert 'href="/dags/customer_dim/tasks/step_00" data-airflow' in page


def test_text_from_people_is_escaped(filled: WebApp) -> None:
    for path in (WORKFLOWS, TASKS, f"{WORKFLOWS}?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E&owner=%3Ci%3Ex%3C%2Fi%3E"):
        page = get(filled, path)
        assert "<script>alert" not in page
        assert "<b>bold" not in page
        assert "<i>x" not in page
    page = get(filled, f'{WORKFLOWS}?status="><script>alert(2)</script>&sort="><img src=x>&page="><b>')
    assert "<script>alert" not in page
    assert "<img" not in page
    assert len(problems(page)) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=customer", ["customer_dim", "customer_master"]),
        ("q=CUSTOMER_D|payments", ["customer_dim", "payments"]),
        ("q=支付", ["payments"]),
        ("q=%25", []),
        ("q=html_", ["html_<b>bold</b>"]),
        ("q=%00customer_dim", ["customer_dim"]),
        ("owner=bob&q=dim", ["customer_dim"]),
        ("owner=陈伟&owner=gülşen", ["month_end_close", "payments", "sales_mart"]),
        ("folder=retail/warehouse", ["customer_dim", "sales_mart"]),
        ("folder=retail/ware", []),
        ("status=all_expired&status=all_offline", ["legacy_export", "month_end_close"]),
        ("period=hour", ["orders_hourly", "payments"]),
        ("project=retail&period=minute", ["inventory_snapshot"]),
        ("project=other", []),
    ],
)
def test_workflow_filters(filled: WebApp, query: str, found: list[str]) -> None:
    page = get(filled, f"{WORKFLOWS}?{query}")
    assert ids(page) == found
    assert heading(page) == f"{len(found)} workflow{'' if len(found) == 1 else 's'}"
    if not found:
        assert "Nothing matches" in page
        assert f'href="{WORKFLOWS}">Reset' in page


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("q=step_0&dag_id=customer_dim", 3),
        ("workflow=Customer master", 4),
        ("workflow=customer_dim|payments", 6),
        ("folder=retail/warehouse/marts", 3),
        ("type=ExternalTaskSensor&dag_id=customer_master", 1),
        ("source=customer_dim/inlet", 1),
        ("target=customer_dim/outlet", 1),
        ("source=customer_dim/outlet", 0),
        ("status=invalid", 2),
        ("status=paused&owner=dilnoza", 2),
        ("dag_id=no_such_dag", 0),
    ],
)
def test_task_filters(filled: WebApp, query: str, number: int) -> None:
    page = get(filled, f"{TASKS}?{query}")
    assert len(ids(page)) == number
    assert heading(page).split()[0] == str(number)


def test_sorting_by_the_headers(filled: WebApp) -> None:
    down = ids(get(filled, f"{WORKFLOWS}?sort=-task_count"))
    assert down[0] == "inventory_snapshot"
    page = get(filled, f"{WORKFLOWS}?sort=-task_count")
    assert 'aria-sort="descending"' in page
    assert "sort=task_count" in page  # clicking again turns it round
    for path in (WORKFLOWS, TASKS):
        urls = re.findall(r'<a href="([^"]*sort=[^"]*)"', get(filled, path))
        assert len(urls) > 5
        for url in urls:
            assert problems(get(filled, unescape(url))) == []


def test_pages(filled: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "5")
    seen = []
    path = f"{WORKFLOWS}?period=day&period=hour&period=week&period=month&period=event&period=minute&period=manual"
    for number in (1, 2, 3):
        page = get(filled, f"{path}&page={number}")
        assert f"Page {number} of 3" in page
        seen += ids(page)
    assert len(seen) == len(set(seen)) == 12
    assert "11–12 of 12" in page
    assert "period=day" in re.search(r'href="([^"]*)" aria-label="Previous page"', page).group(1)  # type: ignore[union-attr]
    assert 'aria-label="Next page"' not in page
    page = get(filled, f"{path}&page=99")
    assert problems(page) == ["Page 99 does not exist; the last one is shown."]
    assert ids(page) == seen[-2:]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("status=on_fire", "Status is “on_fire”; allowed are all_scheduling,"),
        ("period=fortnight", "Period is “fortnight”; allowed are minute, hour,"),
        ("sort=colour", "Sort order is “colour”; allowed are dag_id,"),
        ("page=minus one", "Page “minus one” does not exist"),
        ("page=0", "Page “0” does not exist"),
        ("page=²", "Page “²” does not exist"),
        ("page=99999999999999999999", "Page “99999999999999999999” does not exist"),
    ],
)
def test_bad_values_give_one_line_and_the_page_all_the_same(filled: WebApp, query: str, line: str) -> None:
    page = get(filled, f"{WORKFLOWS}?{query}")
    assert len(problems(page)) == 1
    assert problems(page)[0].startswith(line)
    assert len(ids(page)) == 12


def test_filters_survive_in_the_form_and_can_be_taken_away_one_by_one(filled: WebApp) -> None:
    page = get(filled, f"{WORKFLOWS}?q=a&owner=ann&owner=bob&sort=-task_count&page=1")
    assert 'name="q" value="a"' in page
    assert 'value="ann" checked' in page
    assert '<input type="hidden" name="sort" value="-task_count">' in page
    chips = re.findall(r'<a href="([^"]*)" aria-label="Remove filter (.*?)"', page)
    assert {label for _, label in chips} == {"Name or ID: a", "Owner: ann", "Owner: bob"}
    without_ann = unescape(next(url for url, label in chips if label == "Owner: ann"))
    assert without_ann == f"{WORKFLOWS}?q=a&owner=bob&sort=-task_count"


def test_choices_hold_what_is_there_and_what_is_chosen(filled: WebApp) -> None:
    page = get(filled, f"{WORKFLOWS}?owner=nobody.at.all")
    for value in ("ann", "finance-data", "retail/ingest", "nobody.at.all"):
        assert f'value="{value}"' in page
    assert 'value="nobody.at.all" checked' in page
    types = get(filled, TASKS)
    assert 'name="type" value="ExternalTaskSensor"' in types


def test_the_tab_of_a_dag_leaves_out_what_is_the_same_in_each_row(filled: WebApp) -> None:
    page = get(filled, f"{TASKS}?tab=dag&dag_id=customer_dim")
    assert ids(page) == ["step_00", "step_01", "step_02"]
    assert 'class="tabs"' not in page
    assert 'class="workflow"' not in page
    assert 'name="folder"' not in page
    assert '<input type="hidden" name="dag_id" value="customer_dim">' in page
    reset = re.search(r'<form class="filters".*?</form>', page, re.S).group(0)  # type: ignore[union-attr]
    assert '<input type="hidden" name="tab" value="dag">' in reset
    empty = get(filled, f"{TASKS}?tab=dag&dag_id=new_one")
    assert "No tasks of this Dag yet" in empty


def test_empty_lists_say_how_they_fill(web: WebApp, session: Session) -> None:
    for path, words in ((WORKFLOWS, "No workflows yet"), (TASKS, "No tasks yet")):
        page = get(web, path)
        assert words in page
        assert "airflow taskops sync" in page
    with web_app("fab").active() as fab:
        assert "that you may read" in get(fab, WORKFLOWS, READER)


def test_missing_tables_are_told(filled: WebApp, session: Session) -> None:
    away = ("taskops_owner", "alembic_version_taskops")
    for table in away:
        session.execute(text(f"ALTER TABLE {table} RENAME TO {table}_away"))
    session.commit()
    try:
        for path in (WORKFLOWS, TASKS):
            assert "run `airflow db migrate`" in get(filled, path, status=503)
    finally:
        for table in away:
            session.execute(text(f"ALTER TABLE {table}_away RENAME TO {table}"))
        session.commit()
    assert heading(get(filled, WORKFLOWS)) == "12 workflows"


def test_an_unforeseen_error_gives_a_page_without_its_details(
    filled: WebApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("taskops_provider.www.presenters.lists.workflows.list_workflows", broken)
    page = get(filled, WORKFLOWS, status=500)
    assert "Something went wrong" in page
    assert "hunter2" not in page
    assert "hunter2" in caplog.text


def test_headers_keep_strangers_out(filled: WebApp) -> None:
    for path in (WORKFLOWS, TASKS):
        answer = filled.client("viewer").get(path)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_versioned_static_files_are_kept_others_asked_about(filled: WebApp) -> None:
    client = filled.client()
    for name in ("theme.js", "taskops.js", "taskops.css", "icon-light.svg"):
        answer = client.get(Urls("/").static(name))
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["cache-control"]
    path = "/pluginsv2/taskops/static/icon-light.svg"
    plain = client.get(path)
    assert "no-cache" in plain.headers["cache-control"]
    assert client.get(path, headers={"If-None-Match": plain.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", [WORKFLOWS, TASKS, f"{WORKFLOWS}?status=all_paused", f"{TASKS}?tab=dag&dag_id=f_1"])
@pytest.mark.parametrize("who", [("simple", "viewer"), ("fab", READER)])
def test_queries_do_not_grow_with_the_rows(
    session: Session, path: str, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "1000")
    numbers = []
    with web_app(who[0]).active() as web:
        client = web.client(who[1])
        for first, last in ((0, 10), (10, 1000)):
            names = [READERS_DAG if i == 0 else f"f_{i}" for i in range(first, last)]
            flows = [Flow(name, owners=("ann", "bob"), draining=True) for name in names]
            rows.write(flows, session)
            client.get(path)  # the user's permissions are cached
            with counted_queries() as queries:
                assert client.get(path).status_code == 200
            numbers.append(len(queries))
    assert numbers[0] == numbers[1], queries
    # two of them for the bar that tells of a dead monitor
    assert numbers[1] <= 18, queries
