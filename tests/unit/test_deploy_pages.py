"""What the pages about installing tell people to type is right: YAML, options, commands, environment variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from taskops_provider.get_provider_info import get_provider_info

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / name for name in ("install.md", "deploy.md", "metrics.md")]
OPTIONS = set(get_provider_info()["config"]["taskops"]["options"])
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: in code: a line of its own, or between quotes; not with words that stand for others
COMMAND = re.compile(r"(?:^ {4,}|`)airflow (taskops [a-z][^`\n|#]*)", re.MULTILINE)
SNIPPETS = [(page.name, text) for page in PAGES for text in FENCE.findall(page.read_text())]
COMMANDS = sorted({found.strip() for page in PAGES for found in COMMAND.findall(page.read_text())})


def test_there_are_some():
    assert len(SNIPPETS) >= 6
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_a_snippet_is_yaml_with_names_that_there_are(page, text):
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    assert found, page
    assert set(found.get("config", {}).get("taskops", {})) <= OPTIONS
    # values of the chart's `config` are strings; true and false would be written as Go writes them
    for section in found.get("config", {}).values():
        assert all(isinstance(value, str) for value in section.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_name_options_that_there_are(page):
    named = re.findall(r"AIRFLOW__TASKOPS__([A-Z_]+)", page.read_text())
    assert {name.lower() for name in named} <= OPTIONS
    assert set(re.findall(r"`\[taskops\] ([a-z_]+)`", page.read_text())) <= OPTIONS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_there_is(command):
    from airflow.cli.cli_parser import get_parser

    words = shlex.split(command)
    if words[-1] == "test":
        words.append("1")  # of which rule is not said
    assert get_parser().parse_args(words).func


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", page.read_text()):
        assert not target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections_lead_there(page):
    for target, section in re.findall(r"\]\(([^)#]*)#([^)]*)\)", page.read_text()):
        text = (page.parent / target if target else page).read_text()
        titles = {
            re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert section in titles, (target, section)
