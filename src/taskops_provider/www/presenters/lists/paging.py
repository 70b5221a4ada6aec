"""What all lists share: address of the list as it is shown, column headers, pages, filter chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from taskops_provider import config
from taskops_provider.domain.text import whole_number
from taskops_provider.services.shared.paging import MAX_LIMIT, Page
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.filters import Chip, Field, Problems

#: a page of a list
Found = TypeVar("Found", bound=Page[Any])


@dataclass(frozen=True)
class Header:
    """A column's header: the direction in which it is sorted, and the address that sorts by it."""

    css: str
    label: str
    url: str
    direction: str


@dataclass(frozen=True)
class Pager:
    """Where in the list the page is (all counted from 1)."""

    page: int
    pages: int
    first: int
    last: int
    total: int
    urls: Mapping[str, str]


@dataclass(frozen=True)
class Address:
    """The address of a list with its filters, order and page."""

    asked: PageRequest
    name: str
    query: Mapping[str, tuple[str, ...]]

    def url(self, **changes: str | Sequence[str]) -> str:
        """The address with other values of some fields; an empty one takes the field away."""
        query = {**self.query, **changes}
        return self.asked.urls.page(self.name, {key: value for key, value in query.items() if value})


def page_of(asked: PageRequest, problems: Problems) -> int:
    """Return the number of the page asked for."""
    given = asked.one("page") or "1"
    number = whole_number(given, digits=10)
    if number is not None and 1 <= number <= 10**9:
        return number
    problems.lines.append(f"Page “{given[:60]}” does not exist; the first one is shown.")
    return 1


def order_of(asked: PageRequest, columns: Sequence[Column], default: str, problems: Problems) -> str:
    """Return the service's name of the order asked for."""
    given = asked.one("sort") or default
    allowed = [column.sort for column in columns if column.sort]
    return given if problems.only("Sort order", [given.removeprefix("-")], allowed) else default


def fetch(read: Callable[..., Found], page: int, order_by: str, problems: Problems) -> tuple[Found, int]:
    """Read one page of a list; the last one where there are not so many.

    :param read: takes ``limit``, ``offset``, ``order_by``
    :return: the page and its number
    """
    limit = min(max(config.page_size(), 1), MAX_LIMIT)
    found = read(limit=limit, offset=(page - 1) * limit, order_by=order_by)
    pages = max(-(-found.total_entries // limit), 1)
    if page > pages:
        problems.lines.append(f"Page {page} does not exist; the last one is shown.")
        page = pages
        found = read(limit=limit, offset=(page - 1) * limit, order_by=order_by)
    return found, page


def pager(found: Page[Any], page: int, address: Address) -> Pager:
    """Return where the page is in the list and the addresses of the others."""
    pages = max(-(-found.total_entries // found.limit), 1)
    wanted = {
        "first": 1 if page > 1 else 0,
        "previous": page - 1,
        "next": page + 1 if page < pages else 0,
        "last": pages if page < pages else 0,
    }
    return Pager(
        page=page,
        pages=pages,
        first=found.offset + 1 if found.rows else 0,
        last=found.offset + len(found.rows),
        total=found.total_entries,
        urls={name: address.url(page=str(number)) for name, number in wanted.items() if number},
    )


def headers(columns: Sequence[Column], order_by: str, address: Address) -> list[Header]:
    """Return the headers; clicking one sorts by it, clicking again turns the order round."""
    made = []
    for column in columns:
        down, up = f"-{column.sort}", column.sort
        first, second = (down, up) if column.largest_first else (up, down)
        direction = {up: "ascending", down: "descending"}.get(order_by, "") if column.sort else ""
        url = address.url(sort=second if order_by == first else first, page="") if column.sort else ""
        made.append(Header(column.css, column.label, url, direction))
    return made


def query_string(query: Mapping[str, Sequence[str]]) -> str:
    """Return a list's filter as the dialogs and downloads take it: ``?`` is the list without one."""
    return f"?{urlencode({name: values for name, values in query.items() if values}, doseq=True)}"


def chips(fields: Sequence[Field], address: Address) -> list[Chip]:
    """Return what is filtered by, each with the address of the list without it."""
    return [
        Chip(
            field.label,
            field.label_of(value),
            address.url(**{field.name: tuple(v for v in field.values if v != value), "page": ""}),
        )
        for field in fields
        for value in field.values
    ]
