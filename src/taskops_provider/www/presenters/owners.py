"""Names that are offered while somebody types an owner (A9, A15, A19, B17)."""

from __future__ import annotations

from typing import Any

from taskops_provider.services.owners import find_owners
from taskops_provider.www.asked import Asked

PAGE = "owners"
#: what a list of suggestions is read to
OFFERED = 50


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``owners_part.html`` shows.

    ``for=filter``: boxes to tick, of owners alone, for others own nothing that could be found. Else options of a
    datalist, users of Airflow among them.
    """
    is_filter = asked.one("for") == "filter"
    found = find_owners(asked.session, asked.actor, asked.one("q"), users=not is_filter)
    return {
        "names": found.values[:OFFERED],
        "has_more": found.is_capped or len(found.values) > OFFERED,
        "is_filter": is_filter,
    }
