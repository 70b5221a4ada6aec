"""Parameters that are given more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fastapi import Request

from taskops_provider.exceptions import BadInput


def refuse_repeated(request: Request) -> None:
    """Refuse a parameter that is given twice and takes one value: all but the last were dropped without a word.

    :raises BadInput: naming it
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, number in given.items() if number > 1]
    if not repeated:
        return
    lists = set(_lists(request))
    for name in repeated:
        if name not in lists:
            raise BadInput(f"{name} is given {given[name]} times; give it once")


def _lists(request: Request) -> Iterator[str]:
    """The parameters of the request's route that take several values, as the documentation has them."""
    methods = request.app.openapi()["paths"].get(request.scope["route"].path_format, {})
    for parameter in methods.get(request.method.lower(), {}).get("parameters", ()):
        schema: dict[str, Any] = parameter["schema"]
        if any(kind.get("type") == "array" for kind in (schema, *schema.get("anyOf", ()))):
            yield parameter["name"]
