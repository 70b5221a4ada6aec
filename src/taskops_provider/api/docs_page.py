"""The pages that try the API out: a viewer from the package, which asks nobody else for anything."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path

import taskops_provider
from taskops_provider.exceptions import ResourceNotFound

#: built by ``hatch_build.py``
DIST = Path(taskops_provider.__file__).parent / "www" / "static" / "dist"
SCRIPT, STYLE = "docs.js", "docs.css"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
HEADERS = {
    # the viewer sets styles of its own
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; connect-src 'self'; form-action 'none'; frame-ancestors 'self'; "
    "base-uri 'none'",
    "Referrer-Policy": "same-origin",
}
#: their names change with their contents
CACHED = {"Cache-Control": "private, max-age=31536000, immutable"}


@cache
def files() -> dict[str, str]:
    """Return the viewer's files: ``docs.js`` -> name with a hash.

    :raises OSError: if the package was never built
    """
    built = json.loads((DIST / "manifest.json").read_text())["files"]
    return {name: built[name] for name in (SCRIPT, STYLE)}


def page(mounted_at: str) -> str:
    """Return the page.

    :param mounted_at: the path of the application, without a slash at the end
    """
    root = escape(mounted_at)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TaskOps API</title>
<link rel="stylesheet" href="{root}/docs/{files()[STYLE]}">
</head>
<body>
<div id="docs" data-openapi="{root}/openapi.json"></div>
<noscript>The viewer needs JavaScript; <a href="{root}/openapi.json">the schema</a> does not.</noscript>
<script type="module" src="{root}/docs/{files()[SCRIPT]}"></script>
</body>
</html>
"""


def file(name: str) -> Path:
    """Return one of the viewer's files.

    :raises ResourceNotFound: for any other name
    """
    if name not in files().values():
        raise ResourceNotFound(f"file {name[:100]!r} does not exist")
    return DIST / name
