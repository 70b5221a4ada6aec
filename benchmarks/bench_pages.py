"""What a browser loads for all pages together."""

from __future__ import annotations

import gzip

from benchmarks.measure import Row
from taskops_provider.www.urls import STATIC

NEEDS_DATABASE = False


def measure() -> list[Row]:
    """The rows of the table."""
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")]
    size = sum(len(gzip.compress(path.read_bytes())) for path in files) / 1000
    return [Row("JavaScript and CSS of all pages, gzipped", size, "150 kB", None, 150, "kB")]
