"""An alarm rule is the same one from a REST body, a dialog, flags and the database (requirements B16)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from taskops_provider.cli import alarm_rule as command_line
from taskops_provider.cli.arguments_alarms import RULE
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.inputs.alarms.rule import Rule, RuleChange, RuleCreate
from taskops_provider.services.alarms.stored_rules import new_row, rule_of
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms import form
from taskops_provider.www.urls import Urls

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,7}", fullmatch=True)
USERS = st.lists(NAMES, max_size=3, unique=True)
ADDRESSES = st.lists(NAMES.map(lambda name: f"{name}@example.com"), max_size=3, unique=True)
CLOCKS = st.times().map(lambda time: f"{time:%H:%M}")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo"])
LEVELS = st.integers(1, 3)
MINUTES = st.integers(1, 44_640)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects, without what is null: as nobody who leaves it out gives it."""
    return st.fixed_dictionaries(fields).map(lambda one: {k: v for k, v in one.items() if v is not None})


TARGETS = st.one_of(
    st.fixed_dictionaries({"dag_id": NAMES, "task_id": NAMES}),
    st.fixed_dictionaries({"dag_id": NAMES}),
    st.fixed_dictionaries({"project": NAMES}),
)
DEADLINE = objects(time=CLOCKS, zone=st.none() | ZONES, days=st.none() | st.integers(0, 31))
KINDS = st.one_of(
    st.tuples(st.just("failed"), objects(on=st.sampled_from([None, "first_failure", "retries_exhausted"]))),
    st.tuples(st.sampled_from(["succeeded", "replenishment_failed", "replenishment_succeeded"]), st.just({})),
    st.tuples(st.just("running_longer_than"), objects(minutes=MINUTES)),
    st.tuples(
        st.just("running_longer_than"), objects(percent=st.integers(1, 10_000), last=st.none() | st.integers(1, 100))
    ),
    st.tuples(st.sampled_from(["not_finished_by", "not_started_by"]), DEADLINE),
)
EMAIL = objects(channel=st.just("email"), connection=st.none())
CHAT = objects(channel=st.just("chat"), args=st.none() | st.just({}))
MEMO = objects(
    channel=st.just("memo"),
    args=st.fixed_dictionaries(
        {}, optional={"mime_charset": st.sampled_from(["utf-8", "us-ascii"]), "from_email": NAMES}
    ),
)
QUIET = objects(**{"from": CLOCKS, "to": CLOCKS}, zone=st.none() | ZONES, except_level=st.none() | LEVELS).filter(
    lambda quiet: quiet["from"] != quiet["to"]
)
REPEAT = objects(minutes=MINUTES, max=st.none() | st.integers(1, 1000))
ESCALATION = st.fixed_dictionaries(
    {
        "after": MINUTES,
        "recipients": st.fixed_dictionaries({"users": USERS, "addresses": ADDRESSES}).filter(
            lambda people: people["users"] or people["addresses"]
        ),
    }
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """REST bodies of all that every surface can say."""
    kind, parameters = draw(KINDS)
    channels = [draw(one) for one in (EMAIL, CHAT, MEMO) if draw(st.booleans())] or [draw(EMAIL)]
    recipients = {"owners": draw(st.booleans()), "users": draw(USERS), "addresses": draw(ADDRESSES)}
    if not any(recipients.values()):
        recipients["owners"] = True
    body = {
        **draw(TARGETS),
        "kind": kind,
        "parameters": parameters,
        "name": draw(st.none() | NAMES),
        "level": draw(st.none() | LEVELS),
        "recipients": recipients,
        "channels": channels,
        "quiet_hours": draw(st.none() | QUIET),
        "repeat": draw(st.none() | REPEAT),
        "escalation": draw(st.none() | ESCALATION),
        "enabled": draw(st.booleans()),
    }
    return {name: value for name, value in body.items() if value is not None}


def from_rest(body: dict[str, Any]) -> Rule:
    return RuleCreate.model_validate_json(json.dumps(body)).rule()


def from_flags(body: dict[str, Any]) -> Rule:
    parser = ArgumentParser()
    for argument in RULE:
        argument.add_to_parser(parser)
    return RuleCreate.read(command_line.described_rule(parser.parse_args(flags(body)))).rule()


def flags(body: dict[str, Any]) -> list[str]:
    """What somebody writes on the command line."""
    if "project" in body:
        words = ["--project", body["project"]]
    elif "task_id" in body:
        words = ["--task", body["dag_id"], body["task_id"]]
    else:
        words = ["--workflow", body["dag_id"]]
    quiet, repeat, escalation = (body.get(name, {}) for name in ("quiet_hours", "repeat", "escalation"))
    values = {
        "--kind": body["kind"],
        "--name": body.get("name"),
        "--level": body.get("level"),
        **{f"--{'by' if name == 'time' else name}": value for name, value in body["parameters"].items()},
        "--quiet-hours": f"{quiet['from']}-{quiet['to']}" if quiet else None,
        "--quiet-zone": quiet.get("zone"),
        "--quiet-except-level": quiet.get("except_level"),
        "--repeat-minutes": repeat.get("minutes"),
        "--repeat-max": repeat.get("max"),
        "--escalate-after": escalation.get("after"),
    }
    words += [word for flag, value in values.items() if value is not None for word in (flag, str(value))]
    words += ["--owners"] if body["recipients"]["owners"] else []
    several = {
        "--user": body["recipients"]["users"],
        "--address": body["recipients"]["addresses"],
        "--channel": [json.dumps(channel) for channel in body["channels"]],
        "--escalate-to": [name for names in escalation.get("recipients", {}).values() for name in names],
    }
    words += [word for flag, names in several.items() for name in names for word in (flag, name)]
    return [*words, "--enable" if body["enabled"] else "--disable"]


def from_form(body: dict[str, Any]) -> Rule:
    args = {
        name: value if isinstance(value, list) else [str(value)]
        for name, value in fields(body).items()
        if value not in (None, "", False)
    }
    asked = PageRequest(args, Actor("ann", "ui", UnrestrictedPermissions()), None, NOW, Urls("/"))  # type: ignore[arg-type]
    return RuleCreate.read(form.described_target(asked) | form.described_rule(asked)).rule()


def fields(body: dict[str, Any]) -> dict[str, Any]:
    """What the dialog's fields send."""
    given = body["parameters"]
    recipients = body["recipients"]
    quiet, repeat, escalation = (body.get(name, {}) for name in ("quiet_hours", "repeat", "escalation"))
    told_later = [name for names in escalation.get("recipients", {}).values() for name in names]
    args = {name: value for one in body["channels"] if one["channel"] == "memo" for name, value in one["args"].items()}
    return {
        "scope": "project" if "project" in body else "task" if "task_id" in body else "workflow",
        **{name: body.get(name) for name in ("dag_id", "task_id", "project", "kind", "name", "level")},
        **{name: given.get(name) for name in ("on", "minutes", "percent", "last", "time", "days")},
        "limit": "percent" if "percent" in given else "minutes",
        "deadline_zone": given.get("zone"),
        "owners": "on" if recipients["owners"] else None,
        "people": ", ".join([*recipients["users"], *recipients["addresses"]]),
        "channel": [one["channel"] for one in body["channels"]],
        **{f"set.memo.{name}": value for name, value in args.items()},
        "quiet_from": quiet.get("from"),
        "quiet_to": quiet.get("to"),
        "quiet_zone": quiet.get("zone"),
        "except_level": quiet.get("except_level"),
        "repeat_minutes": repeat.get("minutes"),
        "repeat_max": repeat.get("max"),
        "escalate_after": escalation.get("after"),
        "escalate_people": ", ".join(told_later),
        "enabled": "on" if body["enabled"] else None,
    }


@settings(deadline=None)
@given(bodies())
def test_every_surface_reads_the_same_rule(body):
    rule = from_rest(body)
    assert from_flags(body) == rule
    assert from_form(body) == rule


@settings(deadline=None)
@given(bodies())
def test_a_rule_comes_back_from_the_database(body):
    rule = from_rest(body)
    row = new_row(rule, "ann", NOW)
    # as a column of JSON brings it back
    row.body = json.loads(json.dumps(row.body))
    assert rule_of(row) == rule


@settings(deadline=None)
@given(bodies(), bodies())
def test_a_change_of_everything_is_the_new_rule(before, after):
    """What is not in the change stays; a rule that is sent back as it is shown is the same."""
    rule, wanted = from_rest(before), from_rest(after)
    assert RuleChange.model_validate(sent(wanted)).apply_to(rule) == wanted
    assert RuleChange.model_validate(sent(rule)).apply_to(rule) == rule
    assert RuleChange.model_validate({}).apply_to(rule) == rule


def sent(rule: Rule) -> dict[str, Any]:
    """A rule as REST shows it: what its scope does not have is null."""
    shown = {name: value for name, value in to_plain_data(rule).items() if name != "problem"}
    return {**shown, **{name: getattr(rule, name) or None for name in ("dag_id", "task_id", "project")}}
