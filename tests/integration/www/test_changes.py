"""The dialogs of operations: preview, options, apply, refusals, undo (A12-A16, A18, B12-B14, B17, B18, D1-D4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from taskops_provider.models import GateInterval, Lease, Operation, OperationItem, Owner, Task
from taskops_provider.services.operations import strict_mode_setting
from tests.support import rows
from tests.support.api import Api, tasks
from tests.support.apps import web_app
from tests.support.dialogs import Dialogs
from tests.support.instances import write_runs
from tests.support.queries import counted_queries
from tests.support.warehouse import ALICE, install, later, operate, retail, stored

PAUSE, START, OFFLINE = "change/tasks/pause", "change/tasks/start", "change/tasks/offline"
DELETE, SUBMIT, OWNERS = "change/tasks/delete", "change/tasks/submit", "change/tasks/set-owners"
ORDERS = ["orders extract", "orders clean", "orders load"]


@pytest.fixture
def web(session):
    install(session, retail())
    with web_app("simple").active() as app:
        yield app


@pytest.fixture
def dialogs(web) -> Dialogs:
    return Dialogs(web)


def recorded(session, number: int) -> tuple:
    """A record without what tells surfaces apart."""
    session.expire_all()
    one = session.get(Operation, number)
    query = select(OperationItem).where(OperationItem.operation_id == number).order_by(OperationItem.id)
    items = [
        (i.dag_id, i.task_id, i.outcome, i.before, i.after, i.reason, i.blocked_by) for i in session.scalars(query)
    ]
    return (one.verb, one.scope, one.actor, one.options, one.reason, one.ticket, one.outcome, one.applied, items)


def running(session, dag_id: str, task_ids: list[str], number: int = 3, pool: str = "default_pool") -> None:
    """Runs on their way in which these tasks wait."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance as TI

    write_runs(session, dag_id, task_ids, range(number), state=None)
    session.execute(update(DagRun).where(DagRun.dag_id == dag_id).values(state="running"))
    session.execute(update(TI).where(TI.dag_id == dag_id).values(pool=pool))
    session.commit()


def test_a_preview_shows_the_plan_and_writes_nothing(dialogs, session):
    """B13, D3: name, type, schedule type, owners, workflow, before and after; and what else it touches."""
    operate(session, "offline", "orders.load")
    running(session, "orders", ["extract", "clean"])
    before = session.scalars(select(Lease.renewed_at)).all()
    part = dialogs.post(PAUSE, target=ORDERS)
    assert part.title == part.action == "Pause 2 tasks"
    assert part.counts == [2, 1, 0]
    [applied] = part.section("applied")
    for words in ("clean", "BashOperator", "Hour", "ann, bob", "orders", "Scheduling → Paused"):
        assert words in applied, words
    [left] = part.section("left")
    assert "1 left alone is offline; pause applies to tasks that are scheduling" in left
    assert "6 unfinished instances go on to the end" in part.words
    assert "6 tasks downstream, in 4 workflows affected" in part.words or "downstream, in" in part.words
    assert set(stored(session, "orders").values()) == {"scheduling", "offline"}
    assert session.scalar(select(func.count()).select_from(Operation)) == 1
    assert session.scalars(select(Lease.renewed_at)).all() == before


def test_pause_offers_its_options_in_sentences(dialogs):
    """D1, D2: the effects as cards, termination with the count, a time to start again, reason and ticket."""
    html = dialogs.post(PAUSE, target="orders clean").html
    for value in ("skip", "run", "fail", "hold"):
        assert f'type="radio" name="downstream" value="{value}"' in html
    assert 'value="skip" checked' in html
    for name in ("terminate_instances", "resume_at", "zone", "notify_owners", "reason", "ticket"):
        assert f'name="{name}"' in html
    for name in ("cascade", "held", "owner", "fill_gap"):
        assert f'name="{name}"' not in html
    assert 'maxlength="2000"' in html
    assert 'maxlength="250"' in html


def test_apply_is_recorded_as_the_apis(dialogs, web, session):
    """D10: the same record as through the API, from 'ui'."""
    fields = {"downstream": "fail", "reason": "late", "ticket": "OPS-1", "terminate_instances": "on"}
    done = dialogs.apply(PAUSE, target=["orders clean", "sales sum"], **fields)
    assert done.title == "2 tasks paused"
    assert done.answer.headers["HX-Trigger"] == "taskops:changed"
    assert done.answer.headers["HX-Retarget"] == "#dialog-body"
    assert stored(session, "orders")["clean"] == "paused"
    mine = recorded(session, done.operation_id)
    assert session.get(Operation, done.operation_id).source == "ui"
    dialogs.post("undo", step="apply", operation_id=str(done.operation_id))
    answer = Api(web).post(
        "tasks/pause", targets=tasks("orders.clean", "sales.sum"), **(fields | {"terminate_instances": True})
    )
    assert mine == recorded(session, answer["operation_id"])


