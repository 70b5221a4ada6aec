"""The table of rights of docs/security.md: act -> what it needs, and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs" / "security.md"
#: the rights that the table names
(
    NOTHING,
    SIGNED_IN,
    LIST,
    READ,
    READ_INSTANCES,
    EDIT,
    DELETE,
    CREATE_RUNS,
    CHANGE_RUNS,
    CHANGE_INSTANCES,
    EDIT_ALL,
) = (
    "nothing",
    "signed in",
    "list",
    "read",
    "read instances",
    "edit",
    "delete",
    "create runs",
    "change runs",
    "change instances",
    "edit all",
)
RIGHTS = frozenset(
    {SIGNED_IN, LIST, READ, READ_INSTANCES, EDIT, DELETE, CREATE_RUNS, CHANGE_RUNS, CHANGE_INSTANCES, EDIT_ALL}
)


@dataclass(frozen=True)
class DocumentedAct:
    """One row.

    :param needs: rights, none for what anybody may do
    :param rest: ``GET /v1/tasks``
    :param pages: ``GET /tasks``
    """

    needs: frozenset[str]
    rest: frozenset[str]
    pages: frozenset[str]


def documented_acts() -> dict[str, DocumentedAct]:
    """Return the rows by their act."""
    return dict(_rows(DOCS.read_text()))


def documented_rights() -> set[str]:
    """Return the rights that the page explains."""
    return set(re.findall(r"^\| ([a-z ]+) \|[^|]*\|[^|]*\|$", DOCS.read_text(), re.MULTILINE)) - {"right"}


def _rows(page: str) -> Iterator[tuple[str, DocumentedAct]]:
    for line in re.findall(r"^\| (.+) \|$", page, re.MULTILINE):
        cells = [cell.strip() for cell in line.split(" |")]
        if len(cells) == 4 and cells[1] != "needs" and "`" in cells[2] + cells[3]:
            needs = frozenset(need.strip() for need in cells[1].split(",")) - {NOTHING}
            assert needs <= RIGHTS, (cells[0], needs)
            yield cells[0].removeprefix("| "), DocumentedAct(needs, _routes(cells[2]), _routes(cells[3]))


def _routes(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`([A-Z]+ /[^`]*)`", cell))
