"""Secrets belong into Airflow connections: rules are shown to everybody who may read the Dag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"pass(wor|w)?d|passphrase|secret|token|api_?-?key|credential|authorization|private_?key", re.I)
#: of what stands between a colon and an @: the port of an address with an @ in its path
_PORT = re.compile(r"\d*(/|$)")
_SCHEME = re.compile(r"\s*(bearer|basic)\s", re.I)


def find_secret(value: Any, name: str = "") -> str | None:
    """Return what is wrong with the arguments of a notifier, if one looks like a secret."""
    if name and _NAME.search(name):
        return f"argument {name[:40]!r} looks like a secret; keep it in an Airflow connection"
    if isinstance(value, Mapping):
        return next(filter(None, (find_secret(one, str(key)) for key, one in value.items())), None)
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(find_secret, value)), None)
    if isinstance(value, str) and _holds_secret(value):
        return f"the value of {name[:40] or 'an argument'!r} holds a secret; keep it in an Airflow connection"
    return None


def _holds_secret(text: str) -> bool:
    """Whether a text has a secret in an address, or begins like an Authorization header. It takes linear time."""
    return _SCHEME.match(text) is not None or any(map(_is_secret_address, text.split("//")[1:]))


def _is_secret_address(behind_scheme: str) -> bool:
    """Whether an address has a password, whatever characters it has, or a parameter that is called like a secret."""
    address = next(iter(behind_scheme.split(maxsplit=1)), "")
    login, at, _ = address.rpartition("@")
    password = login.partition(":")[2].strip(":")
    if at and password and not _PORT.match(password):
        return True
    parameters = re.split(r"[?&;#]", address)[1:]
    return any(_NAME.search(one.partition("=")[0]) for one in parameters if "=" in one)
