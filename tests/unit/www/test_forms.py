"""The fields of the dialogs, read one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Downstream, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.operations.form import read_change
from taskops_provider.www.presenters.verbs import WORDS
from taskops_provider.www.urls import Urls

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def asked(**fields: Any) -> PageRequest:
    args = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
    return PageRequest(args, Actor("ann", "ui", UnrestrictedPermissions()), None, NOW, Urls("/"))  # type: ignore[arg-type]


def read(verb: Verb = Verb.PAUSE, scope: Scope = Scope.TASK, **fields: Any):
    return read_change(asked(**({"target": "d t"} | fields)), scope, verb)


def test_targets_are_read_once_each():
    form = read(target=["d t", "d t", "d group.t.x"])
    assert form.request.targets == (Target("d", "t"), Target("d", "group.t.x"))
    assert form.selection == (("target", "d t"), ("target", "d group.t.x"))
    assert read(scope=Scope.WORKFLOW, target="d").request.targets == (Target("d"),)


@pytest.mark.parametrize("target", ["d", "d t u", "d  t"])
def test_what_is_no_task(target):
    with pytest.raises(BadInput, match="is not 'DAG_ID TASK_ID'"):
        read(target=target)


@pytest.mark.parametrize(
    ("given", "zone", "expected"),
    [
        ("2026-03-28T20:00", "UTC", datetime(2026, 3, 28, 20, tzinfo=UTC)),
        ("2026-03-28T20:00", "", datetime(2026, 3, 28, 20, tzinfo=UTC)),
        ("2026-03-28T20:00", "Europe/Berlin", datetime(2026, 3, 28, 19, tzinfo=UTC)),
        # the clocks go forward in the night between
        ("2026-03-29T20:00", "Europe/Berlin", datetime(2026, 3, 29, 18, tzinfo=UTC)),
        ("2026-03-29T08:00", "America/St_Johns", datetime(2026, 3, 29, 10, 30, tzinfo=UTC)),
        ("2026-03-28T20:00+02:00", "Asia/Tokyo", datetime(2026, 3, 28, 18, tzinfo=UTC)),
    ],
)
def test_resume_at_in_a_zone(given, zone, expected):
    """D2."""
    assert read(resume_at=given, zone=zone).request.options.resume_at == expected


@pytest.mark.parametrize(
    ("given", "zone", "line"),
    [
        ("2026-03-28T11:59", "UTC", "2026-03-28 11:59 .UTC., is not in the future"),
        ("2026-03-28T12:30", "Europe/Berlin", "is not in the future"),
        ("tomorrow", "UTC", "is no date and time"),
        ("9999-12-31T23:59", "America/New_York", "is no date and time"),
        ("2026-04-01T12:00", "../../etc/passwd", "time zone '../../etc/passwd' does not exist"),
        ("2026-04-01T12:00", "No/Where", "time zone 'No/Where' does not exist"),
    ],
)
def test_resume_at_that_cannot_be(given, zone, line):
    with pytest.raises(BadInput, match=line):
        read(resume_at=given, zone=zone)


def test_pause_and_offline_begin_with_the_configured_effect(monkeypatch):
    """D1."""
    monkeypatch.setenv("AIRFLOW__TASKOPS__DEFAULT_DOWNSTREAM", "run")
    assert read().request.options.downstream is Downstream.RUN
    assert read(Verb.OFFLINE).request.options.downstream is Downstream.RUN
    assert read(downstream="hold").request.options.downstream is Downstream.HOLD


def test_what_must_be_chosen_makes_a_draft_until_it_is():
    """B17, B18."""
    assert read(Verb.DELETE).is_draft
    assert not read(Verb.DELETE, downstream="run").is_draft
    assert read(Verb.SET_OWNERS).is_draft
    assert not read(Verb.SET_OWNERS, owner=["ann"]).is_draft
    assert not read(Verb.DELETE, step="apply").is_draft  # which the services refuse


def test_the_rest():
    form = read(reason=" a\r\nb ", ticket="T-1", terminate_instances="on", cascade="", part="plan")
    assert (form.request.options.reason, form.request.options.ticket) == ("a\nb", "T-1")
    assert form.request.options.terminate_instances
    assert not form.request.options.cascade
    assert form.is_part
    assert not form.is_apply


def test_operation_numbers():
    assert asked(operation_id="7").number("operation_id") == 7
    with pytest.raises(BadInput, match="it is the number of an operation"):
        asked(operation_id=str(2**63)).number("operation_id", of="an operation")


def test_every_verb_has_its_words():
    assert set(WORDS) == set(Verb)
