"""What is done with a list as a whole: its columns are chosen, its rows are downloaded (B24, B25)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from taskops_provider.exceptions import BadInput
from taskops_provider.services.exports import request_export
from taskops_provider.services.filters import check_choices
from taskops_provider.services.preferences import forget_preference, write_preference
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import tasks, workflows
from taskops_provider.www.presenters.changes import Answer
from taskops_provider.www.presenters.columns import Column, choice_of
from taskops_provider.www.presenters.filters import Problems

#: an answer whose headers say all
NOTHING = "nothing.html"


@dataclass(frozen=True)
class List:
    """A list.

    :param filter_of: makes the filter of what the list's fields ask for
    """

    columns: tuple[Column, ...]
    filter_of: Callable[[Asked, Problems], Any]


LISTS = {
    workflows.PAGE: List(workflows.COLUMNS, workflows.filter_of),
    tasks.PAGE: List(tasks.COLUMNS, tasks.filter_of),
}


def save_columns(asked: Asked) -> Answer:
    """Keep which columns of a list (``list``) the person wants (``shown``), in which order (``column``).

    :raises BadInput: for a list or a column that does not exist
    """
    name, wanted = _list_of(asked)
    order, shown = asked.many("column"), asked.many("shown")
    check_choices("column", (*order, *shown), [column.key for column in wanted.columns])
    if asked.one("reset"):
        forget_preference(asked.session, asked.actor, f"columns.{name}")
    else:
        choice = choice_of(wanted.columns, order, shown)
        write_preference(asked.session, asked.actor, f"columns.{name}", choice)
    return Answer(NOTHING, {}, headers={"HX-Refresh": "true"})


def request_download(asked: Asked) -> Answer:
    """Ask for all rows of a list (``list``) under its filter (``matching``), as ``format``.

    :raises BadInput: for a list, a filter or a format that cannot be
    :raises Conflict: when the person has too many downloads under way
    """
    _, wanted = _list_of(asked)
    problems = Problems()
    # a filter that the list shows with a remark is not left out here: more would match than was meant
    where = wanted.filter_of(replace(asked, args=parse_qs(asked.one("matching").removeprefix("?"))), problems)
    if problems.lines:
        raise BadInput(problems.lines[0])
    made = request_export(asked.session, asked.actor, where, asked.one("format"), asked.now)
    notice = {
        "text": "The download is being prepared; fetch it from the operation records.",
        "url": asked.urls.page("operation", {"id": str(made["operation_id"])}),
        "label": "Open its record",
    }
    return Answer(NOTHING, {}, headers={"HX-Trigger": json.dumps({"taskops:notice": notice})})


def _list_of(asked: Asked) -> tuple[str, List]:
    name = asked.one("list")
    check_choices("list", [name], list(LISTS))
    return name, LISTS[name]
