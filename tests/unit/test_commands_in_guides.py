"""Commands that workflows and guides name exist: targets of the Makefile, scripts, folders of tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "Makefile",
    ROOT / ".ci" / "run",
    *ROOT.glob("docs/**/*.md"),
]
#: says what shall be, and names targets that there are not yet
GUIDES.remove(ROOT / "docs" / "requirements.md")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
#: `make test` in prose, a line of its own in code
MAKE = re.compile(r"(?:`|^\s*|=1 )make ([a-z-]+)", re.MULTILINE)
FILE = re.compile(r"(?<![\w./-])(?:scripts|tests|\.ci)/[\w./-]*\w")


def runs(workflow: Path) -> Iterator[str]:
    """The commands of a workflow's steps."""
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        yield from (step["run"] for step in job.get("steps", ()) if "run" in step)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_there_is(workflow):
    commands = list(runs(workflow))
    assert commands
    for command in commands:
        assert set(MAKE.findall(command)) <= TARGETS
        assert [name for name in FILE.findall(command) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_guide_names_targets_that_there_are(guide):
    assert set(MAKE.findall(guide.read_text())) <= TARGETS


def test_the_makefile_explains_each_target():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS
