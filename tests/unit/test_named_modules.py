"""Modules and files that docstrings, comments and guides name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_architecture_page import CODE, PAGES, ROOT, exists, is_dotted
from tests.unit.test_requirements_page import prose

SOURCES = sorted(path for folder in ("src", "tests", "plugins", "scripts") for path in (ROOT / folder).rglob("*.py"))
#: they tell of the code of their time
HISTORY = {ROOT / "CHANGELOG.md", *(ROOT / "docs" / "adr").glob("*.md")}
GUIDES = [page for page in PAGES if page not in HISTORY]
#: ``services.gate.settle``, :mod:`taskops_provider.domain.gate`
IN_DOCSTRING = re.compile(r"``([^`\n]+)``|:\w+:`~?([^`<\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|css|js|html)")
FILES = [
    path
    for folder in ("src", "frontend/src", "tests", "scripts", "plugins", "dags", "docs")
    for path in (ROOT / folder).rglob("*")
]


def in_docstrings(source: str) -> set[str]:
    return {quoted or role for text in prose(source) for quoted, role in IN_DOCSTRING.findall(text)}


def missing(names: set[str]) -> list[str]:
    """Those of some names that look like a module of ours, something in one, or a file, and are nowhere."""
    return sorted(name for name in names if not _exists(name.removesuffix("()")))


def _exists(name: str) -> bool:
    if FILE.fullmatch(name):
        return (ROOT / name).exists() or any(path.as_posix().endswith(f"/{name}") for path in FILES)
    dotted = name.removeprefix("taskops_provider.")
    return not is_dotted(dotted) or exists(dotted)


@pytest.mark.slow
def test_docstrings_and_comments_name_what_there_is() -> None:
    found = {path.relative_to(ROOT).as_posix(): missing(in_docstrings(path.read_text())) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_guide_names_what_there_is(guide: Path) -> None:
    assert missing(set(CODE.findall(guide.read_text()))) == []


def test_names_are_recognised() -> None:
    source = '"""See ``services.gate.settle``, :class:`taskops_provider.models.edge.Edge`, ``grid.css`` and ``x.y``."""'
    names = in_docstrings(source)
    assert names == {"services.gate.settle", "taskops_provider.models.edge.Edge", "grid.css", "x.y"}
    assert missing(names) == []
    gone = {"services.lineage", "taskops_provider.models.edge.Nothing", "replenish_grid.css", "tests/unit/nothing.py"}
    assert missing(gone) == sorted(gone)
