"""Secrets in addresses: what of one may be shown."""

from __future__ import annotations

MASK = "***"


def without_secrets(text: str) -> str:
    """Return a text with what may be secret in the address that it holds masked.

    That is who signs in and with what, whatever characters it has: all between the scheme and the last ``@``; and all
    behind the path: a query, a fragment. Of a path with an ``@`` too much is masked rather than too little.
    """
    scheme, slashes, rest = text.partition("//")
    if not slashes:
        return text
    _, at, place = rest.rpartition("@")
    if at:
        place = f"{MASK}@{place}"
    for sign in "?#":
        path, found, _ = place.partition(sign)
        if found:
            place = f"{path}{sign}{MASK}"
    return f"{scheme}{slashes}{place}"
