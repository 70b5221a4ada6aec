"""Where the code of Dags is developed (requirements A17, B21)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from taskops_provider.adapter.bundles import view_urls
from taskops_provider.services.shared.actor import Actor


def development_urls(session: Session, actor: Actor, dag_ids: Collection[str]) -> dict[str, str]:
    """Return where the bundles of some Dags show their code, for those that the actor may see it of. One query."""
    urls = view_urls(session, dag_ids)
    return {dag_id: url for dag_id, url in urls.items() if actor.permissions.may_read_versions(dag_id)}
