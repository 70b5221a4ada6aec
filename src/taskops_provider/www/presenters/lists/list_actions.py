"""What is done with a list as a whole: its columns are chosen, its rows are downloaded (requirements B24, B25)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskops_provider.services.catalog.filters import check_choices
from taskops_provider.services.catalog.preferences import forget_preference, write_preference
from taskops_provider.services.exports.request import request_export
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.answer import DialogAnswer
from taskops_provider.www.presenters.lists import tasks, workflows
from taskops_provider.www.presenters.lists.columns import Column, choice_of
from taskops_provider.www.presenters.lists.filters import Problems, read_matching

#: an answer whose headers say all
NOTHING = "shared/nothing.html"


@dataclass(frozen=True)
class List:
    """A list.

    :param filter_of: makes the filter of what the list's fields ask for
    """

    columns: tuple[Column, ...]
    filter_of: Callable[[PageRequest, Problems], Any]


LISTS = {
    workflows.PAGE: List(workflows.COLUMNS, workflows.filter_of),
    tasks.PAGE: List(tasks.COLUMNS, tasks.filter_of),
}


def save_columns(asked: PageRequest) -> DialogAnswer:
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
    return DialogAnswer(NOTHING, None, headers={"HX-Refresh": "true"})


def request_download(asked: PageRequest) -> DialogAnswer:
    """Ask for all rows of a list (``list``) under its filter (``matching``), as ``format``.

    :raises BadInput: for a list, a filter or a format that cannot be
    :raises Conflict: when the person has too many downloads under way
    """
    _, wanted = _list_of(asked)
    where = read_matching(asked, asked.one("matching"), wanted.filter_of)
    made = request_export(asked.session, asked.actor, where, asked.one("format"), asked.now)
    notice = {
        "text": "The download is being prepared; fetch it from the operation records.",
        "url": asked.urls.page("operation", {"id": str(made.operation_id)}),
        "label": "Open its record",
    }
    return DialogAnswer(NOTHING, None, headers={"HX-Trigger": json.dumps({"taskops:notice": notice})})


def _list_of(asked: PageRequest) -> tuple[str, List]:
    name = asked.one("list")
    check_choices("list", [name], list(LISTS))
    return name, LISTS[name]
