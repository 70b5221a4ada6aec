"""Pieces of text that surfaces have in common."""

from __future__ import annotations

import pytest

from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.text import plural, sentence, whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("007", 7), ("123456789", 123456789), ("1234567890", None), ("9" * 5000, None), ("", None)]
    + [(text, None) for text in ("-1", "1.0", " 1", "²", "٣", "1_0")],
)
def test_a_whole_number(text, number):
    assert whole_number(text) == number


def test_words():
    assert [plural(count, "task") for count in (0, 1, 2000)] == ["0 tasks", "1 task", "2,000 tasks"]
    assert plural(2, "entry", "entries") == "2 entries"
    assert (sentence("no such task"), sentence("")) == ("No such task", "")


def test_chunks():
    assert list(chunks(iter(range(5)), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([])) == []
