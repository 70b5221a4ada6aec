"""``/taskops/v1/replenishments``: the answers of the command line, bad input, and nothing of Dags one may not read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from airflow.models.backfill import Backfill
from sqlalchemy import func, select

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.models import Operation, Replenishment
from taskops_provider.services.operations.records import RecordFilter, get_operation, list_operations
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment, show_replenishment
from taskops_provider.services.replenishments.listing import list_replenishments
from taskops_provider.services.shared.actor import Actor
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.queries import counted_queries
from tests.support.replenishing import FIRST, World, asked, days, make_runs
from tests.support.warehouse import ALICE, Limited, chain, install

RANGES = [{"from": "2026-01-01", "to": "2026-01-03"}]
D_B = {"tasks": [{"dag_id": "d", "task_id": "b"}], "ranges": RANGES}
CLI_D_B = ("--task", "d", "b", "--range", "2026-01-01", "2026-01-03")


@pytest.fixture
def api(session):
    install(session, [chain("d", "a", "b", "c"), chain("e", "a", "b")])
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


def test_a_plan_with_its_cells_is_that_of_the_command_line(api, cli):
    """D5, D10."""
    answer = api.post("replenishments/plan", **D_B, grid=True)
    assert answer == cli.json("replenish", "plan", *CLI_D_B, "--grid")
    [cells] = [task["cells"] for task in answer["workflows"][0]["tasks"]]
    assert [(one["class"], one["execute"], one["cycles"]) for one in cells] == [("no_run", True, 3)]


class TestTheSameAsTheCommandLine:
    """D10."""

    @pytest.mark.parametrize(
        ("words", "body"),
        [
            (CLI_D_B, D_B),
            (
                ("--workflow", "d", "--workflow", "e", "--range", "2026-01-02", "2026-01-02", "--cells", "all"),
                {"workflows": ["d", "e"], "ranges": [{"from": "2026-01-02", "to": "2026-01-02"}], "cells": ["all"]},
            ),
            (
                ("--task", "d", "b", "--upstream-depth", "1", "--downstream-depth", "1", *CLI_D_B[3:], "--name", "x"),
                {**D_B, "upstream_depth": 1, "downstream_depth": 1, "name": "x"},
            ),
        ],
    )
    def test_plans(self, api, cli, session, words, body):
        make_runs(World(session, outcomes={"b": "failed"}), "d", 2)
        assert cli.json("replenish", "plan", *words) == api.post("replenishments/plan", **body)

    def test_what_is_shown_and_listed(self, api, cli, session):
        made = api.post("replenishments", 201, **D_B, newest_first=True, window="22:00-06:00", conf={"table": "x"})
        cli("replenish", "create", "--workflow", "e", *CLI_D_B[3:], "--name", "january")
        number = made["replenishment_id"]
        assert (made["name"], made["state"], made["actor"]) == ("d", "queued", "admin")
        assert cli.json("replenish", "show", str(number)) | {"warnings": []} == made
        control_replenishment(session, ALICE, number, ControlVerb.PAUSE, datetime.now(UTC))
        session.commit()
        listed = api.get("replenishments")
        assert (listed["total_entries"], [one["name"] for one in listed["replenishments"]]) == (2, ["january", "d"])
        assert cli.json("replenish", "list") == listed["replenishments"]
        assert (
            cli.json("replenish", "list", "--state", "paused")
            == api.get("replenishments", state="paused")["replenishments"]
        )
        assert api.get("replenishments", limit=1, offset=1) == {
            "replenishments": listed["replenishments"][1:],
            "total_entries": 2,
        }

    def test_the_same_inputs_are_kept(self, api, cli):
        one = api.post("replenishments", 201, **D_B, max_active_runs=2)["inputs"]
        assert cli.json("replenish", "create", *CLI_D_B, "--max-active-runs", "2")["inputs"] == one
        assert one["ranges"] == [{"from": "2026-01-01T00:00:00+00:00", "to": "2026-01-03T23:59:59.999999+00:00"}]

    @pytest.mark.parametrize(
        ("words", "body"),
        [
            (("--workflow", "x", *CLI_D_B[3:]), {"workflows": ["x"], "ranges": RANGES}),
            (CLI_D_B[3:], {"ranges": RANGES}),
            ((*CLI_D_B, "--window", "late"), {**D_B, "window": "late"}),
            ((*CLI_D_B, "--cells", "failed"), {**D_B, "cells": ["failed"]}),
            ((*CLI_D_B, "--if-busy", "refuse"), {**D_B, "if_busy": "refuse"}),
        ],
    )
    def test_refusals_are_in_the_same_words(self, api, cli, session, words, body):
        session.add(Backfill(dag_id="d", from_date=FIRST, to_date=FIRST, max_active_runs=1, dag_run_conf={}))
        session.commit()
        said = cli("replenish", "create", *words)
        answer = api.ask("POST", "replenishments", json=body)
        assert (said.code, answer.status_code in (404, 409, 422)) == (1, True)
        # fields are called as the surface calls them
        assert said.err.replace("--window", "window") == f"error: {answer.json()['detail']}\n"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"workflows": ["d"]},
        {"workflows": ["d"], "ranges": []},
        {"workflows": ["d"], "ranges": [{"from": "2026-01-01"}]},
        {"workflows": ["d"], "ranges": [{"from": "soon", "to": "2026-01-01"}]},
        {"workflows": ["d"], "ranges": [{"from": 5, "to": 6}]},
        {**D_B, "cells": []},
        {**D_B, "cells": ["some"]},
        {**D_B, "upstream_depth": -1},
        {**D_B, "upstream_depth": 1, "upstream": 1},
        {**D_B, "upstream": -1},
        {**D_B, "max_active_runs": 0},
        {**D_B, "conf": []},
        {**D_B, "conf": {"a": "\0"}},
        {**D_B, "name": "x" * 251},
        {**D_B, "colour": "red"},
    ],
)
@pytest.mark.parametrize("path", ["replenishments", "replenishments/plan"])
def test_bad_input_changes_nothing(api, session, path, body):
    api.expect(422, "POST", path, json=body)
    assert session.scalar(select(func.count()).select_from(Operation)) == 0


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ('{"a": "\\ud800"}', "conf is not valid Unicode"),
        ('{"\\udfff": 1}', "conf is not valid Unicode"),
        ('{"a": "\\u0000"}', "conf holds a zero byte"),
        ('{"a": NaN}', "conf holds nan"),
        ('{"a": 1e999}', "conf holds inf"),
        ('{"a": ' + "[" * 21 + "]" * 21 + "}", "conf is nested too deep"),
        ('{"a": "' + "x" * 70_000 + '"}', "conf is too long"),
        ('{"a": 99999999999999999999999}', "conf holds a whole number of more than 64 bits"),
    ],
)
@pytest.mark.parametrize("path", ["replenishments", "replenishments/plan"])
def test_conf_that_cannot_be_kept_is_refused_before_anything_is_written(api, session, path, conf, said):
    """One such row would break the list of replenishments, and Airflow's list of runs, for everybody (issue 12, S5)."""
    body = json.dumps({**D_B, "conf": "CONF"}).replace('"CONF"', conf)
    detail = api.refused(422, "POST", path, content=body, headers={"Content-Type": "application/json"})
    assert said in detail
    assert session.scalar(select(func.count()).select_from(Operation)) == 0
    assert api.get("replenishments")["total_entries"] == 0


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800"])
def test_half_of_a_surrogate_pair_anywhere_is_refused_in_one_line(api, text):
    """The refusal may quote it: it is no server error either."""
    asked = {"content": f'{{"{text}": "{text}"}}', "headers": {"Content-Type": "application/json"}}
    for path in ("replenishments", "tasks/pause", "alarms/rules"):
        api.refused(422, "POST", path, **asked)


