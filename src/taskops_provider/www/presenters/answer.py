"""What a dialog answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from taskops_provider.domain.text import sentence
from taskops_provider.exceptions import TaskOpsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: the page behind the dialog is not as it was
CHANGED = {"HX-Trigger": "taskops:changed"}
#: what was done takes the place of the whole dialog, not of its plan
WHOLE = {"HX-Retarget": "#dialog-body"}


@dataclass(frozen=True)
class DialogAnswer:
    """What a dialog answers.

    :param template: the part of a page
    :param shown: what the template shows, a dataclass; None where the headers say all
    """

    template: str
    shown: DataclassInstance | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefusedDialog:
    """What the templates ``shared/problem.html`` and ``shared/refused.html`` show."""

    title: str
    problem: str


def variables(shown: DataclassInstance | None) -> dict[str, object]:
    """Return the variables of a template: the fields of what it shows."""
    return {} if shown is None else {one.name: getattr(shown, one.name) for one in fields(shown)}


def refused(title: str, error: TaskOpsError, *, is_part: bool) -> DialogAnswer:
    """Return a dialog, or its plan, that says why there is none."""
    template = "shared/problem.html" if is_part else "shared/refused.html"
    return DialogAnswer(template, RefusedDialog(title, sentence(error)), error.http_status)
