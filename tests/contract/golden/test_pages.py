"""The pages and dialogs are as recorded: every route of the views, each verb of one on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import Response

from tests.contract.golden.compare import Golden, file_name, left_over
from tests.contract.golden.html import head_of, lines_of
from tests.contract.golden.page_cases import CASES, Look
from tests.contract.golden.world import World
from tests.support.apps import web_app
from tests.support.dialogs import ROOT, Dialogs

HEAD = "pages/head.txt"
#: of an answer, beside its status and its content
HEADERS = ("location", "hx-refresh", "hx-retarget", "hx-reswap", "hx-trigger", "hx-redirect")


def served() -> Iterator[str]:
    """Every route of the views."""
    for rule in web_app("simple").flask.url_map.iter_rules():
        if not rule.rule.startswith("/taskops/") or rule.endpoint.endswith("static"):
            continue
        path = rule.rule.removeprefix("/taskops")
        verbs = re.search(r"<any\((.*?)\):verb>", path)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            names = re.findall(r"'(.*?)'", verbs.group(1)) if verbs else [""]
            yield from (f"{method} {re.sub('<.*>', name, path)}" for name in names)


def test_every_page_and_dialog_is_recorded() -> None:
    assert set(CASES) == set(served())
    assert not left_over("pages", {_file(route) for route in CASES} | {HEAD})


def test_the_head_of_a_page_is_as_recorded(world: World, golden: Golden) -> None:
    golden.check(HEAD, head_of(Dialogs(world.web).client.get(f"{ROOT}/settings").text))


@pytest.mark.parametrize("route", CASES)
def test_a_page_is_as_recorded(world: World, golden: Golden, route: str) -> None:
    parts = []
    for name, look in CASES[route].items():
        world.start_anew()
        parts += [f"## {name}\n", *_play(world, look, "")]
    golden.check(_file(route), "\n".join(parts))


def _file(route: str) -> str:
    return f"pages/{file_name(route)}.txt"


def _play(world: World, look: Look, plan_hash: str) -> list[str]:
    """Ask, and what follows on it."""
    dialogs = Dialogs(world.web, look.user)
    headers = {**(dialogs.headers if look.is_part else {}), **look.headers}
    path = f"{ROOT}/{look.path}"
    fields: dict[str, Any] | None = None
    if look.fields is None:
        answer = dialogs.client.get(path, headers=headers)
    else:
        fields = {name: plan_hash if value == "PLAN-HASH" else value for name, value in look.fields.items()}
        answer = dialogs.client.post(path, data=fields, headers=headers)
    asked = f"{'GET' if fields is None else 'POST'} {look.path}{'' if look.user == 'admin' else f' as {look.user}'}"
    told = [asked, *([str(fields)] if fields is not None else []), "", *_told(answer), *world.effects(), ""]
    found = re.search(r'name="plan_hash" value="([^"]*)"', answer.text)
    for following in look.then:
        told += _play(world, following, found.group(1) if found else "")
    return told


def _told(answer: Response) -> list[str]:
    headers = [f"{name}: {answer.headers[name]}" for name in HEADERS if name in answer.headers]
    # what a redirection says is the framework's
    content = [] if answer.is_redirect else [lines_of(answer.text)]
    return [f"{answer.status_code} {answer.headers.get('content-type')}", *headers, *content]
