"""The page of a workflow, what its row opens to, and the filters that look things up (A2-A9, A13-A17, A19, B22)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from taskops_provider.models import Owner, Task, Workflow
from taskops_provider.services.catalog.folders import MOST_AT_ONCE, find_folders, folder_tree, folders_below
from taskops_provider.services.catalog.owners import find_owners
from taskops_provider.services.catalog.runs import LAST, run_history
from taskops_provider.services.details import workflow_details
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support import rows
from tests.support.api import Api
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.cli import Cli
from tests.support.queries import counted_queries
from tests.support.rows import NOW, Flow
from tests.support.warehouse import ALICE, Limited, operate

PAGES = "/pluginsv2/taskops"
PATHS = ("workflow", "workflow/summary", "workflow/bar")


@pytest.fixture
def web() -> Iterator[WebApp]:
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def fab() -> Iterator[WebApp]:
    with web_app("fab").active() as app:
        yield app


@pytest.fixture
def filled(session: Session) -> Session:
    rows.write(rows.ordinary(), session)
    return session


def get(web: WebApp, path: str, name: str = "viewer", status: int = 200, part: bool = False) -> str:
    answer = web.client(name).get(f"{PAGES}/{path}", headers={"HX-Request": "true"} if part else {})
    assert answer.status_code == status, answer.text
    return answer.text


def ids(page: str) -> list[str]:
    names = re.findall(r'<th scope="row" class="name">(.*?)</th>', page, re.S)
    return [unescape(re.findall(r'data-copy="(.*?)"', name)[-1]) for name in names]


def rings(page: str) -> dict[str, list[tuple[str, int, str]]]:
    """Title -> (label, count, percent) of each part, from the legends."""
    found = {}
    for figure in re.findall(r'<figure class="ring">.*?</figure>', page, re.S):
        title = re.search(r"<figcaption>(.*?)<", figure)
        parts = re.findall(
            r'class="label"[^>]*>(.*?)</span><span class="number">(.*?)</span><span class="percent">(.*?)</span>',
            figure,
        )
        assert title
        found[title.group(1)] = [(unescape(label), int(count), percent) for label, count, percent in parts]
    return found


def test_the_page_tells_all_there_is_to_know(web: WebApp, filled: Session) -> None:
    """A2, A3, A8, A9, A11, A17."""
    page = get(web, "workflow?dag_id=inventory_snapshot")
    for words in ("Partially scheduling", "retail/ingest", "*/15 * * * *", "UTC", ">ann<", "First submission"):
        assert words in page, words
    first = re.search(r"<dt>First submission</dt><dd><time datetime=\"(.*?)\" title=\"(.*?) UTC\">(.*?)</time>", page)
    assert first
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first.group(3))
    assert f'href="{PAGES}/tasks?dag_id=inventory_snapshot">7</a>' in page
    assert 'href="/dags/inventory_snapshot" data-airflow' in page
    assert 'href="/dags/inventory_snapshot/code" data-airflow' in page
    assert f'hx-get="{PAGES}/diagram/part?dag_id=inventory_snapshot"' in page
    assert 'aria-current="page">Workflows' in page
    draining = get(web, "workflow?dag_id=orders_hourly")
    assert "Draining: 2 runs left" in draining


def test_rings_add_up_to_the_tasks(web: WebApp, filled: Session) -> None:
    """A4, A5."""
    for path in ("workflow", "workflow/summary"):
        found = rings(get(web, f"{path}?dag_id=inventory_snapshot"))
        assert set(found) == {"Task types", "Periods", "Statuses"}
        for parts in found.values():
            assert sum(count for _, count, _ in parts) == 7
            assert abs(sum(int(percent.rstrip("%")) for _, _, percent in parts) - 100) <= 2  # rounded
        assert found["Task types"][0] == ("BashOperator", 2, "29%")
        assert found["Periods"] == [("Minute", 7, "100%")]
        assert found["Statuses"] == [("Scheduling", 5, "71%"), ("Paused", 1, "14%"), ("Offline", 1, "14%")]
    empty = get(web, "workflow?dag_id=empty_shell")
    assert rings(empty) == {"Task types": [], "Periods": [], "Statuses": []}
    assert "share no period" in empty


def test_run_history_has_the_last_runs_each_with_a_way_to_airflow(web: WebApp, filled: Session) -> None:
    """A6."""
    page = get(web, "workflow/summary?dag_id=inventory_snapshot")
    runs = re.findall(r'<a class="(\w+)" href="/dags/inventory_snapshot/runs/scheduled__(\d+)" data-airflow', page)
    assert [int(number) for _, number in runs] == list(range(LAST, 0, -1))
    assert {number: tone for tone, number in runs}["7"] == "red"
    assert re.search(r'aria-label="Data of .*? UTC: manual, success, 4 min 5 s"', page)  # 60 + 5 * 37 % 240 s
    table = get(web, "workflow?dag_id=inventory_snapshot")
    assert table.count('href="/dags/inventory_snapshot/runs/') == 2 * LAST
    assert "It has not run yet." in get(web, "workflow/summary?dag_id=customer_master")
    assert "running, " in get(web, "workflow/summary?dag_id=orders_hourly")


def test_run_history_is_for_those_who_may_see_runs(filled: Session) -> None:
    """A6, requirements 10."""

    class NoRuns(Limited):
        def may_read_runs(self, dag_id: str) -> bool:
            return False

    actor = Actor("rita", "ui", NoRuns({"inventory_snapshot"}))
    found = workflow_details(filled, actor, "inventory_snapshot", NOW)
    assert found.runs is None
    assert found.runs_not_shown == "You may not see the runs of this Dag."
    assert workflow_details(filled, ALICE, "inventory_snapshot", NOW).runs_not_shown is None


def test_run_history_is_not_shown_where_tasks_have_different_periods(
    filled: Session,
) -> None:
    """A6: Airflow gives all tasks of a Dag one period; the rule holds all the same."""
    found = run_history(filled, ALICE, "inventory_snapshot", {"day": 3, "week": 1})
    assert found.runs is None
    assert found.not_shown == "Its tasks have different periods: day, week."


def test_the_same_on_every_surface(
    web: WebApp, filled: Session, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D10: what the page shows is in the JSON of the API and of the command line."""
    cli = Cli(capsys, monkeypatch)
    found = cli.json("workflows", "show", "inventory_snapshot")
    assert found["type_counts"]["BashOperator"] == 2
    assert list(found["type_counts"].values()) == sorted(found["type_counts"].values(), reverse=True)
    assert found["period_counts"] == {"minute": 7}
    assert [run["run_id"] for run in found["runs"]] == [f"scheduled__{n}" for n in range(LAST, 0, -1)]
    assert found["runs"][-1]["duration"] == 97
    assert (found["timezone"], found["bundle_url"], found["runs_not_shown"]) == ("UTC", None, None)
    answer = cli("workflows", "show", "inventory_snapshot")
    assert "last runs" in answer.lines
    assert re.search(r"scheduled__7 +\| scheduled +\| failed", answer.out)
    assert "It has not run yet." in cli("workflows", "show", "customer_master").lines
    assert "share no period" in cli("workflows", "show", "empty_shell").out
    assert Api(web).get("workflows/inventory_snapshot") == found


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_workflow_and_one_that_may_not_be_read_are_the_same(fab: WebApp, filled: Session, path: str) -> None:
    """Requirements 10."""
    hidden = get(fab, f"{path}?dag_id=payments", READER, 404)
    unknown = get(fab, f"{path}?dag_id=nonsense", READER, 404)
    # the pages carry a token of the moment
    hidden, unknown = (re.sub(r' hx-headers="[^"]*"', "", page) for page in (hidden, unknown))
    assert hidden.replace("payments", "nonsense") == unknown
    assert "支付" not in hidden
    assert READERS_DAG in get(fab, f"{path}?dag_id={READERS_DAG}", READER) or path == "workflow/bar"
    assert "dag_id" in get(fab, path, "viewer", 422)


