"""Ring charts: how a whole divides into parts, as arcs of a circle and as a legend (requirements A4, A5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: parts that have a colour of their own; the rest is one part more
MOST = 8
#: the circle's length, and the gap between two arcs
LENGTH = 100.0
GAP = 0.8
SHORTEST = 0.6


@dataclass(frozen=True)
class Slice:
    """A part of a ring.

    :param tone: the class that colours it
    :param length: of its arc, of 100
    :param offset: where its arc begins, against the direction of the clock as SVG counts dashes
    """

    label: str
    count: str
    percent: str
    tone: str
    length: str
    offset: str


@dataclass(frozen=True)
class Ring:
    """A ring chart with the sum in its middle."""

    title: str
    total: str
    slices: list[Slice]

    @property
    def words(self) -> str:
        """What it shows, for those who cannot see it."""
        parts = ", ".join(f"{part.label} {part.count} ({part.percent})" for part in self.slices)
        return f"{self.title}: {parts or 'no tasks'}"


def ring(
    title: str,
    counts: Mapping[str, int],
    *,
    labels: Mapping[str, str] | None = None,
    tones: Mapping[str, str] | None = None,
) -> Ring:
    """Return the chart of some counts, in their order.

    :param labels: the words of a key, where they are not the key itself
    :param tones: the colour of a key, where its place in the order does not choose it
    """
    counts = {key: count for key, count in counts.items() if count > 0}
    names = {key: (labels or {}).get(key, key) for key in counts}
    colours = {key: (tones or {}).get(key, f"part-{place}") for place, key in enumerate(counts, 1)}
    shown = dict(list(counts.items())[:MOST])
    rest = sum(counts.values()) - sum(shown.values())
    if rest:
        shown[""] = rest
        names[""] = f"{len(counts) - MOST} others"
        colours[""] = "part-rest"
    total = sum(shown.values())
    slices = []
    begun = 0.0
    for key, count in shown.items():
        length = LENGTH * count / total
        # a whole ring goes a little over its beginning, where a seam would show
        drawn = LENGTH + 1 if len(shown) == 1 else max(length - GAP, SHORTEST)
        slices.append(
            Slice(
                label=names[key],
                count=f"{count:,}",
                percent=_percent(count, total),
                tone=colours[key],
                length=f"{drawn:.2f}",
                offset=f"{-begun:.2f}",
            )
        )
        begun += length
    return Ring(title, f"{total:,}", slices)


def _percent(count: int, total: int) -> str:
    percent = round(100 * count / total)
    return f"{percent}%" if percent else "<1%"
