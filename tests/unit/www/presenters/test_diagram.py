"""How the texts of a diagram are cut and its lines are written (A7)."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.www.presenters.diagram import coordinate, path
from taskops_provider.www.presenters.text_width import ELLIPSIS, clip, width_of

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60)


@given(words=names, width=st.floats(20, 400))
def test_a_cut_text_fits_and_keeps_both_ends(words, width):
    cut = clip(words, width, 13.0)
    if width_of(words, 13.0) <= width:
        assert cut == words
        return
    assert width_of(cut, 13.0) <= width
    head, tail = cut.split(ELLIPSIS, 1) if ELLIPSIS not in words else (cut[:1], cut[-1:])
    assert words.startswith(head)
    assert words.endswith(tail) or ELLIPSIS in words


def test_names_that_differ_at_the_end_still_differ():
    one, other = (f"load_customer_orders_into_the_warehouse_partition_{n}" for n in ("2024", "2025"))
    assert clip(one, 150, 13.0) != clip(other, 150, 13.0)


def test_wide_scripts_and_bold_take_more_room():
    assert width_of("支付结算", 13.0) > width_of("load", 13.0)
    assert width_of("load", 13.0, bold=True) > width_of("load", 13.0)
    assert width_of("mmmm", 13.0) > width_of("aaaa", 13.0) > width_of("iiii", 13.0)


def test_coordinates_are_short():
    assert [coordinate(value) for value in (12.0, 12.5, -3.04, 519607.25)] == ["12", "12.5", "-3", "519607.2"]


def test_lines_are_straight_where_they_are_level_and_curved_elsewhere():
    assert path([(0.0, 10.0), (50.0, 10.0)]) == "M0 10H50"
    assert re.sub(r"[\d. -]+", " ", path([(0.0, 10.0), (50.0, 40.0), (90.0, 40.0)])) == "M C H "
    # turning round: out to the right at its start, back from the left at its end
    out, _, back = re.findall("[CH][^CH]*", path([(100.0, 5.0), (100.0, 60.0), (0.0, 60.0), (0.0, 5.0)]))
    assert float(out[1:].split()[0]) > 100
    assert float(back[1:].split()[0]) < 0