def test_operations_are_offered_as_status_and_permission_allow(web: WebApp, fab: WebApp, filled: Session) -> None:
    """A13, A15, A16: buttons on the page, those whose precondition fails say it."""

    def offered(dag_id: str, name: str = "admin") -> dict[str, bool]:
        page = get(web, f"workflow?dag_id={dag_id}", name)
        buttons = re.findall(r'<button type="button" class="button( off)?"([^>]*)>([\w ]+)', page)
        assert all(("hx-post" in rest) == (not off) for off, rest, _ in buttons)
        return {label.strip(): not off for off, _, label in buttons}

    everything = {
        "Start all": True, "Pause all": True, "Take all offline": True, "Delete": False, "Resubmit": True,
        "Change owners": True, "Replenish": True, "Set alarm": True,
    }  # fmt: skip
    with web_app("simple").active():
        assert offered("inventory_snapshot") == everything
        assert offered("inventory_snapshot", "viewer") == {}
        assert offered("month_end_close")["Delete"]
        assert not offered("month_end_close")["Take all offline"]
        assert not offered("customer_dim")["Start all"]
        page = get(web, "workflow?dag_id=customer_dim", "admin")
        assert "it would have to be all paused or partially scheduling" in page.lower().replace(
            "partially scheduling or all paused", "all paused or partially scheduling"
        )
        assert f'hx-post="{PAGES}/change/workflows/pause"' in page
        target = re.search(r'hx-post="[^"]*pause"[^>]*hx-vals="(.*?)"', page)
        assert target
        assert json.loads(unescape(target.group(1))) == {"target": "customer_dim"}
        filled.execute(update(Workflow).where(Workflow.dag_id == "month_end_close").values(default_state="deleted"))
        filled.commit()
        deleted = offered("month_end_close")
        assert [label for label, is_on in deleted.items() if is_on] == ["Resubmit"]


