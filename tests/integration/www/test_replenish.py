"""The dialog of a replenishment: its plan, grid, options, refusals, result (A14, B15, D3, D5)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.backfill import Backfill
from airflow.sdk import DAG
from sqlalchemy import func, select, update

from taskops_provider.domain.operations.targets import Scope
from taskops_provider.models import Operation, Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.www.presenters.replenishments import dialog, form
from tests.support.apps import web_app
from tests.support.dialogs import Dialogs, Part, read
from tests.support.instances import run_id_of, write_runs
from tests.support.queries import counted_queries
from tests.support.warehouse import START, bash, chain, install, operate, retail

TASKS, WORKFLOWS, INSTANCES = "replenish/tasks", "replenish/workflows", "replenish/instances"
#: ten daily cycles of January 2026
TEN = {"from": "2026-01-01T00:00", "to": "2026-01-10T23:59"}


@pytest.fixture
def web(session):
    install(session, [chain("d", "a", "b", "c"), *retail()])
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def dialogs(web) -> Dialogs:
    return Dialogs(web)


def cells(part: Part) -> dict[str, tuple[str, str]]:
    """The words of each cell -> its style classes and its letter."""
    found = re.findall(r'<td class="([^"]*)" title="([^"]*)"><span aria-hidden="true">(.)</span></td>', part.html)
    return {title: (css, letter) for css, title, letter in found}


def heads(part: Part) -> list[str]:
    return re.findall(r'<span class="cycle">([^<]*)</span>', part.html)


def summary(part: Part) -> str:
    return read(part._one(r'(<ul class="counts".*?</ul>)'))


def created(session) -> int:
    return session.scalar(select(func.count()).select_from(Replenishment))


class TestPlan:
    def test_a_dialog_has_a_plan_and_changes_nothing(self, dialogs, session):
        """A14: whole workflows; the form, the counts, the grid."""
        write_runs(session, "d", ["a", "b", "c"], [1, 2])
        write_runs(session, "d", ["a", "b", "c"], [3], "failed")
        part = dialogs.post(WORKFLOWS, target="d", **TEN)
        assert part.title == "Replenish workflow d"
        assert part.action == "Execute 24 cells"
        assert summary(part).startswith("Execute 24 of 30 cells New runs 7 Existing runs 1")
        assert heads(part)[:2] == ["2026-01-01", "2026-01-02"]
        assert len(heads(part)) == 10
        grid = cells(part)
        assert len(grid) == 30
        assert grid["a, 2026-01-01 00:00:00: no run, will execute"] == ("cell cell-no_run executes", "N")
        assert grid["b, 2026-01-02 00:00:00: done, left alone"] == ("cell cell-done", "D")
        assert grid["c, 2026-01-04 00:00:00: failed, will execute"] == ("cell cell-failed executes", "F")
        legend = read(part._one(r'(<ul class="cell-legend".*?</ul>)'))
        assert "No run 21" in legend
        assert "Done 6" in legend
        assert created(session) == 0
        assert session.scalar(select(func.count()).select_from(Operation)) == 0

    def test_the_grid_is_a_table_that_can_be_read_aloud(self, dialogs):
        html = dialogs.post(WORKFLOWS, target="d", **TEN).html
        assert '<table class="cells" role="grid"' in html
        assert "<caption" in html
        assert html.count('<th scope="col"') == 11
        assert html.count('<th scope="row"') == 3
        assert html.count('<th scope="rowgroup"') == 1

    def test_it_opens_with_the_last_week_in_the_persons_zone(self, dialogs):
        part = dialogs.post(TASKS, target="orders clean", zone="Asia/Tokyo")
        today = datetime.now(UTC) + timedelta(hours=9)
        assert f'name="from" value="{today - timedelta(days=6):%Y-%m-%dT00:00}"' in part.html
        assert f'name="to" value="{today:%Y-%m-%dT23:59}"' in part.html
        assert 'name="zone" value="Asia/Tokyo"' in part.html
        assert 'name="cells" value="missing,failed" checked' in part.html
        for label in ("Today", "Yesterday", "Last 7 days", "Last 30 days"):
            assert f">{label}</button>" in part.html

    def test_times_are_in_the_persons_zone(self, dialogs):
        part = dialogs.post(
            TASKS, target="d a", zone="Asia/Tokyo", **{"from": "2026-01-01T09:00", "to": "2026-01-02T09:00"}
        )
        assert heads(part) == ["2026-01-01 09:00", "2026-01-02 09:00"]
        assert "a, 2026-01-01 09:00:00: no run, will execute" in cells(part)

    def test_several_ranges(self, dialogs):
        part = dialogs.post(
            TASKS,
            target="d a",
            part="plan",
            **{"from": ["2026-01-01T00:00", "2026-01-05T00:00"], "to": ["2026-01-01T00:00", "2026-01-05T00:00"]},
        )
        assert heads(part) == ["2026-01-01", "2026-01-05"]

    def test_a_part_brings_the_plan_alone(self, dialogs):
        part = dialogs.post(TASKS, target="d a", part="plan", **TEN)
        assert "<form" not in part.html
        assert 'id="change-action" hx-swap-oob="innerHTML">Execute 10 cells' in part.html

    @pytest.mark.parametrize(("wanted", "execute"), [("missing,failed", 8), ("missing", 7), ("failed", 1), ("all", 10)])
    def test_which_cells(self, dialogs, session, wanted, execute):
        write_runs(session, "d", ["a"], [0, 1])
        write_runs(session, "d", ["a"], [2], "failed")
        part = dialogs.post(TASKS, target="d a", cells=wanted, **TEN)
        assert f"Execute {execute} of 10 cells" in summary(part)
        assert f'value="{wanted}" checked' in part.html

    def test_steps_around_tasks_across_workflows(self, dialogs):
        """B15: tasks alone have steps; workflows are whole."""
        day = {"from": "2026-01-01T00:00", "to": "2026-01-01T00:00"}
        part = dialogs.post(TASKS, target="orders load", upstream="1", downstream="1", **day)
        assert {words.split(",")[0] for words in cells(part)} == {"clean", "load", "wait"}
        assert re.findall(r'<tr class="of-workflow"><th [^>]*><span>(\w+) ', part.html) == ["orders", "sales"]
        assert 'name="upstream"' not in dialogs.post(WORKFLOWS, target="orders", **day).html

    def test_warnings_are_told(self, dialogs, session):
        session.add(Backfill(dag_id="d", from_date=START, to_date=START, max_active_runs=1, dag_run_conf={}))
        session.commit()
        operate(session, "offline", "d.b")
        part = dialogs.post(WORKFLOWS, target="d", **(TEN | {"from": "2025-12-01T00:00"}))
        remarks = read(part._one(r'(<ul class="remarks".*?</ul>)'))
        assert "another backfill of d goes on; this one waits for its end" in remarks
        assert "1 offline or deleted task is left out: d b" in remarks
        assert "d starts on 2026-01-01" in remarks
        refused = dialogs.post(WORKFLOWS, 409, target="d", refuse_busy="on", part="plan", **TEN)
        assert "Another backfill of d goes on" in refused.problem

    def test_workflows_with_other_cycles_share_the_columns(self, dialogs):
        part = dialogs.post(WORKFLOWS, target=["d", "orders"], **{"from": "2026-01-01T00:00", "to": "2026-01-01T05:00"})
        assert heads(part) == [f"2026-01-01 0{hour}:00" for hour in range(6)]
        assert part.html.count('title="no such cycle"') == 3 * 5
        assert len(cells(part)) == 3 + 3 * 6

    def test_all_rows_under_a_filter_leave_out_what_cannot_be(self, dialogs, session):
        """A14, B15: offline tasks among many are left out and told; one that is named is refused."""
        operate(session, "offline", "orders.clean")
        part = dialogs.post(TASKS, matching="?dag_id=orders", **TEN)
        assert part.title == "Replenish 3 tasks"
        assert "1 offline or deleted task is left out: orders clean" in part.words
        alone = dialogs.post(TASKS, target="orders clean", **TEN)
        assert alone.problem == "Task orders clean is offline and cannot be replenished; submit it first"


class TestGridPages:
    @pytest.fixture
    def hourly(self, session):
        """A thousand cycles of an hourly Dag of sixty tasks."""
        with DAG("wide", schedule="@hourly", start_date=START, catchup=False) as dag:
            for number in range(60):
                bash(f"t{number:02}")
        install(session, [dag])
        return {"target": "wide", "from": "2026-01-01T00:00", "to": "2026-02-11T15:00"}

    def test_a_page_is_bounded_and_the_others_are_there(self, dialogs, hourly):
        part = dialogs.post(WORKFLOWS, **hourly)
        assert "of 60,000 cells" in summary(part)
        assert (len(heads(part)), len(cells(part))) == (60, 60 * 50)
        assert len(part.html) < 450_000
        assert "Cycles 1–60 of 1,000" in part.words
        assert "Tasks 1–50 of 60" in part.words
        other = dialogs.post(WORKFLOWS, part="plan", cycle_page="17", task_page="2", **hourly)
        assert "Cycles 961–1,000 of 1,000" in other.words
        assert (len(heads(other)), len(cells(other))) == (40, 40 * 10)
        beyond = dialogs.post(WORKFLOWS, part="plan", cycle_page="99", task_page="9", **hourly)
        assert heads(beyond) == heads(other)

    def test_newest_first_begins_with_the_newest(self, dialogs, hourly):
        assert "Cycles 961–1,000 of 1,000" in dialogs.post(WORKFLOWS, order="newest", **hourly).words

    def test_where_most_is_done_the_rest_is_shown(self, dialogs, session):
        write_runs(session, "d", ["a", "b", "c"], [*range(50), *range(53, 100)])
        ranges = {"from": "2026-01-01T00:00", "to": "2026-04-10T00:00"}
        part = dialogs.post(WORKFLOWS, target="d", **ranges)
        assert heads(part) == ["2026-02-20", "2026-02-21", "2026-02-22"]
        assert "Show the 97 cycles too in which nothing executes" in part.words
        every = dialogs.post(WORKFLOWS, target="d", part="plan", cycles="all", **ranges)
        assert "Cycles 1–60 of 100" in every.words
        assert "Show only cycles in which something executes" in every.words

    def test_the_number_of_queries_does_not_depend_on_that_of_cycles(self, dialogs, session):
        write_runs(session, "d", ["a", "b", "c"], range(0, 200, 2))

        def queries(last: str) -> int:
            with counted_queries() as statements:
                dialogs.post(WORKFLOWS, target="d", **{"from": "2026-01-01T00:00", "to": last})
            return len(statements)

        queries("2026-01-03T00:00")
        assert queries("2026-01-03T00:00") == queries("2026-07-10T00:00")


class TestApply:
    def test_it_is_created_as_the_plan_had_it(self, dialogs, session):
        """A14, B15, D10: the same record and rows as from elsewhere, from 'ui'; the way to watch it."""
        fields = {
            "target": "d b", "name": "January", "reason": "source was late", "max_active_runs": "4", "order": "newest",
            "window_from": "22:00", "window_to": "06:00", "conf": '{"table": "x"}', "downstream": "1", **TEN,
        }  # fmt: skip
        done = dialogs.apply(TASKS, **fields)
        one = session.scalars(select(Replenishment)).one()
        assert done.title == f"Replenishment {one.id} is queued"
        assert f'replenishment?id={one.id}"' in done.html
        assert f">Watch replenishment {one.id}</a>" in done.html
        assert done.answer.headers["HX-Trigger"] == "taskops:changed"
        assert done.answer.headers["HX-Retarget"] == "#dialog-body"
        assert (one.name, one.state, one.max_active_runs, one.newest_first) == ("January", "queued", 4, True)
        assert (one.window, one.conf, one.actor) == ("22:00-06:00", {"table": "x"}, "admin")
        record = session.get(Operation, done.operation_id)
        assert (record.verb, record.source, record.reason) == ("replenish", "ui", "source was late")
        assert session.scalar(select(func.count()).select_from(ReplenishmentCell)) == 20
        assert session.scalar(select(func.count()).select_from(ReplenishmentRun)) == 10
        assert set(session.scalars(select(ReplenishmentCell.task_id))) == {"b", "c"}

    def test_what_changed_meanwhile_is_told_and_nothing_is_done(self, dialogs, session):
        """D3."""
        seen = dialogs.post(TASKS, target="d a", **TEN)
        write_runs(session, "d", ["a"], [1])
        write_runs(session, "d", ["a"], [2], "failed")
        fields = {"target": "d a", "step": "apply", "part": "plan", **TEN}
        part = dialogs.post(TASKS, 409, plan_hash=seen.plan_hash, **fields)
        assert "Something changed meanwhile, so nothing was done" in part.problem
        for line in ("2 cells changed since:", "d a, 2026-01-02 00:00:00: was no run, is done",
                     "d a, 2026-01-03 00:00:00: was no run, is failed"):  # fmt: skip
            assert line in part.words
        assert part.action == "Execute 9 cells"
        assert created(session) == 0
        assert dialogs.post(TASKS, plan_hash=part.plan_hash, **fields).title.endswith("is queued")

    def test_without_a_plan_nothing_is_done(self, dialogs, session):
        fields = {"target": "d a", "step": "apply", "part": "plan", **TEN}
        assert "not previewed" in dialogs.post(TASKS, 422, **fields).problem
        for rubbish in ("0", "x" * 5000, "eJw=", "eJyrVkpUslIyVKoFAAsKAhc=", json.dumps({"d": [[1], {"a": "A"}]})):
            assert "not that of a plan" in dialogs.post(TASKS, 422, plan_hash=rubbish, **fields).problem
        assert created(session) == 0

    def test_nothing_to_do_cannot_be_applied(self, dialogs, session):
        write_runs(session, "d", ["a"], range(10))
        part = dialogs.post(TASKS, target="d a", **TEN)
        assert part.action == "Nothing to execute"
        assert "none of the cells is missing or failed" in part.words
        assert re.search(r'id="change-apply"[^>]* disabled', part.html)
        fields = {"target": "d a", "step": "apply", "part": "plan", "plan_hash": part.plan_hash, **TEN}
        assert "Nothing is to be done" in dialogs.post(TASKS, 422, **fields).problem


class TestInstances:
    """From the execution history of a task: the data times of the chosen instances, all cells."""

    def test_ranges_are_exactly_the_chosen_data_times(self, dialogs, session):
        write_runs(session, "d", ["a", "b", "c"], range(10))
        targets = [f"-1 {run_id_of(2)}", f"-1 {run_id_of(5)}"]
        part = dialogs.post(INSTANCES, dag_id="d", task_id="a", target=targets)
        assert part.title == "Replenish task a of d"
        for end in ("from", "to"):
            assert re.findall(rf'name="{end}" value="([^"]+)"', part.html) == ["2026-01-03T00:00", "2026-01-06T00:00"]
        assert 'value="all" checked' in part.html
        assert list(cells(part)) == [
            "a, 2026-01-03 00:00:00: done, will execute", "a, 2026-01-06 00:00:00: done, will execute",
        ]  # fmt: skip
        assert 'name="target" value="d a"' in part.html
        assert "none of the schedule" not in part.words

    def test_runs_of_no_schedule_are_told(self, dialogs, session):
        from airflow.models.dagrun import DagRun

        write_runs(session, "d", ["a"], [2, 3, 4])
        odd = START + timedelta(days=3, hours=5, minutes=6, seconds=7, microseconds=8)
        for number, values in ((3, {"run_type": "manual", "logical_date": odd}), (4, {"logical_date": None})):
            session.execute(update(DagRun).where(DagRun.run_id == run_id_of(number)).values(**values))
        session.commit()
        part = dialogs.post(INSTANCES, dag_id="d", task_id="a", target=[f"-1 {run_id_of(n)}" for n in (2, 3, 4)])
        assert "2 of the chosen instances are not in the plan" in part.words
        assert 'name="from" value="2026-01-04T05:06:07" step="1"' in part.html
        assert len(cells(part)) == 1
        none = dialogs.post(INSTANCES, 422, dag_id="d", task_id="a", target=f"-1 {run_id_of(4)}")
        assert "no data time" in none.problem

    def test_bad_targets(self, dialogs):
        assert "nothing is selected" in dialogs.post(INSTANCES, 422, dag_id="d", task_id="a").problem.lower()
        assert "names no instance" in dialogs.post(INSTANCES, 422, dag_id="d", task_id="a", target="x").problem
        assert "does not exist" in dialogs.post(INSTANCES, 404, dag_id="d", task_id="zz", target="-1 x").problem


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from": "", "to": ""}, "Give at least one range of dates"),
        ({"from": "2026-01-02T00:00", "to": ""}, "Range 1 has no end"),
        ({"from": "", "to": "2026-01-02T00:00"}, "Range 1 has no beginning"),
        ({"from": "2026-01-02T00:00", "to": "2026-01-01T00:00"}, "Range 1 ends before it begins"),
        ({"from": "soon"}, "The beginning of range 1"),
        ({"from": "2999-01-01T00:00", "to": "2999-01-02T00:00"}, "lies in the future"),
        ({"from": "2020-01-01T00:00", "to": "2020-01-02T00:00"}, "no cycle"),
        ({"cells": "some"}, "Cells: 'some' is not among"),
        ({"upstream": "-1"}, "Steps upstream is -1; allowed are 0 to 100"),
        ({"downstream": "101"}, "allowed are 0 to 100"),
        ({"max_active_runs": "0"}, "allowed are 1 to 1,000"),
        ({"max_active_runs": "many"}, "Runs at a time is 'many'; allowed are 1 to 1,000"),
        ({"order": "up"}, "Order: 'up' is not among"),
        ({"window_from": "22:00"}, "The daily window has no end"),
        ({"window_from": "22:00", "window_to": "22:00"}, "The window opens and closes at the same time"),
        ({"window_from": "25:00", "window_to": "22:00"}, "allowed is HH:MM-HH:MM"),
        ({"conf": "{"}, "Conf is no JSON"),
        ({"conf": "[1]"}, "allowed is a JSON object"),
        ({"conf": '{"a": NaN}'}, "holds nan"),
        ({"name": "x" * 251}, "at most 250 are kept"),
        ({"reason": "x" * 2001}, "at most 2,000 are kept"),
        ({"zone": "Mars"}, "Time zone “Mars” does not exist"),
        ({"refuse_busy": "perhaps"}, "Refuse_busy is 'perhaps'"),
        ({"target": ""}, "Nothing is selected"),
        ({"target": "d"}, "is not 'DAG_ID TASK_ID'"),
    ],
)
def test_bad_input_is_one_line(dialogs, session, fields, words):
    """Requirements 6: and the button is off, and nothing changes."""
    part = dialogs.post(TASKS, 422, **({"target": "d a", "part": "plan", **TEN} | fields))
    assert words in part.problem
    assert "\n" not in part.problem.strip()
    assert "data-applies" not in part.html
    assert created(session) == 0


def test_too_many_targets(dialogs, monkeypatch):
    monkeypatch.setitem(form.MOST, Scope.TASK, 2)
    part = dialogs.post(TASKS, 422, matching="?dag_id=orders", **TEN)
    assert "3 tasks are selected; at most 2 are replenished at once" in part.problem
    assert "<form" not in part.html


def test_too_many_cells(dialogs, monkeypatch):
    monkeypatch.setenv("AIRFLOW__TASKOPS__MAX_REPLENISHMENT_CELLS", "5")
    assert "more than 5 cells" in dialogs.post(TASKS, 422, target="d a", part="plan", **TEN).problem
    # with other ranges it may do: the form is there
    part = dialogs.post(TASKS, target="d a", **TEN)
    assert "more than 5 cells" in part.problem
    assert 'name="from"' in part.html
    assert re.search(r'id="change-apply"[^>]* disabled', part.html)


class TestOffers:
    """A14, B15: from lists, rows, pages and the history."""

    def test_lists_and_their_rows(self, dialogs, session):
        operate(session, "offline", "orders")
        client = dialogs.client
        for page, scope in (("workflows", "workflows"), ("tasks?dag_id=sales", "tasks")):
            html = client.get(f"/pluginsv2/taskops/{page}").text
            assert html.count(f'hx-post="/pluginsv2/taskops/replenish/{scope}"') > 1
        assert "Offline tasks are not replenished" in client.get("/pluginsv2/taskops/tasks?dag_id=orders").text

    def test_pages(self, dialogs, session):
        write_runs(session, "d", ["a"], range(3))
        client = dialogs.client
        for page, scope in (
            ("workflow?dag_id=d", "workflows"),
            ("task?dag_id=d&task_id=a", "tasks"),
            ("task?dag_id=d&task_id=a&view=history", "instances"),
        ):
            assert f'hx-post="/pluginsv2/taskops/replenish/{scope}"' in client.get(f"/pluginsv2/taskops/{page}").text


def test_it_opens_with_nothing_from_before_the_first_run(dialogs, session):
    """Cycles before the Dag was there are not missing: they are not what the button executes."""
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    write_runs(session, "d", ["a", "b", "c"], [(yesterday - START).days])
    part = dialogs.post(WORKFLOWS, target="d")
    assert f'name="from" value="{yesterday:%Y-%m-%dT00:00}"' in part.html
    before = dialogs.post(WORKFLOWS, target="orders")
    assert f'name="from" value="{yesterday - timedelta(days=5):%Y-%m-%dT00:00}"' in before.html
    assert f"{yesterday - timedelta(days=1):%Y-%m-%d}" not in part.html


def test_a_large_plan_asks_once_more(dialogs, session, monkeypatch):
    monkeypatch.setattr(dialog, "LARGE", 20)
    part = dialogs.post(WORKFLOWS, target="d", **TEN)
    assert "Yes, execute 30 cells" in part.words
    assert 'name="confirm_cells" value="30" required' in part.html
    for fields in ({}, {"confirm_cells": "29"}):
        refused = dialogs.apply(WORKFLOWS, 422, target="d", **TEN, **fields)
        assert refused.problem == "This executes 30 cells: tick the box that confirms it"
        assert created(session) == 0
    assert "confirm_cells" not in dialogs.post(TASKS, target="d a", **TEN).html
    assert "is queued" in dialogs.apply(WORKFLOWS, target="d", confirm_cells="30", **TEN).title
    assert created(session) == 1
