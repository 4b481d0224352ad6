"""The real processes, started once for the whole suite."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tools.running import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # the web server on every address, so that a look at the ports from outside shows what is meant for the loopback only;
    # it does not start there without rate limits
    limits = {"RATE_LIMITS": "on", "RATE_ADDRESS": "100000/minute", "RATE_CONVERSATION": "100000/minute"}
    with running(tmp_path_factory.mktemp("var"), KETAMINE_GUIDE_HOST="0.0.0.0", **{f"KETAMINE_GUIDE_{k}": v for k, v in limits.items()}) as started:
        yield started


@pytest.fixture
def planted() -> str:
    """A sentence that occurs nowhere else."""
    return f"zebra {uuid.uuid4().hex} does ketamine help crps"
