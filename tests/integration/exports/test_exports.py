"""Downloads: asked for, prepared by the monitor in slices, fetched by who asked (B24, requirements 10)."""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.utils.session import create_session
from sqlalchemy import func, select, update

from taskops_provider.exceptions import BadInput, Conflict, Forbidden, ResourceNotFound
from taskops_provider.models import Export, ExportPiece, Operation, Task
from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter
from taskops_provider.services.catalog.tasks import TASK_FIELDS
from taskops_provider.services.exports import prepare as export_prepare
from taskops_provider.services.exports import request, store
from taskops_provider.services.shared.actor import Actor
from tests.support import rows
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.exports import prepare
from tests.support.warehouse import ALICE, BOB, Limited, install, operate, retail


@pytest.fixture
def api(session):
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def warehouse(session):
    install(session, retail())
    return session


def content_of(session, actor, export_id) -> bytes:
    found = request.open_content(session, actor, export_id, lambda: create_session(scoped=False))
    content = b"".join(found.pieces)
    assert len(content) == found.size
    return content


def ask(session, where, form="csv", actor=ALICE) -> int:
    export = request.request_export(session, actor, where, form, datetime.now(UTC))
    session.commit()
    return export.export_id


def test_a_list_is_prepared_in_the_background_and_fetched(api, warehouse):
    operate(warehouse, "pause", "orders.clean", reason='a "quoted", reason\nof two lines')
    asked = api.post("exports", 202, kind="tasks", filter={"dag_id": ["orders"]})
    assert (asked["state"], asked["format"], asked["filter"]) == ("queued", "csv", {"dag_id": ["orders"]})
    path = f"exports/{asked['export_id']}"
    assert "is queued" in api.refused(409, "GET", f"{path}/content")
    prepare(warehouse)
    shown = api.get(path)
    assert (shown["state"], shown["rows"], shown["error"]) == ("ready", 3, None)
    answer = api.ask("GET", f"{path}/content")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="taskops-tasks-{asked["export_id"]}.csv"'
    assert len(answer.content) == shown["size"]
    found = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert list(found[0]) == list(TASK_FIELDS)
    assert [row["task_id"] for row in found] == ["clean", "extract", "load"]
    assert found[0]["reason"] == 'a "quoted", reason\nof two lines'
    assert found[0]["owners"] == "ann; bob"
    listed = {(task["dag_id"], task["task_id"]): task for task in api.get("tasks")["tasks"]}
    assert found[0]["first_submitted_at"] == listed["orders", "clean"]["first_submitted_at"]


@pytest.mark.parametrize(("kind", "count"), [("tasks", 9), ("workflows", 4)])
def test_json_is_the_list_itself(api, warehouse, kind, count):
    asked = api.post("exports", 202, kind=kind, format="json")
    prepare(warehouse)
    answer = api.ask("GET", f"exports/{asked['export_id']}/content")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == api.get(kind)[kind]
    assert len(answer.json()) == count


def test_nothing_that_matches_is_a_header_or_an_empty_list(session):
    numbers = [ask(session, TaskFilter(search="none"), form) for form in ("csv", "json")]
    prepare(session)
    # a byte order mark, by which spreadsheets know that it is UTF-8 (case 26)
    assert content_of(session, ALICE, numbers[0]) == b"\xef\xbb\xbf" + ",".join(TASK_FIELDS).encode() + b"\n"
    assert json.loads(content_of(session, ALICE, numbers[1])) == []


def test_it_is_listed_in_the_operation_records(api, warehouse):
    asked = api.post("exports", 202, kind="workflows", filter={"status": ["all_scheduling"]})
    [record] = api.get("operations", verb="export")["operations"]
    assert record["operation_id"] == asked["operation_id"]
    assert record["options"]["filter"] == {"status": ["all_scheduling"]}
    assert record["export"] == {"export_id": asked["export_id"], "state": "queued", "error": None, "rows": 0, "size": 0}
    prepare(warehouse)
    shown = api.get(f"operations/{record['operation_id']}")
    assert (shown["export"]["state"], shown["export"]["rows"], shown["counts"]["applied"]) == ("ready", 4, 4)
    assert "undo restores states" in api.refused(409, "POST", f"operations/{record['operation_id']}/undo", json={})


FORMULAS = [
    "a\r=1",
    "a\n=1",
    'a"\r"=1',
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(A1)",
    "=cmd|' /C calc'!A0",
]


