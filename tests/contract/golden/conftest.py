"""The furnished world, and the files that hold what it answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.golden.compare import Golden
from tests.contract.golden.world import World, furnished
from tests.support.cli import Cli


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The recorded answers; ``--update-golden`` records them anew."""
    return Golden(writes=request.config.getoption("--update-golden"))


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same furnished database for every test."""
    with furnished(Cli(capsys, monkeypatch), monkeypatch) as made:
        yield made
