"""Tables of text, aligned, in the look of Airflow's own commands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len

#: columns are not folded to less than this, nor to less than their longest word: ids stay whole
NARROWEST = 12


def lines(header: Sequence[str], rows: Iterable[Sequence[str]], *, ruled: bool = True) -> Iterator[str]:
    """Yield the lines of a table.

    On a terminal that is too narrow the widest columns are folded; into a pipe every row stays one line.

    :param ruled: with lines between columns and under the header; else columns two spaces apart, for pipes
    """
    body = [list(row) for row in rows]
    widths = [max(_width(text) for text in column) for column in zip(header, *body, strict=True)]
    gap = " | " if ruled else "  "
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - len(gap) * (len(widths) - 1)
        if sum(widths) > room:
            widths = _fit(widths, [_narrowest(column) for column in zip(header, *body, strict=True)], room)
    yield from _row(header, widths, gap)
    if ruled:
        yield "=+=".join("=" * width for width in widths)
    for row in body:
        yield from _row(row, widths, gap)


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _narrowest(column: Sequence[str]) -> int:
    return max(NARROWEST, *(_width(word) for text in column for word in text.split(" ")))


def _fit(widths: Sequence[int], narrowest: Sequence[int], room: int) -> list[int]:
    """Take from the widest column that can still give, until all fit or none can."""
    fitted = list(widths)
    while sum(fitted) > room:
        giving = [n for n, width in enumerate(fitted) if width > narrowest[n]]
        if not giving:
            break
        fitted[max(giving, key=fitted.__getitem__)] -= 1
    return fitted


def _row(cells: Sequence[str], widths: Sequence[int], gap: str) -> Iterator[str]:
    if all(_width(text) <= width for text, width in zip(cells, widths, strict=True)):
        yield _join(cells, widths, gap)
        return
    folded = [_fold(text, width) for text, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, folded))):
        yield _join([part[number] if number < len(part) else "" for part in folded], widths, gap)


def _join(cells: Sequence[str], widths: Sequence[int], gap: str) -> str:
    padded = (text + " " * (width - _width(text)) for text, width in zip(cells, widths, strict=True))
    return gap.join(padded).rstrip()


def _fold(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
