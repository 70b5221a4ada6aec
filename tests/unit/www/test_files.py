"""Templates and static files keep the page's promises: escaped, nothing inline, small."""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from taskops_provider.api import docs_page
from taskops_provider.www.presenters.task.head import VIEWS
from taskops_provider.www.urls import STATIC

WWW = STATIC.parent
FOLDER = WWW / "templates" / "taskops"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
NAMES = [path.relative_to(FOLDER).as_posix() for path in TEMPLATES]
FRONTEND = Path(__file__).resolve().parents[3] / "frontend" / "src"
#: what a template takes the name of from a variable -> all that it may be; a dialog's is one of those that Python names
CHOICES = {"task/page.html": {f"task/{view}.html" for view in VIEWS}, "shared/dialog.html": set()}
#: requirements 12
MOST_BYTES = 150_000


@pytest.mark.parametrize("template", TEMPLATES, ids=NAMES)
def test_templates_keep_to_the_content_security_policy(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\sstyle=", source)
    assert not re.search(r"\son[a-z]+=", source)
    assert "<style" not in source
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)
    assert "javascript:" not in source


@pytest.mark.parametrize("template", TEMPLATES, ids=NAMES)
def test_templates_escape_everything_and_know_no_flask(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\|\s*safe|autoescape|Markup", source)
    assert not re.search(r"url_for|request\.|session|current_app|appbuilder|config\.", source)


def test_presenters_know_no_web_framework() -> None:
    for path in [*(WWW / "presenters").rglob("*.py"), *(WWW / n for n in ("page_request.py", "urls.py"))]:
        imported = set(re.findall(r"^\s*(?:from|import)\s+(\w+)", path.read_text(), re.M))
        assert not imported & {"flask", "flask_appbuilder", "fastapi", "starlette", "werkzeug"}, path


def viewer() -> set[Path]:
    """The files of the viewer of the API, which no page of ours loads."""
    return {docs_page.DIST / name for name in docs_page.files().values()}


def test_scripts_and_styles_are_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css") and path not in viewer()]
    assert files
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES


def test_nothing_comes_from_another_host() -> None:
    for path in [*TEMPLATES, *STATIC.rglob("*")]:
        # what the viewer of the API would ask for is held back by its Content-Security-Policy
        if path.is_file() and path.name != "LICENSES.txt" and path not in viewer():
            hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
            assert hosts <= {"www.w3.org"}, path  # the namespace of SVG


def templates_in_python() -> Iterator[str]:
    """The templates that views and presenters name in their code, docstrings left aside."""
    for path in WWW.rglob("*.py"):
        tree = ast.parse(path.read_text())
        prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
                yield from re.findall(r"^(\w+/\w+\.html)$", node.value)


def templates_in(name: str) -> set[str]:
    """The templates that a template extends, includes and imports."""
    found = set(meta.find_referenced_templates(Environment().parse((FOLDER / name).read_text())))
    assert (None in found) == (name in CHOICES), name
    return {other.removeprefix("taskops/") for other in found if other} | CHOICES.get(name, set())


def test_every_template_is_shown_and_every_one_that_is_named_is_there() -> None:
    used = {*templates_in_python(), *(other for name in NAMES for other in templates_in(name))}
    assert used == set(NAMES)


def test_docstrings_name_templates_that_are_there() -> None:
    for path in WWW.rglob("*.py"):
        assert set(re.findall(r"\b\w+/\w+\.html", path.read_text())) <= set(NAMES), path


def test_templates_and_front_end_have_the_folders_of_the_presenters() -> None:
    subjects = {path.stem for path in (WWW / "presenters").iterdir() if (path / "__init__.py").exists()}
    subjects |= {"diagram", "settings"}  # one module each
    assert {path.name for path in FOLDER.iterdir()} == {*subjects, "shared"}
    assert {path.parent.name for path in FRONTEND.glob("*/*")} <= {*subjects, "shared"}


def test_no_file_repeats_the_name_of_its_folder() -> None:
    for path in [*TEMPLATES, *FRONTEND.glob("*/*")]:
        assert not path.stem.startswith(path.parent.name.rstrip("s")), path


def test_styles_know_no_page_that_is_not_there() -> None:
    sources = [path.read_text() for path in (WWW / "presenters").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r'"(\w+)"', source)}
    styled = {name for path in FRONTEND.rglob("*.css") for name in re.findall(r"\.([a-z-]+)-page\b", path.read_text())}
    assert styled
    assert {name.replace("-", "_") for name in styled} <= named
