"""What somebody could read when they asked for a download: it holds no more, and who may read less does not get it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from taskops_provider.services.shared.actor import Permissions


@dataclass(frozen=True, slots=True)
class ExportRights:
    """The rights that the rows of lists ask for.

    :param dags: Dags; None for all. ``instances`` and ``runs`` likewise, of Dags
    """

    dags: frozenset[str] | None
    instances: frozenset[str] | None
    runs: frozenset[str] | None
    assets: bool

    @classmethod
    def of(cls, may: Permissions) -> ExportRights:
        """What somebody may read now."""
        return cls(may.readable(), may.instances_readable(), may.runs_readable(), may.may_read_assets())

    @classmethod
    def stored(cls, column: Any) -> ExportRights:
        """Read what the table keeps; of older downloads these are the Dags alone, of which they hold everything."""
        if not isinstance(column, dict):
            dags = _set(column)
            return cls(dags, dags, dags, assets=True)
        dags, instances, runs = (_set(column.get(name, [])) for name in ("dags", "instances", "runs"))
        return cls(dags, instances, runs, assets=column.get("assets") is True)

    def for_table(self) -> dict[str, Any] | None:
        """What the table keeps; None for who may read everything."""
        if self.assets and self.dags is self.instances is self.runs is None:
            return None
        kept = {"dags": self.dags, "instances": self.instances, "runs": self.runs}
        return {name: None if some is None else sorted(some) for name, some in kept.items()} | {"assets": self.assets}

    def is_within(self, other: ExportRights) -> bool:
        """Whether somebody who has the others may read all that these let read."""
        pairs = ((self.dags, other.dags), (self.instances, other.instances), (self.runs, other.runs))
        return all(_is_within(*pair) for pair in pairs) and self.assets <= other.assets


def _set(names: Collection[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _is_within(some: frozenset[str] | None, others: frozenset[str] | None) -> bool:
    return others is None or (some is not None and others >= some)
