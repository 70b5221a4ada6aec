"""An operation is read the same way, whichever surface it comes by."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.cli.cli_parser import get_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from taskops_provider.api.datamodels.changes import TaskChange
from taskops_provider.cli.commands.changes import options_of
from taskops_provider.cli.selection import read_targets
from taskops_provider.domain.operations.fingerprint import plan_hash
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import DOWNSTREAM_ALLOWED, Downstream, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.operation import (
    OPTION_NAMES,
    SWITCHES,
    GoesWith,
    Options,
    ReasonAndTicket,
    Request,
    check_options,
)
from taskops_provider.inputs.problems import flag
from taskops_provider.inputs.reading import read
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.operations.form import read_change
from taskops_provider.www.urls import Urls

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=36500)

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)
IDS = st.text("abc.-_é1", min_size=1, max_size=8).filter(lambda text: not text.startswith("-"))
MOMENTS = st.integers(1, 10**6).map(lambda minutes: LATER + timedelta(minutes=minutes))

#: option -> its values; a new option is missing here until it is read on every surface
VALUES: dict[str, Any] = {
    "reason": TEXTS,
    "ticket": TEXTS,
    "terminate_instances": st.just(True),
    "resume_at": MOMENTS,
    "held": st.sampled_from(["run", "skip"]),
    "cascade": st.just(True),
    "fill_gap": st.just(True),
    "owners": st.lists(IDS, min_size=1, max_size=4, unique=True),
    "notify_owners": st.just(True),
    "override_freeze": st.just(True),
}


def verbs_of(name: str) -> frozenset[Verb]:
    """Those that take an option, as the model declares it."""
    rules = [rule for rule in Options.model_fields[name].metadata if isinstance(rule, GoesWith)]
    return rules[0].verbs if rules else frozenset(Verb)


@st.composite
def contents(draw) -> tuple[Verb, list[Target], dict[str, Any]]:
    """A verb, targets in one Dag and options that go with each other."""
    verb = draw(st.sampled_from(list(Verb)))
    dag_id = draw(IDS)
    targets = [Target(dag_id, task_id) for task_id in draw(st.lists(IDS, min_size=1, max_size=3, unique=True))]
    chosen: dict[str, Any] = {}
    for name, values in VALUES.items():
        if verb in verbs_of(name) and (name == "owners" or draw(st.booleans())):
            chosen[name] = draw(values)
    if verb in DOWNSTREAM_ALLOWED:
        # a form always has one, delete must choose
        chosen["downstream"] = draw(st.sampled_from(DOWNSTREAM_ALLOWED[verb]))
    if chosen.get("held") == "skip" or (verb is Verb.PAUSE and "resume_at" not in chosen):
        chosen.pop("fill_gap", None)
    return verb, targets, chosen


def by_rest(verb: Verb, targets: list[Target], chosen: dict[str, Any]) -> Request:
    body = {"targets": [target._asdict() for target in targets], **chosen}
    return TaskChange.model_validate_json(json.dumps(body, default=datetime.isoformat)).request(verb)


def by_form(verb: Verb, targets: list[Target], chosen: dict[str, Any]) -> Request:
    fields = {"target": [f"{dag_id} {task_id}" for dag_id, task_id in targets]}
    for name, value in chosen.items():
        if name == "owners":
            fields["owner"] = value
        elif name in SWITCHES:
            fields[name] = ["on"]
        else:
            fields[name] = [value.isoformat() if isinstance(value, datetime) else value]
    asked = PageRequest(fields, Actor("ann", "ui", UnrestrictedPermissions()), None, NOW, Urls("/"))  # type: ignore[arg-type]
    return read_change(asked, Scope.TASK, verb).request


def by_flags(verb: Verb, targets: list[Target], chosen: dict[str, Any]) -> Request:
    words = [f"taskops tasks {verb.value} {targets[0].dag_id}".split(" "), [target.task_id for target in targets]]
    for name, value in chosen.items():
        if name == "owners":
            words.append([f"--owner={owner}" for owner in value])
        elif name in SWITCHES:
            words.append([flag([name])])
        else:
            called = "--downstream-effect" if name == "downstream" else flag([name])
            words.append([f"{called}={value.isoformat() if isinstance(value, datetime) else value}"])
    args = get_parser().parse_args([word for some in words for word in some])
    found = read_targets(args, Scope.TASK)
    assert found is not None
    return Request(verb, Scope.TASK, found, options_of(args, verb))


# the first example loads what the others find loaded
@settings(deadline=None)
@given(contents())
def test_rest_form_and_flags_of_the_same_content_give_the_same_request(content):
    verb, targets, chosen = content
    asked = by_rest(*content)
    assert asked == by_form(*content) == by_flags(*content)
    assert asked.targets == tuple(targets)
    for name, value in chosen.items():
        assert getattr(asked.options, name) == (tuple(value) if name == "owners" else value)
    check_options(verb, asked.options, now=NOW)


def test_every_option_is_read_on_every_surface():
    assert {*VALUES, "downstream"} == set(Options.model_fields)


@given(contents())
def test_what_is_chosen_is_recorded_and_hashed(content):
    _, _, chosen = content
    asked = by_rest(*content)
    recorded = asked.options.recorded()
    expected = {name for name in chosen if name in OPTION_NAMES and not (name == "held" and chosen[name] == "run")}
    assert set(recorded) == expected
    assert Options(**recorded) == asked.options.model_copy(update={"reason": None, "ticket": None})
    bare = Request(asked.verb, asked.scope, asked.targets)
    differs = plan_hash(bare.asked(), [], newest_operation=0) != plan_hash(asked.asked(), [], newest_operation=0)
    assert differs == bool(expected)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_other_verbs_refuse_an_option(name):
    value = {"downstream": Downstream.RUN, "resume_at": LATER, "held": "skip", "owners": ["ann"]}.get(name, True)
    for verb in set(Verb) - verbs_of(name):
        with pytest.raises(BadInput, match=rf"^{name} goe?s? with .*, not with {verb.value}$|^{name} go with"):
            check_options(verb, Options(**{name: value}), now=NOW, is_draft=True)


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        ({"held": "maybe"}, "--held is 'maybe'; allowed are run, skip"),
        ({"downstream": "vanish"}, "--downstream is 'vanish'; allowed are skip, run, fail, hold"),
        ({"resume_at": "1786000000"}, "--resume-at is '1786000000'; allowed are a date and time"),
        ({"resume_at": "-9.3e-244"}, "--resume-at is '-9.3e-244'; allowed are a date and time"),
        ({"reason": "a\0b"}, "--reason holds a zero byte"),
        ({"cascade": "yes"}, "--cascade is 'yes'; allowed are true, false"),
        ({"cascades": True}, "--cascades: there is no such field; allowed are reason, ticket, downstream"),
    ],
)
def test_what_cannot_be_read_is_one_line(given_, line):
    with pytest.raises(BadInput) as refused:
        read(Options, given_, name=flag)
    assert str(refused.value).startswith(line)


def test_an_empty_reason_is_none():
    assert read(ReasonAndTicket, {"reason": "", "ticket": ""}) == ReasonAndTicket()
