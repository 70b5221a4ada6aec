"""Rows of the lists as CSV and JSON, piece by piece: the same on the command line and in downloads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from taskops_provider.domain.answers import field_names, to_plain_data
from taskops_provider.domain.text import iso, json_text

#: what a spreadsheet takes for the beginning of a formula, in full width too
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
#: between the values of a cell that has several
SEPARATOR = "; "

FORMS = ("csv", "json")

_NEEDS_QUOTES = re.compile(r'[,"\r\n]')


def csv_cell(value: Any) -> str:
    """A value as CSV has it; what a spreadsheet would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        value = [f"{name}: {item}" for name, item in value.items()]
    text = SEPARATOR.join(value) if isinstance(value, (list, tuple)) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of values as lines of CSV. They end with a line feed, for pipes and tools that expect no more."""
    return "".join(",".join(_quoted(csv_cell(value)) for value in row) + "\n" for row in rows)


def _quoted(text: str) -> str:
    # Python's own writer leaves a carriage return bare where lines end with a line feed: spreadsheets begin a new
    # row behind it, with a cell that may be a formula
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


class Writer:
    """Makes the text of an export, which is the pieces one after the other.

    :param kind: the dataclass of its rows
    :param bom: begin CSV with a byte order mark, by which spreadsheets know that it is UTF-8
    """

    def __init__(self, form: str, kind: type, *, bom: bool = False):
        if form not in FORMS:
            raise ValueError(f"format is {form!r}; allowed are {', '.join(FORMS)}")
        self._csv = form == "csv"
        self._mark = "\ufeff" if bom and self._csv else ""
        self._fields = field_names(kind)

    def piece(self, rows: Sequence[object], *, is_first: bool) -> str:
        """The text of some rows; the first piece, which may be without any, has the header too."""
        if self._csv:
            lines = [[getattr(row, name) for name in self._fields] for row in rows]
            return self._mark + csv_text([self._fields, *lines]) if is_first else csv_text(lines)
        texts = [json_text(to_plain_data(row)) for row in rows]
        if not texts:
            return ""
        return ("[\n" if is_first else ",\n") + ",\n".join(texts)

    def end(self, *, is_empty: bool) -> str:
        """What stands behind the last piece.

        :param is_empty: there were no rows at all
        """
        if self._csv:
            return ""
        return "[]\n" if is_empty else "\n]\n"
