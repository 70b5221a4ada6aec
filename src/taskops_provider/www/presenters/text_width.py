"""How wide a text is, roughly: SVG does not cut what does not fit."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

#: widths of characters in parts of the font's size, as fonts of user interfaces have them, on the wide side
_NARROW, _USUAL, _BROAD, _FULL = 0.33, 0.57, 0.88, 1.05
_CAPITAL = 0.68
_NARROW_ONES = frozenset("iljftr|!.,:;'`()[] -/\\I")
_BROAD_ONES = frozenset("mwMW@%…—")
_BOLDER = 1.06
ELLIPSIS = "…"


def _part(character: str) -> float:
    if character in _NARROW_ONES:
        return _NARROW
    if character in _BROAD_ONES:
        return _BROAD
    if character.isascii():
        return _CAPITAL if character.isupper() else _USUAL
    if combining(character):
        return 0.0
    return _FULL if east_asian_width(character) in "WF" else _CAPITAL


def width_of(words: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in pixels.

    :param size: of the font
    """
    return sum(map(_part, words)) * size * (_BOLDER if bold else 1.0)


def clip(words: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return a text that is no wider than that: its middle is left out, since ids often differ at the end."""
    if width_of(words, size, bold=bold) <= width:
        return words
    room = width / size / (_BOLDER if bold else 1.0) - _part(ELLIPSIS)
    head, tail = 0, 0
    while room > 0 and head + tail < len(words):
        # two at the start for each at the end
        at_end = tail * 2 < head
        room -= _part(words[-1 - tail] if at_end else words[head])
        if room < 0:
            break
        head, tail = (head, tail + 1) if at_end else (head + 1, tail)
    return f"{words[:head].rstrip()}{ELLIPSIS}{words[len(words) - tail :] if tail else ''}"
