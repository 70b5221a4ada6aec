"""E-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Collection

_ADDRESS = re.compile(r"[^@\s<>,;:\"'()\[\]\\]+@[^@\s<>,;:\"'()\[\]\\]+")
MAX_LENGTH = 254


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address."""
    return len(text) <= MAX_LENGTH and text.isprintable() and _ADDRESS.fullmatch(text) is not None


def split_people(names: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the names of users and the e-mail addresses of a list that has both."""
    return [name for name in names if not is_address(name)], [name for name in names if is_address(name)]
