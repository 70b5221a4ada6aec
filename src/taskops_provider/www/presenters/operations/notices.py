"""Telling owners of an operation, in words: by what beforehand, and afterwards whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.domain.operations.answers import Notified
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.alarms.owner_notices import notice_channels
from taskops_provider.www.presenters import text

#: people named one by one in a dialog; the others are counted
PEOPLE_SHOWN = 10
_BY = {EMAIL: "e-mail"}


class NoticeWords(NamedTuple):
    """A part of a sentence."""

    text: str
    is_strong: bool = False


def help_text(verb: Verb) -> str:
    """Return who would be told, and by what."""
    try:
        by = _by(channel.channel for channel in notice_channels())
    except BadInput as error:
        return f"Not possible now: {error}."
    if verb is Verb.SET_OWNERS:
        return f"Tells the new owners and those from before by {by} what was done, by whom and why."
    return f"Tells the owners by {by} what was done, by whom and why."


def lines(notified: Notified) -> Sequence[Sequence[NoticeWords]]:
    """Return who is told, and in a line of its own for whom no address is known."""
    told, unreachable = notified.told, notified.unreachable
    by = channels(notified)
    words: list[NoticeWords] = []
    if told:
        words += [NoticeWords(text.count(len(told), "owner"), True), NoticeWords(f" will be told: {_some(told)}.")]
        if by:
            words.append(NoticeWords(f" A message goes out by {by} too."))
    elif by:
        words.append(NoticeWords(f"A message to the owners goes out by {by}."))
    else:
        words.append(NoticeWords("No owner will be told." if unreachable else "No owner will be told: there is none."))
    if not unreachable:
        return [words]
    return [words, [NoticeWords("No address is known for "), NoticeWords(_some(unreachable), True), NoticeWords(".")]]


def channels(notified: Notified) -> str:
    """Return what tells them besides e-mail, which is known by its addresses: ``webhook and retail_site.DutyBook``."""
    return _by(channel for channel in notified.channels if channel != EMAIL)


def _by(names: Iterable[str]) -> str:
    shown = [_BY.get(name, name) for name in dict.fromkeys(names)]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def _some(people: Sequence[str]) -> str:
    more = len(people) - PEOPLE_SHOWN
    return ", ".join(people[:PEOPLE_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
