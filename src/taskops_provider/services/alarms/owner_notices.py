"""Telling owners of an operation on what is theirs (``notify_owners``), in the transaction of the operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import notifiers
from taskops_provider.domain.alarms.deliveries import DeliveryCause
from taskops_provider.domain.operations.answers import Notified
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput, Conflict
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.inputs.alarms.released import read_channels
from taskops_provider.models import AlarmDelivery, Operation
from taskops_provider.services.alarms.channels import released_channels
from taskops_provider.services.alarms.facts import OperationFacts
from taskops_provider.services.alarms.message import notice_content
from taskops_provider.services.alarms.new_deliveries import new_delivery
from taskops_provider.services.alarms.recipients import AddressBook, People
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.bulk_inserts import insert_rows
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.task_keys import TaskKey

#: the key, among the options of an operation, of who was told; only people who may read every Dag see it
NOTIFIED = "notified"
#: how many owners one person's operations notify in a minute, unless they may edit every Dag
MAX_A_MINUTE = 200
_MINUTE = timedelta(minutes=1)

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
    released = released_channels()
    for channel in channels:
        notifiers.check_channel(channel.channel, released.check(channel), channel.args)
    return channels


def notify_owners(
    session: Session,
    actor: Actor,
    operation: Operation,
    verb: Verb,
    scope: Scope,
    applied: Collection[Item],
    now: datetime,
) -> Notified:
    """Write one message to each owner about all that is theirs; return who is told, who has no address, and by what.

    Owners of a workflow that was changed as a whole are told of all of it. If owners were changed, those from before
    are told as well. Channels that know no persons get one message about everything.

    :raises BadInput: if the configured channels are not valid
    :raises Conflict: if who operates, and may not change everything, has told or would tell too many in a minute
    """
    channels = notice_channels()
    owned = _owned(session, scope, applied)
    by_address: dict[str, list[TaskKey]] = defaultdict(list)
    unreachable: list[str] = []
    names: list[str] = []
    everybody = People()
    # only e-mail is for a person: without it nobody is told by name, and nobody lacks an address
    released = released_channels()
    has_emails = any(map(released.tells_people, channels))
    if not actor.permissions.may_change_settings():
        _refuse_too_many(session, operation, len(owned) if has_emails else 1, now)
    if has_emails:
        book = AddressBook(session, owned)
        names = sorted(owned)
        everybody = book.people(names)
        unreachable = everybody.unreachable
        for owner, pairs in sorted(owned.items()):
            for address in book.people([owner]).addresses:
                by_address[address] += pairs
    facts = OperationFacts(
        operation_id=operation.id,
        verb=verb.value,
        actor=operation.actor,
        at=now.isoformat(),
        reason=operation.reason,
        ticket=operation.ticket,
    )
    everything = sorted({pair for pairs in owned.values() for pair in pairs})
    rows: list[AlarmDelivery] = []
    for channel in channels:
        told = by_address if released.tells_people(channel) else {"": everything}
        for recipient, pairs in sorted(told.items()):
            if pairs:
                content = notice_content(facts, _DONE[verb], sorted(set(pairs)))
                by_name = everybody.is_by_name(recipient)
                rows.append(new_delivery(channel, recipient, content, DeliveryCause.NOTICE, now, by_name=by_name))
    for row in rows:
        row.operation_id = operation.id
    insert_rows(session, rows)
    by = list(dict.fromkeys(row.channel["channel"] for row in rows))
    meant = [one.channel for one in channels if (names if released.tells_people(one) else everything)]
    return Notified(sorted(by_address), unreachable, by, names, list(dict.fromkeys(meant)))


def _refuse_too_many(session: Session, operation: Operation, owners: int, now: datetime) -> None:
    """Keep notices from filling the queues of their channels; the caller has the writer's lock.

    Names count, and not messages: whether somebody has an address is not told.
    """
    told = select(Operation.options).where(
        Operation.actor == operation.actor, Operation.at > now - _MINUTE, Operation.id != operation.id
    )
    notified = [options[NOTIFIED] for options in session.scalars(told) if NOTIFIED in options]
    before = sum(max(len(one.get("names", ())), 1) for one in notified)
    if before + owners > MAX_A_MINUTE:
        raise Conflict(
            f"owners told of your operations within a minute: {before:,}, and this one would tell {owners:,}; at most "
            f"{MAX_A_MINUTE} are. Do not have the owners notified, try again in a minute, or take fewer targets"
        )


def _owned(session: Session, scope: Scope, applied: Collection[Item]) -> dict[str, list[TaskKey]]:
    """Return the targets of each owner: tasks, and workflows whose owners were changed (``task_id`` empty)."""
    pairs = [(item.dag_id, item.task_id) for item in applied]
    owners = owners_by_key(session, pairs)
    of_workflows = owners_by_key(session, {(dag_id, "") for dag_id, _ in pairs}) if scope is Scope.WORKFLOW else {}
    owned: dict[str, list[TaskKey]] = defaultdict(list)
    for item in applied:
        pair = (item.dag_id, item.task_id)
        before = (item.restore or {}).get("owners", ())
        for owner in {*owners.get(pair, ()), *before, *of_workflows.get((item.dag_id, ""), ())}:
            owned[owner].append(pair)
    return owned
