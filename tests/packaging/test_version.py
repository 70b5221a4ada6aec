"""The version comes from the git tag, and from somewhere sensible where there is none."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import taskops_provider
from tests.packaging.conftest import ROOT

FALLBACK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["fallback-version"]
SOURCES = ("pyproject.toml", "README.md", ".gitattributes", ".git_archival.txt")


def version_of(folder: Path) -> str:
    """The version that a build in a folder would have."""
    return ProjectMetadata(str(folder), PluginManager()).version


class Clone:
    """A git repository with what a build needs to know its version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in SOURCES:
            (folder / name).write_bytes((ROOT / name).read_bytes())
        self.git("init", "--quiet")
        self.git("add", ".")
        self.commit()

    def git(self, *arguments: str) -> None:
        person = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
        subprocess.run(["git", *person, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("commit", "--quiet", "--allow-empty", "--message", "More")

    def archive(self, folder: Path) -> Path:
        """What ``git archive`` packs, unpacked."""
        self.git("archive", "--output", str(folder / "archive.tar"), "HEAD")
        with tarfile.open(folder / "archive.tar") as archive:
            archive.extractall(folder, filter="data")
        return folder


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("clone"))


def test_a_tag_is_the_version_also_in_an_archive_of_it(clone: Clone, tmp_path: Path) -> None:
    clone.git("tag", "v3.2.1")
    clone.git("tag", "demo-9.9.9")
    assert version_of(clone.folder) == "3.2.1"
    assert version_of(clone.archive(tmp_path)) == "3.2.1"


def test_after_a_tag_it_is_a_development_version_of_the_next(clone: Clone) -> None:
    clone.git("tag", "v3.2.1")
    clone.commit()
    assert version_of(clone.folder).startswith("3.2.2.dev1+g")


def test_without_tags_everything_still_builds(clone: Clone, tmp_path: Path) -> None:
    assert version_of(clone.folder).startswith("0.1.0.dev")
    assert version_of(clone.archive(tmp_path)) == FALLBACK


def test_a_copy_without_git_has_the_fallback_and_its_source_archive_too(tree: Path, source_archive: Path) -> None:
    assert version_of(tree) == FALLBACK
    assert version_of(source_archive) == FALLBACK


def test_a_source_archive_keeps_its_version(source_archive: Path, tmp_path: Path) -> None:
    info = (source_archive / "PKG-INFO").read_text()
    (tmp_path / "PKG-INFO").write_text(info.replace(f"\nVersion: {FALLBACK}\n", "\nVersion: 3.2.1\n"))
    (tmp_path / "pyproject.toml").write_bytes((source_archive / "pyproject.toml").read_bytes())
    assert version_of(tmp_path) == "3.2.1"


def test_the_package_knows_its_version_without_reading_metadata_when_it_is_imported() -> None:
    assert taskops_provider.__version__ == version("airflow-provider-taskops")
    code = "import sys, taskops_provider; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        taskops_provider.nothing_of_ours  # type: ignore[attr-defined]  # noqa: B018 - the access is the test
