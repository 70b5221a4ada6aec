"""The pages of alarms: what fired, the rules, the dialogs (requirements 7, 8; B16)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import AlarmRule, Operation, Owner
from taskops_provider.services import health
from tests.support.alarming import alarms, became, deliveries, look, rule, send
from tests.support.api import fab_user
from tests.support.apps import MANAGERS, READER, READERS_DAG, WebApp, web_app
from tests.support.dialogs import Dialogs
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.pages import cells, get, problems
from tests.support.queries import counted_queries
from tests.support.warehouse import chain, install

ALARMS, ALARM, RULES = (f"/pluginsv2/taskops/{name}" for name in ("alarms", "alarm", "alarm_rules"))
NEW = "alarm_rules/new/tasks"
#: what the dialog sends when nothing is changed in it
PLAIN = {"step": "apply", "kind": "failed", "on": "retries_exhausted", "level": "1", "owners": "on", "channel": "email"}
ON_CLEAN = {"target": "orders clean", "scope": "task", "dag_id": "orders", "task_id": "clean"}


@pytest.fixture
def warehouse(session: Session) -> Session:
    install(session, [chain("orders", "extract", "clean", "load"), chain(READERS_DAG, "pull", "hidden_push")])
    return session


@pytest.fixture
def web(warehouse: Session) -> Iterator[WebApp]:
    with web_app("simple").active() as app:
        yield app


def fire(session: Session, name: str = "orders.clean", **given: Any) -> int:
    """A failed instance of a run of its own, and the rule that sees it; the number of the alarm."""
    number = len(alarms(session))
    rule(session, name, **given)
    dag_id, task_id = name.split(".")
    write_runs(session, dag_id, [task_id], [number], "running")
    became(session, name, "failed", number)
    look(session)
    return alarms(session)[-1].id


def rules(session: Session) -> list[AlarmRule]:
    session.expire_all()
    return list(session.scalars(select(AlarmRule).order_by(AlarmRule.id)))


def test_what_fired_is_listed_with_what_was_sent(web: WebApp, warehouse: Session) -> None:
    number = fire(warehouse, level=3, recipients={"owners": True, "addresses": ["ops@example.com"]})
    page = get(web, ALARMS)
    assert "<h1>1 alarm</h1>" in page
    assert cells(page, "level")[1:] == ["3 high"]
    [what] = cells(page, "what")[1:]
    assert "clean" in what
    assert "failed" in what
    assert cells(page, "state")[1:] == ["Unacknowledged"]
    assert "1 waiting" in cells(page, "messages")[1]
    assert f'href="{ALARM}?id={number}"' in page
    assert 'href="/pluginsv2/taskops/alarms" aria-current="page"' in page
    details = get(web, f"{ALARM}?id={number}")
    assert "ops@example.com" in details
    assert "Log in Airflow" in details


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("state=open", 1),
        ("state=confirmed", 1),
        ("kind=failed", 2),
        ("kind=succeeded", 0),
        ("level=3", 1),
        ("q=ORD", 1),
        ("q=hidden_p", 1),
        ("dag_id=orders&task_id=clean", 1),
        ("since=2999-01-01T00:00", 0),
        ("until=2999-01-01T00:00", 2),
    ],
)
def test_filters_of_what_fired(web: WebApp, warehouse: Session, query: str, found: int) -> None:
    number = fire(warehouse, level=3)
    fire(warehouse, f"{READERS_DAG}.hidden_push")
    Dialogs(web).post("alarms/confirm", target=str(number), step="apply")
    page = get(web, f"{ALARMS}?{query}")
    assert len(cells(page, "what")[1:]) == found
    assert problems(page) == []


def test_acknowledging_asks_first_and_says_who_has(web: WebApp, warehouse: Session) -> None:
    number = fire(warehouse, repeat={"minutes": 5, "max": 3})
    admin = Dialogs(web)
    part = admin.post("alarms/confirm", target=str(number))
    assert part.title == "Acknowledge 1 alarm?"
    assert alarms(warehouse)[0].confirmed_at is None
    part = admin.post("alarms/confirm", target=str(number), step="apply")
    assert part.title == "1 alarm acknowledged"
    assert part.answer.headers["HX-Trigger"] == "taskops:changed"
    [event] = alarms(warehouse)
    assert (event.confirmed_by, event.next_repeat_at) == ("admin", None)
    assert cells(get(web, ALARMS), "state")[1:] == ["Acknowledged by admin"]
    assert "acknowledged already" in admin.post("alarms/confirm", 422, target=str(number)).problem


def test_all_that_match_are_acknowledged_but_not_what_fired_since(web: WebApp, warehouse: Session) -> None:
    fire(warehouse)
    fire(warehouse, "orders.load", level=2)
    admin = Dialogs(web)
    part = admin.post("alarms/confirm", matching="?state=open")
    assert part.title == "Acknowledge 2 alarms?"
    newest = str(max(event.id for event in alarms(warehouse)))
    fire(warehouse, "orders.extract")
    part = admin.post("alarms/confirm", matching="?state=open", newest=newest, step="apply")
    assert part.title == "2 alarms acknowledged"
    assert [event.confirmed_at is None for event in alarms(warehouse)] == [False, False, True]
    assert "Level is “9”; allowed are" in admin.post("alarms/confirm", 422, matching="?level=9").problem


def test_a_rule_is_set_on_a_task_and_watches(web: WebApp, warehouse: Session) -> None:
    admin = Dialogs(web)
    part = admin.post(NEW, target="orders clean")
    assert part.title == "Set alarm on clean"
    assert 'name="dag_id" value="orders"' in part.html
    part = admin.post(NEW, **ON_CLEAN, **PLAIN, enabled="on", people="bob, night@example.com")
    assert part.title.endswith("is made")
    assert "/alarm_rules/test" in part.html
    [made] = rules(warehouse)
    assert (made.scope, made.dag_id, made.task_id, made.kind, made.enabled) == (
        "task",
        "orders",
        "clean",
        "failed",
        True,
    )
    assert made.body["recipients"] == {"owners": True, "users": ["bob"], "addresses": ["night@example.com"]}
    assert made.body["channels"] == [{"channel": "email", "connection": None, "args": {}}]
    assert warehouse.scalar(select(Operation.source)) == "ui"
    assert "1 rule" in admin.post(NEW, target="orders clean").words
    # the record of it has words
    assert "Set an alarm on task clean of orders" in " ".join(cells(get(web, "/pluginsv2/taskops/operations"), "what"))


@pytest.mark.parametrize(
    ("fields", "kind", "parameters"),
    [
        ({"on": "first_failure"}, "failed", {"on": "first_failure"}),
        ({"kind": "succeeded", "minutes": "7"}, "succeeded", {}),
        ({"kind": "running_longer_than", "limit": "minutes", "minutes": "30", "percent": "5"}, "", {"minutes": 30}),
        ({"kind": "running_longer_than", "limit": "percent", "percent": "50"}, "", {"percent": 50, "last": 10}),
        (
            {"kind": "not_finished_by", "time": "08:30", "deadline_zone": "Europe/Berlin", "days": "1"},
            "",
            {"time": "08:30", "zone": "Europe/Berlin", "days": 1},
        ),
        ({"kind": "not_started_by", "time": "23:59"}, "", {"time": "23:59", "zone": "UTC", "days": 0}),
        ({"kind": "replenishment_failed"}, "", {}),
        ({"kind": "replenishment_succeeded"}, "", {}),
    ],
)
def test_each_kind_has_its_fields_and_comes_back_into_them(
    web: WebApp, warehouse: Session, fields: dict[str, str], kind: str, parameters: dict[str, Any]
) -> None:
    admin = Dialogs(web)
    admin.post(NEW, **(ON_CLEAN | PLAIN | fields))
    [made] = rules(warehouse)
    assert made.kind == (kind or fields["kind"])
    assert made.body["parameters"] == parameters
    # what the dialog shows of a rule, sent as it is, changes nothing
    shown = admin.post("alarm_rules/edit", target=str(made.id))
    admin.post("alarm_rules/edit", step="apply", **shown.fields)
    [after] = rules(warehouse)
    assert after.version == 1


def test_all_that_can_be_chosen_comes_back(web: WebApp, warehouse: Session) -> None:
    admin = Dialogs(web)
    everything = {
        **ON_CLEAN,
        **PLAIN,
        "name": "Night watch",
        "level": "3",
        "channel": ["email", "chat", "memo"],
        "set.memo.mime_charset": "us-ascii",
        "set.memo.from_email": "taskops@example.com",
        "quiet_from": "22:00",
        "quiet_to": "06:00",
        "quiet_zone": "Asia/Tokyo",
        "except_level": "3",
        "repeat_minutes": "15",
        "repeat_max": "4",
        "escalate_after": "60",
        "escalate_people": "carol",
        "escalate_owners": "on",
    }
    admin.post(NEW, **everything)
    [made] = rules(warehouse)
    assert made.enabled is False
    assert [one["channel"] for one in made.body["channels"]] == ["email", "chat", "memo"]
    assert made.body["channels"][2]["args"] == {"mime_charset": "us-ascii", "from_email": "taskops@example.com"}
    assert made.body["quiet_hours"] == {"from": "22:00", "to": "06:00", "zone": "Asia/Tokyo", "except_level": 3}
    assert made.body["repeat"] == {"minutes": 15, "max": 4}
    assert made.body["escalation"]["recipients"] == {"owners": True, "users": ["carol"], "addresses": []}
    shown = admin.post("alarm_rules/edit", target=str(made.id))
    admin.post("alarm_rules/edit", step="apply", **shown.fields)
    assert rules(warehouse)[0].version == 1
    part = admin.post("alarm_rules/edit", step="apply", **(shown.fields | {"enabled": "on", "level": "2"}))
    assert part.title.endswith("is changed")
    [after] = rules(warehouse)
    assert (after.enabled, after.level, after.version) == (True, 2, 2)
    page = get(web, RULES)
    assert cells(page, "follow-up")[1:] == [
        "Quiet 22:00–06:00 Asia/Tokyo, except level 3 and above Again every 15 min, 4 times at most "
        "After 60 min to owners, carol"
    ]
    assert cells(page, "how")[1:] == ["E-mail, chat, memo"]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"kind": ""}, "Kind is"),
        ({"level": "4"}, "Level is 4"),
        ({"level": "high"}, "Level is 'high'; allowed are 1 (lowest), 2, 3"),
        ({"kind": "running_longer_than", "limit": "minutes"}, "Minutes is empty"),
        (
            {"kind": "running_longer_than", "limit": "percent", "percent": "-1"},
            "Percent is '-1'; allowed are 1 to 10,000",
        ),
        ({"kind": "not_finished_by"}, "Time of day is empty"),
        ({"kind": "not_finished_by", "time": "08:00", "deadline_zone": "Mars/Base"}, "Mars/Base"),
        ({"owners": ""}, "o recipient"),
        ({"channel": "", "owners": ""}, "No channel is chosen"),
        ({"channel": "pigeon"}, "is not released"),
        ({"channel": "no.such.Notifier"}, "is no name of a channel"),
        ({"channel": "memo", "set.memo.from_email": "{% include 'x' %}"}, "holds a template"),
        ({"channel": "memo", "set.memo.mime_charset": "klingon"}, "allowed are utf-8, us-ascii"),
        ({"quiet_from": "22:00"}, "no end"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "same time"),
        ({"repeat_minutes": "0"}, "Repeat every is 0; allowed are 1 to 44,640"),
        ({"escalate_people": "carol"}, "no time"),
        ({"escalate_after": "5"}, "names nobody"),
        ({"scope": "planet"}, "Scope is"),
        ({"dag_id": ""}, "Workflow ID is empty"),
        ({"task_id": "none"}, "does not exist"),
        ({"scope": "project", "project": "none"}, "does not exist"),
        ({"owners": "maybe"}, "Owners is"),
    ],
)
def test_what_cannot_be_is_one_line_in_the_dialog_and_changes_nothing(
    web: WebApp, warehouse: Session, fields: dict[str, str], line: str
) -> None:
    answer = Dialogs(web).client.post(
        f"/pluginsv2/taskops/{NEW}", data=ON_CLEAN | PLAIN | fields, headers=Dialogs(web).headers
    )
    assert answer.status_code in (403, 404, 422), answer.text
    assert 'id="dialog-title"' not in answer.text  # the fields stay
    assert line in answer.text.replace("&#39;", "'")
    assert rules(warehouse) == []


def test_a_rule_on_each_of_a_selection_with_as_many_queries_as_for_two(web: WebApp, warehouse: Session) -> None:
    install(warehouse, [chain("many", *(f"step_{number:03}" for number in range(90)))])
    admin, counts = Dialogs(web), []
    for query in ("?dag_id=orders", "?dag_id=many"):
        shown = admin.post(NEW, matching=query)
        assert 'name="scope"' not in shown.html
        with counted_queries() as asked:
            part = admin.post(NEW, **(shown.fields | {"step": "apply"}))
        counts.append(len(asked))
        assert "rules are made" in part.title
    assert len(rules(warehouse)) == 3 + 90
    assert counts[1] <= counts[0] + 1, counts
    [few, many] = warehouse.scalars(select(Operation).where(Operation.verb == "alarm-create").order_by(Operation.id))
    assert (few.applied, many.applied) == (3, 90)


def test_selected_workflows_get_a_rule_each(web: WebApp, warehouse: Session) -> None:
    admin = Dialogs(web)
    shown = admin.post("alarm_rules/new/workflows", target=["orders", READERS_DAG])
    assert shown.title == "Set alarm on 2 workflows"
    admin.post("alarm_rules/new/workflows", **(shown.fields | {"step": "apply"}))
    assert {(made.scope, made.dag_id, made.task_id) for made in rules(warehouse)} == {
        ("workflow", "orders", ""),
        ("workflow", READERS_DAG, ""),
    }


def test_a_rule_from_the_list_of_rules_and_on_a_project(web: WebApp, warehouse: Session) -> None:
    admin = Dialogs(web)
    shown = admin.post("alarm_rules/new")
    assert "Each task of a project" in shown.words
    project = warehouse.connection().exec_driver_sql("SELECT project FROM taskops_workflow").scalar()
    admin.post("alarm_rules/new", **(shown.fields | {"step": "apply", "scope": "project", "project": project}))
    [made] = rules(warehouse)
    assert (made.scope, made.project, made.dag_id) == ("project", project, "")
    assert f"any task of project {project} fails, and no retry is left" in cells(get(web, RULES), "called")


def test_rules_are_turned_off_on_and_deleted(web: WebApp, warehouse: Session) -> None:
    first, second = rule(warehouse, "orders.clean", name="Clean"), rule(warehouse, "orders", level=3)
    admin = Dialogs(web)
    both = {"target": [str(first), str(second)]}
    part = admin.post("alarm_rules/disable", **both)
    assert part.title == "Turn off 2 rules?"
    assert "Clean: orders.clean fails" in part.words
    assert admin.post("alarm_rules/disable", **both, step="apply").title == "2 rules turned off"
    assert [made.enabled for made in rules(warehouse)] == [False, False]
    assert "off already" in admin.post("alarm_rules/disable", 422, **both).problem
    before = datetime.now(UTC)
    assert admin.post("alarm_rules/enable", target=str(first), step="apply").title == "1 rule turned on"
    assert rules(warehouse)[0].active_since >= before - timedelta(seconds=1)
    page = get(web, f"{RULES}?state=off")
    assert cells(page, "number")[1:] == [str(second)]
    assert admin.post("alarm_rules/delete", matching="?", step="apply").title == "2 rules deleted"
    assert rules(warehouse) == []
    assert "does not exist" in admin.post("alarm_rules/delete", 404, target=str(first), step="apply").problem


def test_a_test_says_what_came_of_it(web: WebApp, warehouse: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with MailServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        number = rule(warehouse, "orders.clean", recipients={"users": ["nobody"], "addresses": ["ops@example.com"]})
        admin = Dialogs(web)
        part = admin.post("alarm_rules/test", target=str(number))
        assert "E-mail" in part.words
        assert deliveries(warehouse) == []
        part = admin.post("alarm_rules/test", target=str(number), step="apply")
        # the request only writes it down: a server that does not answer holds up nobody else
        assert len(server.mails) == 0
        assert "0 of 1 message sent: the sender is at it" in part.words
        assert "No address is known for nobody." in part.words
        followed = f"alarm_rules/tested?id={number}"
        assert f'hx-get="/pluginsv2/taskops/{followed}"' in part.html
        send()
        assert len(server.mails) == 1
        page = get(web, f"/pluginsv2/taskops/{followed}", "admin", part=True)
        assert "1 of 1 message sent" in page
        assert "hx-get" not in page
        get(web, f"/pluginsv2/taskops/{followed}", "viewer", 403, part=True)


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_viewer_sees_and_may_change_nothing(warehouse: Session, manager: str) -> None:
    number = fire(warehouse)
    [made] = rules(warehouse)
    chosen = {"target": str(made.id)}
    with web_app(manager).active() as web:
        viewer = Dialogs(web, "viewer")
        for page in (ALARMS, RULES, f"{ALARM}?id={number}"):
            text = get(web, page)
            assert "clean" in text
            assert "hx-post" not in text
        for path, fields in (
            (NEW, {"target": "orders clean"}),
            (NEW, ON_CLEAN | PLAIN),
            (NEW, {"target": ["orders clean", "orders load"]} | PLAIN),
            ("alarm_rules/new/workflows", {"target": "orders"}),
            ("alarm_rules/new", ON_CLEAN | PLAIN),
            ("alarm_rules/edit", chosen),
            ("alarm_rules/edit", ON_CLEAN | PLAIN | chosen),
            *((f"alarm_rules/{verb}", chosen) for verb in ("enable", "disable", "delete", "test")),
            *(
                (f"alarm_rules/{verb}", {"target": str(made.id), "step": "apply"})
                for verb in ("disable", "delete", "test")
            ),
            ("alarms/confirm", {"target": str(number)}),
            ("alarms/confirm", {"target": str(number), "step": "apply"}),
        ):
            assert "may not" in viewer.post(path, 403, **fields).problem, path
    [after] = rules(warehouse)
    assert after.version == 1
    assert alarms(warehouse)[0].confirmed_at is None


def test_who_may_read_one_dag_sees_its_alarms_alone(warehouse: Session) -> None:
    seen, hidden = fire(warehouse, f"{READERS_DAG}.hidden_push"), fire(warehouse)
    with web_app("fab").active() as web:
        # rules, not what they say of instances
        assert "hidden_push" in get(web, RULES, READER)
        assert "hidden_push" not in get(web, ALARMS, READER)
        get(web, f"{ALARM}?id={seen}", READER, status=404)
        editor = Dialogs(
            web,
            fab_user(
                web,
                "one.editor",
                *((v, f"DAG:{READERS_DAG}") for v in ("can_read", "can_edit")),
                ("can_read", "Task Instances"),
                ("can_read", "DAG Runs"),
            ),
        )
        for page in (ALARMS, RULES):
            text = get(web, page, "one.editor")
            assert "hidden_push" in text
            assert "orders" not in text
        get(web, f"{ALARM}?id={seen}", "one.editor")
        get(web, f"{ALARM}?id={hidden}", "one.editor", status=404)
        assert "Each task of a project" not in editor.post("alarm_rules/new").words
        assert "New rule" in get(web, RULES, "one.editor")
        assert "New rule" not in get(web, RULES, READER)
        assert editor.post("alarms/confirm", matching="?").title == "Acknowledge 1 alarm?"
        lines = {editor.post(NEW, 404, target=f"{dag_id} clean").problem[:3] for dag_id in ("orders", "nothing")}
        assert lines == {"Dag"}


def test_the_lists_ask_the_same_number_of_queries_for_many(web: WebApp, warehouse: Session) -> None:
    counts = []
    for _ in range(2):
        for name in ("orders.clean", "orders.load", f"{READERS_DAG}.pull"):
            fire(warehouse, name)
        for page in (ALARMS, RULES):
            get(web, page)
            with counted_queries() as asked:
                get(web, page)
            counts.append(len(asked))
    assert counts[:2] == counts[2:], counts


def test_empty_states_say_how_to_begin(web: WebApp) -> None:
    assert "No alarms yet" in get(web, ALARMS)
    assert "No alarm rules yet" in get(web, RULES)
    assert "No alarms match" in get(web, f"{ALARMS}?level=3")
    assert "No rules match" in get(web, f"{RULES}?rule=7")
    assert "Level is “9”; allowed are" in problems(get(web, f"{RULES}?level=9"))[0]
    get(web, f"{ALARM}?id=x", status=422)


def test_tasks_and_workflows_lead_to_their_alarms(web: WebApp) -> None:
    admin = web.client("admin")
    tasks = admin.get("/pluginsv2/taskops/tasks").text
    assert "/alarm_rules/new/tasks" in tasks
    assert "/alarms?dag_id=orders&amp;task_id=clean" in tasks
    assert "/alarm_rules/new/workflows" in admin.get("/pluginsv2/taskops/workflows").text
    assert "/alarm_rules/new/tasks" in admin.get("/pluginsv2/taskops/task?dag_id=orders&task_id=clean").text


def test_a_rule_that_reaches_nobody_says_so(web: WebApp, warehouse: Session) -> None:
    """In the dialog, on the rule, in `check`; not if somebody else is told."""
    warehouse.add(Owner(dag_id="orders", task_id="clean", owner="nora"))
    warehouse.commit()
    done = Dialogs(web).post(NEW, **PLAIN, **ON_CLEAN, enabled="on")
    assert "no address is known for" in done.words
    assert "Reaches nobody" in done.words
    page = get(web, RULES, "admin")
    _, state = cells(page, "state")
    assert state.startswith("On Reaches nobody: no address is known for")
    assert "nora" in state
    [found] = [one for one in health.check_health(warehouse, datetime.now(UTC)) if one.name == "alarms"]
    assert found.message == "1 enabled rule reaches nobody: none of the recipients has an address"
    other = Dialogs(web).post(NEW, **PLAIN, **ON_CLEAN, enabled="on", people="ops@example.com")
    assert "Reaches nobody" not in other.words
    assert "No address is known for" in other.words


def test_an_alarm_names_its_rule(web: WebApp, warehouse: Session) -> None:
    fire(warehouse)
    _, named = cells(get(web, ALARMS, "admin"), "rule")
    assert named == f"Rule {rules(warehouse)[0].id}"
