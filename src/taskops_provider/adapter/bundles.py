"""Where the code of a Dag can be looked at outside Airflow."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from sqlalchemy import select
from sqlalchemy.orm import Session


def view_urls(session: Session, dag_ids: Collection[str]) -> dict[str, str]:
    """Return the addresses at which the bundles of some Dags show what was parsed last. One query."""
    query = (
        select(DagModel.dag_id, DagModel.bundle_version, DagBundleModel)
        .join(DagBundleModel, DagBundleModel.name == DagModel.bundle_name)
        .where(DagModel.dag_id.in_(dag_ids), DagBundleModel.signed_url_template.is_not(None))
    )
    found = ((row[0], _on_the_web(row[2].render_url(row[1]))) for row in session.execute(query))
    return {dag_id: url for dag_id, url in found if url}


def _on_the_web(url: str | None) -> str | None:
    # it becomes a link and comes from a site's configuration: nothing but the web
    return url if url and urlsplit(url).scheme in ("http", "https") else None