def test_last_operations_are_told(web: WebApp, filled: Session) -> None:
    operate(filled, "pause", "customer_dim.step_00", reason="source is late", ticket="OPS-1")
    page = get(web, "workflow?dag_id=customer_dim")
    assert "OPS-1 source is late" in page
    assert re.search(rf'href="{PAGES}/operation\?id=\d+">Pause</a>', page)


def test_on_the_tab_of_a_dag(web: WebApp, filled: Session) -> None:
    bar = get(web, "tasks?tab=dag&dag_id=customer_dim")
    assert f'href="{PAGES}/workflow?tab=dag&amp;dag_id=customer_dim"' in bar
    assert f'hx-get="{PAGES}/workflow/bar?tab=dag&amp;dag_id=customer_dim"' in bar
    state = get(web, "workflow/bar?dag_id=customer_dim", part=True)
    assert "All scheduling" in state
    assert "<html" not in state
    page = get(web, "workflow?tab=dag&dag_id=customer_dim")
    assert 'class="tabs"' not in page
    assert f'href="{PAGES}/tasks?tab=dag&amp;dag_id=customer_dim"' in page


@pytest.mark.parametrize("path", PATHS)
def test_queries_do_not_grow_with_tasks_and_runs(web: WebApp, session: Session, path: str) -> None:
    numbers = []
    for dag_id, size in (("small", 2), ("large", 400)):
        rows.write([Flow(dag_id, states=("scheduling",) * size, past=size, owners=rows.PEOPLE)], session)
        client = web.client("admin")
        client.get(f"{PAGES}/{path}?dag_id={dag_id}")
        with counted_queries() as queries:
            assert client.get(f"{PAGES}/{path}?dag_id={dag_id}").status_code == 200
        numbers.append(len(queries))
    assert numbers[0] == numbers[1], queries
    assert numbers[1] <= 14, queries


# folders (A19, B22)


def test_a_folder_includes_those_below_it(web: WebApp, filled: Session) -> None:
    assert ids(get(web, "workflows?folder=retail/warehouse")) == ["customer_dim", "sales_mart"]
    assert ids(get(web, "workflows?folder=retail/warehouse/marts&folder=retail/reports/finance/intercompany")) == [
        "quarterly_reconciliation_of_intercompany_balances_and_fx_v2",
        "sales_mart",
    ]
    assert len(ids(get(web, "tasks?folder=retail/warehouse/dimensions"))) == 3
    assert ids(get(web, "workflows?folder=retail/ware")) == []


