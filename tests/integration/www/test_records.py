"""The operation records: what the list and the page of one say, to whom (D2, D4, D10, B24)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import Export, Operation, OperationItem, Task
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports import prepare as export_prepare
from taskops_provider.services.exports import request
from taskops_provider.services.operations import strict_mode_setting, undo
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support import rows
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.pages import cells, get, plain, problems
from tests.support.queries import counted_queries
from tests.support.warehouse import ALICE, BOB, chain, install, operate, retail

LIST, PAGE = "/pluginsv2/taskops/operations", "/pluginsv2/taskops/operation"


@pytest.fixture
def web() -> Iterator[WebApp]:
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def warehouse(session: Session) -> Session:
    install(session, retail())
    return session


def told(page: str) -> list[str]:
    """What the operations of a list did."""
    return [words for words in cells(page, "what") if words != "What"]


def test_who_did_what_when_from_where_why_and_what_came_of_it(web: WebApp, warehouse: Session) -> None:
    operate(warehouse, "pause", "orders.clean", "orders.load", reason="late source", ticket="https://t.example/b/OPS-7")
    operate(warehouse, "pause", "orders.clean", "orders.extract", actor=BOB)
    operate(warehouse, "start", "sales.sum")
    page = get(web, LIST)
    assert told(page) == [
        "Could not start task sum of sales",
        "Paused 1 of 2 tasks of orders",
        "Paused 2 tasks of orders",
    ]
    assert cells(page, "actor")[1:] == ["alice", "bob", "alice"]
    assert cells(page, "source")[1:] == ["Command line", "REST API", "Command line"]
    assert cells(page, "outcome")[1:] == [
        "Refused 1 left alone",
        "Partial success 1 applied, 1 left alone",
        "Success 2 applied",
    ]
    assert cells(page, "reason")[1:] == ["–", "–", "late source"]
    assert '<a class="cut" href="https://t.example/b/OPS-7" title="https://t.example/b/OPS-7" data-outside' in page
    assert ">OPS-7</a>" in page
    assert "<h1>3 operations</h1>" in page


WORDS = [
    (("pause", "orders"), {}, "Paused workflow orders (3 tasks)"),
    (("offline", "orders", "sales"), {}, "Took 2 workflows (5 tasks) offline"),
    (("pause", "orders.clean", "sales.sum"), {}, "Paused 2 tasks of 2 workflows"),
    (("set-owners", "orders"), {"owners": ["zoe"]}, "Changed the owners of workflow orders"),
    (("set-owners", "orders.clean"), {"owners": ["zoe"]}, "Changed the owners of task clean of orders"),
    (("start", "orders"), {}, "Could not start workflow orders"),
]


@pytest.mark.parametrize(("request_", "options", "words"), WORDS, ids=[words for *_, words in WORDS])
def test_operations_are_told_in_words(web, warehouse, request_, options, words) -> None:
    done = operate(warehouse, *request_, **options)
    assert told(get(web, LIST)) == [words]
    assert words in plain(get(web, f"{PAGE}?id={done.operation_id}"))


def test_undo_settings_and_downloads_are_told_too(web: WebApp, warehouse: Session) -> None:
    done = operate(warehouse, "pause", "orders.clean")
    undo.undo(warehouse, BOB, done.operation_id)
    warehouse.commit()
    strict_mode_setting.set_strict_mode(warehouse, ALICE, None, True, datetime.now(UTC))
    request.request_export(warehouse, ALICE, TaskFilter(), "csv", datetime.now(UTC))
    warehouse.commit()
    page = get(web, LIST)
    project = strict_mode_setting.list_strict_mode(warehouse, ALICE)[0].project
    assert told(page) == [
        "Download of tasks as CSV",
        f"Turned strict mode on for project {project}",
        f"Undid operation {done.operation_id}: pause of task clean of orders",
        "Paused task clean of orders",
    ]
    assert cells(page, "undo")[1:] == ["–", "–", f"Undoes {done.operation_id}", f"Undone by {done.operation_id + 1}"]


def test_operations_of_a_future_version_have_words_as_well(web: WebApp, warehouse: Session) -> None:
    done = operate(warehouse, "pause", "orders.clean")
    warehouse.execute(update(Operation).values(verb="re-shuffle"))
    warehouse.commit()
    assert told(get(web, LIST)) == ["Re shuffle: task clean of orders"]
    get(web, f"{PAGE}?id={done.operation_id}")


def many(warehouse: Session) -> None:
    operate(warehouse, "pause", "orders.clean", ticket="OPS-17")
    operate(warehouse, "pause", "sales.sum", actor=BOB, ticket="100%")
    operate(warehouse, "start", "orders.extract", actor=Actor("carol", "ui", UnrestrictedPermissions()))
    operate(warehouse, "offline", "mart.build", "report.send")
    base = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for number, operation in enumerate(warehouse.scalars(select(Operation).order_by(Operation.id))):
        operation.at = base + timedelta(hours=number)
    warehouse.commit()


FILTERS = [
    ("verb=pause", 2),
    ("verb=pause&verb=start", 3),
    ("actor=alice", 2),
    ("actor=alice&actor=carol", 3),
    ("source=ui", 1),
    ("source=api&source=cli", 3),
    ("outcome=refused", 1),
    ("workflow=ORD", 2),
    ("workflow=r", 3),
    ("workflow=%25", 0),
    ("task=su", 1),
    ("task=uil&workflow=mart", 1),
    ("task=send&workflow=mart", 0),
    ("dag_id=orders", 2),
    ("dag_id=orders&task_id=clean", 1),
    ("ticket=ops", 1),
    ("ticket=%25", 1),
    ("since=2026-03-01T13:00", 3),
    ("until=2026-03-01T12:59", 1),
    ("since=2026-03-01T13:00&until=2026-03-01T14:00", 2),
    ("since=2026-03-01T14:00&zone=Europe/Berlin", 3),
    ("verb=pause&actor=bob&since=2026-03-01T00:00", 1),
]


@pytest.mark.parametrize(("query", "number"), FILTERS)
def test_filters(web: WebApp, warehouse: Session, query: str, number: int) -> None:
    many(warehouse)
    page = get(web, f"{LIST}?{query}")
    assert len(told(page)) == number
    assert problems(page) == []
    if not number:
        assert "Nothing matches" in page
    if "zone" not in query:
        # D10: the same on the REST API
        assert web.client("viewer").get(f"/taskops/v1/operations?{query}").json()["total_entries"] == number
    # each filter can be taken away again
    assert len(re.findall('aria-label="Remove filter', page)) == len([p for p in query.split("&") if "zone" not in p])


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("source=fax", "Source is “fax”; allowed are ui, cli,"),
        ("outcome=x", "Outcome is “x”; allowed are"),
        ("since=yesterday", "Since is “yesterday”; allowed are a date and time"),
        ("since=0001-01-01T00:00&zone=Asia/Tokyo", "Since is “0001-01-01T00:00”"),
        ("zone=Mars/Base&since=2026-01-01T00:00", "Time zone “Mars/Base” does not exist; UTC is taken."),
        ("sort=colour", "Sort order is “colour”; allowed are"),
    ],
)
def test_what_cannot_be_gives_one_line_and_the_list_all_the_same(web, warehouse, query, line) -> None:
    many(warehouse)
    page = get(web, f"{LIST}?{query}")
    assert len(problems(page)) == 1
    assert problems(page)[0].startswith(line)
    assert len(told(page)) == 4


def test_the_last_moment_there_is(web: WebApp, warehouse: Session) -> None:
    many(warehouse)
    assert len(told(get(web, f"{LIST}?until=9999-12-31T23:59"))) == 4


def test_sorting_and_pages(web: WebApp, warehouse: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    many(warehouse)
    assert "Paused task clean" in told(get(web, f"{LIST}?sort=at"))[0]
    assert cells(get(web, f"{LIST}?sort=actor"), "actor")[1:] == ["alice", "alice", "bob", "carol"]
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "3")
    page = get(web, f"{LIST}?page=2")
    assert len(told(page)) == 1
    assert "Page 2 of 2" in page


def test_views_of_ones_own(web: WebApp, warehouse: Session) -> None:
    many(warehouse)
    page = get(web, LIST, "op")
    views = dict(re.findall(r'<a href="([^"]+)"[^>]*>(All|Mine|Downloads)</a>', page))
    assert {label: unescape(url) for url, label in views.items()} == {
        "All": LIST, "Mine": f"{LIST}?actor=op", "Downloads": f"{LIST}?verb=export",
    }  # fmt: skip
    assert 'aria-current="true">All</a>' in page
    assert 'aria-current="true">Downloads</a>' in get(web, f"{LIST}?verb=export", "op")


def test_empty_lists_say_what_will_be_here(web: WebApp, session: Session) -> None:
    assert "No operations yet" in get(web, LIST)
    rows.write([rows.Flow(READERS_DAG)], session)
    with web_app("fab").active() as fab:
        assert "No operations that you may see" in get(fab, LIST, READER)


def test_the_page_of_an_operation(web: WebApp, warehouse: Session) -> None:
    done = operate(
        warehouse, "pause", "orders.clean", "orders.load", "orders.extract",
        reason="line one\n<b>two</b>", ticket="OPS-1", downstream="hold", terminate_instances=True,
        resume_at=datetime(2099, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    page = get(web, f"{PAGE}?id={done.operation_id}", "op")
    words = plain(page)
    for expected in (
        f"Operation {done.operation_id} Paused 3 tasks of orders", "hold: gated instances wait", "2099-01-01 00:00:00",
        "terminated: 0", "OPS-1", "Command line", "alice", "line one <b>two</b>",
    ):  # fmt: skip
        assert expected in words, expected
    assert "<b>two" not in page
    assert cells(page, "task") == ["clean", "load", "extract"]
    assert cells(page, "becomes") == ["Scheduling → Paused"] * 3
    assert 'href="/pluginsv2/taskops/task?dag_id=orders&amp;task_id=clean"' in page
    assert 'hx-post="/pluginsv2/taskops/undo"' in page
    assert f"{{&#34;operation_id&#34;: &#34;{done.operation_id}&#34;}}" in page.replace("&quot;", "&#34;")


def test_targets_by_outcome_and_page(web: WebApp, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"t{number:02}" for number in range(12)]
    install(session, [chain("long", *names)])
    operate(session, "pause", *(f"long.{name}" for name in names[:5]))
    done = operate(session, "pause", *(f"long.{name}" for name in names))
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "5")
    page = get(web, f"{PAGE}?id={done.operation_id}")
    tabs = re.findall(r'<a href="([^"]+)"[^>]*>(\w[\w ]*) <span class="aside">(\d+)', page)
    assert [(label, number) for _, label, number in tabs] == [("All", "12"), ("Applied", "7"), ("Left alone", "5")]
    assert "Page 1 of 3" in page
    left = get(web, unescape(tabs[2][0]))
    assert cells(left, "task") == names[:5]
    assert cells(left, "remark") == ["is paused; pause applies to tasks that are scheduling"] * 5
    assert cells(get(web, f"{PAGE}?id={done.operation_id}&outcome=applied&page=2"), "task") == names[10:]
    assert problems(get(web, f"{PAGE}?id={done.operation_id}&outcome=lost")) == [
        "Outcome is “lost”; allowed are applied, left_alone, blocked."
    ]


def test_what_blocked_a_target_is_named(web: WebApp, warehouse: Session) -> None:
    """A18: with type, schedule, owners and workflow."""
    strict_mode_setting.set_strict_mode(warehouse, ALICE, None, True, datetime.now(UTC))
    done = operate(warehouse, "pause", "orders.load", "report.send")
    page = get(web, f"{PAGE}?id={done.operation_id}")
    [remark, _] = cells(page, "remark")
    assert remark.startswith("strict mode: has downstream tasks that are not offline")
    assert "wait ExternalTaskSensor · Hour" in remark
    assert remark.endswith("workflow sales")
    assert "task?dag_id=sales&amp;task_id=wait" in page


def test_owners_before_and_after(web: WebApp, warehouse: Session) -> None:
    """B17, A15: an owner operation shows owners, and so does its undo; the API and the command line say the same."""
    done = operate(warehouse, "set-owners", "orders.clean", owners=["zoe", "yan"])
    assert cells(get(web, f"{PAGE}?id={done.operation_id}"), "becomes") == ["ann, bob → zoe, yan"]
    undone = undo.undo(warehouse, ALICE, done.operation_id)
    warehouse.commit()
    assert cells(get(web, f"{PAGE}?id={undone.operation_id}"), "becomes") == ["yan, zoe → ann, bob"]
    item = web.client("viewer").get(f"/taskops/v1/operations/{done.operation_id}").json()["items"][0]
    assert (item["owners_before"], item["owners_after"]) == (["ann", "bob"], ["zoe", "yan"])


def test_undo_is_offered_where_it_can_be_and_may_be(web: WebApp, warehouse: Session) -> None:
    """D4: not to who may not, not twice, not for what changed nothing or cannot be undone."""
    offer = 'hx-post="/pluginsv2/taskops/undo"'
    done = operate(warehouse, "pause", "orders.clean")
    refused = operate(warehouse, "pause", "orders.clean")
    path = f"{PAGE}?id={done.operation_id}"
    assert offer in get(web, path, "op")
    assert offer not in get(web, path, "viewer")
    assert offer not in get(web, f"{PAGE}?id={refused.operation_id}", "op")
    undone = undo.undo(warehouse, ALICE, done.operation_id)
    export = request.request_export(warehouse, ALICE, TaskFilter(), "csv", datetime.now(UTC))
    warehouse.commit()
    page = get(web, path, "op")
    assert offer not in page
    assert f"Undone by {undone.operation_id}" in plain(page)
    assert offer in get(web, f"{PAGE}?id={undone.operation_id}", "op")
    assert offer not in get(web, f"{PAGE}?id={export.operation_id}", "op")


@pytest.mark.parametrize(("number", "status"), [("7777", 404), ("x", 422), ("", 422), ("0", 422), ("9" * 25, 422)])
def test_operations_that_do_not_exist(web: WebApp, session: Session, number: str, status: int) -> None:
    page = get(web, f"{PAGE}?id={number}", status=status)
    assert ("does not exist" if status == 404 else "is the number of a record") in page


def test_names_of_dags_that_one_may_not_read_are_nowhere(warehouse: Session) -> None:
    install(warehouse, [chain(READERS_DAG, "a", "b")])
    both = operate(warehouse, "pause", f"{READERS_DAG}.a", "sales.sum")
    hidden = operate(warehouse, "pause", "orders.clean", reason="orders are late", actor=BOB)
    with web_app("fab").active() as fab:
        page = get(fab, LIST, READER)
        assert told(page) == [f"Paused task a of {READERS_DAG}"]
        assert cells(page, "outcome")[1:] == ["Success 1 applied"]
        assert not [name for name in ("sales", "orders", "clean", "bob", "late") if name in page]
        shown = get(fab, f"{PAGE}?id={both.operation_id}", READER)
        assert cells(shown, "task") == ["a"]
        assert "sales" not in shown
        get(fab, f"{PAGE}?id={hidden.operation_id}", READER, status=404)
        assert told(get(fab, f"{LIST}?workflow=sal", READER)) == []


# downloads


def ask(session: Session, name: str = "op") -> tuple[int, int]:
    """A person asks for a download: (number of the export, of its record)."""
    made = request.request_export(
        session, Actor(name, "ui", UnrestrictedPermissions()), TaskFilter(), "csv", datetime.now(UTC)
    )
    session.commit()
    return made.export_id, made.operation_id


def prepare(session: Session) -> None:
    while export_prepare.prepare_next(session, datetime.now(UTC)):
        session.commit()
    session.commit()


def test_a_download_is_waited_for_and_fetched_by_who_asked_for_it(web: WebApp, warehouse: Session) -> None:
    export_id, number = ask(warehouse)
    part = f"/pluginsv2/taskops/operation/download?id={number}"
    for path, is_part in ((f"{LIST}?verb=export", False), (f"{PAGE}?id={number}", False), (part, True)):
        page = get(web, path, "op", part=is_part)
        assert f'hx-get="{part}" hx-trigger="every 2s" hx-swap="outerHTML" aria-live="polite"' in page
        assert "Waiting" in page
    warehouse.execute(update(Export).values(state="preparing", row_count=12345))
    warehouse.commit()
    assert "Preparing 12,345 rows so far" in plain(get(web, part, "op", part=True))
    warehouse.execute(update(Export).values(state="queued", row_count=0))
    prepare(warehouse)
    done = get(web, part, "op", part=True)
    # the answer that is the end does not ask again
    assert "hx-get" not in done
    assert re.search(r"Ready Download 9 rows, \d\.\d kB", plain(done))
    file = re.search(r'href="([^"]+)" download', done).group(1)  # type: ignore[union-attr]
    assert file == f"/taskops/v1/exports/{export_id}/content"
    content = web.client("op").get(file)
    assert "attachment" in content.headers["content-disposition"]
    assert "orders,clean" in content.text
    # others see that it was made, and no file
    for path in (f"{LIST}?verb=export", f"{PAGE}?id={number}"):
        assert "Ready" in get(web, path, "admin")
        assert "/content" not in get(web, path, "admin")
    assert web.client("admin").get(file).status_code == 404


def test_a_download_that_failed_says_why_and_an_old_one_has_expired(web: WebApp, warehouse: Session) -> None:
    _, number = ask(warehouse)
    warehouse.execute(update(Export).values(state="failed", error="OSError: <disk> is full"))
    warehouse.commit()
    page = get(web, LIST, "op")
    assert "Failed OSError: <disk> is full; ask for it again" in plain(page)
    assert "<disk>" not in page
    assert "hx-get" not in page
    warehouse.query(Export).delete()
    warehouse.commit()
    for path in (LIST, f"{PAGE}?id={number}"):
        assert "Expired" in get(web, path, "op")


def test_who_waits_for_long_asks_less_often(web: WebApp, warehouse: Session) -> None:
    _, number = ask(warehouse)
    warehouse.execute(update(Operation).values(at=datetime.now(UTC) - timedelta(hours=1)))
    warehouse.commit()
    assert 'hx-trigger="every 15s"' in get(web, f"{PAGE}?id={number}", "op")


@pytest.mark.parametrize("path", [LIST, f"{LIST}?workflow=f_&task=step&verb=pause", f"{PAGE}?id="])
@pytest.mark.parametrize("who", [("simple", "admin"), ("fab", READER)])
def test_queries_do_not_grow_with_the_records(
    session: Session, path: str, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "500")
    rows.write([rows.Flow(READERS_DAG), rows.Flow("f_1")], session)
    numbers = []
    with web_app(who[0]).active() as web:
        client = web.client(who[1])
        for count in (3, 300):
            last = _records(session, count)
            address = f"{path}{last}" if path.endswith("id=") else path
            client.get(address)
            with counted_queries() as queries:
                assert client.get(address).status_code == 200
            numbers.append(len(queries))
    assert numbers[0] == numbers[1], queries
    assert numbers[1] <= 14, queries


def _records(session: Session, count: int) -> int:
    """So many operations, the last of them on so many targets."""
    tasks = session.execute(select(Task.dag_id, Task.task_id)).all()
    for _ in range(count):
        operation = Operation(
            verb="pause", scope="task", at=datetime.now(UTC), actor="ann", source="cli", options={}, outcome="success",
            applied=2, left_alone=0, blocked=0,
        )  # fmt: skip
        session.add(operation)
        session.flush()
        for dag_id, task_id in tasks:
            session.add(OperationItem(operation_id=operation.id, dag_id=dag_id, task_id=task_id, outcome="applied"))
    for number in range(count):
        item = OperationItem(operation_id=operation.id, dag_id=READERS_DAG, task_id=f"more_{number}", outcome="applied")
        item.blocked_by = [
            {"dag_id": "f_1", "task_id": "x", "name": "x", "task_type": "", "period": "day", "owners": []}
        ]
        session.add(item)
    session.commit()
    return operation.id
