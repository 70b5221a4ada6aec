"""The map of the code is true: whatever docs/architecture.md names exists.

Decisions in docs/adr/ tell of the code of their time; only their links are looked at.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "taskops_provider"
PAGE = ROOT / "docs" / "architecture.md"
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
ROOMS = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
FILE_ENDINGS = (".py", ".md", ".js", ".mjs", ".html", ".toml", ".txt", ".sh", ".yml")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")


def is_path(text: str) -> bool:
    return bool(PATH.fullmatch(text)) and (text.endswith(FILE_ENDINGS) or text.endswith("/"))


def is_dotted(text: str) -> bool:
    return bool(re.fullmatch(r"[a-z_]+(\.\w+)+", text)) and text.partition(".")[0] in ROOMS and not is_path(text)


def names_of(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or a class defines itself, by name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def exists(dotted: str) -> bool:
    """Whether a module of the package, or a name that one defines, is called so."""
    place, parts = PACKAGE, dotted.split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        place /= f"{parts.pop(0)}.py"
    if not parts:
        return True
    module = place if place.is_file() else place / "__init__.py"
    body = ast.parse(module.read_text()).body
    for part in parts:
        node = names_of(body).get(part)
        if node is None:
            return False
        body = node.body if isinstance(node, ast.ClassDef) else []
    return True


def code(page: Path) -> list[str]:
    return CODE.findall(page.read_text())


def test_every_path_exists() -> None:
    paths = {text for text in code(PAGE) if is_path(text)}
    assert sorted(path for path in paths if not any((base / path).exists() for base in (ROOT, PACKAGE))) == []


def test_every_dotted_name_exists() -> None:
    assert sorted(name for name in set(code(PAGE)) if is_dotted(name) and not exists(name)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_enough_is_named_and_recognised() -> None:
    named = set(code(PAGE))
    assert len({name for name in named if is_path(name)}) > 80
    assert len({name for name in named if is_dotted(name)}) > 30


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("domain.states.why_not", True),
        ("www.views.dialogs.DialogView.answer", True),
        ("policies.task_instance_mutation_hook", True),
        ("domain.gate.GATE_POOLS", True),
        ("services.gate.settle", True),
        ("services.gate.nothing", False),
        ("domain.states.nothing", False),
        ("www.views.dialogs.DialogView.nothing", False),
        ("domain.states.why_not.nothing", False),
    ],
)
def test_names_are_looked_up_in_the_source(name: str, there: bool) -> None:
    assert is_dotted(name)
    assert exists(name) is there


def test_every_room_is_on_the_map() -> None:
    """A package of the top floor, of services and of presenters that nobody can find is a room without a door."""
    text = PAGE.read_text()
    rooms = [PACKAGE, PACKAGE / "services", PACKAGE / "www" / "presenters"]
    folders = [path for room in rooms for path in sorted(room.iterdir()) if (path / "__init__.py").is_file()]
    assert len(folders) > 25
    assert [path for path in folders if f"`{path.relative_to(PACKAGE).as_posix()}/`" not in text] == []
