"""What people type into reasons and names is shown by Airflow's UI as it is: its notes are Markdown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from taskops_provider.domain.gate import (
    NOTE_LENGTH,
    Cause,
    ended_note,
    gated_note,
    gated_words,
    quoted,
    unselected_note,
)
from taskops_provider.domain.states import Downstream

#: with tables, struck-out text, links of bare addresses and HTML
GFM = MarkdownIt("gfm-like", {"html": True, "linkify": True})
MARKUP = (
    "![x](https://evil.example/p.png)", "[open](javascript:alert(1))", "<img src=//evil.example>", "https://evil.example",
    "www.evil.example", "evil.example/x", "ann@example.com", "<https://evil.example>", "**bold** _em_ ~~gone~~", "# no",
    "`code` ![x](//y)", "``` ![x](y)", "\\`![x](//y)`", "a\n\n![x](y)\n\n- b", "&lt;b&gt; &#33;[x](y)", "| a |\n|---|",
    "<!--", "[x]: //evil.example", "$x$", "mailto:a@b.de", "`",
)  # fmt: skip
typed = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=60),
    st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=3, alphabet="`\\![]()<>*_ a.:/@\n")), max_size=6).map(
        "".join
    ),
)


def shown(note: str) -> str:
    """What somebody sees of a note, that must be one paragraph of text and code."""
    blocks = GFM.parse(note)
    assert [block.type for block in blocks] == ["paragraph_open", "inline", "paragraph_close"], note
    parts = blocks[1].children or []
    assert {part.type for part in parts} <= {"text", "code_inline"}, note
    return "".join(part.content for part in parts)


def line(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


@given(typed, typed, st.sampled_from(Downstream))
@example("pat`", "`![x](https://evil.example/p.png)`", Downstream.SKIP)
def test_notes_show_what_was_typed_and_nothing_else(actor, reason, effect):
    cause = Cause("paused", 7, actor, reason)
    who = line(actor) if actor else "TaskOps"
    why = f": {line(reason)}" if line(reason) else ""
    assert shown(gated_note(cause, effect)).startswith(f"TaskOps: paused by {who} (operation 7){why}; ")
    assert shown(ended_note(cause, effect)).startswith(f"TaskOps: terminated by {who} (operation 7){why}; ended as ")
    assert shown(unselected_note(3, actor, effect)).startswith(
        f"TaskOps: not part of replenishment 3 by {line(actor)}; "
    )


@given(st.text(alphabet="`[x ", max_size=250), st.text(alphabet="`![]x", min_size=900, max_size=1200))
def test_a_long_one_is_cut_and_closed(actor, reason):
    note = gated_note(Cause("paused", 7, actor, reason), Downstream.HOLD)
    assert len(note) <= NOTE_LENGTH
    assert shown(note).endswith("; held without executing until the task is started.")


@pytest.mark.parametrize("text", ["month-end freeze", "waits for vendor (2 h), see Ann; T-12. Thanks!", "Größe"])
def test_plain_words_stay_as_they_are(text):
    assert quoted(text) == text


def test_surfaces_of_our_own_show_plain_text():
    words = gated_words(Cause("paused", 7, "ann@example.com", "see `x_y`"), Downstream.SKIP)
    assert words.startswith("paused by ann@example.com (operation 7): see `x_y`; ")