@pytest.mark.parametrize(
    ("verb", "before", "fields", "title", "after"),
    [
        ("pause", None, {}, "1 task paused", "paused"),
        ("start", "pause", {}, "1 task started", "scheduling"),
        ("offline", None, {"downstream": "run"}, "1 task taken offline", "offline"),
        ("delete", "offline", {"downstream": "run"}, "1 task deleted", "deleted"),
        ("delete", "offline", {"downstream": "fail"}, "1 task deleted", "deleted"),
        ("submit", "offline", {}, "1 task resubmitted", "scheduling"),
        ("set-owners", None, {"owner": ["carol", "dan"]}, "Owners of 1 task changed", "scheduling"),
    ],
)
def test_every_verb_on_tasks(dialogs, session, verb, before, fields, title, after):
    """B12-B14, B17, B18."""
    if before:
        operate(session, before, "orders.clean")
    done = dialogs.apply(f"change/tasks/{verb}", target="orders clean", **fields)
    assert done.title == title
    assert stored(session, "orders")["clean"] == after
    if verb == "delete":
        gate = session.scalars(select(GateInterval).where(GateInterval.to_at.is_(None))).one()
        assert (gate.state, gate.downstream) == ("deleted", fields["downstream"])
    if verb == "set-owners":
        assert set(session.scalars(select(Owner.owner).where(Owner.task_id == "clean"))) == {"carol", "dan"}


@pytest.mark.parametrize(
    ("verb", "before", "fields", "title"),
    [
        ("pause", None, {}, "3 tasks of 1 workflow paused"),
        ("start", "pause", {}, "3 tasks of 1 workflow started"),
        ("offline", None, {}, "3 tasks of 1 workflow taken offline"),
        ("delete", "offline", {"downstream": "run"}, "3 tasks of 1 workflow deleted"),
        ("submit", "offline", {}, "3 tasks of 1 workflow resubmitted"),
        ("set-owners", None, {"owner": ["carol", "dan"]}, "Owners of 1 workflow changed"),
    ],
)
def test_every_verb_on_workflows(dialogs, session, verb, before, fields, title):
    """A12, A13, A15, A16."""
    if before:
        operate(session, before, "orders")
    assert dialogs.apply(f"change/workflows/{verb}", target="orders", **fields).title == title


def test_delete_has_no_method_until_one_is_chosen(dialogs, session):
    """B18: two methods, none of them preselected; without one nothing can be applied."""
    operate(session, "offline", "orders.clean")
    part = dialogs.post(DELETE, target=["orders clean", "orders load"])
    assert part.title == "Delete 1 task"
    assert part.plan_hash == ""
    assert part.html.count('name="downstream"') == 2
    for words in ("Downstream tasks run normally", "Downstream tasks fail"):
        assert words in part.words
    assert "checked" not in part.html
    assert part.counts == [1, 1, 0]
    again = dialogs.post(DELETE, target="orders clean", downstream="fail", part="plan")
    assert again.plan_hash
    assert (
        "delete needs"
        in dialogs.post(
            DELETE, 422, target="orders clean", step="apply", part="plan", plan_hash=again.plan_hash
        ).problem.lower()
    )
    assert stored(session, "orders")["clean"] == "offline"


def test_owners_begin_with_those_that_the_targets_share(dialogs):
    """A15, B17."""
    part = dialogs.post(OWNERS, target="orders clean")
    for owner in ("ann", "bob"):
        assert f'name="owner" value="{owner}"' in part.html
    assert part.plan_hash == ""  # nothing was picked by the person yet
    mixed = dialogs.post(OWNERS, target=["orders extract", "orders load"])
    assert 'name="owner" value="ann"' not in mixed.html
    assert dialogs.post(OWNERS, target="orders clean", owner=["carol"], part="plan").plan_hash


def test_start_asks_about_held_instances_only_where_there_are_any(dialogs, session):
    """B12, D1."""
    operate(session, "pause", "orders.clean", downstream="hold")
    assert 'name="held"' not in dialogs.post(START, target="orders clean").html
    running(session, "orders", ["clean"], pool="taskops_hold")
    part = dialogs.post(START, target="orders clean")
    assert "The 3 held instances" in part.words
    assert 'name="held" value="run" checked' in part.html
    done = dialogs.apply(START, target="orders clean", held="skip")
    session.expire_all()
    assert session.get(Operation, done.operation_id).options["held"] == "skip"