def test_old_names_of_fields_work_and_warn(api, session):
    """WORDS: until 1.0."""
    old, new = {**D_B, "upstream": 1, "downstream": 1}, {**D_B, "upstream_depth": 1, "downstream_depth": 1}
    plan = api.post("replenishments/plan", **old)
    warnings = [
        f"{name} is deprecated and will be removed in 1.0; use {name}_depth" for name in ("upstream", "downstream")
    ]
    assert plan["warnings"] == warnings
    assert plan | {"warnings": []} == api.post("replenishments/plan", **new)
    session.add(Backfill(dag_id="d", from_date=FIRST, to_date=FIRST, max_active_runs=1, dag_run_conf={}))
    session.commit()
    assert "another backfill of d goes on" in api.refused(409, "POST", "replenishments", json={**D_B, "queue": False})
    created = api.post("replenishments", 201, **D_B, queue=True)
    assert created["warnings"] == ["queue is deprecated and will be removed in 1.0; use if_busy"]
    both = {**D_B, "queue": False, "if_busy": "queue"}
    refusal = api.refused(422, "POST", "replenishments", json=both)
    assert refusal == "queue is the old name of if_busy; give one of them"


def test_control(api, session):
    number = api.post("replenishments", 201, **D_B)["replenishment_id"]
    assert api.post(f"replenishments/{number}/pause", reason="wait")["state"] == "paused"
    assert "is paused; pause applies" in api.refused(409, "POST", f"replenishments/{number}/pause", json={})
    assert api.post(f"replenishments/{number}/resume")["state"] == "queued"
    wrong = {"terminate_instances": True}
    assert "goes with cancel" in api.refused(422, "POST", f"replenishments/{number}/pause", json=wrong)
    assert api.post(f"replenishments/{number}/cancel", terminate_instances=True)["state"] == "cancelled"
    World(session).monitor()
    assert api.post(f"replenishments/{number}/retry")["state"] == "running"
    api.expect(422, "POST", f"replenishments/{number}/stop", json={})
    for path in ("replenishments/7000000", "replenishments/7000000/pause"):
        method = "POST" if path.endswith("pause") else "GET"
        assert api.refused(404, method, path, json={}) == "replenishment 7000000 does not exist"


