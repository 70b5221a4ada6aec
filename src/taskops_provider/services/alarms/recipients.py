"""Who is told: owners and users by their e-mail addresses, and those who have none by name."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.users import addresses_of
from taskops_provider.domain.alarms import Recipients, is_address
from taskops_provider.models import Owner
from taskops_provider.services.index_resolvers import import_function
from taskops_provider.services.pairs import Pair, chunks, matches

log = logging.getLogger(__name__)


@dataclass
class People:
    """Addresses that are written to, and names that have none; without doubles, in their order."""

    addresses: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


class AddressBook:
    """Addresses of names, looked up once each: two queries for however many."""

    def __init__(self, session: Session, names: Collection[str]):
        wanted = {name for name in names if not is_address(name)}
        self._found = addresses_of(session, wanted)
        resolve = _resolver() if wanted - set(self._found) else None
        if resolve is not None:
            for name in sorted(wanted - set(self._found)):
                address = resolve(name)
                if address:
                    self._found[name] = address

    def people(self, names: Collection[str], addresses: Collection[str] = ()) -> People:
        """Sort names into those that have an address and those that have none; addresses stay as they are."""
        people = People(list(addresses))
        for name in names:
            address = name if is_address(name) else self._found.get(name)
            if address and is_address(address):
                people.addresses.append(address)
            else:
                people.unreachable.append(name)
        people.addresses = list({address.casefold(): address for address in people.addresses}.values())
        people.unreachable = list(dict.fromkeys(people.unreachable))
        return people


class _Site:
    """The function of ``[taskops] owner_email_resolver``; one that fails is warned of, and finds nothing."""

    def __init__(self, path: str):
        self._path = path
        self._function = import_function(path)

    def __call__(self, name: str) -> str | None:
        try:
            found = self._function(name)
        except Exception as error:
            _warn(self._path, error)
            return None
        return found if isinstance(found, str) else None


def _resolver() -> _Site | None:
    path = config.owner_email_resolver()
    if not path:
        return None
    try:
        return _Site(path)
    except Exception as error:
        _warn(path, error)
        return None


def _warn(path: str, error: Exception) -> None:
    log.warning("[taskops] owner_email_resolver = %s does not work: %s: %s", path, type(error).__name__, error)


def owners_of(session: Session, pairs: Collection[Pair]) -> dict[Pair, list[str]]:
    """Return the owners of tasks, and of workflows (``task_id`` empty), sorted."""
    found: dict[Pair, list[str]] = defaultdict(list)
    for chunk in chunks(set(pairs)):
        query = select(Owner.dag_id, Owner.task_id, Owner.owner).where(matches(Owner.dag_id, Owner.task_id, chunk))
        for dag_id, task_id, owner in session.execute(query.order_by(Owner.owner)):
            found[dag_id, task_id].append(owner)
    return found


def names_of(recipients: Recipients, owners: Collection[str]) -> list[str]:
    """The names that recipients stand for, of a task that these own."""
    return [*(owners if recipients.owners else ()), *recipients.users]


def book_for(session: Session, wanted: Collection[Recipients], owners: Mapping[Pair, list[str]]) -> AddressBook:
    """Look up everybody who may be meant."""
    names = {name for recipients in wanted for name in recipients.users}
    if any(recipients.owners for recipients in wanted):
        names |= {name for found in owners.values() for name in found}
    return AddressBook(session, names)
