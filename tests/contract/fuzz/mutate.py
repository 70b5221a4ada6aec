"""Requests made of those that the walk asks: a place or a few in each of them hold something else."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import taskops_provider.www
from tests.contract.fuzz import hostile
from tests.contract.walk.requests import Ask
from tests.support.dialogs import ROOT

#: what httpx takes as an address
LONGEST_ADDRESS = 20_000
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
#: bodies that are no JSON
_BODIES = (b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'"text"', b"\xef\xbb\xbf{}", b"NaN", b"1" * 5000, b"[" * 100_000)


@dataclass(frozen=True)
class HostileRequest:
    """One request as it is sent."""

    method: str
    path: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        body = "" if self.content is None else f" {self.content[:600]!r} ({len(self.content)} bytes)"
        return f"{self.method} {self.path[:600]}{body}"


def mutated(ask: Ask, random: Random, *, parameters: tuple[str, ...], plan_hash: str) -> HostileRequest:
    """Return a request with something hostile in it, or one in twenty as it was.

    :param parameters: names that the route takes in its address
    :param plan_hash: of what a form would apply
    """
    path = _path(ask, random, parameters)
    if ask.is_rest:
        if ask.method == "GET":
            return HostileRequest("GET", f"/taskops{path}")
        body = _bad_body(random) or hostile.written(_body(ask.body, random))
        return HostileRequest(ask.method, f"/taskops{path}", body, {"Content-Type": _JSON})
    if ask.method == "GET":
        return HostileRequest("GET", f"{ROOT}{path}")
    return HostileRequest("POST", f"{ROOT}{path}", _form(ask, random, plan_hash), {"Content-Type": _FORM})


def _bad_body(random: Random) -> bytes | None:
    return random.choice(_BODIES) if random.random() < 0.03 else None


def _path(ask: Ask, random: Random, parameters: tuple[str, ...]) -> str:
    path, _, query = ask.path.partition("?")
    if random.random() < 0.15:
        parts = path.split("/")
        place = random.randrange(2 if ask.is_rest else 1, len(parts)) if len(parts) > 2 else len(parts) - 1
        parts[place] = quote(hostile.text(random, longest=3000), safe="", errors="surrogatepass")
        path = "/".join(parts)
    pairs = parse_qsl(query)
    if ask.method == "GET":
        pairs = [(name, hostile.text(random) if random.random() < 0.3 else value) for name, value in pairs]
        known = (*parameters, *_field_names()) if not ask.is_rest else parameters
        for _ in range(random.choice((0, 1, 1, 2, 4)) if known else 0):
            pairs.append((random.choice(known), hostile.text(random)))
    encoded = urlencode(pairs, errors="surrogatepass")[:LONGEST_ADDRESS]
    # a cut must not leave half of an escape
    return f"{path}?{re.sub('%[0-9A-F]?$', '', encoded)}" if encoded else path


def _body(body: Any, random: Random) -> Any:
    """Return a body in which some values are others, are missing, stand twice, or one has been added."""
    made = copy.deepcopy(body if body is not None else {})
    for _ in range(random.choice((0, *[1] * 12, *[2] * 5, 4, 8))):
        places = list(_places(made))
        if not places or random.random() < 0.1:
            made[random.choice(("reason", "conf", "name", "extra", "window", "resume_at", "ticket"))] = hostile.value(
                random
            )
            continue
        holder, key = random.choice(places)
        if random.random() < 0.1:
            del holder[key]
        elif isinstance(holder[key], list) and random.random() < 0.3:
            holder[key] = holder[key] * 600
        else:
            holder[key] = hostile.value(random)
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a body, as what holds it and its key; not those inside of what is hostile."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(pairs)[:50]:
        yield value, key
        yield from _places(one)


def _form(ask: Ask, random: Random, plan_hash: str) -> bytes:
    fields: dict[str, Any] = {"step": "apply", "part": "plan", "plan_hash": plan_hash, **ask.body}
    if random.random() < 0.3:
        del fields["step"]
    pairs = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    for _ in range(random.choice((0, *[1] * 12, *[2] * 5, 4, 8))):
        chance = random.random()
        place = random.randrange(len(pairs))
        if chance < 0.5:
            pairs[place] = (pairs[place][0], hostile.text(random))
        elif chance < 0.6:
            pairs.insert(place, (pairs[place][0], hostile.text(random)))
        elif chance < 0.65 and len(pairs) > 1:
            del pairs[place]
        elif chance < 0.68:
            pairs += [pairs[place]] * 700
        else:
            pairs.append((random.choice(_field_names()), hostile.text(random)))
    return urlencode(pairs, errors="surrogatepass").encode()


@cache
def _field_names() -> tuple[str, ...]:
    """The names of fields that stand in the templates and presenters of the pages."""
    folder = Path(taskops_provider.www.__file__).parent
    found: set[str] = set()
    for file in (*folder.glob("presenters/**/*.py"), *folder.glob("templates/**/*.html")):
        page = file.read_text()
        found.update(re.findall(r'\.(?:one|many|each|number)\("(\w+)"', page))
        found.update(re.findall(r'name="(\w+)"', page))
    assert len(found) > 50, found
    return tuple(sorted(found))
