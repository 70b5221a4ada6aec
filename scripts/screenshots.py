"""Take pictures of all pages and dialogs into ``screenshots/``: light and dark, 1280 and 1920 wide, each with nothing,
with what a team has, and with very much of everything.

Starts an API server on a scratch home. Usage: ``python scripts/screenshots.py [--only empty] [--name task]``.
"""
# ruff: noqa: T201 - a program for the terminal: it prints.

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Error  # noqa: E402
from tests.support.browser import Person, chromium  # noqa: E402
from tests.support.live import SIMPLE, LiveAirflow  # noqa: E402
from tests.support.places import CROWDED, EMPTY, ORDINARY, Place, wear  # noqa: E402

SIZES = {1280: 800, 1920: 1080}
#: filling -> what is looked at in it
PLACES: dict[str, tuple[Place, ...]] = {"empty": EMPTY, "ordinary": ORDINARY, "crowd": CROWDED}
CROWD = 10_000
#: pages of Airflow never stop asking, so there is no end to wait for
SETTLE_MS = 300
FILL = "import sys; from tests.support.fill import main; main(*sys.argv[1:])"


def take(person: Person, kind: str, place: Place, out: Path) -> None:
    """Take the pictures of a place: in both sizes, and in both themes without going there again."""
    for width, height in SIZES.items():
        person.page.set_viewport_size({"width": width, "height": height})
        place.visit(person)
        for theme in ("light", "dark"):
            wear(person, theme)
            person.page.wait_for_timeout(SETTLE_MS)
            person.page.screenshot(path=out / f"{place.name}-{kind}-{theme}-{width}.png")


def walk(browser: Any, server: LiveAirflow, kind: str, places: Sequence[Place], out: Path) -> int:
    """Take all pictures of one filling of the database, and return how many places could not be reached."""
    failed = 0
    person = Person(browser, server, reduced_motion="reduce")
    person.context.set_default_timeout(30_000)
    person.signed_in("admin")
    person.local(theme="light", timezone='"UTC"')
    for place in places:
        try:
            take(person, kind, place, out)
        except Error as error:
            failed += 1
            print(f"{kind} {place.name}: {error.message}", file=sys.stderr)
    person.context.close()
    for error in person.errors:
        print(f"{kind}: {error}", file=sys.stderr)
    return failed


def main() -> int:
    """Fill, take, repeat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PLACES, help="one filling alone")
    parser.add_argument("--name", default="", help="places alone whose name fits this regular expression")
    parser.add_argument("--out", type=Path, default=ROOT / "screenshots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="taskops-screenshots-") as home,
        LiveAirflow(Path(home), SIMPLE) as server,
        chromium() as browser,
    ):
        server.airflow("db", "migrate")
        server.make_users()
        server.serve()
        for kind, all_places in PLACES.items():
            places = [place for place in all_places if re.search(given.name, place.name)]
            if places and given.only in (None, kind):
                print(f"{kind}: {len(places) * len(SIZES) * 2} pictures", flush=True)
                server.python(FILL, kind, *([str(CROWD)] if kind == "crowd" else []))
                failed += walk(browser, server, kind, places, given.out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