def test_queries_do_not_grow_with_the_cells(api):
    def sent(path: str) -> int:
        with counted_queries(savepoints=False) as queries:
            api.get(path)
        return len(queries)

    number = api.post("replenishments", 201, **D_B)["replenishment_id"]
    sent("replenishments")  # what is cached is cached now
    few = sent(f"replenishments/{number}"), sent("replenishments")
    much = {"workflows": ["d"], "ranges": [{"from": "2026-01-01", "to": "2026-09-30"}]}
    number = api.post("replenishments", 201, **much)["replenishment_id"]
    assert (sent(f"replenishments/{number}"), sent("replenishments")) == few


class TestNothingOfWhatOneMayNotRead:
    """Requirements 10: a replenishment of two workflows, shown to people who may read one of them."""

    @pytest.fixture
    def number(self, session) -> int:
        install(session, [chain("open", "a"), chain("hush", "x", "y"), chain("a_hush", "z")])
        world = World(session)
        number = world.create("open", "hush", "a_hush.z", ranges=[days(1, 2)])
        world.monitor()
        return number

    reader = Actor("ron", "api", Limited({"open"}, {"open"}))

    def test_in_what_is_shown(self, session, number):
        now = datetime.now(UTC)
        shown = show_replenishment(session, self.reader, number, now)
        assert "hush" not in json.dumps(to_plain_data(shown), default=str)
        assert (shown.name, [one.dag_id for one in shown.workflows]) == ("open", ["open"])
        assert shown.inputs.workflows == ["open"]
        assert shown.counts.by_class == {"no_run": 2}
        assert sum(shown.counts.by_state.values()) == 2
        [listed] = list_replenishments(session, self.reader, now, limit=5).rows
        assert to_plain_data(listed) == {
            key: value for key, value in to_plain_data(shown).items() if key != "workflows"
        }
        everything = show_replenishment(session, ALICE, number, now)
        assert (everything.name, everything.counts.by_class) == ("a_hush and 2 more", {"no_run": 8})

    def test_in_the_operation_record(self, session, number):
        [record] = list_operations(session, self.reader, RecordFilter(), limit=5).rows
        whole = get_operation(session, self.reader, record.operation_id)
        assert "hush" not in json.dumps(to_plain_data([record, whole]), default=str)
        assert whole.options["workflows"] == ["open"]
        assert whole.counts.applied == 1
        of_all = get_operation(session, ALICE, record.operation_id).options
        assert of_all["workflows"] == ["open", "hush"]
        assert of_all["tasks"] == [{"dag_id": "a_hush", "task_id": "z"}]

    def test_in_refusals(self, session, number):
        from taskops_provider.exceptions import Forbidden, ResourceNotFound

        now = datetime.now(UTC)
        for verb in ControlVerb:
            with pytest.raises(Forbidden) as refused:
                control_replenishment(session, self.reader, number, verb, now)
            assert "hush" not in str(refused.value)
        for names in (("hush",), ("hush.x",), ("open", "hush")):
            with pytest.raises(ResourceNotFound) as refused:
                create_replenishment(session, self.reader, asked(*names), now)
            unknown = str(refused.value).replace("hush", "nope")
            with pytest.raises(ResourceNotFound) as refused:
                create_replenishment(session, self.reader, asked(*(n.replace("hush", "nope") for n in names)), now)
            assert str(refused.value) == unknown
        assert session.scalar(select(func.count()).select_from(Replenishment)) == 1
