"""Who may be meant by a part of a name: owners, and users of Airflow who own nothing yet."""

from __future__ import annotations

from sqlalchemy.orm import Session

from taskops_provider.adapter.users import find_users
from taskops_provider.services.catalog import filter_choices
from taskops_provider.services.catalog.filter_choices import CAP, FilterChoices
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_text


def find_owners(session: Session, actor: Actor, part: str, *, users: bool) -> FilterChoices:
    """Return names that have ``part`` in them, in any case; those that begin with it come first.

    Owners are those of Dags that the actor may read. Users are named only to who may see them in Airflow.

    :param users: whether users of Airflow are meant too, where its auth manager has a list of them
    :raises BadInput: for a text that is too long
    """
    check_text(part)
    owners = filter_choices.owners_holding(session, actor, part)
    found, is_capped = set(owners.values), owners.is_capped
    if users and actor.permissions.may_read_users():
        names = find_users(session, part, CAP + 1)
        found.update(names)
        is_capped = is_capped or len(names) > CAP
    wanted = part.casefold()
    ordered = sorted(found, key=lambda name: (not name.casefold().startswith(wanted), name.casefold(), name))
    return FilterChoices(tuple(ordered[:CAP]), is_capped or len(ordered) > CAP)
