"""The dialog that acknowledges alarms (requirements 7)."""

from __future__ import annotations

from taskops_provider.exceptions import BadInput
from taskops_provider.services.alarms.acknowledge import acknowledge_alarms, changeable_alarms, unacknowledged_ids
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.message import headline
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms.filters import chosen_ids
from taskops_provider.www.presenters.alarms.listing import read_filter
from taskops_provider.www.presenters.alarms.question import NAMED, Done, Question, ask_or_do
from taskops_provider.www.presenters.alarms.rows import ACKNOWLEDGE, LABEL
from taskops_provider.www.presenters.answer import CHANGED, DialogAnswer
from taskops_provider.www.presenters.lists.filters import Problems
from taskops_provider.www.presenters.operations.form import selection_of

#: alarms that are acknowledged at once
MAX_ACKNOWLEDGED = 10_000


def present_acknowledge(asked: PageRequest) -> DialogAnswer:
    """Return the dialog that asks whether to acknowledge alarms, or do it and say so."""
    return ask_or_do(asked, LABEL, lambda: _ask(asked), lambda: _do(asked))


def _chosen(asked: PageRequest) -> list[int]:
    """The alarms that are selected, or all unacknowledged ones that match the list's filter."""
    newest = asked.number("newest") if asked.one("newest") else None

    def matching(listed: PageRequest, problems: Problems) -> list[int]:
        ids = unacknowledged_ids(asked.session, asked.actor, read_filter(listed, problems))
        # what fired since the dialog asked is not meant
        return [number for number in ids if newest is None or number <= newest]

    return chosen_ids(asked, matching, "unacknowledged alarm", MAX_ACKNOWLEDGED)


def _ask(asked: PageRequest) -> DialogAnswer:
    rows = [row for row in changeable_alarms(asked.session, asked.actor, _chosen(asked)) if row.confirmed_at is None]
    if not rows:
        raise BadInput("they are acknowledged already")
    noun = text.count(len(rows), "alarm")
    question = Question(
        title=f"{LABEL} {noun}?",
        address=asked.urls.page(ACKNOWLEDGE),
        fields=(*selection_of(asked), ("newest", str(rows[-1].id))),
        lines=["What is acknowledged is neither said again nor escalated any more."],
        items=[headline(AlarmFacts.stored(row.facts)) for row in rows[:NAMED]],
        more=max(len(rows) - NAMED, 0),
        action=f"{LABEL} {noun}",
    )
    return DialogAnswer("alarms/ask.html", question)


def _do(asked: PageRequest) -> DialogAnswer:
    done = acknowledge_alarms(asked.session, asked.actor, _chosen(asked), asked.now)
    return DialogAnswer("alarms/asked.html", Done(f"{text.count(len(done), 'alarm')} acknowledged"), headers=CHANGED)
