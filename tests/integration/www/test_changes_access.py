"""Who may change what through the dialogs, and what is refused (requirements 10)."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import func, select

from taskops_provider.models import Operation
from taskops_provider.services.operations import strict_mode_setting
from taskops_provider.www import csrf
from tests.support.api import fab_user
from tests.support.apps import MANAGERS, NOBODY, web_app
from tests.support.dialogs import ROOT, Dialogs, token_of
from tests.support.warehouse import ALICE, chain, install, later, operate, retail, stored

CHANGES = [f"change/{scope}/{verb}" for scope in ("tasks", "workflows")
           for verb in ("start", "pause", "offline", "delete", "submit", "set-owners")]  # fmt: skip
ALARMS = [
    "alarms/confirm",
    *(f"alarm_rules/{path}" for path in ("new/tasks", "new/workflows", "edit", "delete", "test")),
]
POSTS = [*CHANGES, "undo", "replenish/tasks", "replenish/workflows", "replenish/instances", *ALARMS]
PAUSE = "change/tasks/pause"


@pytest.fixture(params=MANAGERS)
def web(request, session):
    install(session, retail())
    with web_app(request.param).active() as app:
        yield app


@pytest.fixture
def fab(session):
    install(session, retail())
    with web_app("fab").active() as app:
        yield app


def operations(session) -> int:
    return session.scalar(select(func.count()).select_from(Operation))


def fields(path: str) -> dict[str, str]:
    """What a dialog would send."""
    target = "orders" if "workflows" in path else "orders clean"
    return {"target": target, "owner": "eve", "operation_id": "1", "step": "apply", "plan_hash": f"0.{'0' * 40}"}


@pytest.mark.parametrize("path", POSTS)
def test_without_a_token_of_ones_own_nothing_is_changed(web, session, monkeypatch, path):
    """None, rubbish, another user's, one signed with another secret, an expired one."""
    secret = web.flask.secret_key
    admin = str(web._users["admin"].get_id())
    monkeypatch.setattr(time, "time", lambda real=time.time: real() - csrf.LIFETIME - 60)
    expired = csrf.make_token(secret, admin)
    monkeypatch.undo()
    for token in ("", "rubbish", token_of(web, "viewer"), csrf.make_token("another secret", admin), expired):
        part = Dialogs(web, token=token).post(path, 403, **fields(path))
        assert "Reload it and try again" in part.words
    assert operations(session) == 0
    assert stored(session, "orders")["clean"] == "scheduling"


@pytest.mark.parametrize("path", POSTS)
def test_anonymous_gets_401_and_a_get_405(web, session, path):
    assert Dialogs(web, None).post(path, 401, **fields(path)).html == ""
    assert web.client().post(f"{ROOT}/{path}", data=fields(path)).status_code == 401
    assert web.client("admin").get(f"{ROOT}/{path}").status_code == 405
    assert web.client("admin").get(f"{ROOT}/change/tasks/explode").status_code == 404
    assert operations(session) == 0


@pytest.mark.parametrize("path", CHANGES)
def test_a_viewers_forged_post_is_refused_for_each_target(web, session, path):
    """As the API does: everything is blocked, nothing changes and nothing is recorded."""
    state = {"start": "paused", "delete": "offline", "submit": "offline"}.get(path.rpartition("/")[2])
    if state:
        operate(session, "pause" if state == "paused" else "offline", "orders")
    before, viewer = stored(session, "orders"), Dialogs(web, "viewer")
    recorded = operations(session)
    choices = {"delete": {"downstream": "run"}, "set-owners": {"owner": "eve"}}.get(path.rpartition("/")[2], {})
    target = fields(path)["target"]
    seen = viewer.post(path, target=target, **choices)
    assert seen.counts[0] == 0
    assert seen.counts[2] >= 1
    assert 'id="change-apply"' not in seen.html
    assert "you may not" in seen.section("blocked")[0]
    more = {"reason": "a text of mine", **choices}
    done = viewer.post(path, 403, target=target, step="apply", part="plan", plan_hash=seen.plan_hash, **choices)
    assert "you may not" in done.problem
    again = {"plan_hash": viewer.post(path, target=target, **more).plan_hash, **more}
    viewer.post(path, 403, target=target, step="apply", part="plan", **again)
    assert "HX-Trigger" not in done.answer.headers
    assert stored(session, "orders") == before
    assert operations(session) == recorded