def test_the_tree_counts_workflows_and_opens_to_what_is_chosen(filled: Session) -> None:
    found = folder_tree(filled, ALICE, ())
    (top,) = found.folders
    assert (top.path, top.workflows) == ("retail", 12)
    assert top.below
    assert {folder.name: folder.workflows for folder in top.below.folders} == {
        "ingest": 8, "reports": 2, "warehouse": 2,
    }  # fmt: skip
    page_of_tree = find_folders(filled, ALICE, "FINANCE")
    assert [folder.path for folder in page_of_tree.folders][:2] == [
        "retail/reports/finance", "retail/reports/finance/intercompany",
    ]  # fmt: skip
    assert [folder.name for folder in folders_below(filled, ALICE, "retail/warehouse/").folders] == [
        "dimensions", "marts",
    ]  # fmt: skip
    assert folders_below(filled, ALICE, "retail/ware").folders == ()


def test_a_folder_of_a_site_may_begin_with_a_slash(session: Session) -> None:
    rows.write([Flow("a", folder="/x/y"), Flow("b", folder="/x"), Flow("c", folder="100%/_")], session)
    found = folder_tree(session, ALICE, ())
    assert [(folder.path, folder.workflows) for folder in found.folders] == [("/x", 2), ("100%", 1)]
    assert [folder.path for folder in folders_below(session, ALICE, "100%").folders] == ["100%/_"]
    assert find_folders(session, ALICE, "%").folders[0].path == "100%"


def test_many_folders_come_level_by_level(web: WebApp, session: Session) -> None:
    flows = [Flow(f"f_{n}", folder=f"retail/area_{n % 30:02}/team_{n:03}") for n in range(MOST_AT_ONCE + 50)]
    rows.write(flows, session)
    page = get(web, "workflows")
    assert f'hx-get="{PAGES}/folders?under=retail"' in page
    assert "area_00" not in re.search(r'<ul class="tree">.*?</fieldset>', page, re.S).group(0)  # type: ignore[union-attr]
    part = get(web, "folders?under=retail", part=True)
    assert part.count("<label") == 30
    assert f'hx-get="{PAGES}/folders?under=retail%2Farea_00"' in part
    leaves = get(web, "folders?under=retail/area_00", part=True)
    assert leaves.count("<label") == 10
    assert "hx-get" not in leaves
    chosen = get(web, "workflows?folder=retail/area_07/team_007&folder=gone/away")
    tree = re.search(r"<details class=\"menu folder\".*?</fieldset>", chosen, re.S).group(0)  # type: ignore[union-attr]
    assert 'value="retail/area_07/team_007" checked' in tree
    assert 'value="gone/away" checked' in tree  # what is chosen stays, also where it is no more
    assert "team_008" not in tree
    assert get(web, "folders?q=TEAM_00", part=True).count("<label") == 10
    assert "No folder has" in get(web, "folders?q=nothing", part=True)


def test_folders_of_hidden_dags_are_not_told(fab: WebApp, filled: Session) -> None:
    """Requirements 10."""
    limited = Actor("rita", "ui", Limited({"customer_dim"}))
    (top,) = folder_tree(filled, limited, ()).folders
    assert top.workflows == 1
    assert find_folders(filled, limited, "finance").folders == ()
    for path in ("folders?under=retail", "folders?q=fin", "workflows", "owners?q=e&for=filter"):
        page = get(fab, path, READER)
        assert "finance" not in page, path
        assert "erika" not in page, path


# owners (A9, A15, A19, B17)


