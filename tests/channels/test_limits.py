"""The application's own rate limits, which count the person and not the platform's address."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from tests.channels.fakes import World, make_world
from web.app import _limits
from web.settings import Settings

QUESTION = "Does ketamine help CRPS?"


@pytest.fixture
def limited(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    settings = Settings(_env_file=None, rate_address="60/minute", rate_conversation="3/minute")  # type: ignore[call-arg]
    limiter = Limiter(get_remote_address, app=world.app, storage_uri="memory://")
    world.guide.within_limits = _limits(limiter, settings)
    return world


@pytest.mark.parametrize("name", ["sms", "telegram", "slack"])
def test_one_person_is_limited_and_others_are_not(limited: World, name: str) -> None:
    first = limited.phone(name)
    for n in range(3):
        assert "[1]" in first.read(f"{QUESTION} {n}")
    assert "many messages" in first.read(QUESTION)
    assert "988" in first.read("I want to kill myself")
    other = limited.phone(name, {"slack": "U999999"}.get(name, "15550001111"))
    assert "[1]" in other.read(QUESTION)
    limited.close()


def test_a_platform_is_not_one_address(limited: World) -> None:
    for n in range(70):
        assert "[1]" in limited.phone("sms", f"+1555000{n:04d}").read(QUESTION)
    limited.close()
