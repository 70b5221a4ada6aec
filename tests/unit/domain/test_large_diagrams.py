"""A diagram that would take minutes is refused before the work begins (issue 12, S4)."""

from __future__ import annotations

import pytest

from taskops_provider.domain.layering import layout as layering
from taskops_provider.domain.layering.layout import MAX_BOXES, MAX_LINES, MAX_POINTS, TooLargeToDraw, layout


@pytest.mark.parametrize(
    ("count", "edges"),
    [
        (MAX_BOXES + 1, []),
        (10, [(0, 1)] * (MAX_LINES + 1)),
        # few boxes, but lines that run past others
        (50, [(i, i + 1) for i in range(49)] + [(i, i + 20) for i in range(30)]),
    ],
    ids=["boxes", "lines", "points"],
)
def test_what_is_too_large_is_refused(monkeypatch, count, edges):
    monkeypatch.setattr(layering, "MAX_POINTS", 100)
    monkeypatch.setattr(layering.layering_order, "order", lambda _: pytest.fail("it was laid out"))
    with pytest.raises(TooLargeToDraw, match=f"{MAX_BOXES:,} tasks"):
        layout(count, edges, 100.0, 50.0)


def test_what_fits_is_drawn():
    assert MAX_POINTS > MAX_BOXES
    assert len(layout(3, [(0, 1), (1, 2)], 100.0, 50.0).corners) == 3
