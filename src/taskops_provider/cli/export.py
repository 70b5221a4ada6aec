"""All matching tasks with all their columns, as CSV or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.tasks import TaskRow
from taskops_provider.services.exports.formats import Writer


def write(rows: Iterable[TaskRow], form: str, path: str | None, *, bom: bool = False) -> int:
    """Write tasks as they come from the database; return how many.

    :param path: None: standard output
    :param bom: begin CSV with a byte order mark
    :raises BadInput: when the file cannot be written
    """
    with _opened(path) as file:
        writer = Writer(form, TaskRow, bom=bom)
        written = 0
        for written, row in enumerate(rows, start=1):
            file.write(writer.piece([row], is_first=written == 1))
        if not written:
            file.write(writer.piece([], is_first=True))
        file.write(writer.end(is_empty=not written))
        return written


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
