"""Who is told: owners and users by their e-mail addresses, and those who have none by name."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.users import addresses_of
from taskops_provider.config import import_function
from taskops_provider.domain.alarms.addresses import is_address
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.services.shared.task_keys import TaskKey

log = logging.getLogger(__name__)


@dataclass
class People:
    """Addresses that are written to, and names that have none; without doubles, in their order.

    :param by_name: those of the addresses that only a name led to, folded
    """

    addresses: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    by_name: frozenset[str] = frozenset()
    #: whether anybody is meant by name, with an address or without
    names_anybody: bool = False

    def is_by_name(self, address: str) -> bool:
        """Whether only a name led to an address."""
        return address.casefold() in self.by_name


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
        people = People(list(addresses), names_anybody=any(not is_address(name) for name in names))
        typed = {one.casefold() for one in (*addresses, *names) if is_address(one)}
        for name in names:
            address = name if is_address(name) else self._found.get(name)
            if address and is_address(address):
                people.addresses.append(address)
            else:
                people.unreachable.append(name)
        people.addresses = list({address.casefold(): address for address in people.addresses}.values())
        people.by_name = frozenset(one.casefold() for one in people.addresses) - typed
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


def names_of(recipients: Recipients, owners: Collection[str]) -> list[str]:
    """The names that recipients stand for, of a task that these own."""
    return [*(owners if recipients.owners else ()), *recipients.users]


def book_for(session: Session, wanted: Collection[Recipients], owners: Mapping[TaskKey, list[str]]) -> AddressBook:
    """Look up everybody who may be meant."""
    names = {name for recipients in wanted for name in recipients.users}
    if any(recipients.owners for recipients in wanted):
        names |= {name for found in owners.values() for name in found}
    return AddressBook(session, names)
