"""Old names in requests: they are read under the new ones, and answers say so in the header ``Deprecation``.

Which there are is in :mod:`taskops_provider.domain.deprecated_words`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from taskops_provider.domain.answers import Json
from taskops_provider.domain.deprecated_words import OldWord, WordKind, old_words
from taskops_provider.exceptions import BadInput

HEADER: Final = "Deprecation"

_KEPT: Final = "taskops.old_words"


@dataclass
class UsedOldWords:
    """The old words of one request.

    :param doubled: those whose new ones were given too
    """

    words: list[OldWord] = field(default_factory=list)
    doubled: list[OldWord] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each."""
        return [word.sentence for word in self.words]


def used_old_words(request: Request) -> UsedOldWords:
    """Return the old words of a request."""
    return request.scope.get(_KEPT) or UsedOldWords()


OldWordsDep = Annotated[UsedOldWords, Depends(used_old_words)]


def refuse_doubled(used: OldWordsDep) -> None:
    """Refuse a request with the old and the new name of something.

    :raises BadInput: naming them
    """
    if used.doubled:
        raise BadInput(used.doubled[0].refusal)


class OldWordsRoute(APIRoute):
    """A route that takes old names too."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; old names in it are put into new ones first."""
        place = f"{scope['method']} {self.path_format}"
        parameters, fields = (old_words(kind, place) for kind in (WordKind.PARAMETER, WordKind.FIELD))
        scope[_KEPT] = used = UsedOldWords()
        if parameters:
            scope["query_string"] = _renamed_query(scope["query_string"], parameters, used)
        if fields:
            try:
                receive = _replay(_renamed_body(await Request(scope, receive).body(), fields, used), receive)
            except ClientDisconnect:
                return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and (self.deprecated or used.words):
                MutableHeaders(scope=message)[HEADER] = "true"
            await send(message)

        await super().handle(scope, receive, send_with_header)


def _renamed_query(query: bytes, words: Sequence[OldWord], used: UsedOldWords) -> bytes:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = {name for name, _ in pairs}
    renamed = {word.old: word.new for word in words if _note(word, given, used)}
    return urlencode([(renamed.get(name, name), value) for name, value in pairs]).encode() if renamed else query


def _renamed_body(body: bytes, words: Sequence[OldWord], used: UsedOldWords) -> bytes:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return body  # refused by whoever reads it
    for word in words:
        *path, old = word.old.split(".")
        holder = given
        for part in path:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and _note(word, holder, used):
            value = holder.pop(old)
            # by its type too: 1 is not true
            is_known = isinstance(value, bool) and value in word.values
            holder[_last(word.new)] = word.values[value] if is_known else value
    return json.dumps(given).encode() if used.words else body


def _note(word: OldWord, given: Iterable[str], used: UsedOldWords) -> bool:
    """Note an old word that was used; return whether it is to be renamed."""
    if _last(word.old) not in given:
        return False
    is_doubled = _last(word.new) in given
    (used.doubled if is_doubled else used.words).append(word)
    return not is_doubled


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what hands out a body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def describe_old_words(document: Json) -> None:
    """Add the old names to the OpenAPI document, marked as deprecated."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            _add_parameters(operation, old_words(WordKind.PARAMETER, place))
            for word in old_words(WordKind.FIELD, place):
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                _add_field(list(_objects(body, schemas)), word, schemas)
    for name, schema in schemas.items():
        for word in old_words(WordKind.ANSWER, name):
            schema["properties"][word.old].update(_marked(word))


def _add_parameters(operation: Json, words: Iterable[OldWord]) -> None:
    for word in words:
        new = next(one for one in operation["parameters"] if one["name"] == word.new)
        operation["parameters"].append({**new, "name": word.old, **_marked(word)})


def _add_field(objects: Sequence[Json], word: OldWord, schemas: Json) -> None:
    *path, old = word.old.split(".")
    for part in path:
        inner = [one["properties"][part] for one in objects if part in one.get("properties", ())]
        objects = [found for one in inner for found in _objects(one, schemas)]
    for one in objects:
        if new := one.get("properties", {}).get(_last(word.new)):
            kept = (
                {"type": "boolean"} if word.values else {key: value for key, value in new.items() if key != "default"}
            )
            one["properties"][old] = {**kept, **_marked(word)}


def _objects(schema: Json, schemas: Json) -> Iterator[Json]:
    """The objects that a schema stands for: references are followed, alternatives taken each."""
    if reference := schema.get("$ref"):
        yield from _objects(schemas[reference.rpartition("/")[2]], schemas)
    for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _objects(one, schemas)
    if "properties" in schema:
        yield schema


def _marked(word: OldWord) -> dict[str, Any]:
    use = {"description": f"Use `{_last(word.new)}`."} if word.new else {}
    return {"deprecated": True, **use}
