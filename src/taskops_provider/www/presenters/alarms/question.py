"""Dialogs that ask whether to do something, and say what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskops_provider.exceptions import TaskOpsError
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms.deliveries import DeliveryRow
from taskops_provider.www.presenters.answer import DialogAnswer, refused
from taskops_provider.www.presenters.operations.form import step_of

#: things that a dialog names; the others are counted
NAMED = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What ``alarms/ask.html`` shows: whether to do something that has nothing to choose.

    :param address: where the answer goes
    :param fields: hidden ones
    :param items: what it would be done with
    :param more: how many further ones there are
    :param action: the label of the button
    """

    title: str
    address: str
    fields: Sequence[tuple[str, str]]
    lines: Sequence[str]
    items: Sequence[str]
    action: str
    more: int = 0
    is_danger: bool = False


@dataclass(frozen=True, slots=True)
class FollowedTest:
    """What ``alarms/test.html`` shows: what came of the test of a rule so far.

    :param poll_url: where to look again; empty when nothing will change soon
    """

    line: str
    deliveries: Sequence[DeliveryRow]
    poll_url: str
    poll_seconds: int


@dataclass(frozen=True, slots=True)
class Done:
    """What ``alarms/asked.html`` shows: what was done.

    :param followed: a test that is on its way
    :param link: label and address of where to go on
    :param test: the number of a rule that can be tested; empty: none
    :param test_url: where the test goes
    """

    title: str
    lines: Sequence[str] = ()
    followed: FollowedTest | None = None
    link: tuple[str, str] | None = None
    test: str = ""
    test_url: str = ""


def ask_or_do(
    asked: PageRequest, title: str, ask: Callable[[], DialogAnswer], do: Callable[[], DialogAnswer]
) -> DialogAnswer:
    """Return the dialog that asks, or do it and say so. Errors are shown in the dialog.

    :param title: of the dialog if there is an error
    """
    try:
        return do() if step_of(asked) == "apply" else ask()
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(title, error, is_part=False)
