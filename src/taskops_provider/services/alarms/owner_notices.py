"""Telling owners of an operation on what is theirs (``notify_owners``), in the transaction of the operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import notifiers
from taskops_provider.domain.alarms import EMAIL, Channel, Why, read_channels
from taskops_provider.domain.operations import Item, Scope
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.models import AlarmDelivery, Operation
from taskops_provider.services.alarm_fire import delivery_row
from taskops_provider.services.alarm_message import notice_content
from taskops_provider.services.alarm_people import AddressBook, owners_of
from taskops_provider.services.pairs import Pair

#: what was done, as people say it
_DONE = {
    Verb.START: "started",
    Verb.PAUSE: "paused",
    Verb.OFFLINE: "took offline",
    Verb.DELETE: "deleted",
    Verb.SUBMIT: "submitted",
    Verb.SET_OWNERS: "gave other owners to",
}


def notice_channels() -> tuple[Channel, ...]:
    """Return the channels of ``[taskops] notice_channels``.

    :raises BadInput: when they cannot be, or there is none
    """
    channels = read_channels(config.notice_channels())
    if not channels:
        raise BadInput("[taskops] notice_channels names no channel, so nobody can be told")
    for channel in channels:
        notifiers.check_channel(channel)
    return channels


def notify_owners(
    session: Session, operation: Operation, verb: Verb, scope: Scope, applied: Collection[Item], now: datetime
) -> dict[str, Any]:
    """Write one message to each owner about all that is theirs; return who is told, who has no address, and by what.

    Owners of a workflow that was changed as a whole are told of all of it. Where owners were changed, those from
    before are told as well. Channels that know no persons get one message about everything.

    :raises BadInput: when the configured channels cannot be
    """
    channels = notice_channels()
    owned = _owned(session, scope, applied)
    by_address: dict[str, list[Pair]] = defaultdict(list)
    unreachable: list[str] = []
    # only e-mail is for a person: without it nobody is told by name, and nobody lacks an address
    if any(channel.channel == EMAIL for channel in channels):
        book = AddressBook(session, owned)
        unreachable = book.people(sorted(owned)).unreachable
        for owner, pairs in sorted(owned.items()):
            for address in book.people([owner]).addresses:
                by_address[address] += pairs
    facts = {
        "operation_id": operation.id,
        "verb": verb.value,
        "done": _DONE[verb],
        "actor": operation.actor,
        "at": now.isoformat(),
        "reason": operation.reason,
        "ticket": operation.ticket,
    }
    everything = sorted({pair for pairs in owned.values() for pair in pairs})
    rows = []
    for channel in channels:
        told = by_address if channel.channel == EMAIL else {"": everything}
        for recipient, pairs in sorted(told.items()):
            if pairs:
                content = notice_content(facts, sorted(set(pairs)))
                rows.append(delivery_row(channel, recipient, content, Why.NOTICE, now, operation_id=operation.id))
    if rows:
        session.execute(insert(AlarmDelivery), rows)
    return {
        "told": sorted(by_address),
        "unreachable": unreachable,
        "channels": list(dict.fromkeys(row["channel"]["channel"] for row in rows)),
    }


def _owned(session: Session, scope: Scope, applied: Collection[Item]) -> dict[str, list[Pair]]:
    """Return the targets of each owner: tasks, and workflows whose owners were changed (``task_id`` empty)."""
    pairs = [(item.dag_id, item.task_id) for item in applied]
    owners = owners_of(session, pairs)
    of_workflows = owners_of(session, {(dag_id, "") for dag_id, _ in pairs}) if scope is Scope.WORKFLOW else {}
    owned: dict[str, list[Pair]] = defaultdict(list)
    for item in applied:
        pair = (item.dag_id, item.task_id)
        before = (item.restore or {}).get("owners", ())
        for owner in {*owners.get(pair, ()), *before, *of_workflows.get((item.dag_id, ""), ())}:
            owned[owner].append(pair)
    return owned
