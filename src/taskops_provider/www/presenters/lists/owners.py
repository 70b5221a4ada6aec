"""Names that are offered while somebody types an owner (requirements A9, A15, A19, B17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.services.catalog.owners import find_owners
from taskops_provider.www.page_request import PageRequest

PAGE = "owners"
#: what a list of suggestions is read to
OFFERED = 50


@dataclass(frozen=True)
class FoundOwners:
    """What the template ``lists/owners_found.html`` shows.

    :param is_filter: as boxes to tick, not as options of a datalist
    """

    names: Sequence[str]
    has_more: bool
    is_filter: bool


def found_owners(asked: PageRequest) -> FoundOwners:
    """Return names with a part in them.

    ``for=filter``: boxes to tick, of owners alone, for others own nothing that could be found. Else options of a
    datalist, users of Airflow among them.
    """
    is_filter = asked.one("for") == "filter"
    found = find_owners(asked.session, asked.actor, asked.one("q"), users=not is_filter)
    return FoundOwners(
        names=found.values[:OFFERED],
        has_more=found.is_capped or len(found.values) > OFFERED,
        is_filter=is_filter,
    )
