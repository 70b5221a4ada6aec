"""What every list page has: its filter and chips, headers, pages, addresses. A list adds its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import paging
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.filters import Chip, Field, Problems
from taskops_provider.www.presenters.lists.paging import Found


@dataclass(frozen=True)
class ListKind:
    """A list.

    :param page: its name in addresses
    :param noun: what its rows are, for their number: ``task``
    :param columns: those that it can be sorted by among them
    :param default_order: the service's name of it; empty where the list has one order only
    """

    page: str
    noun: str
    columns: Sequence[Column]
    default_order: str = ""


@dataclass(frozen=True)
class ReadPage(Generic[Found]):
    """One page of a list as it was read: its rows, its number, the order asked for."""

    found: Found
    number: int
    order_by: str


def read_page(asked: PageRequest, kind: ListKind, problems: Problems, read: Callable[..., Found]) -> ReadPage[Found]:
    """Read the page that is asked for.

    :param read: takes ``limit``, ``offset``, ``order_by``
    """
    order_by = paging.order_of(asked, kind.columns, kind.default_order, problems) if kind.default_order else ""
    found, number = paging.fetch(read, paging.page_of(asked, problems), order_by, problems)
    return ReadPage(found, number, order_by)


@dataclass(frozen=True)
class ListFrame:
    """What the templates of all lists show around the rows.

    :param zone: the time zone of the filter's moments; empty where it has none
    :param sort: the order, where it is not the default
    :param matching: the filter as dialogs and downloads take it
    :param reads_all: the actor may read every Dag
    """

    problems: Sequence[str]
    fields: Sequence[Field]
    zone: str
    chips: Sequence[Chip]
    sort: str
    reset_url: str
    refresh_url: str
    headers: Sequence[paging.Header]
    matching: str
    pager: paging.Pager
    counted: str
    reads_all: bool
    address: paging.Address


def list_frame(
    asked: PageRequest,
    kind: ListKind,
    read: ReadPage[Any],
    fields: Sequence[Field],
    problems: Problems,
    fixed: Mapping[str, str] | None = None,
) -> ListFrame:
    """Return what stands around the rows of a page.

    :param fixed: what every address of the page has
    """
    fixed = fixed or {}
    query = {field.name: field.values for field in fields} | {name: (value,) for name, value in fixed.items()}
    zone = ""
    if any(field.zone and field.values for field in fields):
        zone = asked.one("zone")
        query["zone"] = (zone,)
    sort = read.order_by if read.order_by != kind.default_order else ""
    address = paging.Address(asked, kind.page, query | ({"sort": (sort,)} if sort else {}))
    return ListFrame(
        problems=problems.lines,
        fields=fields,
        zone=zone,
        chips=paging.chips(fields, address),
        sort=sort,
        reset_url=asked.urls.page(kind.page, fixed),
        refresh_url=address.url(page=str(read.number) if read.number > 1 else ""),
        headers=paging.headers(kind.columns, read.order_by, address),
        matching=paging.query_string(query),
        pager=paging.pager(read.found, read.number, address),
        counted=text.count(read.found.total_entries, kind.noun),
        reads_all=asked.actor.permissions.readable() is None,
        address=address,
    )