def test_termination_counts_and_does(dialogs, session):
    """B13: the choice of ending instances, with their number."""
    running(session, "orders", ["clean"])
    part = dialogs.post(PAUSE, target="orders clean", terminate_instances="on", part="plan")
    assert "3 unfinished instances end now" in part.words
    assert 'id="change-instances" hx-swap-oob="innerHTML">3<' in part.html
    done = dialogs.apply(PAUSE, target="orders clean", terminate_instances="on")
    assert "3 instances ended or gated" in done.words


def test_resume_at_is_a_wall_clock_time_in_the_persons_zone(dialogs, session):
    """D2."""
    at = later(days=2).replace(second=0, microsecond=0)
    local = (at + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    dialogs.apply(PAUSE, target="orders clean", resume_at=local, zone="Asia/Tokyo")
    session.expire_all()
    assert session.get(Task, ("orders", "clean")).resume_at == at
    assert "not in the future" in dialogs.post(PAUSE, 422, target="orders load", resume_at="2020-01-01T08:00").problem


def test_changing_an_option_brings_the_plan_alone(dialogs):
    """The form stays as it is: focus and what was typed are kept."""
    part = dialogs.post(PAUSE, target=ORDERS, part="plan", downstream="run")
    assert "<form" not in part.html
    assert 'hx-swap-oob="innerHTML">Pause 3 tasks<' in part.html
    assert part.plan_hash != dialogs.post(PAUSE, target=ORDERS, part="plan", downstream="fail").plan_hash


def test_a_plan_that_changed_is_shown_in_words_and_one_click_goes_on(dialogs, session):
    """D3."""
    seen = dialogs.post(PAUSE, target=ORDERS)
    operate(session, "pause", "orders.clean")
    part = dialogs.post(PAUSE, 409, target=ORDERS, step="apply", part="plan", plan_hash=seen.plan_hash)
    assert "nothing was done" in part.problem
    assert "orders clean is now paused: pause by alice (operation" in part.words
    assert part.action == "Pause 2 tasks"
    assert "HX-Retarget" not in part.answer.headers
    assert "HX-Trigger" not in part.answer.headers
    assert stored(session, "orders")["load"] == "scheduling"
    done = dialogs.post(PAUSE, target=ORDERS, step="apply", part="plan", plan_hash=part.plan_hash)
    assert done.title == "2 tasks paused"


def test_what_was_not_looked_at_is_not_applied(dialogs, session):
    """D3: neither without the hash of a plan nor with that of another one, nor twice."""
    assert "not previewed" in dialogs.post(PAUSE, 422, target="orders clean", step="apply").problem
    other = dialogs.post(PAUSE, target="orders clean", downstream="run").plan_hash
    dialogs.post(PAUSE, 409, target="orders clean", downstream="fail", step="apply", part="plan", plan_hash=other)
    dialogs.post(PAUSE, 422, target="orders clean", step="apply", plan_hash="rubbish")
    dialogs.apply(PAUSE, target="orders clean", downstream="run")
    dialogs.post(PAUSE, 409, target="orders clean", downstream="run", step="apply", part="plan", plan_hash=other)
    assert session.scalar(select(func.count()).select_from(Operation)) == 1


def test_all_rows_under_the_filter(dialogs, session):
    """A12: the list's own query chooses, as the list reads it."""
    part = dialogs.post(PAUSE, matching="workflow=orders&q=l&sort=-status&page=2")
    assert part.counts == [2, 0, 0]
    assert 'name="matching" value="workflow=orders&amp;q=l&amp;sort=-status&amp;page=2"' in part.html
    assert dialogs.post(PAUSE, matching="?").counts == [9, 0, 0]
    assert dialogs.apply(PAUSE, matching="workflow=orders&q=l").title == "2 tasks paused"
    flows = dialogs.post("change/workflows/offline", matching="q=orders|report&period=hour")
    assert flows.counts == [3, 0, 0]
    assert "no task matches the filter" in dialogs.post(PAUSE, 422, matching="q=nothing_has_this_name").problem.lower()


@pytest.mark.parametrize(
    ("path", "fields", "status", "line"),
    [
        (PAUSE, {}, 422, "Nothing is selected"),
        (PAUSE, {"target": "orders"}, 422, "Target 'orders' is not 'DAG_ID TASK_ID'"),
        ("change/workflows/pause", {"target": "orders clean"}, 422, "Target 'orders clean' is not 'DAG_ID'"),
        (PAUSE, {"target": "orders nope"}, 404, "'orders nope' does not exist"),
        (PAUSE, {"target": "orders clean", "downstream": "explode"}, 422, "Downstream is 'explode'; allowed are skip"),
        (OFFLINE, {"target": "orders clean", "downstream": "hold"}, 422, "does not go with offline"),
        (START, {"target": "orders clean", "terminate_instances": "on"}, 422, "goes with pause and offline"),
        (PAUSE, {"target": "orders clean", "terminate_instances": "maybe"}, 422, "Terminate_instances is 'maybe'"),
        (PAUSE, {"target": "orders clean", "resume_at": "soon"}, 422, "'soon', is no date and time"),
        (PAUSE, {"target": "orders clean", "resume_at": "2099-01-01T08:00", "zone": "Mars"}, 422, "time zone 'Mars'"),
        (PAUSE, {"target": "orders clean", "step": "jump"}, 422, "Step is 'jump'"),
        (PAUSE, {"target": "orders clean", "reason": "x" * 2001}, 422, "The reason has 2001 characters"),
        (PAUSE, {"target": "orders clean", "ticket": "x" * 251}, 422, "The ticket has 251 characters"),
        (OWNERS, {"target": "orders clean", "owner": ["x" * 191]}, 422, "is longer than 190"),
        (OWNERS, {"target": "orders clean", "owner": [f"o{n}" for n in range(51)]}, 422, "51 owners were given"),
        (START, {"target": "orders clean", "held": "burn"}, 422, "Held is 'burn'; allowed are run, skip"),
        (PAUSE, {"target": "orders clean", "matching": "q=x"}, 422, "do not go together"),
        (PAUSE, {"matching": "status=on_fire"}, 422, "Status is “on_fire”; allowed are"),
        (PAUSE, {"target": [f"d t{n}" for n in range(10_001)]}, 422, "10,001 targets are named; at most 10,000"),
    ],
)  # fmt: skip
def test_bad_fields_give_one_line_and_change_nothing(dialogs, session, path, fields, status, line):
    for more in ({}, {"part": "plan"}, {"step": "apply", "plan_hash": f"0.{'0' * 40}"}):
        if more.get("step") and "step" in fields:
            continue
        part = dialogs.post(path, status, **(fields | more))
        assert line.lower() in part.words.lower()
        assert "Traceback" not in part.html
    assert session.scalar(select(func.count()).select_from(Operation)) == 0


def test_more_than_is_read_is_refused_in_a_line(dialogs):
    parts = [("target", (None, f"orders t{n}")) for n in range(1500)]
    answer = dialogs.client.post(f"/pluginsv2/taskops/{PAUSE}", files=parts, headers=dialogs.headers)
    assert answer.status_code == 422
    assert "too many targets were named at once" in answer.text


def test_nothing_to_do_has_no_button(dialogs):
    part = dialogs.post(START, target=ORDERS)
    assert part.title == "Start: nothing to do"
    assert part.counts == [0, 3, 0]
    assert 'id="change-apply"' not in part.html
    assert 'name="reason"' not in part.html


def strict(session, project: str = "dags-folder") -> None:
    strict_mode_setting.set_strict_mode(session, ALICE, project, True, later())
    session.commit()


def test_strict_mode_lists_the_eligible_and_who_blocks_the_others(dialogs, session):
    """A18: with name, type, period, owners and workflow of the blockers, linked."""
    strict(session)
    part = dialogs.post(PAUSE, target=[*ORDERS, "report send"])
    assert "Strict mode is on for project dags-folder" in part.words
    assert part.counts == [1, 0, 3]
    [blocked] = part.section("blocked")
    assert "3 blocked strict mode: has downstream tasks that are not offline" in blocked
    assert "Blocked by load BashOperator · Hour · bob · workflow orders" in blocked
    assert "Blocked by wait ExternalTaskSensor · Hour" in blocked
    assert 'href="/pluginsv2/taskops/task?dag_id=sales&amp;task_id=wait"' in part.html
    assert part.action == "Pause 1 task"
    done = dialogs.apply(PAUSE, target=[*ORDERS, "report send"])
    assert done.counts == [1, 0, 3]
    assert stored(session, "report")["send"] == "paused"


def test_cascade_in_waves(dialogs, session):
    """A18: offline of several tasks, the last ones downstream first."""
    assert 'name="cascade"' not in dialogs.post(OFFLINE, target=["report render", "report send"]).html
    strict(session)
    part = dialogs.post(OFFLINE, target=["report render", "report send"])
    assert 'name="cascade"' in part.html
    assert part.counts == [1, 0, 1]
    waves = dialogs.post(OFFLINE, target=["report render", "report send"], cascade="on", part="plan")
    assert waves.counts == [2, 0, 0]
    assert "Wave" in waves.words
    assert (
        dialogs.apply(OFFLINE, target=["report render", "report send"], cascade="on").title == "2 tasks taken offline"
    )


def test_all_blocked_still_offers_to_cascade(dialogs, session):
    strict(session)
    part = dialogs.post(OFFLINE, target="report render")
    assert 'name="cascade"' in part.html
    assert '<button id="change-apply" type="submit" class="button solid" disabled>' in part.html


def test_a_workflow_on_which_others_depend_is_not_deleted(dialogs, session):
    """A18: refused as a whole, with the dependencies, linked; A16."""
    operate(session, "offline", "orders")
    strict(session)
    part = dialogs.post("change/workflows/delete", target="orders", downstream="run")
    assert part.counts == [0, 0, 3]
    assert part.rows("blocked") == 1
    [blocked] = part.section("blocked")
    assert "orders 3 tasks" in blocked
    assert "Blocked by wait ExternalTaskSensor · Hour" in blocked
    assert "workflow sales" in blocked
    assert 'href="/pluginsv2/taskops/task?dag_id=sales&amp;task_id=wait"' in part.html
    assert 'id="change-apply"' not in part.html


def test_undo_from_the_result(dialogs, session):
    """D4: what is restored, what is not because something newer changed it."""
    done = dialogs.apply(PAUSE, target=ORDERS)
    number = done.operation_id
    assert 'hx-post="/pluginsv2/taskops/undo"' in done.html
    operate(session, "offline", "orders.clean")
    part = dialogs.post("undo", operation_id=str(number))
    assert part.title == f"Undo operation {number}"
    assert part.counts == [2, 1, 0]
    assert "changed since by operation" in part.section("left")[0]
    assert "Paused → Scheduling" in part.section("applied")[0]
    assert stored(session, "orders")["load"] == "paused"
    undone = dialogs.post("undo", operation_id=str(number), step="apply")
    assert undone.title == "2 tasks restored"
    assert undone.answer.headers["HX-Trigger"] == "taskops:changed"
    assert stored(session, "orders") == {"clean": "offline", "extract": "scheduling", "load": "scheduling"}
    assert session.get(Operation, undone.operation_id).source == "ui"
    again = dialogs.post("undo", 409, operation_id=str(number))
    assert "was undone already" in again.problem


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "9" * 30, "١"])
def test_undo_of_no_operation(dialogs, number):
    assert "is the number of an operation" in dialogs.post("undo", 422, operation_id=number).problem


