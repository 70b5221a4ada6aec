"""What a page is asked for: the presenters' only argument, free of Flask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.domain.text import whole_number
from taskops_provider.exceptions import BadInput
from taskops_provider.services.shared.actor import Actor
from taskops_provider.www.urls import Urls


@dataclass(frozen=True)
class PageRequest:
    """One request for a page.

    :param args: the query of the URL: name -> values
    """

    args: Mapping[str, Sequence[str]]
    actor: Actor
    session: Session
    now: datetime
    urls: Urls

    def one(self, name: str) -> str:
        """The value of a field, empty where it was not given."""
        return next(iter(self.many(name)), "")

    def many(self, name: str) -> tuple[str, ...]:
        """The values of a field that may have several, each once."""
        # PostgreSQL refuses texts with a zero byte, and no name has one
        values = (value.replace("\0", "").strip() for value in self.args.get(name, ()))
        return tuple(dict.fromkeys(value for value in values if value))

    def each(self, name: str) -> tuple[str, ...]:
        """The values of a field that stands in several lines of a form, one a line, empty ones too."""
        return tuple(value.replace("\0", "").strip() for value in self.args.get(name, ()))

    def number(self, name: str, *, of: str = "a record") -> int:
        """The value of a field that is the number of a record.

        :param of: what it is the number of, for messages
        :raises BadInput: when it is none
        """
        given = self.one(name)
        number = whole_number(given, digits=19)
        if number is None or not 0 < number < 2**63:
            raise BadInput(f"{name} is {given[:60]!r}; it is the number of {of}")
        return number
