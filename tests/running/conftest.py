"""The real processes, started once for the whole suite."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tools.running import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("var")) as started:
        yield started


@pytest.fixture
def planted() -> str:
    """A sentence that occurs nowhere else."""
    return f"zebra {uuid.uuid4().hex} does ketamine help crps"
