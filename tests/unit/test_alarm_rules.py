"""What is wrong with an alarm rule, in one line with each surface's names of fields."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from taskops_provider.cli.alarm_rule import flag_of
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.released import read_channels
from taskops_provider.inputs.alarms.rule import RuleChange, RuleCreate
from taskops_provider.inputs.problems import InvalidInput, dotted, naming
from taskops_provider.www.presenters.alarms.form import label_of

CLEAN: dict[str, Any] = {
    "dag_id": "orders",
    "task_id": "clean",
    "kind": "failed",
    "recipients": {"owners": True},
}


def line(name: Any, **given: Any) -> str:
    with pytest.raises(BadInput) as refused, naming(name):
        RuleCreate.read({**CLEAN, **given}).rule()
    return str(refused.value)


DUE = {"kind": "not_finished_by", "parameters": {"time": "25:00"}}
ONE_OF_THEM = "running_longer_than needs minutes, or percent over the average of the last runs; one of them"
CROWD = {"users": [f"user{n}" for n in range(60)], "addresses": [f"user{n}@example.com" for n in range(41)]}
QUIET = {"from": "22:00", "to": "07:00"}


@pytest.mark.parametrize(
    ("given", "rest", "command_line", "dialog"),
    [
        (DUE, "parameters.time", "--by", "time of day"),
        ({"kind": "running_longer_than", "parameters": {"minutes": 0}}, "parameters.minutes", "--minutes", "minutes"),
        ({"level": 4}, "level", "--level", "level"),
        ({"kind": "burnt"}, "kind", "--kind", "kind"),
        (
            {"quiet_hours": {**QUIET, "zone": "Mars"}},
            "quiet_hours.zone",
            "--quiet-zone",
            "time zone of the quiet hours",
        ),
        ({"quiet_hours": {"from": "7", "to": "8:00"}}, "quiet_hours.from", "--quiet-hours", "quiet hours from"),
        ({"quiet_hours": {"from": "8:00", "to": "08:00"}}, "quiet_hours", "--quiet-hours", "quiet hours"),
        ({"repeat": {"minutes": 1, "max": 1001}}, "repeat.max", "--repeat-max", "repeat at most"),
        ({"escalation": {"after": 0, "recipients": {}}}, "escalation.after", "--escalate-after", "escalate after"),
        ({"escalation": {"after": 1, "recipients": {}}}, "escalation.recipients", "--escalate-to", "the escalation"),
        ({"recipients": {"addresses": ["a", "b"]}}, "recipients.addresses[0]", "--address", "recipients.addresses[0]"),
        ({"channels": [{"channel": "a.b"}]}, "channels[0].channel", "--channel", "channels[0].channel"),
    ],
)
def test_a_line_begins_with_the_name_of_the_field(given, rest, command_line, dialog):
    """What follows it is the same everywhere."""
    assert {
        line(name, **given).removeprefix(begins)
        for name, begins in ((dotted, rest), (flag_of, command_line), (label_of, dialog))
    } == {line(dotted, **given)[len(rest) :]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DUE, "parameters.time is '25:00'; allowed is HH:MM, as 08:00"),
        ({"kind": "not_finished_by"}, "not_finished_by needs a time, as 08:00"),
        (
            {"kind": "not_finished_by", "parameters": {"minutes": 3}},
            "parameters of not_finished_by has no 'minutes'; allowed are time, zone, days",
        ),
        ({"kind": "succeeded", "parameters": {"on": "x"}}, "parameters of succeeded has no 'on'; allowed are none"),
        ({"kind": "running_longer_than"}, ONE_OF_THEM),
        ({"kind": "running_longer_than", "parameters": {"minutes": 1, "percent": 1}}, ONE_OF_THEM),
        (
            {"kind": "running_longer_than", "parameters": {"minutes": 1, "last": 1}},
            "last goes with percent, not with minutes",
        ),
        (
            {"kind": "running_longer_than", "parameters": {"minutes": True}},
            "parameters.minutes is true; allowed are 1 to 44,640",
        ),
        ({"level": True}, "level is true; allowed are 1 (lowest), 2, 3"),
        (
            {"task_id": None, "scope": "task"},
            "a rule on a task needs dag_id and task_id and nothing else of dag_id, task_id, project",
        ),
        ({"project": "x"}, "a rule on a project needs project and nothing else of dag_id, task_id, project"),
        ({"recipients": {}}, "no recipient: name owners, users or addresses; only channels other than email need none"),
        ({"recipients": CROWD}, "recipients names 101; at most 100 are kept"),
        ({"recipients": {"users": ["a\nb"]}}, r"recipients.users[0] 'a\nb' is no name"),
        (
            {"channels": [{"channel": "email", "connection": "aws_prod"}]},
            "channels[0].connection cannot be chosen: name a channel that an administrator released in [taskops] "
            "alarm_channels for it",
        ),
        (
            {"channels": [{"channel": "site.Chat"}]},
            "channels[0].channel 'site.Chat' is no name of a channel; an administrator releases channels in "
            "[taskops] alarm_channels",
        ),
        (
            {"channels": [{"channel": "chat", "args": {"list": [{"to": "bearer abc"}]}}]},
            "the value of 'to' holds a secret; keep it in an Airflow connection",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(given, said):
    assert line(dotted, **given) == said


def test_a_change_takes_things_away_and_refuses_what_a_rule_needs():
    rule = RuleCreate.read(
        {**CLEAN, "repeat": {"minutes": 5}, "name": " x ", "parameters": {"on": "first_failure"}}
    ).rule()
    assert (rule.name, rule.repeat and rule.repeat.max) == ("x", 3)
    change = RuleChange(repeat=None, name=None).apply_to(rule)
    assert (change.repeat, change.name, change.kind) == (None, "", "failed")
    # another kind has other parameters
    assert RuleChange(kind="succeeded").apply_to(rule).body()["parameters"] == {}
    for name in ("kind", "level", "enabled"):
        with pytest.raises(BadInput, match=f"{name} is null; allowed are "):
            RuleChange.model_validate({name: None}).apply_to(rule)


def test_channels_of_the_configuration_may_be_names():
    email, memo = read_channels(["email", {"channel": "memo", "connection": "", "args": {"room": "ops"}}])
    assert (email.channel, email.key) == ("email", "email")
    assert (memo.connection, memo.args, memo.key) == (None, {"room": "ops"}, "memo")
    with pytest.raises(BadInput, match="channels is 'email'; a list is needed"):
        read_channels("email")
    with pytest.raises(InvalidInput, match=r"channels\[1\]\.channel 'x\.y' is no name"):
        read_channels(["email", "x.y"])


def test_flags_that_do_not_go_together():
    from taskops_provider.cli.alarm_rule import described_rule
    from taskops_provider.cli.arguments_alarms import RULE
    from taskops_provider.cli.run import UsageError

    empty = {(arg.kwargs.get("dest") or str(arg.flags[0]).lstrip("-").replace("-", "_")): None for arg in RULE}
    assert described_rule(Namespace(**empty)) == {}
    for given in (
        {"task": ["a", "b"], "project": "c"},
        {"quiet_zone": "UTC"},
        {"repeat_max": 3},
        {"escalate_to": ["bob"]},
        {"enable": True, "disable": True},
    ):
        with pytest.raises(UsageError):
            described_rule(Namespace(**{**empty, **given}))
    gone = {"quiet_hours": "none", "repeat_minutes": 0, "escalate_after": 0}
    assert described_rule(Namespace(**{**empty, **gone})) == {"quiet_hours": None, "repeat": None, "escalation": None}
