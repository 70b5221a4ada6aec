"""Settings: strict mode of projects (A18), the configuration, health; and the bar over all pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from taskops_provider.config import options
from taskops_provider.models import CoveredScheduler, Lease, Operation, Setting, Workflow
from taskops_provider.services.health import check_health
from taskops_provider.services.index.watermark import REFRESHED_AT
from taskops_provider.services.operations.strict_mode_preview import StrictModeEffect, effect_of_strict_mode
from taskops_provider.services.operations.strict_mode_setting import list_strict_mode, set_strict_mode
from taskops_provider.www import csrf
from tests.support import pages, rows
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.queries import counted_queries
from tests.support.warehouse import ALICE, chain, install, operate, retail

SETTINGS, LIST = "/pluginsv2/taskops/settings", "/pluginsv2/taskops/workflows"


@pytest.fixture
def web() -> Iterator[WebApp]:
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def warehouse(session: Session) -> Session:
    install(session, retail())
    return session


def project_of(session: Session) -> str:
    return list_strict_mode(session, ALICE)[0].project


def get(web: WebApp, path: str = SETTINGS, name: str = "viewer", status: int = 200, part: bool = False) -> str:
    answer = web.client(name).get(path, headers={"HX-Request": "true"} if part else {})
    assert answer.status_code == status, answer.text
    return answer.text


def post(web: WebApp, name: str = "op", *, token: str | None = None, **fields: str) -> Any:
    """What the switch and its dialog send."""
    client = web.client(name)
    if token is None:
        page = client.get(SETTINGS).text
        token = unescape(re.search(r"hx-headers=\"\{&#34;.*?&#34;: &#34;(.*?)&#34;", page).group(1))  # type: ignore[union-attr]
    return client.post(SETTINGS, data=fields, headers={"HX-Request": "true", csrf.HEADER: token})


def plain(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup.replace("<wbr>", ""))).split())


def strict_row(page: str) -> str:
    table = re.search(r'<table class="rows strict">.*?</table>', page, re.S).group(0)  # type: ignore[union-attr]
    return plain(re.search(r"<tbody>(.*?)</tbody>", table, re.S).group(1))  # type: ignore[union-attr]


def test_strict_mode_of_each_project_since_when_and_by_whom(web: WebApp, warehouse: Session) -> None:
    project = project_of(warehouse)
    assert strict_row(get(web)) == f"{project} Off by the configuration – –"
    set_strict_mode(warehouse, ALICE, project, True, datetime(2026, 5, 1, 8, tzinfo=UTC))
    warehouse.commit()
    assert strict_row(get(web)) == f"{project} On here 2026-05-01 08:00:00 alice"
    assert "strict_mode</code>, which is off" in get(web)


def test_a_change_is_explained_first_and_then_made(web: WebApp, warehouse: Session) -> None:
    project = project_of(warehouse)
    assert f'aria-checked="false" aria-label="Strict mode of {project}"' in get(web, name="op")
    dialog = post(web, project=project, strict_mode="on")
    assert dialog.status_code == 200
    words = plain(dialog.text)
    assert f"Turn strict mode on for project {project}?" in words
    assert "8 of its 9 tasks, in 4 workflows, have downstream tasks that are not offline" in words
    assert not list_strict_mode(warehouse, ALICE)[0].strict_mode
    done = post(web, project=project, strict_mode="on", step="apply")
    assert (done.status_code, done.headers["hx-refresh"]) == (200, "true")
    warehouse.expire_all()
    [mode] = list_strict_mode(warehouse, ALICE)
    assert (mode.strict_mode, mode.changed_by) == (True, "op")
    page = get(web, name="op")
    assert f'aria-checked="true" aria-label="Strict mode of {project}"' in page
    assert "&#34;strict_mode&#34;: &#34;off&#34;" in page
    assert "From now on they can be stopped all the same" in plain(post(web, project=project, strict_mode="off").text)
    records = get(web, "/pluginsv2/taskops/operations")
    assert f"Turned strict mode on for project <strong>{project}</strong>" in re.sub(r"\s+", " ", records)


def test_who_may_not_change_it_sees_it_and_a_forged_request_is_refused(web: WebApp, warehouse: Session) -> None:
    project = project_of(warehouse)
    page = get(web, name="viewer")
    assert 'role="switch"' not in page
    assert "needs the permission to edit every Dag" in page
    refused = post(web, "viewer", project=project, strict_mode="on", step="apply")
    assert refused.status_code == 403
    assert "needs the permission to edit every Dag" in refused.text
    without = post(web, "op", token="", project=project, strict_mode="on", step="apply")
    assert without.status_code == 403
    assert not list_strict_mode(warehouse, ALICE)[0].strict_mode
    assert warehouse.query(Operation).count() == 0


@pytest.mark.parametrize(
    ("fields", "status", "line"),
    [
        ({"strict_mode": "maybe"}, 422, "allowed are on, off"),
        ({}, 422, "allowed are on, off"),
        ({"strict_mode": "on", "project": "<b>x</b>"}, 404, "does not exist; there are"),
        ({"strict_mode": "on", "step": "leap"}, 422, "allowed are preview, apply"),
    ],
)
def test_what_cannot_be_is_told_in_the_dialog(web, warehouse, fields, status, line) -> None:
    answer = post(web, **fields)
    assert answer.status_code == status
    assert line in plain(answer.text)
    assert "<b>x" not in answer.text


def test_the_effect_counts_what_is_live_across_workflows(warehouse: Session) -> None:
    project = project_of(warehouse)
    assert effect_of_strict_mode(warehouse, ALICE, project) == StrictModeEffect(tasks=9, kept=8, workflows=4)
    # the last of orders is waited for by sales; nothing is below the last of report
    operate(warehouse, "offline", "sales.wait", "report.send", "report.render")
    assert effect_of_strict_mode(warehouse, ALICE, project) == StrictModeEffect(tasks=6, kept=4, workflows=3)
    assert effect_of_strict_mode(warehouse, ALICE, "other") == StrictModeEffect(0, 0, 0)


def test_who_reads_one_dag_sees_its_project_and_no_names_of_others(session: Session) -> None:
    rows.write([rows.Flow(READERS_DAG), rows.Flow("other", project="secret", draining=True)], session)
    session.execute(
        insert(Lease).values(
            name="monitor",
            holder="host:1",
            renewed_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(1),
            note="last round took 1 s; failing: index: ValueError: other is broken",
        )
    )
    session.commit()
    with web_app("fab").active() as fab:
        page = get(fab, name=READER)
        assert "retail" in page
        assert not [name for name in ("secret", "other (runs", "other is broken") if name in page]
        assert "no workflow is draining" in page
        assert "other (runs left: 2)" in get(fab, name="viewer")
        # the text of an error may name a host: it is for who may read connections
        assert "other is broken" not in get(fab, name="viewer")
        assert "other is broken" in get(fab, name="admin")


def test_configuration_in_effect(web: WebApp, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TASKOPS__PAGE_SIZE", "77")
    monkeypatch.setenv("AIRFLOW__TASKOPS__EXPORTS_URL", "s3://key:hunter2@bucket/taskops")
    page = get(web)
    table = re.search(r'<table class="rows options">.*?</table>', page, re.S).group(0)  # type: ignore[union-attr]
    words = plain(table)
    assert "page_size 77 default: 50 Rows on a page of a list." in words
    assert "strict_mode False Whether projects that chose nothing" in words
    assert "s3://***@bucket/taskops" in words
    assert "hunter2" not in page
    whole = pages.plain(table.replace("<wbr>", ""))
    assert all(option.name in words and option.description.replace("`", "") in whole for option in options())


def test_who_may_not_read_the_configuration_of_airflow_does_not_see_ours(
    web: WebApp, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TASKOPS__EXPORTS_URL", "s3://bucket-of-ours/taskops")
    monkeypatch.setenv("AIRFLOW__TASKOPS__OWNER_EMAIL_RESOLVER", "ours.people.address")
    rows.write([rows.Flow(READERS_DAG)], session)
    # Airflow's SimpleAuthManager lets everybody read it
    shown = [get(web, name="viewer")]
    with web_app("fab").active() as fab:
        hidden = [get(fab, name=READER), get(fab, name="viewer")]
        shown.append(get(fab, name="admin"))
    for page in hidden:
        assert "You may not read Airflow's configuration, so it is not shown." in plain(page)
        assert not [text for text in ("bucket-of-ours", "ours.people", 'class="rows options"') if text in page]
    for page in shown:
        assert "bucket-of-ours" in plain(page)
        assert "ours.people.address" in plain(page)


@pytest.mark.parametrize("lasts", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_the_host_of_the_monitor_is_for_who_may_read_jobs(session: Session, lasts: timedelta) -> None:
    rows.write([rows.Flow(READERS_DAG)], session)
    now = datetime.now(UTC)
    values = {"name": "monitor", "holder": "host-7.internal:4711", "renewed_at": now, "expires_at": now + lasts}
    session.execute(insert(Lease).values(**values, note="last round took 1 s"))
    session.commit()
    with web_app("fab").active() as fab:
        page = plain(get(fab, name=READER))
        assert "host-7" not in page
        assert "4711" not in page
        assert ("runs, seen" if lasts > timedelta(0) else "One was last seen") in page
        assert "host-7.internal:4711" in plain(get(fab, name="admin"))
    assert "host-7.internal:4711" in {c.name: c.message for c in check_health(session, now)}["monitor"]


def test_health_is_that_of_the_command_line(web: WebApp, warehouse: Session) -> None:
    page = get(web)
    table = plain(re.search(r'<table class="rows health">.*?</table>', page, re.S).group(0))  # type: ignore[union-attr]
    for check in check_health(warehouse, datetime.now(UTC)):
        if check.name != "index":  # it says how many seconds ago
            assert check.message.replace("`", "") in table, check
    assert "Monitor" in table
    assert "Error none runs: gated instances wait" in table


# the bar over all pages


def breathe(session: Session, monitor: timedelta | None, index: timedelta | None) -> None:
    """The monitor was seen, and the index refreshed, so long ago."""
    now = datetime.now(UTC)
    if monitor is not None:
        seen = now - monitor
        values = {"name": "monitor", "holder": "h", "renewed_at": seen, "expires_at": seen + timedelta(seconds=30)}
        session.execute(insert(Lease).values(**values))
    if index is not None:
        value = (now - index).isoformat()
        session.execute(
            insert(Setting).values(project="", name=REFRESHED_AT, value=value, changed_at=now, changed_by="monitor")
        )
    session.commit()


TABLES = ("taskops_lease", "taskops_setting", "taskops_covered_scheduler")
BARS = [
    (None, None, "The monitor does not run."),
    (None, timedelta(minutes=7), "The monitor has not run for 7 min."),
    (timedelta(minutes=5, seconds=2), timedelta(0), "The monitor has not run for 5 min."),
    (timedelta(0), timedelta(minutes=25), "The Dags were last read 25 min ago."),
    (timedelta(0), None, "The Dags were never read."),
    (timedelta(0), timedelta(seconds=3), ""),
]


@pytest.mark.parametrize(("monitor", "index", "title"), BARS)
def test_all_pages_say_when_nothing_works_in_the_background(
    web: WebApp, session: Session, monitor: timedelta | None, index: timedelta | None, title: str
) -> None:
    rows.write([rows.Flow("flow")], session)
    breathe(session, monitor, index)
    for path in (LIST, SETTINGS, "/pluginsv2/taskops/operations", "/pluginsv2/taskops/tasks?tab=dag&dag_id=flow"):
        page = get(web, path)
        found = re.search(r'<aside class="banner" role="status">(.*?)</aside>', page, re.S)
        if not title:
            assert found is None
            continue
        assert found is not None
        assert plain(found.group(1)).startswith(title)
        assert f'href="{SETTINGS}#health"' in found.group(1)
    # a part of a page has none
    assert 'class="banner"' not in get(web, LIST, part=True)


def test_all_pages_say_when_a_scheduler_has_no_gate(web: WebApp, session: Session) -> None:
    rows.write([rows.Flow("flow")], session)
    breathe(session, timedelta(0), timedelta(0))
    job = Job()
    job.hostname = "host-c"
    SchedulerJobRunner(job=job)
    job.prepare_for_execution(session=session)
    assert 'class="banner"' not in get(web, LIST)
    session.execute(delete(CoveredScheduler))
    session.commit()
    found = re.search(r'<aside class="banner" role="status">(.*?)</aside>', get(web, LIST), re.S)
    assert found is not None
    assert plain(found.group(1)).startswith("The scheduler on host-c runs without TaskOps' gate.")
    checks = web.client("viewer").get("/taskops/v1/health/checks").json()["checks"]
    coverage = next(check for check in checks if check["name"] == "coverage")
    assert coverage["level"] == "error"
    assert "the scheduler on host-c (job " in coverage["message"]
    # whom Airflow does not show its jobs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskops_provider.adapter.permissions.UserPermissions.may_read_jobs", lambda _: False)
        assert "A scheduler runs without TaskOps&#39; gate." in get(web, LIST)
        assert "host-c" not in get(web, LIST)
        assert "host-c" not in web.client("viewer").get("/taskops/v1/health/checks").text


def test_the_bar_costs_few_queries_and_parts_none(web: WebApp, session: Session) -> None:
    rows.write([rows.Flow("flow")], session)
    client = web.client("viewer")
    asked = []
    for headers in ({}, {"HX-Request": "true"}):
        client.get(LIST, headers=headers)
        with counted_queries() as queries:
            client.get(LIST, headers=headers)
        asked.append([query for query in queries if any(table in query for table in TABLES)])
    assert len(asked[0]) == 2, "with a bar there is no need to look further"
    assert asked[1] == []


@pytest.mark.parametrize("who", [("simple", "admin"), ("fab", READER)])
def test_queries_do_not_grow_with_the_projects(session: Session, who: tuple[str, str]) -> None:
    numbers = []
    with web_app(who[0]).active() as web:
        client = web.client(who[1])
        for first, last in ((0, 3), (3, 60)):
            names = [READERS_DAG if number == 0 else f"f_{number}" for number in range(first, last)]
            rows.write([rows.Flow(name, project=f"project_{name}", draining=True) for name in names], session)
            client.get(SETTINGS)
            with counted_queries() as queries:
                assert client.get(SETTINGS).status_code == 200
            numbers.append(len(queries))
    assert numbers[0] == numbers[1], queries
    assert numbers[1] <= 25, queries


def test_no_projects_yet(web: WebApp, session: Session) -> None:
    assert "There are no projects yet" in get(web)


def test_projects_with_html_in_their_names(web: WebApp, warehouse: Session) -> None:
    warehouse.execute(update(Workflow).values(project="<i>\"x'</i>"))
    warehouse.commit()
    page = get(web, name="admin")
    assert "<i>" not in page
    dialog = post(web, "admin", project="<i>\"x'</i>", strict_mode="on")
    assert dialog.status_code == 200
    assert "<i>" not in dialog.text
    assert post(web, "admin", project="<i>\"x'</i>", strict_mode="on", step="apply").status_code == 200


def test_a_new_dag_is_in_its_project(web: WebApp, session: Session) -> None:
    install(session, [chain("one", "a", "b")])
    assert project_of(session) in plain(get(web))
