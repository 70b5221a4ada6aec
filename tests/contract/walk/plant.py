"""Plants holes: at one place in the code where TaskOps asks for a permission the answer is yes, whoever asks."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import taskops_provider
from taskops_provider.adapter.permissions import UserPermissions
from tests.contract.walk.requests import Ask

_SOURCES = f"{Path(taskops_provider.__file__).parent}/"
_PERMISSIONS = "adapter/permissions.py"
#: what asks for others: a place is who called it
_BETWEEN = (_PERMISSIONS, "services/shared/actor.py")
_OF_DAGS = ("editable", "deletable")
_SETS = ("readable", "instances_readable", "runs_readable", "dependencies_readable")
_ASKS = (*_OF_DAGS, *_SETS, *(name for name in vars(UserPermissions) if name.startswith("may_")))


def _place(question: str) -> str:
    """Return who asks: ``services/alarms/rules.py editable_targets editable``; empty for what is no place."""
    frame: Any = sys._getframe(2)
    if frame.f_code.co_filename.endswith(_PERMISSIONS):
        return ""  # a question that is a part of another one
    while frame is not None:
        code: CodeType = frame.f_code
        file = code.co_filename
        if file.startswith(_SOURCES) and not file.endswith(_BETWEEN):
            # comprehensions and lambdas are parts of their function
            return f"{file.removeprefix(_SOURCES)} {code.co_qualname.partition('.<locals>')[0]} {question}"
        frame = frame.f_back
    return f"tests {question}"


class Holes:
    """Knows which places there are, and by which requests each is reached; opens one at a time."""

    def __init__(self) -> None:
        self.reached: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        self._asked: tuple[str, str] | None = None
        self._open = ""

    def record(self, name: str, ask: Ask) -> bool:
        """Take note of the request that is sent next: for ``Walk.wants``."""
        self._asked = (name, repr(ask))
        return True

    @contextmanager
    def opened(self, place: str) -> Iterator[Callable[[str, Ask], bool]]:
        """Answer yes at a place; what is given says of a request whether it reaches that."""
        self._open, reaching = place, self.reached[place]
        try:
            yield lambda name, ask: (name, repr(ask)) in reaching
        finally:
            self._open = ""

    @contextmanager
    def watched(self) -> Iterator[Holes]:
        """Be asked in the place of the permissions."""
        kept = {name: vars(UserPermissions)[name] for name in _ASKS}
        for name, original in kept.items():
            setattr(UserPermissions, name, self._asking(name, original))
        try:
            yield self
        finally:
            for name, original in kept.items():
                setattr(UserPermissions, name, original)

    def _asking(self, question: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def answer(permissions: UserPermissions, *about: Any) -> Any:
            place = _place(question)
            if place and place == self._open:
                return None if question in _SETS else set(*about) if question in _OF_DAGS else True
            if place and self._asked and not self._open:
                self.reached[place][self._asked] = None
            return original(permissions, *about)

        return answer
