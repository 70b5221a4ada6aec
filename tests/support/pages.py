"""Pages as a browser gets them, and what is read in them."""

from __future__ import annotations

import re
from html import unescape

from tests.support.apps import WebApp


def get(web: WebApp, path: str, name: str = "viewer", status: int = 200, part: bool = False) -> str:
    """The HTML of a page, or of the part of it that htmx asks for."""
    answer = web.client(name).get(path, headers={"HX-Request": "true"} if part else {})
    assert answer.status_code == status, answer.text
    return answer.text


def plain(markup: str) -> str:
    """The words of a piece of a page."""
    apart = re.sub(r"<(div|li|ul|dd|dt|p|svg)\b", r" <\1", markup)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", apart)).split())


def cells(page: str, name: str) -> list[str]:
    """The words in one column."""
    return [plain(cell) for cell in re.findall(rf'<t[dh][^>]*class="{name}[^"]*"[^>]*>(.*?)</t[dh]>', page, re.S)]


def problems(page: str) -> list[str]:
    """The lines that a page says are wrong."""
    return [unescape(line) for line in re.findall(r'role="alert">.*?<span>(.*?)</span></p>', page, re.S)]