def test_owners_are_picked_and_typed(web: WebApp, filled: Session) -> None:
    picked = ids(get(web, "workflows?owner=陈伟&owner=gülşen"))
    assert picked == ["month_end_close", "payments", "sales_mart"]
    page = get(web, "workflows?owner=陈伟&owner_names=gülşen, nobody ,,")
    assert ids(page) == picked
    chips = re.findall(r'aria-label="Remove filter (.*?)"', page)
    assert chips == ["Owner: 陈伟", "Owner: gülşen", "Owner: nobody"]
    assert "owner_names" not in "".join(re.findall(r'href="(.*?)"', page))
    assert len(ids(get(web, "tasks?owner_names=gülşen&dag_id=sales_mart"))) == 3


def test_owners_are_found_while_typing_beyond_those_listed(web: WebApp, session: Session) -> None:
    rows.write([Flow("crowd", owners=tuple(f"owner_{n:03}" for n in range(300)))], session)
    page = get(web, "workflows")
    assert f'hx-get="{PAGES}/owners?for=filter"' in page
    assert 'value="owner_049"' in page
    assert 'value="owner_050"' not in page
    part = get(web, "owners?for=filter&q=R_29", part=True)
    assert re.findall(r'<input type="checkbox" name="owner" value="(.*?)">', part) == [
        f"owner_{n}" for n in range(290, 300)
    ]
    assert "type more of the name" in get(web, "owners?for=filter&q=owner", part=True)
    assert "Nobody of that name" in get(web, "owners?for=filter&q=%25", part=True)
    assert get(web, "owners?q=owner_001", part=True).split() == ["<option", 'value="owner_001"></option>']


def test_users_of_airflow_are_named_to_who_may_see_them(fab: WebApp, filled: Session) -> None:
    """Requirements 10: under FabAuthManager reading users is a permission of its own."""
    assert 'value="admin"' in get(fab, "owners?q=adm", "admin")
    assert 'value="admin"' not in get(fab, "owners?q=adm", "viewer")
    assert 'value="admin"' not in get(fab, "owners?q=adm&for=filter", "admin")
    with web_app("simple").active() as web:
        assert 'value="admin"' not in get(web, "owners?q=adm", "admin")
        assert 'value="ann"' in get(web, "owners?q=AN", "admin")


def test_owners_that_begin_with_what_is_typed_come_first(session: Session) -> None:
    rows.write([Flow("f", owners=("joanna", "ann", "Anna", "dan", "an_%"))], session)
    actor = Actor("a", "ui", UnrestrictedPermissions())
    assert find_owners(session, actor, "an", users=False).values == ("an_%", "ann", "Anna", "dan", "joanna")
    assert find_owners(session, actor, "_%", users=False).values == ("an_%",)
    session.execute(delete(Owner).where(Owner.owner == "dan"))
    session.execute(insert(Owner), [{"dag_id": "gone", "task_id": "t", "owner": "andrew"}])
    session.commit()
    assert "dan" not in find_owners(session, actor, "dan", users=False).values


# the quick status filter


def test_one_status_with_one_click(web: WebApp, filled: Session) -> None:
    """A11."""
    page = get(web, "workflows?q=o&status=all_offline&sort=-task_count")
    links = {
        label.strip(): unescape(url)
        for url, label in re.findall(r'<a href="([^"]*)"[^>]*>([\w ]+)</a>', page.partition('<nav class="quick"')[2])
    }
    assert links["All paused"] == f"{PAGES}/workflows?q=o&status=all_paused&sort=-task_count"
    assert "status" not in links["All"]
    assert re.search(r'aria-current="true" class="grey">All offline', page)
    assert ids(get(web, "tasks?status=invalid")) == ["step_00", "step_01"]


def test_deleted_and_gone_tasks_do_not_count(filled: Session) -> None:
    """A3, A4."""
    filled.execute(update(Task).where(Task.dag_id == "customer_dim", Task.task_id == "step_00").values(state="deleted"))
    filled.execute(
        update(Task).where(Task.dag_id == "customer_dim", Task.task_id == "step_01").values(is_present=False)
    )
    found = workflow_details(filled, ALICE, "customer_dim", NOW + timedelta(seconds=1))
    assert found.task_count == sum(found.type_counts.values()) == sum(found.period_counts.values()) == 1
