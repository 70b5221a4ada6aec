"""Values that people are not expected to send."""

from __future__ import annotations

import json
from random import Random
from typing import Any

#: stand for JSON that ``json.dumps`` does not write
DEEP_LIST, DEEP_OBJECT = "@deep-list@", "@deep-object@"
DEPTH = 1000
_WRITTEN = {
    json.dumps(DEEP_LIST): "[" * DEPTH + "]" * DEPTH,
    json.dumps(DEEP_OBJECT): '{"a":' * DEPTH + "1" + "}" * DEPTH,
}
HUGE = 1_000_000

_NUL = ("\0", "or\0ders", "\0" * 50)
_SURROGATES = ("\ud800", "a\udfffb", "\udc00\ud800")
_UNUSUAL = (
    "\u202eevil\u202c",
    "\ufeff",
    "\u2028",
    "\x85\x1b[31m",
    "\uffff",
    "e\u0301" * 200,
    "😀" * 300,
    "İ" * 100,
    "＝1+1",
    "\r\nSet-Cookie: a=b",
    " ",
    "\t",
    "",
)
_NUMBERS = (
    "9" * 400,
    "-1",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "NaN",
    "-Infinity",
    "1_000",
    "0x10",
    "٣٤",
    "²",
    "１２",
    "1.5",
    "--1",
    "9" * 5000,
)
_TIMES = (
    "0001-01-01T00:00:00-14:00",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59+00:00",
    "9999-12-31T23:59",
    "2026-02-30",
    "2026-01-01T25:00",
    "20260101",
    "12345678",
    "2026-W01-1",
    "99999-01-01",
    "24:00",
    "23:60",
    "00:00",
    "Europe/../../etc/passwd",
    "/etc/passwd",
    "UTC+25",
    "posixrules",
    "22:00-22:00",
)
_INJECTIONS = (
    "'; DROP TABLE taskops_task; --",
    "' OR '1'='1",
    '" OR ""="',
    "%",
    "_",
    "\\",
    "%' ESCAPE '",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "${jndi:ldap://localhost/a}",
    "%s%n%(a)s{0.__class__}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "../../../etc/passwd",
    "http://a:b@127.0.0.1:1/" + "x" * 3000,
    "//a:" * 2000,
    "(" * 3000,
    "a" * 30_000 + "!",
    "orders|" * 3000,
    "a@" * 3000,
)
_JSON_TEXTS = ("null", "[]", "{}", '{"a": NaN}', '{"a": 1e999}', "[" * DEPTH, '{"a":' * DEPTH, '{"\\ud800": "\\u0000"}')
TEXTS = (*_NUL, *_SURROGATES, *_UNUSUAL, *_NUMBERS, *_TIMES, *_INJECTIONS, *_JSON_TEXTS)
_SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**400,
    2**63,
    -(2**63) - 1,
    float("nan"),
    float("inf"),
    1e308,
    -0.0,
    1.5,
    DEEP_LIST,
    DEEP_OBJECT,
)


def text(random: Random, *, longest: int = HUGE) -> str:
    """Return a hostile text; one in fifty is as long as may be."""
    chance = random.random()
    if chance < 0.02:
        return random.choice("aé\u202e<") * longest
    if chance < 0.1:
        return "".join(random.choices(TEXTS, k=3))[:longest]
    return random.choice(TEXTS)[:longest]


def value(random: Random) -> Any:
    """Return something hostile of any type."""
    chance = random.random()
    if chance < 0.5:
        return text(random)
    if chance < 0.8:
        return random.choice(_SCALARS)
    if chance < 0.9:
        return [value(random) for _ in range(random.choice((0, 1, 3)))]
    if chance < 0.93:
        return [text(random, longest=100)] * 5000
    return {text(random, longest=100): value(random) for _ in range(random.choice((0, 1, 3)))}


def written(body: Any) -> bytes:
    """Return a body as JSON, or what looks like it: halves of surrogate pairs are escaped, NaN stands as it is."""
    made = json.dumps(body)
    for name, deep in _WRITTEN.items():
        made = made.replace(name, deep)
    return made.encode()
