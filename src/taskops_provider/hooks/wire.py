"""What the conversation with the server is made of: a request, the answer to it, or none.

No network and no HTTP library here, so that the blocking hook and the asynchronous one share all that is decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple


class Repeat(Enum):
    """When a request may be sent once more."""

    #: it reads, or previews
    ALWAYS = "always"
    #: it changes something: only when the one before was surely not carried out
    IF_NOT_DONE = "if_not_done"


@dataclass(frozen=True)
class Call:
    """One thing asked of the API.

    :param what: completes "cannot ...", for messages
    :param path: below ``/taskops/v1``, quoted
    """

    what: str
    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    repeat: Repeat = Repeat.ALWAYS


class Send(NamedTuple):
    """Send this and come back with an :class:`Answer` or a :class:`Failure`."""

    method: str
    url: str
    headers: dict[str, str]
    params: Mapping[str, Any]
    body: Mapping[str, Any] | None


class Wait(NamedTuple):
    """Wait so many seconds and come back."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    content: bytes
    content_type: str = ""
    location: str = ""

    def json(self) -> Any:
        """Return the parsed content.

        :raises ValueError: when it is no JSON
        """
        return json.loads(self.content)

    def detail(self) -> str:
        """Return what the server says is wrong, as well as it can be told."""
        try:
            content = self.json()
        except ValueError:
            return ""
        detail = content.get("detail") if isinstance(content, dict) else None
        if isinstance(detail, list):  # pydantic's
            return "; ".join(_pydantic(entry) for entry in detail[:5])
        if isinstance(detail, dict):
            detail = detail.get("message") or detail.get("reason") or json.dumps(detail)
        return str(detail or "")


@dataclass(frozen=True)
class Failure:
    """No answer came.

    :param sent: whether the request may have reached the server
    """

    why: str
    sent: bool


def _pydantic(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    where = ".".join(str(part) for part in entry.get("loc", ()) if part != "body")
    return f"{where}: {entry.get('msg', '')}" if where else str(entry.get("msg", ""))
