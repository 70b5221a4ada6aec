"""The pages of replenishments: the list, one of them with its grid, the dialogs (requirements 6, 8; D5, D10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.create import create_replenishment
from tests.support.api import fab_user
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.dialogs import Dialogs
from tests.support.pages import cells, get, plain, problems
from tests.support.queries import counted_queries
from tests.support.replenishing import asked, days
from tests.support.warehouse import ALICE, BOB, chain, install

LIST, PAGE = "/pluginsv2/taskops/replenishments", "/pluginsv2/taskops/replenishment"


@pytest.fixture
def web(session: Session) -> Iterator[WebApp]:
    install(session, [chain("orders", "extract", "clean", "load"), chain(READERS_DAG, "pull", "hidden_push")])
    with web_app("simple").active() as app:
        yield app


def create(session: Session, *names: str, actor: Any = ALICE, **more: Any) -> int:
    made = create_replenishment(session, actor, asked(*names, **more), datetime.now(UTC))
    session.commit()
    return int(made.replenishment_id)


def set_cells(session: Session, number: int, state: str, *, task_id: str = "", day: int = 0) -> None:
    """Write what the monitor would."""
    runs = select(ReplenishmentRun.id).where(ReplenishmentRun.replenishment_id == number)
    if day:
        runs = runs.where(ReplenishmentRun.logical_date == days(day, day).first)
    change = update(ReplenishmentCell).where(ReplenishmentCell.of_run_id.in_(runs))
    if task_id:
        change = change.where(ReplenishmentCell.task_id == task_id)
    session.execute(change.values(state=state))
    session.commit()


def set_state(session: Session, number: int, state: str, *, ended: bool = False) -> None:
    now = datetime.now(UTC)
    change = update(Replenishment).where(Replenishment.id == number)
    session.execute(change.values(state=state, started_at=now, ended_at=now if ended else None))
    session.commit()


def grid(page: str) -> dict[str, str]:
    """Task -> the letters of its cells, a dot where there is none."""
    found = re.findall(r'<tr id="l\w+"[^>]*><th[^>]*title="([^"]+)">(.*?)</tr>', page, re.S)
    letters = {}
    for task_id, row in found:
        inner = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
        letters[task_id] = "".join(plain(cell) or "." for cell in inner)
    return letters


def test_the_list_says_how_each_goes(web: WebApp, session: Session) -> None:
    first = create(session, "orders.clean", name="Late source")
    create(session, "orders", READERS_DAG, actor=BOB)
    set_cells(session, first, "success", day=1)
    set_cells(session, first, "failed", day=2)
    set_state(session, first, "running")
    page = get(web, LIST)
    assert cells(page, "called")[1:] == [f"{READERS_DAG} and 1 more", "Late source"]
    assert cells(page, "state")[1:] == ["Queued", "Running"]
    assert re.findall(r"<span>([\d.]+ %)</span></div></td>", page) == ["0.0 %", "66.7 %"]
    assert cells(page, "success")[1:] == ["0.0 %", "33.3 %"]
    assert cells(page, "cells-of")[1:] == ["15", "3 1 failed cell"]
    assert cells(page, "actor")[1:] == ["bob", "alice"]
    assert "<h1>2 replenishments</h1>" in page
    assert 'role="progressbar"' in page
    assert 'aria-valuenow="66.7"' in page
    assert 'href="/pluginsv2/taskops/replenishments" aria-current="page"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("state=running", 1),
        ("state=paused", 0),
        ("workflow=ORD", 2),
        ("workflow=customer", 1),
        (f"dag_id={READERS_DAG}", 1),
        ("actor=bob", 1),
        ("name=late", 1),
        ("name=customer", 1),
        ("name=orders", 1),
        ("since=2999-01-01T00:00", 0),
        ("until=2999-01-01T00:00", 2),
    ],
)
def test_filters(web: WebApp, session: Session, query: str, found: int) -> None:
    set_state(session, create(session, "orders.clean", name="Late source"), "running")
    create(session, "orders", READERS_DAG, actor=BOB)
    page = get(web, f"{LIST}?{query}")
    assert len(cells(page, "called")[1:]) == found
    assert problems(page) == []


def test_what_cannot_be_is_told(web: WebApp, session: Session) -> None:
    assert "is “on_fire”; allowed are" in problems(get(web, f"{LIST}?state=on_fire&sort=colour"))[0]
    assert "replenish create" in get(web, LIST)
    get(web, f"{PAGE}?id=x", status=422)
    get(web, f"{PAGE}?id=7", status=404)
    get(web, f"{LIST}/progress?row=x", status=422, part=True)


def test_rows_that_go_on_look_again_and_then_no_more(web: WebApp, session: Session) -> None:
    over, going = create(session, "orders.clean"), create(session, "orders.load")
    set_state(session, over, "success", ended=True)
    page = get(web, LIST)
    assert f"row={going}.Queued" in page
    assert f"row={over}." not in page
    poll = f"{LIST}/progress?row={going}.Queued"
    part = get(web, poll, part=True)
    assert f'id="r{going}-progress" hx-swap-oob="true"' in part
    assert f"r{going}-more" not in part
    assert f"r{over}-" not in part
    assert "hx-get" in part
    set_state(session, going, "success", ended=True)
    part = get(web, poll, part=True)
    assert f'id="r{going}-more" hx-swap-oob="true"' in part
    assert "hx-get" not in part


def test_the_list_asks_the_same_number_of_queries_for_many(web: WebApp, session: Session) -> None:
    numbers = []
    for _ in range(2):
        create(session, "orders.clean", ranges=[days(1, 1)])
        get(web, LIST)
        with counted_queries() as statements:
            get(web, LIST)
        numbers.append(len(statements))
        for _ in range(5):
            create(session, "orders", ranges=[days(1, 1)])
    assert numbers[0] == numbers[1]


def test_the_grid_shows_each_cell(web: WebApp, session: Session) -> None:
    number = create(session, "orders.extract", "orders.load", reason="source was late", max_active_runs=4)
    set_cells(session, number, "success", task_id="extract", day=1)
    set_cells(session, number, "active", task_id="load", day=1)
    set_cells(session, number, "failed", task_id="extract", day=2)
    run = update(ReplenishmentRun).where(ReplenishmentRun.logical_date < days(3, 3).first)
    session.execute(run.values(run_id="backfill__1"))
    session.commit()
    page = get(web, f"{PAGE}?id={number}")
    assert grid(page) == {"extract": "SFW", "load": "AWW"}
    assert 'title="extract, 2026-01-01 00:00:00 UTC: success; was no run"' in page
    assert 'href="/dags/orders/runs/backfill__1/tasks/extract" data-airflow' in page
    words = plain(page)
    assert "source was late" in words
    assert "Runs at a time 4" in words
    assert "6 no run" in words
    assert "Failed cells" in words
    assert grid(get(web, f"{PAGE}?id={number}&show=failed")) == {"extract": "F"}


def test_a_look_again_brings_only_what_changed(web: WebApp, session: Session) -> None:
    number = create(session, "orders.extract", "orders.load")
    set_state(session, number, "running")
    page = get(web, f"{PAGE}?id={number}", "admin")
    [poll] = re.findall(r'hx-get="([^"]+)"', page)
    poll = poll.replace("&amp;", "&")
    set_cells(session, number, "success", task_id="load", day=3)
    part = get(web, poll, "admin", part=True)
    assert grid(part) == {"load": "WWS"}
    assert "replenishment-grid" not in part
    assert "replenishment-actions" not in part
    [poll] = re.findall(r'hx-get="([^"]+)"', part)
    part = get(web, poll.replace("&amp;", "&"), "admin", part=True)
    assert grid(part) == {}
    set_cells(session, number, "success")
    set_state(session, number, "success", ended=True)
    part = get(web, poll.replace("&amp;", "&"), "admin", part=True)
    assert "hx-get" not in part
    assert grid(part) == {"extract": "SSS", "load": "SSS"}
    assert "replenishment-actions" in part


def test_the_window_is_bounded_and_its_queries_constant(web: WebApp, session: Session) -> None:
    small = create(session, "orders.clean", ranges=[days(1, 2)])
    large = create(session, "orders", ranges=[days(1, 100)])
    counts = []
    for number in (small, large):
        with counted_queries() as statements:
            page = get(web, f"{PAGE}?id={number}")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert {len(letters) for letters in grid(page).values()} == {60}
    page = get(web, f"{PAGE}?id={large}&cycles=2")
    assert {len(letters) for letters in grid(page).values()} == {40}
    assert "61–100" in plain(page)
    run = update(ReplenishmentRun).where(ReplenishmentRun.logical_date == days(70, 70).first)
    session.execute(run.values(state="active"))
    session.commit()
    # it opens where it is at work; the looks at it stay there
    page = get(web, f"{PAGE}?id={large}")
    assert "61–100" in plain(page)
    assert f"progress?id={large}&amp;cycles=2&amp;seen=" in page
    assert "1–60" in plain(get(web, f"{PAGE}?id={large}&cycles=1"))
    # behind the end: the last one
    assert {len(letters) for letters in grid(get(web, f"{PAGE}?id={large}&cycles=99")).values()} == {40}


def test_pause_resume_cancel_retry(web: WebApp, session: Session) -> None:
    number = create(session, "orders.clean")
    set_state(session, number, "running")
    set_cells(session, number, "active", day=1)
    admin = Dialogs(web)
    part = admin.post("replenishment/pause", target=number)
    assert part.title == f"Pause replenishment {number}?"
    assert "2 cells wait and will not start until it is resumed." in part.words
    assert "1 cell runs and will go on to the end." in part.words
    part = admin.post("replenishment/pause", target=number, step="apply", reason="later")
    assert part.title == f"Replenishment {number} is paused"
    assert part.answer.headers["HX-Trigger"] == "taskops:changed"
    assert "would have to be queued or running" in admin.post("replenishment/pause", 409, target=number).problem
    assert (
        "applies to those that are queued"
        in admin.post("replenishment/pause", 409, target=number, step="apply").problem
    )
    assert "goes on" in admin.post("replenishment/resume", target=number, step="apply").title
    part = admin.post("replenishment/cancel", target=number)
    assert "1 cell runs and will be ended" in part.words
    assert part.html.count('type="radio"') == 2
    words = admin.post("replenishment/cancel", target=number, step="apply").words
    assert "2 cells will never execute. 1 cell is left to run to the end." in words
    set_state(session, number, "cancelled", ended=True)
    part = admin.post("replenishment/retry", target=number)
    assert "0 failed cells and 2 cancelled cells will execute again" in part.words
    assert "2 cells will execute" in admin.post("replenishment/retry", target=number, step="apply").words
    session.expire_all()
    assert session.scalars(select(Replenishment.state)).one() == "running"


def test_what_does_not_apply_is_greyed_with_the_reason(web: WebApp, session: Session) -> None:
    number = create(session, "orders.clean")
    page = get(web, f"{PAGE}?id={number}", "admin")
    buttons = dict(re.findall(r'<button type="button" id="do-(\w+)"([^>]*)>', page))
    assert "hx-post" in buttons["pause"]
    assert "hx-post" in buttons["cancel"]
    assert "it would have to be paused" in buttons["resume"]
    assert "it would have to be over" in buttons["retry"]
    assert 'id="do-pause"' not in get(web, f"{PAGE}?id={number}", "viewer")
    assert "replenishment/pause" in get(web, LIST, "admin")
    assert "replenishment/pause" not in get(web, LIST, "viewer")


def test_the_record_and_the_workflow_lead_to_it(web: WebApp, session: Session) -> None:
    number = create(session, "orders.clean")
    record = session.scalars(select(Replenishment.operation_id)).one()
    page = get(web, f"/pluginsv2/taskops/operation?id={record}")
    assert f'href="/pluginsv2/taskops/replenishment?id={number}"' in page
    assert f'href="/pluginsv2/taskops/operation?id={record}"' in get(web, f"{PAGE}?id={number}")
    page = get(web, "/pluginsv2/taskops/workflow?dag_id=orders")
    assert 'href="/pluginsv2/taskops/replenishments?dag_id=orders"' in page


class TestAccess:
    @pytest.fixture
    def fab(self, session: Session) -> Iterator[WebApp]:
        install(session, [chain("orders", "extract", "clean", "load"), chain(READERS_DAG, "pull", "push")])
        with web_app("fab").active() as app:
            yield app

    def test_a_reader_of_one_of_two_dags_sees_just_its_cells_and_names(self, fab: WebApp, session: Session) -> None:
        """Requirements 10: names of Dags that may not be read appear nowhere; nor are they found by filters."""
        number = create(session, "orders", READERS_DAG, "orders.load", ranges=[days(1, 2)])
        other = create(session, "orders.load", name="Secret")
        set_cells(session, number, "failed")
        pages = [
            get(fab, LIST, READER),
            get(fab, f"{PAGE}?id={number}", READER),
            get(fab, f"{PAGE}?id={number}&show=failed", READER),
            get(fab, f"{PAGE}/progress?id={number}", READER, part=True),
            get(fab, f"{LIST}/progress?row={number}.x&row={other}.x", READER, part=True),
        ]
        for page in pages:
            for hidden in ("orders", "extract", "clean", "Secret"):
                assert hidden not in page, hidden
        # cells are instances, which this reader may not read
        assert grid(pages[1]) == {}
        seen = [("can_read", f"DAG:{READERS_DAG}"), ("can_read", "Task Instances"), ("can_read", "DAG Runs")]
        cell_reader = fab_user(fab, "cell_reader", *seen)
        assert grid(get(fab, f"{PAGE}?id={number}", cell_reader)) == {"pull": "FF", "push": "FF"}
        assert cells(get(fab, LIST, cell_reader), "cells-of")[1:] == ["4 4 failed cells"]
        assert cells(pages[0], "cells-of")[1:] == ["0"]
        assert "no cells that you may read" in pages[1]
        get(fab, f"{PAGE}?id={other}", READER, status=404)
        for query in ("dag_id=orders", "workflow=orders", "name=orders", "name=Secret"):
            assert cells(get(fab, f"{LIST}?{query}", READER), "called")[1:] == [], query

    @pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "retry"])
    @pytest.mark.parametrize("kind", ["simple", "fab"])
    def test_who_may_not_edit_changes_nothing(self, session: Session, verb: str, kind: str) -> None:
        install(session, [chain("orders", "extract", "clean", "load")])
        with web_app(kind).active() as app:
            number = create(session, "orders.clean")
            path = f"replenishment/{verb}"
            for step in ("preview", "apply"):
                part = Dialogs(app, "viewer").post(path, 403, target=number, step=step)
                assert "may not edit" in part.problem
            part = Dialogs(app, token="rubbish").post(path, 403, target=number, step="apply")
            assert "Reload it and try again" in part.words
            assert Dialogs(app, None).post(path, 401, target=number, step="apply").html == ""
            assert app.client("admin").get(f"/pluginsv2/taskops/{path}").status_code == 405
        session.expire_all()
        assert session.scalars(select(Replenishment.state)).one() == "queued"

    def test_text_from_people_is_escaped(self, web: WebApp, session: Session) -> None:
        evil = "<script>alert(1)</script>"
        number = create(session, "orders.clean", name=evil, reason=evil, conf={"a": evil})
        for page in (
            get(web, LIST),
            get(web, f"{PAGE}?id={number}"),
            Dialogs(web).post("replenishment/cancel", target=number).html,
            Dialogs(web).post("replenishment/cancel", 422, target=evil).html,
            Dialogs(web).post("replenishment/cancel", 422, target=number, running=evil).html,
        ):
            assert "<script>a" not in page
            assert " style=" not in page


def test_a_replenishment_created_long_ago_is_found_by_time(web: WebApp, session: Session) -> None:
    number = create(session, "orders.clean")
    past = datetime.now(UTC) - timedelta(days=3)
    session.execute(update(Replenishment).values(created_at=past))
    session.commit()
    since = f"{past + timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert cells(get(web, f"{LIST}?since={since}"), "called")[1:] == []
    assert str(number) in cells(get(web, f"{LIST}?until={since}"), "number")
