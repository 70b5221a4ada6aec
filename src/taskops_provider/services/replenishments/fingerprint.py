"""The fingerprint of a plan that a person saw, and how that plan differs from the one of now (requirements D3)."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, cast

from taskops_provider import config
from taskops_provider.exceptions import BadInput, PlanChanged
from taskops_provider.services.replenishments.plan import CLASSES, Grid, ReplenishmentPlan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: bytes of JSON that a cell takes at most, its letter and the distance to it, and that all names do
_OF_CELL, _OF_NAMES = 20, 8_000_000
#: a cell is one letter: its class, and by how much further it is where it executes
_FIRST, _EXECUTES = ord("A"), 16

#: by Dag: the moments of its cycles, each as far from the one before, and the letters of each task
_Kept = dict[str, tuple[list[int], dict[str, str]]]


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell that is not as it was.

    :param before: the class that it had, None where it was not in the plan
    :param now: the class that it has, None where it is not in the plan any more
    :param executes: whether it executes now
    """

    dag_id: str
    task_id: str
    logical_date: datetime
    before: str | None
    now: str | None
    executes: bool


def fingerprint_of(plan: ReplenishmentPlan) -> str:
    """Return the cells of a plan as a short text: some kB for 100,000 of them."""
    text = json.dumps({grid.dag_id: _kept(grid) for grid in plan.grids}, separators=(",", ":"))
    return urlsafe_b64encode(zlib.compress(text.encode(), level=6)).decode()


def _kept(grid: Grid) -> tuple[list[int], dict[str, str]]:
    moments = [(cycle.logical_date - _EPOCH) // _MICROSECOND for cycle in grid.cycles]
    # schedules repeat: the distances compress to next to nothing
    steps = [*moments[:1], *(after - before for before, after in pairwise(moments))]
    return steps, {row.task_id: _letters(row.classes, row.executes) for row in grid.rows}


def _letters(classes: bytearray, executes: bytearray) -> str:
    return bytes(_FIRST + code + _EXECUTES * does for code, does in zip(classes, executes, strict=True)).decode()


def refuse_changed(plan: ReplenishmentPlan, fingerprint: str) -> None:
    """Refuse to go on with a plan other than the one that a person saw.

    :param fingerprint: of :func:`fingerprint_of`
    :raises PlanChanged: if a cell is not as it was; its ``difference`` is a list of :class:`CellChange`
    :raises BadInput: if ``fingerprint`` is not one
    """
    before = _read(fingerprint)
    now: _Kept = {grid.dag_id: _kept(grid) for grid in plan.grids}
    if before == now:
        return
    changes = [change for dag_id in sorted({*before, *now}) for change in _changes(dag_id, before, now)]
    if changes:
        what = "1 cell has" if len(changes) == 1 else f"{len(changes):,} cells have"
        raise PlanChanged(f"{what} changed since the plan was made; look at it again", changes)


def _read(fingerprint: str) -> _Kept:
    """Read what a person sent: some kB may stand for any number of cells, and each takes time and memory."""
    most = config.max_replenishment_cells()
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(urlsafe_b64decode(fingerprint), most * _OF_CELL + _OF_NAMES)
        if unpacking.unconsumed_tail:
            raise ValueError("too long")
        found = json.loads(text)
        kept = {_text(dag_id): (_numbers(steps), _texts(letters)) for dag_id, (steps, letters) in found.items()}
        cells = sum(len(letters) for _, rows in kept.values() for letters in rows.values())
        if max(cells, sum(len(steps) for steps, _ in kept.values())) > most:
            raise ValueError("more cells than a plan has")
        return kept
    except (ValueError, TypeError, AttributeError, RecursionError, zlib.error):
        raise BadInput("plan_hash is not that of a plan; look at the plan again") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise TypeError(value)
    return cast("list[int]", value)


def _texts(value: Any) -> dict[str, str]:
    return {_text(task_id): _text(letters) for task_id, letters in value.items()}


def _changes(dag_id: str, before: _Kept, now: _Kept) -> Iterator[CellChange]:
    if before.get(dag_id) == now.get(dag_id):
        return
    was, is_now = _cells(before.get(dag_id)), _cells(now.get(dag_id))
    for task_id in {**was, **is_now}:
        old, new = was.get(task_id, {}), is_now.get(task_id, {})
        for moment in sorted({*old, *new}):
            if old.get(moment) != new.get(moment):
                yield _change(dag_id, task_id, moment, old.get(moment), new.get(moment))


def _cells(kept: tuple[list[int], dict[str, str]] | None) -> dict[str, dict[int, str]]:
    steps, rows = kept or ([], {})
    moments = list(accumulate(steps))
    return {task_id: dict(zip(moments, letters, strict=False)) for task_id, letters in rows.items()}


def _change(dag_id: str, task_id: str, moment: int, before: str | None, now: str | None) -> CellChange:
    try:
        logical_date = _EPOCH + moment * _MICROSECOND
        return CellChange(dag_id, task_id, logical_date, _class(before), _class(now), _does(now))
    except (OverflowError, IndexError):
        raise BadInput("plan_hash is not that of a plan; look at the plan again") from None


def _class(letter: str | None) -> str | None:
    return None if letter is None else CLASSES[(ord(letter) - _FIRST) % _EXECUTES].value


def _does(letter: str | None) -> bool:
    return letter is not None and ord(letter) - _FIRST >= _EXECUTES