def test_a_viewer_undoes_nothing(web, session):
    number = operate(session, "pause", "orders.clean").operation_id
    viewer = Dialogs(web, "viewer")
    part = viewer.post("undo", operation_id=str(number))
    assert part.counts == [0, 0, 1]
    assert 'id="change-apply"' not in part.html
    assert "you may not" in viewer.post("undo", 403, operation_id=str(number), step="apply").problem
    assert operations(session) == 1
    assert stored(session, "orders")["clean"] == "paused"


def test_the_session_of_airflow_is_not_written(fab):
    answer = Dialogs(fab).post(PAUSE, target="orders clean").answer
    assert not any(cookie.startswith("session=") for cookie in answer.headers.get_list("set-cookie"))


def test_names_that_may_not_be_read_appear_nowhere(fab, session):
    """In plans, blockers, totals and undo alike; a target in such a Dag does not exist."""
    install(session, [chain("secret_dag", "hidden_task")])
    session.commit()
    name = fab_user(fab, "orders.editor", ("can_read", "DAG:orders"), ("can_edit", "DAG:orders"))
    editor = Dialogs(fab, name)
    strict_mode_setting.set_strict_mode(session, ALICE, None, True, later())
    session.commit()
    for path in (PAUSE, "change/tasks/offline"):
        part = editor.post(path, target=["orders extract", "orders load"])
        assert "others that you may not see" in part.words
        for hidden in ("sales", "wait", "ExternalTaskSensor", "mart", "secret"):
            assert hidden not in part.html, hidden
    assert "does not exist" in editor.post(PAUSE, 404, target="sales sum").problem
    assert "does not exist" in editor.post(PAUSE, 404, target="no_such_dag sum").problem
    assert editor.post(PAUSE, matching="?").counts == [0, 0, 3]
    number = operate(session, "set-owners", "orders.load", "sales.sum", owners=["carol"]).operation_id
    part = editor.post("undo", operation_id=str(number))
    assert part.counts == [1, 0, 0]
    assert "sales" not in part.html


def test_who_may_read_nothing_is_told(fab):
    assert "You may not read any Dag" in Dialogs(fab, NOBODY).post(PAUSE, 403, target="orders clean").words


def test_text_from_people_is_escaped(web, session):
    evil = "<script>alert(1)</script>"
    from tests.support import rows

    rows.write([rows.Flow("evil", evil, owners=("<i>x</i>",), states=("scheduling",) * 2)], session)
    admin = Dialogs(web)
    for part in (
        admin.post("change/workflows/pause", target="evil"),
        admin.post("change/workflows/set-owners", target="evil", owner=[evil, '"><b>']),
        admin.post(PAUSE, 422, matching=f'workflow=evil&q=step&x="><img src=x>{evil}'),
        admin.post(PAUSE, 422, matching=f'workflow=evil&q=step"><img src=x>{evil}'),
        admin.post(PAUSE, 422, target=f"evil{evil}"),
        admin.post(PAUSE, 422, target="evil step_00", downstream=evil),
        admin.post(PAUSE, 422, target="evil step_00", resume_at=evil),
        admin.post("undo", 422, operation_id=evil),
        admin.apply(PAUSE, target="evil step_00", reason=evil, ticket=evil),
    ):
        assert "<script" not in part.html
        assert "<img" not in part.html
        assert "<i>x" not in part.html
        assert "<b>" not in part.html
        assert " style=" not in part.html
        assert not [word for word in (" onclick", " onload", " onsubmit", "javascript:") if word in part.html]
