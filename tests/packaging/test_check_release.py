"""What is published is what the tag names, and people can read what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.check_release import problems

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-30\n"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    for name in ("airflow_provider_taskops-1.2.3-py3-none-any.whl", "airflow_provider_taskops-1.2.3.tar.gz"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").touch()
    return tmp_path


def test_a_release_has_both_archives_and_a_section_in_the_changelog(dist: Path) -> None:
    assert problems("v1.2.3", dist, CHANGELOG) == []


def test_each_thing_that_is_wrong_is_named(dist: Path) -> None:
    assert problems("v1.2.4", dist, CHANGELOG) == [
        "dist/: airflow_provider_taskops-1.2.4-py3-none-any.whl is missing",
        "dist/: airflow_provider_taskops-1.2.4.tar.gz is missing",
        "dist/: airflow_provider_taskops-1.2.3-py3-none-any.whl is not of this release",
        "dist/: airflow_provider_taskops-1.2.3.tar.gz is not of this release",
        "CHANGELOG.md: no section '## [1.2.4] - YYYY-MM-DD'",
    ]


def test_a_release_candidate_needs_no_section(dist: Path) -> None:
    for path in list(dist.glob("airflow*")):
        path.rename(dist / path.name.replace("1.2.3", "1.2.4rc1"))
    assert problems("v1.2.4rc1", dist, CHANGELOG) == []


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3.dev4", "release"])
def test_other_tags_are_refused(dist: Path, tag: str) -> None:
    assert problems(tag, dist, CHANGELOG) == [f"{tag}: not a tag of a release, such as v1.2.3 or v1.2.3rc1"]
