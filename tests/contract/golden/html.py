"""HTML as it is recorded: a line for each tag and each text, attributes by name, white space between tags left out.

Nothing is indented, so that a tag around others differs by its own lines alone; ``~/`` is where the pages are.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from tests.support.dialogs import ROOT

#: drawings of icons, the same on every page
_SPRITE = re.compile(r'(<svg class="sprite"[^>]*>).*?(</svg>)', re.DOTALL)
#: what every page begins with, but for its title
_HEAD = re.compile(r"<!doctype html>\n<html lang=\"en\">\n<head>\n.*?(<title>.*?</title>).*?</head>\n", re.DOTALL)
#: an icon, of which there are very many
_ICON = re.compile(
    r'<svg aria-hidden="true" class="icon [\w-]+" focusable="false">\n<use href="#icon-([\w-]+)"></use>\n</svg>'
)
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class _Lines(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._open: list[str] = []
        #: whether the last line is a start tag and its text, to which the end tag may be added
        self._short = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = [
            f'{name}="{" ".join(escape(value).split())}"' if value is not None else name
            for name, value in sorted(attrs, key=lambda pair: pair[0])
        ]
        self._add(f"<{' '.join([tag, *told])}>")
        self._short = tag not in _VOID
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> ends nothing"
        opened = self._open.pop()
        assert opened == tag, f"</{tag}> ends <{opened}>: {self.lines[-5:]}"
        if self._short:
            self.lines[-1] += f"</{tag}>"
        else:
            self._add(f"</{tag}>")
        self._short = False

    def handle_data(self, data: str) -> None:
        if words := " ".join(data.split()):
            if self._short:
                self.lines[-1] += escape(words, quote=False)
            else:
                self._add(escape(words, quote=False))

    def handle_decl(self, decl: str) -> None:
        self._add(f"<!{decl}>")

    def _add(self, line: str) -> None:
        self.lines.append(line)


def head_of(html: str) -> str:
    """Return what a page begins with."""
    found = _HEAD.search(_lines(html))
    assert found, html
    return found.group()


def lines_of(html: str) -> str:
    """Return a page without what every page begins with, or a part of one: a line for each tag and each text.

    :raises AssertionError: where tags do not match
    """
    return _ICON.sub(r"(icon \1)", _HEAD.sub(r"\1\n", _lines(html))).replace(f'"{ROOT}/', '"~/')


def _lines(html: str) -> str:
    parser = _Lines()
    parser.feed(_SPRITE.sub(r"\1\2", html))
    parser.close()
    assert not parser._open, f"{parser._open} are not ended"
    return "\n".join(parser.lines)
