"""Templates and static files keep the page's promises: escaped, nothing inline, small."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from taskops_provider.www.urls import STATIC

TEMPLATES = sorted((STATIC.parent / "templates" / "taskops").glob("*.html"))
#: SPEC 12
MOST_BYTES = 150_000


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_keep_to_the_content_security_policy(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\sstyle=", source)
    assert not re.search(r"\son[a-z]+=", source)
    assert "<style" not in source
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)
    assert "javascript:" not in source


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_escape_everything_and_know_no_flask(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\|\s*safe|autoescape|Markup", source)
    assert not re.search(r"url_for|request\.|session|current_app|appbuilder|config\.", source)


def test_presenters_know_no_web_framework() -> None:
    for path in [*(STATIC.parent / "presenters").glob("*.py"), *(STATIC.parent / n for n in ("asked.py", "urls.py"))]:
        imported = set(re.findall(r"^\s*(?:from|import)\s+(\w+)", path.read_text(), re.M))
        assert not imported & {"flask", "flask_appbuilder", "fastapi", "starlette", "werkzeug"}, path


def test_scripts_and_styles_are_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")]
    assert files
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES


def test_nothing_comes_from_another_host() -> None:
    for path in [*TEMPLATES, *STATIC.rglob("*")]:
        if path.is_file():
            hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
            assert hosts <= {"www.w3.org"}, path  # the namespace of SVG
