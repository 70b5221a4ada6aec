"""The diagram of a workflow (A7), drawn as lineage is (C4): what is in it, who sees what, its cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from sqlalchemy.orm import Session

from taskops_provider.services.catalog.lineage_graph import Graph, GraphNode, LineageReach, lineage, workflow_graph
from taskops_provider.services.shared.actor import Actor
from taskops_provider.www.presenters.diagram import FACTS, drawing
from taskops_provider.www.urls import Urls
from tests.support import diagram_rows, rows
from tests.support.apps import READER, READERS_DAG, WebApp, web_app
from tests.support.diagram_rows import SHOP, SHOP_EDGES
from tests.support.queries import counted_queries
from tests.support.rows import Flow
from tests.support.warehouse import ALICE, Limited

PAGES = "/pluginsv2/taskops"
PAGE, PART = f"{PAGES}/diagram", f"{PAGES}/diagram/part"
NOW = datetime.now(UTC)
URLS = Urls("/")


@pytest.fixture
def web(session: Session) -> Iterator[WebApp]:
    rows.write(rows.ordinary(), session)
    diagram_rows.shop(session)
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def fab(session: Session) -> Iterator[WebApp]:
    rows.write(rows.ordinary(), session)
    with web_app("fab").active() as app:
        yield app


def get(web: WebApp, path: str, name: str = "viewer", status: int = 200) -> str:
    answer = web.client(name).get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def boxes(page: str) -> dict[str, str]:
    """The drawn tasks by name: the tag of each."""
    found = re.findall(r'<(?:a|g) class="box [^>]*>', page)
    return {unescape(re.search(r'data-name="(.*?)"', tag).group(1)): tag for tag in found}  # type: ignore[union-attr]


def facts(tag: str) -> dict[str, object]:
    values = json.loads(unescape(re.search(r'data-facts="(.*?)"', tag).group(1)))  # type: ignore[union-attr]
    return dict(zip(FACTS, values, strict=True))


def ends(page: str) -> list[tuple[int, int]]:
    return [(int(one), int(other)) for one, other in re.findall(r'data-ends="(\d+) (\d+)"', page)]


@pytest.mark.parametrize("path", [PAGE, PART])
def test_each_task_is_a_link_with_its_eight_facts(web: WebApp, path: str) -> None:
    page = get(web, f"{path}?dag_id={SHOP}")
    names = sorted({name for edge in SHOP_EDGES for name in edge})
    drawn = boxes(page)
    assert sorted(drawn) == names
    tag = drawn["stage.products"]
    assert facts(tag) == {
        "Task ID": "stage.products",
        "Project": "retail",
        "Workflow": f"Shop, daily load ({SHOP})",
        "Owners": ["ann", "bob"],
        "Type": "PythonOperator",
        "Status": "Paused",
        "Cycle": "Day",
        "Plan": "30 2 * * *",
    }
    assert f'href="{PAGES}/task?dag_id={SHOP}&amp;task_id=stage.products"' in tag
    assert 'aria-label="stage.products, Paused, PythonOperator"' in tag
    assert [re.sub(r"\s", "", label) for label in re.findall(r"<dt>(.*?)</dt>", page)] == [
        label.replace(" ", "") for label in FACTS
    ]


def test_each_dependency_is_a_line_from_one_to_the_other(web: WebApp) -> None:
    page = get(web, f"{PAGE}?dag_id={SHOP}")
    names = list(boxes(page))
    assert sorted((names[start], names[end]) for start, end in ends(page)) == sorted(SHOP_EDGES)


def test_the_status_is_a_colour_a_mark_and_a_word_and_there_is_a_filter_for_each(web: WebApp) -> None:
    page = get(web, f"{PAGE}?dag_id=inventory_snapshot")
    by_name = boxes(page)
    assert 'class="box green"' in by_name["step_00"]
    assert 'class="box amber"' in by_name["step_05"]
    assert 'class="box grey"' in by_name["step_06"]
    assert '<tspan class="state">Paused</tspan>' in page
    marks = dict(re.findall(r'<path class="mark".*? d="(.*?)"/>.*?<tspan class="state">(.*?)<', page, re.S))
    assert set(marks.values()) == {"Scheduling", "Paused", "Offline"}
    chips = re.findall(r'value="(\w+)" checked data-status> (\w+) <span class="number">([\d,]+)<', page)
    assert chips == [
        ("scheduling", "Scheduling", "5"),
        ("paused", "Paused", "1"),
        ("offline", "Offline", "1"),
        ("invalid", "Invalid", "0"),
    ]


def test_page_and_part_differ_in_what_is_around(web: WebApp) -> None:
    page, part = get(web, f"{PAGE}?dag_id={SHOP}"), get(web, f"{PART}?dag_id={SHOP}")
    assert "<html" in page
    assert 'aria-current="page">Workflows' in page
    assert "12 tasks" in page
    assert f'href="{PAGES}/workflow?dag_id={SHOP}"' in page
    assert f'href="/dags/{SHOP}" data-airflow' in page
    assert "Open large" not in page
    assert "<html" not in part
    assert f'href="{PAGE}?dag_id={SHOP}" title="Open large"' in part


def test_nothing_inline_that_the_content_security_policy_would_refuse(web: WebApp) -> None:
    page = get(web, f"{PAGE}?dag_id={SHOP}")
    assert not re.findall(r'\sstyle="|\son\w+="|<script(?![^>]* src=)|<style', page)


def test_text_from_people_is_escaped(web: WebApp, session: Session) -> None:
    evil = '"><script>alert(1)</script>'
    diagram_rows.write(session, Flow("evil", evil, owners=(evil,), tasks=(evil,), states=("paused",)), [])
    page = get(web, f"{PAGE}?dag_id=evil")
    assert "<script>alert" not in page
    assert facts(boxes(page)[evil])["Owners"] == [evil]


def test_a_workflow_without_tasks(web: WebApp) -> None:
    page = get(web, f"{PAGE}?dag_id=empty_shell")
    assert "No tasks." in page
    assert "<svg class=\"diagram-svg\"" not in page  # fmt: skip


@pytest.mark.parametrize("path", [PAGE, PART])
@pytest.mark.parametrize("query", ["?dag_id=no_such_dag", "?dag_id=", ""])
def test_no_such_workflow(web: WebApp, path: str, query: str) -> None:
    assert "does not exist" in get(web, f"{path}{query}", status=404)


@pytest.mark.parametrize("path", [PAGE, PART])
def test_who_may_not_read_the_dag_is_told_what_others_are_told_of_one_that_is_not_there(fab: WebApp, path: str) -> None:
    assert boxes(get(fab, f"{path}?dag_id={READERS_DAG}", READER))
    hidden = get(fab, f"{path}?dag_id=payments", READER, status=404)
    unknown = get(fab, f"{path}?dag_id=no_such_dag", READER, status=404)
    token = re.compile(r' hx-headers="[^"]*"')  # has the time in it
    assert token.sub("", hidden).replace("payments", "no_such_dag") == token.sub("", unknown)


def test_only_dependencies_inside_the_workflow_are_drawn(fab: WebApp, session: Session) -> None:
    diagram_rows.link(
        session,
        [
            ("payments", "step_00", READERS_DAG, "step_00", "sensor"),
            (READERS_DAG, "step_02", "sales_mart", "step_00", "trigger"),
            (READERS_DAG, "step_00", READERS_DAG, "step_01", "task"),
        ],
    )
    page = get(fab, f"{PAGE}?dag_id={READERS_DAG}", READER)
    assert ends(page) == [(0, 1)]
    assert "payments" not in page
    assert "sales_mart" not in page


@pytest.mark.parametrize("path", [PAGE, PART])
def test_queries_do_not_grow_with_the_tasks(web: WebApp, session: Session, path: str) -> None:
    diagram_rows.large(session, "some", 60)
    diagram_rows.large(session, "many", 2000)
    client = web.client("viewer")
    client.get(f"{path}?dag_id=some")
    numbers = []
    for dag_id, count in (("some", 60), ("many", 2000)):
        with counted_queries() as queries:
            page = client.get(f"{path}?dag_id={dag_id}").text
        assert len(boxes(page)) == count
        assert len(ends(page)) == 2 * count
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 11, queries


def test_lineage_shows_workflows_that_may_not_be_read_without_their_names(web: WebApp, session: Session) -> None:
    diagram_rows.link(
        session,
        [
            ("payments", "step_00", SHOP, "wait_for_source", "sensor"),
            ("payments", "step_01", SHOP, "wait_for_source", "sensor"),
            ("customer_dim", "step_00", SHOP, "wait_for_source", "sensor"),
            (SHOP, "wait_for_source", "sales_mart", "step_00", "trigger"),
            ("legacy_export", "step_00", "payments", "step_00", "sensor"),
        ],
    )
    limited = Actor("carol", "ui", Limited([SHOP, "customer_dim"]))
    plain = lineage(session, limited, SHOP, "wait_for_source", NOW, LineageReach(1))
    assert not any(node.is_hidden for node in plain.nodes)
    graph = lineage(session, limited, SHOP, "wait_for_source", NOW, LineageReach(2, anonymous=True))
    hidden = [node for node in graph.nodes if node.is_hidden]
    assert [(node.level, node.status, node.workflow_name) for node in hidden] == [(-1, None, ""), (1, None, "")]
    drawn = drawing(graph, URLS, "Lineage", who="ann", focus=(SHOP, "wait_for_source"), query={"view": "lineage"})
    assert not re.search("payments|sales_mart|legacy_export", repr((graph, drawn)))
    boxes = dict(zip([(node.dag_id, node.task_id) for node in graph.nodes], drawn.boxes, strict=True))
    assert [box.is_focus for box in boxes.values()].count(True) == 1
    assert boxes[SHOP, "wait_for_source"].is_focus
    assert boxes["customer_dim", "step_00"].workflow == "customer_dim"
    assert boxes["customer_dim", "step_00"].url.endswith("task?dag_id=customer_dim&task_id=step_00&view=lineage")
    nameless = boxes[hidden[0].dag_id, hidden[0].task_id]
    assert (nameless.title, nameless.url, nameless.facts, nameless.search) == ("Others you may not see", "", [], "")
    assert drawn.kinds == ["sensor"], "how hidden tasks hang together with it is not told"
    everything = lineage(session, ALICE, SHOP, "wait_for_source", NOW, LineageReach(1, anonymous=True))
    assert not any(node.is_hidden for node in everything.nodes)


def test_a_task_that_only_a_sensor_names_has_no_link() -> None:
    graph = Graph("elsewhere", None, [GraphNode("elsewhere", "gone", None, None)], [])
    (box,) = drawing(graph, URLS, "Lineage", who="ann").boxes
    assert (box.url, box.badge.text) == ("", "Not in any Dag")


def test_long_names_are_cut_in_the_middle_and_boxes_stay_small(web: WebApp, session: Session) -> None:
    graph = workflow_graph(session, ALICE, SHOP, NOW)
    drawn = drawing(graph, URLS, "Diagram", who="ann")
    long = next(box for box in drawn.boxes if box.facts[0].startswith("build_dim"))
    assert re.fullmatch("build_dim.+….*type_2", long.title)
    assert long.search == "build_dim_customer_with_slowly_changing_attributes_type_2"
    assert drawn.box_width <= 240


def test_the_graph_of_a_workflow_keeps_tasks_deleted_in_taskops_and_leaves_out_those_no_longer_in_the_dag(
    web: WebApp, session: Session
) -> None:
    from taskops_provider.models import Task

    gone, deleted = session.get(Task, (SHOP, "mail_report")), session.get(Task, (SHOP, "publish"))
    assert gone is not None
    assert deleted is not None
    gone.is_present, deleted.state = False, "deleted"
    session.commit()
    page = get(web, f"{PAGE}?dag_id={SHOP}")
    assert "mail_report" not in boxes(page)
    assert 'class="box red"' in boxes(page)["publish"]
    assert 'value="deleted" checked data-status> Deleted <span class="number">1<' in page
