"""``/taskops/v1/windows`` and ``airflow taskops windows``: the same answers, bad input in a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from taskops_provider.models import GateInterval, Operation, Window, Workflow
from tests.support.api import Api, tasks
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.warehouse import install, retail
from tests.support.windowing import body

WEEKENDS = ["--cron", "0 22 * * 5", "--zone", "Europe/Berlin", "--duration", "56h", "--except", "2026-12-25"]
MADE = ("window_id", "created_at", "changed_at", "created_by", "changed_by")


@pytest.fixture
def api(session):
    install(session, retail())
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


def without(shown, *names):
    return {key: value for key, value in shown.items() if key not in names}


def soon(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


class TestBoth:
    def test_the_command_line_and_the_api_make_the_same_window(self, api, cli):
        times = {"cron": "0 22 * * 5", "zone": "Europe/Berlin", "duration": "56h", "exceptions": ["2026-12-25"]}
        given = body("orders.clean", "mart", kinds="pause,freeze", times=times, reason="audit", downstream="hold")
        here = api.post("windows", 201, **given)
        words = "windows create --name night --kind pause --kind freeze --reason audit --downstream-effect hold"
        scope = ["--task", "orders", "clean", "--workflow", "mart"]
        there = cli.json(*words.split(), *scope, *WEEKENDS)
        assert without(there, *MADE) == without(here, *MADE)
        assert api.get(f"windows/{here['window_id']}") == here
        assert cli.json("windows", "show", str(there["window_id"])) == there
        listed = api.get("windows", dag_id="orders", kind="freeze")
        assert [one["window_id"] for one in listed["windows"]] == [there["window_id"], here["window_id"]]
        assert cli.json("windows", "list", "--dag-id", "orders", "--kind", "freeze") == listed["windows"]

        change = {"reason": "later", "downstream": "skip"}
        here = api.expect(200, "PATCH", f"windows/{here['window_id']}", json=change)
        words = f"windows update {there['window_id']} --reason later --downstream-effect skip"
        assert without(cli.json(*words.split()), *MADE) == without(here, *MADE)
        shown = api.get(f"windows/{here['window_id']}/preview", occurrences=3)
        words = f"windows preview --window {here['window_id']} --occurrences 3"
        assert cli.json(*words.split()) == shown
        assert len(shown["occurrences"]) == 3
        assert api.post("windows/preview", occurrences=3, **given)["workflows"] == 2
        api.expect(200, "DELETE", f"windows/{here['window_id']}")
        cli.json("windows", "delete", str(there["window_id"]))
        assert api.get("windows")["total_entries"] == 0

    def test_a_freeze_and_its_override(self, api, cli):
        api.post(
            "windows", 201, **body("orders", kinds="freeze", times={"begin": soon(hours=-1), "end": soon(hours=1)})
        )
        refused = api.post("tasks/pause", targets=tasks("orders.clean"))
        assert refused["outcome"] == "refused"
        assert refused["items"][0]["reason"].startswith("frozen by window night until")
        answer = cli("tasks", "pause", "orders", "clean", "--output", "json")
        assert answer.code == 3
        assert "needs a reason" in api.refused(
            422, "POST", "tasks/pause", json={"targets": tasks("orders.clean"), "override_freeze": True}
        )
        words = "tasks pause orders clean --override-freeze --reason fire"
        assert cli.json(*words.split())["outcome"] == "success"

    def test_skip_next_hold_and_release(self, api, cli, session):
        made = api.post("windows/skip-next", 201, workflows=["orders"], cycles=2)["windows"]
        assert made[0]["purpose"] == "skip_next"
        assert cli.json("windows", "skip-next", "--task", "orders", "clean")[0]["scope"]["tasks"]
        held = cli.json("windows", "hold-all", "--reason", "outage")
        assert held["workflows"] == 4
        assert "held already" in api.refused(409, "POST", "windows/hold-all", json={})
        released = api.post("windows/release-all", wave=2, every_minutes=5)
        assert (released["workflows"], released["window_ids"]) == (4, held["window_ids"])
        assert "is not held" in cli("windows", "release-all").err
        verbs = session.scalars(select(Operation.verb).order_by(Operation.id)).all()
        assert verbs == ["window-skip-next", "window-skip-next", "window-hold-all", "window-release-all"]

    def test_the_calendar(self, api):
        api.post("windows", 201, **body("orders"))
        entries = api.get("windows/calendar", begin=soon(), end=soon(days=7))["entries"]
        assert {one["title"] for one in entries} == {"night"}
        assert "at most 62 days" in api.refused(
            422, "GET", "windows/calendar", params={"begin": soon(), "end": soon(days=99)}
        )


class TestFiles:
    def test_what_was_exported_is_imported_as_it_was(self, api, cli, session, tmp_path):
        pytest.importorskip("icalendar")
        project = session.scalar(select(Workflow.project).limit(1))
        api.post("windows", 201, **body("orders.clean", downstream="fail", reason="a, b; c\nd"))
        rule = {"rrule": "FREQ=WEEKLY;BYDAY=SA,SU;UNTIL=20271231T000000Z", "zone": "Europe/Berlin"}
        rule |= {"starts": "2026-12-05T22:00:00", "duration": "8h", "exceptions": ["2026-12-26T22:00"]}
        api.post("windows", 201, **body(name="weekend", kinds="freeze", times=rule, scope={"projects": [project]}))
        before = [without(one, *MADE) for one in api.get("windows")["windows"]]
        file = tmp_path / "windows.ics"
        cli("windows", "export", "--to", str(file))
        assert api.ask("GET", "windows/export").text == file.read_bytes().decode()
        for one in api.get("windows")["windows"]:
            api.expect(200, "DELETE", f"windows/{one['window_id']}")
        cli.json("windows", "import", str(file))
        after = [without(one, *MADE) for one in api.get("windows")["windows"]]
        assert sorted(after, key=str) == sorted(before, key=str)

    def test_a_calendar_of_another_program(self, api):
        pytest.importorskip("icalendar")
        text = "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//other//EN",
                "BEGIN:VEVENT",
                "UID:1@example.com",
                "SUMMARY:Patch day",
                "DTSTART;TZID=Europe/Berlin:20261208T200000",
                "DTEND;TZID=Europe/Berlin:20261209T020000",
                "RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=12",
                "EXDATE;TZID=Europe/Berlin:20270112T200000",
                "END:VEVENT",
                "BEGIN:VEVENT",
                "UID:2@example.com",
                "SUMMARY:New year",
                "DTSTART;VALUE=DATE:20270101",
                "DTEND;VALUE=DATE:20270102",
                "END:VEVENT",
                "END:VCALENDAR",
                "",
            ]
        )
        made = api.post("windows/import", 201, content=text, kinds=["pause"], scope={"workflows": ["orders"]})[
            "windows"
        ]
        assert made[0]["times"] == {
            "rrule": "FREQ=MONTHLY;COUNT=12;BYDAY=2TU",
            "zone": "Europe/Berlin",
            "starts": "2026-12-08T20:00:00",
            "duration": "360m",
            "exceptions": ["2027-01-12T20:00:00+01:00"],
        }
        assert made[0]["next_begin"] == "2026-12-08T19:00:00Z"
        assert made[1]["times"]["begin"].startswith("2027-01-01T00:00:00")
        told = api.refused(422, "POST", "windows/import", json={"content": text})
        assert told.startswith("event 'Patch day': kinds is missing")

    @pytest.mark.parametrize("text", ["nothing", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "BEGIN:VEVENT\r\nDTSTART:x"])
    def test_what_is_no_calendar(self, api, session, text):
        pytest.importorskip("icalendar")
        api.refused(422, "POST", "windows/import", json={"content": text})
        assert session.scalar(select(func.count()).select_from(Window)) == 0

    def test_a_file_that_is_not_there(self, cli):
        assert "cannot be read" in cli("windows", "import", "nothing.ics").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("windows create --kind pause --workflow orders --cron '0 22 * * *' --duration 8h", "--name"),
        ("windows create --name n --kind pause --cron 0 --duration 8h --workflow orders", "--cron is '0'"),
        ("windows create --name n --kind melt --workflow orders --from +1h --to +2h", "--kind is 'melt'"),
        ("windows create --name n --kind pause --workflow orders --from +2h --to +1h", "is not after its begin"),
        ("windows update 1", "name what is to change"),
        ("windows show 99", "window 99 does not exist"),
        ("windows list --kind melt", "--kind is 'melt'"),
        ("windows skip-next --workflow report", "has no next cycle"),
        ("windows release-all", "is not held"),
    ],
)
def test_bad_input_is_one_line(api, cli, words, told):
    import shlex

    answer = cli(*shlex.split(words))
    assert answer.code in (1, 2)
    assert told in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_bodies_that_cannot_be_are_refused(api, session):
    for change in ({"unknown": 1}, {"scope": {"workflows": "orders"}}, {"times": {"cron": 5}}, {"enabled": "yes"}):
        api.refused(422, "POST", "windows", json={**body("orders"), **change})
    assert session.scalar(select(func.count()).select_from(GateInterval)) == 0
