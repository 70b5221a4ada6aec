"""The pages as htmx asks for their parts: with the token of a page, and what a part says."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from httpx import Response

from taskops_provider.www import csrf
from tests.support.apps import WebApp

ROOT = "/pluginsv2/taskops"


def token_of(web: WebApp, name: str) -> str:
    """The token that pages of a user carry."""
    return csrf.make_token(web.flask.secret_key, str(web._users[name].get_id()))


def read(html: str) -> str:
    """What is read of some HTML, without the tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html.replace("<wbr>", "")))).strip()


class Dialogs:
    """One user's dialogs: ``dialogs.post("change/tasks/pause", target="orders clean")``.

    :param name: None: nobody is signed in
    """

    def __init__(self, web: WebApp, name: str | None = "admin", *, token: str | None = None):
        self.client = web.client(name)
        self.headers = {"HX-Request": "true"}
        if token is None and name:
            token = token_of(web, name)
        if token:
            self.headers[csrf.HEADER] = token

    def post(self, path: str, status: int = 200, **fields: Any) -> Part:
        """Send a dialog's fields; a list is a field with several values."""
        answer = self.client.post(f"{ROOT}/{path}", data=fields, headers=self.headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return Part(answer)

    def apply(self, path: str, status: int = 200, **fields: Any) -> Part:
        """Preview, and apply that plan."""
        seen = self.post(path, **fields)
        return self.post(path, status, step="apply", part="plan", plan_hash=seen.plan_hash, **fields)


class _Form(HTMLParser):
    """Collects the fields of a form."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._select, self._text = "", ""
        self._first = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.fields.setdefault(name, []).append(value)
        elif tag == "select":
            self._select, self._first = name, True
        elif tag == "option" and self._select and (self._first or "selected" in given):
            self.fields[self._select] = [value]
            self._first = False
        elif tag == "textarea":
            self._text = name
            self.fields[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text][0] += data


class Part:
    """A part of a page."""

    def __init__(self, answer: Response):
        self.answer = answer
        self.html = answer.text

    @property
    def words(self) -> str:
        """What is read, without the tags."""
        return read(self.html)

    @property
    def title(self) -> str:
        return self._one(r'<h2 id="dialog-title"[^>]*>(.*?)</h2>')

    @property
    def action(self) -> str:
        return self._one(r'<span id="change-action"[^>]*>(.*?)</span>')

    @property
    def plan_hash(self) -> str:
        return self._one(r'name="plan_hash" value="([^"]*)"')

    @property
    def problem(self) -> str:
        return self._one(r'<div class="problem".*?<p>(.*?)</p>')

    @property
    def fields(self) -> dict[str, list[str]]:
        """What a browser would send of the dialog's form when nothing is changed in it."""
        form = _Form()
        form.feed(self.html)
        return form.fields

    @property
    def counts(self) -> list[int]:
        """Applied, left alone, blocked."""
        listed = self._one(r'<ul class="counts".*?>(.*?)</ul>')
        return [int(number.replace(",", "")) for number in re.findall(r"<strong>([\d,]+)</strong>", listed)]

    @property
    def operation_id(self) -> int:
        return int(self._one(r"operation\?id=(\d+)"))

    def section(self, kind: str) -> list[str]:
        """The words of each section of a kind: ``applied``, ``blocked``, ``left``."""
        found = re.findall(rf'<(section|details) class="{kind}">(.*?)</\1>', self.html, re.S)
        return [read(body) for _, body in found]

    def rows(self, kind: str) -> int:
        """How many rows the tables of a kind of section have."""
        found = re.findall(rf'<(section|details) class="{kind}">(.*?)</\1>', self.html, re.S)
        return sum(body.count("<tr") - body.count("<thead><tr") - body.count('class="blocked-by"') for _, body in found)

    def _one(self, pattern: str) -> str:
        found = re.search(pattern, self.html, re.S)
        assert found, (pattern, self.html)
        return unescape(found.group(1)).strip()
