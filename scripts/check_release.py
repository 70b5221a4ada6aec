"""Check that what is in dist/ is the release that a tag names: ``python scripts/check_release.py v1.2.3``.

Exits with one line about each thing that is wrong.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "airflow_provider_taskops"


def problems(tag: str, dist: Path, changelog: str) -> list[str]:
    """What keeps the archives in ``dist`` from being the release ``tag``; empty if nothing does.

    :param tag: for example ``v1.2.3``, or ``v1.2.3rc1``
    :param changelog: the text of the changelog, which must have a section for a final release
    """
    if not re.fullmatch(r"v\d+\.\d+\.\d+((a|b|rc)\d+)?", tag):
        return [f"{tag}: not a tag of a release, such as v1.2.3 or v1.2.3rc1"]
    version = tag.removeprefix("v")
    wanted = {f"{NAME}-{version}-py3-none-any.whl", f"{NAME}-{version}.tar.gz"}
    found = {path.name for path in dist.iterdir() if not path.name.startswith(".")}
    wrong = [f"dist/: {name} is missing" for name in sorted(wanted - found)]
    wrong += [f"dist/: {name} is not of this release" for name in sorted(found - wanted)]
    final = version.rstrip("0123456789")[-1] == "."
    if final and not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        wrong.append(f"CHANGELOG.md: no section '## [{version}] - YYYY-MM-DD'")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: check_release.py TAG")
    sys.exit("\n".join(problems(sys.argv[1], ROOT / "dist", (ROOT / "CHANGELOG.md").read_text())) or None)
