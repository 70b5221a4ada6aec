"""What to replenish is the same, whichever surface it was said on (HOUSE 3)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.api.datamodels.replenishments import ReplenishmentCreate
from taskops_provider.cli import arguments
from taskops_provider.cli.replenishing import read_flags
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.replenishment import ReplenishmentRequest
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import ReplenishmentCreateInput
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.replenishments.form import read_form
from taskops_provider.www.urls import Urls

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
#: the form's fields of times are to the minute: a range is to the end of its last one
TO_THE_END = timedelta(seconds=59, microseconds=999_999)

names = st.text("abc_.1", min_size=1, max_size=8).filter(lambda text: text.strip() == text)
words = st.text("ab ä'\"{}=1", max_size=20).map(str.strip)
targets = st.lists(st.tuples(names, names), min_size=1, max_size=4, unique=True)
minutes = st.integers(0, 10**6).map(lambda number: FIRST + timedelta(minutes=number))
ranges = st.lists(st.tuples(minutes, minutes).map(sorted), min_size=1, max_size=3)
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1])
bodies = st.fixed_dictionaries(
    {
        "tasks": targets,
        "ranges": ranges,
        "cells": st.sampled_from(["missing,failed", "missing", "failed", "all"]),
        "upstream_depth": st.integers(0, 100),
        "downstream_depth": st.integers(0, 100),
        "max_active_runs": st.integers(1, 1000),
        "newest_first": st.booleans(),
        "window": st.none() | windows,
        "conf": st.dictionaries(names, st.integers(1 - 2**63, 2**63 - 1) | words, max_size=3),
        "name": words,
        "reason": words,
        "if_busy": st.sampled_from(["queue", "refuse"]),
        "exclude": st.lists(st.tuples(names, names), max_size=2, unique=True),
        "wait_for": st.sampled_from(["none", "inside", "all"]),
        "run_on_latest_version": st.sampled_from([None, True, False]),
        "override_conf": st.booleans(),
    }
)


def overrides(said: dict[str, Any]) -> bool:
    """There has to be a conf."""
    return said["override_conf"] and bool(said["conf"])


def as_body(said: dict[str, Any]) -> ReplenishmentRequest:
    body = said | {
        "exclude": [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in said["exclude"]],
        "override_conf": overrides(said),
        "tasks": [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in said["tasks"]],
        "ranges": [
            {"from": first.isoformat(), "to": (last + TO_THE_END).isoformat()} for first, last in said["ranges"]
        ],
        "cells": said["cells"].split(","),
        "window": said["window"] and "-".join(said["window"]),
        "reason": said["reason"] or None,
    }
    return ReplenishmentCreate.model_validate_json(json.dumps(body)).request()


def as_flags(said: dict[str, Any]) -> ReplenishmentRequest:
    flags = ["--cells", said["cells"], "--conf", json.dumps(said["conf"]), "--if-busy", said["if_busy"]]
    for dag_id, task_id in said["tasks"]:
        flags += ["--task", dag_id, task_id]
    for first, last in said["ranges"]:
        flags += ["--range", first.isoformat(), (last + TO_THE_END).isoformat()]
    for field in ("upstream_depth", "downstream_depth", "max_active_runs"):
        flags += [f"--{field.replace('_', '-')}", str(said[field])]
    flags += [f"--name={said['name']}", *([f"--reason={said['reason']}"] if said["reason"] else ())]
    flags += ["--newest-first"] if said["newest_first"] else []
    for dag_id, task_id in said["exclude"]:
        flags += ["--exclude", dag_id, task_id]
    flags += ["--wait-for", said["wait_for"], *(["--override-conf"] if overrides(said) else [])]
    version = said["run_on_latest_version"]
    flags += [] if version is None else [f"--{'' if version else 'no-'}run-on-latest-version"]
    flags += ["--window", "-".join(said["window"])] if said["window"] else []
    parser = ArgumentParser()
    for argument in (*arguments.REPLENISHMENT, *arguments.NAME_AND_REASON, *arguments.WAIT):
        argument.add_to_parser(parser)
    return read_flags(ReplenishmentCreateInput, parser.parse_args(flags), NOW).request()


def as_form(said: dict[str, Any]) -> ReplenishmentRequest:
    opens, closes = said["window"] or ("", "")
    fields = {
        "target": [" ".join(target) for target in said["tasks"]],
        "from": [f"{first:%Y-%m-%dT%H:%M}" for first, _ in said["ranges"]],
        "to": [f"{last:%Y-%m-%dT%H:%M}" for _, last in said["ranges"]],
        "zone": ["UTC"],
        "cells": [said["cells"]],
        "upstream": [str(said["upstream_depth"])],
        "downstream": [str(said["downstream_depth"])],
        "max_active_runs": [str(said["max_active_runs"])],
        "order": ["newest" if said["newest_first"] else "oldest"],
        "window_from": [opens],
        "window_to": [closes],
        "conf": [json.dumps(said["conf"])],
        "name": [said["name"]],
        "reason": [said["reason"]],
        "exclude": ["\n".join(" ".join(target) for target in said["exclude"])],
        "wait_for": [said["wait_for"]],
        "override_conf": ["on"] if overrides(said) else [],
        "version": [{None: "", True: "latest", False: "run"}[said["run_on_latest_version"]]],
        "refuse_busy": ["on"] if said["if_busy"] == "refuse" else [],
    }
    asked = PageRequest(fields, Actor("ann", "ui", UnrestrictedPermissions()), None, NOW, Urls("/"))  # type: ignore[arg-type]
    # that several were selected is the form's own
    return replace(read_form(asked, Scope.TASK).request, is_selection=False)


@given(bodies)
def test_body_flags_and_form_are_one_request(said):
    request = as_body(said)
    assert request == as_flags(said)
    assert request == as_form(said)


@given(bodies, st.sampled_from([("max_active_runs", 0), ("upstream_depth", 101), ("name", "x" * 251)]))
def test_refusals_differ_only_in_the_names_of_fields(said, wrong):
    field, value = wrong
    said = said | {field: value}
    flag = f"--{field.replace('_', '-')}"
    label = {"max_active_runs": "runs at a time", "upstream_depth": "steps upstream", "name": "the name"}[field]

    def refusal(read: Any) -> str:
        try:
            read(said)
        except Exception as error:
            return str(error)
        raise AssertionError("it was taken")

    def body(said: dict[str, Any]) -> None:
        ready = {"tasks": [], "workflows": ["d"], "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}], field: value}
        read(ReplenishmentCreate, ready)

    said_of_flags = refusal(as_flags)
    assert said_of_flags.startswith(flag)
    assert refusal(body) == said_of_flags.replace(flag, field, 1)
    assert refusal(as_form) == said_of_flags.replace(flag, label, 1)