def test_formulas_are_harmless(session):
    rows.write([rows.Flow("flow", states=("paused",), tasks=("one",))], session)
    for formula in FORMULAS:
        session.execute(update(Task).where(Task.task_id == "one").values(reason=formula, pool=formula))
        export_id = ask(session, TaskFilter())
        prepare(session)
        text = content_of(session, ALICE, export_id).decode("utf-8-sig")
        [row] = csv.DictReader(io.StringIO(text, newline=""))
        harmless = formula if formula.startswith("a") else f"'{formula}"
        assert row["reason"] == row["pool"] == harmless
        assert not any(str(value).startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


def test_only_who_asked_sees_and_fetches_it(warehouse, session):
    with web_app("simple").active() as web:
        admin, op = Api(web, "admin"), Api(web, "op")
        asked = admin.post("exports", 202, kind="tasks")
        prepare(session)
        for path in (f"exports/{asked['export_id']}", f"exports/{asked['export_id']}/content"):
            assert op.refused(404, "GET", path) == f"export {asked['export_id']} does not exist"


def test_it_holds_what_the_asker_may_read_and_who_lost_the_right_loses_it(warehouse):
    limited = Actor("lea", "api", Limited(["orders"]))
    number = ask(warehouse, TaskFilter(), actor=limited)
    prepare(warehouse)
    text = content_of(warehouse, limited, number).decode("utf-8-sig")
    assert "orders,clean" in text
    assert "sales" not in text
    with pytest.raises(Forbidden, match="no longer read all that is in this export"):
        content_of(warehouse, Actor("lea", "api", Limited(["mart"])), number)
    with pytest.raises(ResourceNotFound):
        content_of(warehouse, BOB, number)
    of_all = ask(warehouse, TaskFilter())
    prepare(warehouse)
    with pytest.raises(Forbidden):
        content_of(warehouse, Actor("alice", "api", Limited(["orders"])), of_all)


def test_what_cannot_be_is_refused(api, warehouse):
    def refused(**body):
        return api.refused(422, "POST", "exports", json=body)

    assert "kind" in refused(kind="dags")
    assert "kind" in refused()
    assert "format is 'xlsx'; allowed are csv, json" in refused(kind="tasks", format="xlsx")
    assert "filter.status[0] is 'napping'; allowed are scheduling" in refused(
        kind="tasks", filter={"status": ["napping"]}
    )
    assert "filter.limit: there is no such field" in refused(kind="tasks", filter={"limit": 5})
    with pytest.raises(BadInput, match="format is 'xlsx'"):
        ask(warehouse, TaskFilter(), "xlsx")
    with pytest.raises(BadInput, match="status is 'x'"):
        ask(warehouse, WorkflowFilter(statuses=("x",)))
    with pytest.raises(BadInput, match="period is 'x'"):
        ask(warehouse, TaskFilter(periods=("x",)))


def test_one_person_has_ten_under_way_at_most(api, warehouse):
    for _ in range(10):
        api.post("exports", 202, kind="tasks")
    assert "10 of your exports are not ready" in api.refused(409, "POST", "exports", json={"kind": "tasks"})
    prepare(warehouse)
    api.post("exports", 202, kind="tasks")


def test_it_is_prepared_in_slices_and_a_killed_one_goes_on(session, monkeypatch):
    rows.write(list(rows.crowd(500)), session)
    monkeypatch.setattr(export_prepare, "ROWS", 700)
    monkeypatch.setattr(export_prepare, "SECONDS", 0)
    number = ask(session, TaskFilter())
    export_prepare.prepare_next(session, datetime.now(UTC))
    session.commit()
    export_prepare.prepare_next(session, datetime.now(UTC))
    session.rollback()  # killed before the commit
    session.expire_all()
    assert session.get(Export, number).row_count == 700
    assert prepare(session) == 7
    text = content_of(session, ALICE, number).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    pairs = [(row["dag_id"], row["task_id"]) for row in found]
    assert len(pairs) == len(set(pairs)) == session.scalar(select(func.count()).select_from(Task)) == 5000
    assert pairs == sorted(pairs)
    assert session.scalar(select(func.count()).select_from(ExportPiece)) == 8


def test_two_monitors_do_not_write_a_piece_twice(warehouse, monkeypatch):
    """The lease keeps them apart; should it fail, the database does."""
    from sqlalchemy.exc import IntegrityError

    number = ask(warehouse, TaskFilter())
    store.write_piece(warehouse, warehouse.get(Export, number), 0, b"by another monitor")
    warehouse.commit()
    with pytest.raises(IntegrityError):
        export_prepare.prepare_next(warehouse, datetime.now(UTC))
    warehouse.rollback()
    assert warehouse.get(Export, number).state == "queued"


def test_trouble_fails_it_with_a_line_and_the_next_one_goes_on(warehouse, monkeypatch):
    broken, good = ask(warehouse, TaskFilter()), ask(warehouse, WorkflowFilter())

    def breaks(*_args):
        raise OSError("no space left\nat all")

    with monkeypatch.context() as patch:
        patch.setattr(export_prepare, "write_piece", breaks)
        assert export_prepare.prepare_next(warehouse, datetime.now(UTC))
        warehouse.commit()
    shown = request.get_export(warehouse, ALICE, broken)
    assert (shown.state, shown.error, shown.rows) == ("failed", "OSError", 0)
    with pytest.raises(Conflict, match="failed: OSError; ask for it again"):
        content_of(warehouse, ALICE, broken)
    prepare(warehouse)
    assert request.get_export(warehouse, ALICE, good).state == "ready"


def test_one_that_nobody_prepares_for_a_day_fails(warehouse):
    number = ask(warehouse, TaskFilter())
    assert export_prepare.prepare_next(warehouse, datetime.now(UTC) + timedelta(days=1, minutes=1))
    warehouse.commit()
    assert "within a day" in request.get_export(warehouse, ALICE, number).error


def test_old_ones_are_deleted_with_their_pieces(warehouse):
    number = ask(warehouse, TaskFilter())
    prepare(warehouse)
    assert not export_prepare.prepare_next(warehouse, datetime.now(UTC) + timedelta(days=179))
    assert export_prepare.prepare_next(warehouse, datetime.now(UTC) + timedelta(days=181))
    warehouse.commit()
    assert warehouse.get(Export, number) is None
    assert warehouse.scalar(select(func.count()).select_from(ExportPiece)) == 0
    assert warehouse.scalar(select(func.count()).select_from(Operation)) == 1


def test_of_one_person_the_newest_are_kept(warehouse, monkeypatch):
    """Else who asks on and on would fill the database."""
    monkeypatch.setattr(export_prepare, "MAX_KEPT", 2)
    of_bob = ask(warehouse, WorkflowFilter(), actor=BOB)
    asked = [ask(warehouse, TaskFilter()) for _ in range(3)]
    prepare(warehouse)
    more = ask(warehouse, TaskFilter())
    prepare(warehouse)
    assert list(warehouse.scalars(select(Export.id).order_by(Export.id))) == [of_bob, asked[2], more]
    assert set(warehouse.scalars(select(ExportPiece.export_id))) == {of_bob, asked[2], more}
    assert warehouse.scalar(select(func.count()).select_from(Operation)) == 5


def test_pieces_can_be_kept_in_object_storage(warehouse, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__TASKOPS__EXPORTS_URL", f"file://{tmp_path}/exports/")
    number = ask(warehouse, TaskFilter())
    prepare(warehouse)
    assert len(list((tmp_path / "exports" / str(number)).iterdir())) == 1
    assert warehouse.scalar(select(func.count()).select_from(ExportPiece)) == 0
    assert content_of(warehouse, ALICE, number).decode("utf-8-sig").count("\n") == 10
    export_prepare.prepare_next(warehouse, datetime.now(UTC) + timedelta(days=181))
    warehouse.commit()
    assert not (tmp_path / "exports" / str(number)).exists()


MEGABYTE = 2**20


@contextmanager
def peak_growth():
    """What the process's memory grows to meanwhile, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak there was
    before = memory("VmRSS")
    measured = {}
    yield measured
    measured["bytes"] = memory("VmHWM") - before


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for the peak of the memory")
def test_a_hundred_thousand_tasks_in_bounded_memory(session):
    rows.write(list(rows.crowd(10_000)), session)
    everything = TaskFilter(statuses=("scheduling", "paused", "offline", "invalid"))
    prepare_one_of_each_form(session)
    for form in ("csv", "json"):
        number = ask(session, everything, form)
        with peak_growth() as preparing:
            prepare(session)
        with peak_growth() as reading:
            found = request.open_content(session, ALICE, number, lambda: create_session(scoped=False))
            lines = sum(piece.count(b"\n") for piece in found.pieces)
        assert lines == 100_000 + (1 if form == "csv" else 2)
        assert found.size > 20 * MEGABYTE
        assert preparing["bytes"] < 16 * MEGABYTE, preparing["bytes"] / MEGABYTE
        assert reading["bytes"] < 8 * MEGABYTE, reading["bytes"] / MEGABYTE


def prepare_one_of_each_form(session):
    """What is imported and kept once."""
    for form in ("csv", "json"):
        number = ask(session, TaskFilter(owners=("owner_01",)), form)
        prepare(session)
        content_of(session, ALICE, number)