def test_undo_of_an_unknown_operation(dialogs):
    assert dialogs.post("undo", 404, operation_id="77").problem == "Operation 77 does not exist"


def test_large_plans_show_the_first_hundred(dialogs, session):
    flows = [rows.Flow(f"many_{n:03}", states=("scheduling",) * 10) for n in range(30)]
    rows.write(flows, session)
    part = dialogs.post("change/workflows/pause", matching="q=many_")
    assert part.title == "Pause 300 tasks of 30 workflows"
    assert part.rows("applied") == 100
    assert "and 200 more" in part.words


@pytest.mark.parametrize("path", [PAUSE, OFFLINE, START, SUBMIT])
def test_queries_do_not_grow_with_the_targets(dialogs, session, path):
    numbers = []
    for first, last in ((0, 2), (2, 60)):
        rows.write(
            [rows.Flow(f"many_{n:03}", states=("scheduling", "paused") * 3) for n in range(first, last)], session
        )
        with counted_queries() as queries:
            dialogs.post(path, matching="workflow=many_")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1], queries


def test_a_pause_names_what_is_downstream_and_what_will_drain(dialogs):
    part = dialogs.post(PAUSE, target="orders load")
    assert "affected: " in part.words
    assert 'href="/pluginsv2/taskops/workflow?dag_id=sales">sales</a>' in part.html
    assert "it drains" not in part.words
    whole = dialogs.post(PAUSE, target=[*ORDERS])
    assert "No task of orders stays scheduling: it drains." in whole.words


def test_a_blocked_plan_says_so_and_its_outer_blockers_come_first(dialogs, session):
    strict(session)
    part = dialogs.post(PAUSE, target=ORDERS)
    assert part.title == "Pause: blocked"
    assert "a task can be paused only if all its downstream tasks are offline or deleted" in part.words
    [blocked] = part.section("blocked")
    outer, inner = blocked.index("workflow sales"), blocked.index("workflow orders")
    assert outer < inner
