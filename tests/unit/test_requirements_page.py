"""References to requirements lead somewhere: each row and section that code, tests and docs name is on the page."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "requirements.md"
PYTHON = ("src", "tests", "benchmarks", "scripts", "plugins", "dags")
#: `requirements 5`, `requirements 6, 8; D5`, `requirements A2-A9`; in docs also `docs/requirements.md#a12`
EXPLICIT = re.compile(r"\brequirements?(?:\.md#?)? ?((?:[A-D]?\d{1,2}(?:[,;] |-| and )?)+)", re.IGNORECASE)
ROW = re.compile(r"\b[A-D]\d{1,2}\b")
#: the JavaScript library, not a row of the page
D3 = re.compile(r"\bd3-\w+|\bD3\b(?= \(ISC)|(?<=htmx, )D3\b")


def targets() -> set[str]:
    """Everything that the page explains: ``A12``, ``5``."""
    text = PAGE.read_text()
    rows = re.findall(r'^\| <a id="([a-d]\d+)"></a>([A-D]\d+) \| \S', text, re.MULTILINE)
    assert all(anchor.upper() == shown for anchor, shown in rows)
    return {shown for _, shown in rows} | set(re.findall(r"^## (\d+)\. ", text, re.MULTILINE))


def prose(source: str) -> Iterator[str]:
    """The docstrings and comments of Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def explicit(text: str) -> set[str]:
    return {one for group in EXPLICIT.findall(text) for one in re.findall(r"[A-Da-d]?\d{1,2}", group)}


def references() -> dict[str, set[str]]:
    """File -> the rows and sections that it names."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for folder in PYTHON for path in (ROOT / folder).rglob("*.py")):
        text = "\n".join(prose(path.read_text()))
        found[path.relative_to(ROOT).as_posix()] = explicit(text) | set(ROW.findall(D3.sub("", text)))
    others = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "frontend" / "src").rglob("*.*s")]
    for path in sorted(set(others) - {PAGE}):
        found[path.relative_to(ROOT).as_posix()] = explicit(path.read_text())
    return found


@pytest.mark.slow
def test_every_reference_has_a_target_on_the_page() -> None:
    there, named = targets(), references()
    assert len(there) > 70
    assert sum(len(rows) for rows in named.values()) > 200  # they are found at all
    missing = {path: sorted(row for row in rows if row.upper() not in there) for path, rows in named.items()}
    assert {path: rows for path, rows in missing.items() if rows} == {}


def test_rows_and_sections_have_no_gaps() -> None:
    numbers: dict[str, list[int]] = {}
    for one in targets():
        letter, number = re.fullmatch(r"([A-D]?)(\d+)", one).groups()  # type: ignore[union-attr]
        numbers.setdefault(letter, []).append(int(number))
    for letter, of_letter in numbers.items():
        assert sorted(of_letter) == list(range(1, len(of_letter) + 1)), letter


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("what it does (requirements 5).", {"5"}),
        ("the grid (requirements 6, 8; D5)", {"6", "8", "D5"}),
        ("pages (requirements A2-A9, B22)", {"A2", "A9", "B22"}),
        ("see docs/requirements.md#a12", {"a12"}),
        ("the requirements of 3 tasks", set()),
    ],
)
def test_references_are_recognised(text: str, named: set[str]) -> None:
    assert explicit(text) == named
