"""The flags that say what to replenish, as the one reader of replenishments takes them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from taskops_provider.cli.times import parse_time
from taskops_provider.domain.answers import Json
from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.replenishment import end_of_range
from taskops_provider.inputs import problems
from taskops_provider.inputs.free_text import read_object
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import ReplenishmentInput

InputModel = TypeVar("InputModel", bound=ReplenishmentInput)

#: fields whose flag is called otherwise
_FLAGS = {"workflows": "--workflow", "tasks": "--task"}


def read_flags(model: type[InputModel], args: Namespace, now: datetime) -> InputModel:
    """Read what to replenish.

    :raises BadInput: one line about the first flag that is not valid
    """
    ranges: Sequence[Sequence[str]] = args.ranges or ()

    def name(path: problems.Path) -> str:
        match path:
            case ("ranges", int(number), *_):
                return f"--range {' '.join(ranges[number])}"
            case (str(field), *_) if field in _FLAGS:
                return _FLAGS[field]
        return problems.flag(path)

    # a flag that is called as its field needs nothing more
    values = {field: getattr(args, field) for field in model.model_fields if getattr(args, field, None) is not None}
    translated = {
        "tasks": [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in args.tasks or ()],
        "ranges": [_range(first, last, now) for first, last in ranges],
        "exclude": [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in args.exclude or ()],
        "cells": [word for word in map(str.strip, args.cells.split(",")) if word],
        "window": args.window or None,
        "conf": read_object(args.conf or "", "--conf"),
    }
    return read(model, values | translated, name=name)


def _range(first: str, last: str, now: datetime) -> Json:
    def read(text: str) -> datetime:
        moment = parse_time("--range", text, now)
        # without a zone it is in that of --timezone, or the Dag's
        naive = read_iso_time(text)
        return moment if naive.tzinfo else naive

    return {"from": read(first), "to": end_of_range(last, read)}
