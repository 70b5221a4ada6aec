"""All matching tasks with all their columns, as CSV or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from taskops_provider.domain.answers import plain
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.tasks import TASK_FIELDS, TaskRow
from taskops_provider.services.exports.formats import csv_text, json_text


def write(rows: Iterable[TaskRow], form: str, path: str | None) -> int:
    """Write tasks as they come from the database; return how many.

    :param path: None: standard output
    :raises BadInput: when the file cannot be written
    """
    with _opened(path) as file:
        return (_write_csv if form == "csv" else _write_json)(rows, file)


@contextmanager
def _opened(path: str | None) -> Iterator[TextIO]:
    """Open beside the file and put it in place when it is whole: nobody reads half an export."""
    if path is None:
        yield sys.stdout
        return
    if os.path.exists(path) and not os.path.isfile(path):
        # a device or a pipe
        with _open(path) as file:
            yield file
        return
    part = f"{path}.{os.getpid()}.part"
    try:
        with _open(part) as file:
            yield file
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def _open(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None


def _write_csv(rows: Iterable[TaskRow], file: TextIO) -> int:
    file.write(csv_text([TASK_FIELDS]))
    written = 0
    for written, row in enumerate(rows, start=1):  # noqa: B007
        file.write(csv_text([[getattr(row, name) for name in TASK_FIELDS]]))
    return written


def _write_json(rows: Iterable[TaskRow], file: TextIO) -> int:
    written = 0
    for written, row in enumerate(rows, start=1):
        file.write(("[\n" if written == 1 else ",\n") + json_text(plain(row)))
    file.write("\n]\n" if written else "[]\n")
    return written
