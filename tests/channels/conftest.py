from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.fakes import Phone, World, make_world
from web.channels.simulator.sender import PHONES


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=sorted(PHONES))
def phone(request: pytest.FixtureRequest, world: World) -> Phone:
    """A phone on each channel in turn."""
    return world.phone(request.param)
