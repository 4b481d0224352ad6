"""One screen for all tests of this folder: loading the rules takes longer than asking them."""

from __future__ import annotations

import pytest

from knowledge.safety.screen import Screen


@pytest.fixture(scope="session")
def screen() -> Screen:
    """The screen with the real rules and without a classifier."""
    return Screen.load()
