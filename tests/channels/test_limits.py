"""The application's own rate limits, which count the person and not the platform's address."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from tests.channels.fakes import World, make_world
from web.app import _limits, limiter_for
from web.errors import Refusal
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


def counted_together(url: str) -> list:
    """The limits of two web processes that share a Redis."""
    settings = Settings(_env_file=None, rate_address="60/minute", rate_conversation="6/minute", redis_url=url)  # type: ignore[call-arg]
    made = []
    for _ in range(2):
        app = Flask(__name__)
        within = _limits(limiter_for(app, settings), settings)

        @app.get("/<conversation>")
        def message(conversation: str, within: Any = within) -> tuple[str, int]:
            try:
                within("10.0.0.1", conversation)
            except Refusal as refusal:
                return str(refusal.retry_after), refusal.status
            return "", 200

        made.append(app.test_client())
    return made


def sent(process: Any, conversation: str) -> bool:
    response = process.get(f"/{conversation}")
    assert response.status_code == 200 or (response.status_code == 429 and int(response.text) > 0)
    return bool(response.status_code == 200)


def test_two_web_processes_count_together_on_redis(redis: Any) -> None:
    processes = counted_together(redis.url)
    assert sum(sent(processes[n % 2], "c") for n in range(10)) == 6


def test_while_redis_is_gone_each_process_counts_for_itself(redis: Any) -> None:
    processes = counted_together(redis.url)
    assert sent(processes[0], "c")
    redis.kill()
    assert [sum(sent(process, "d") for _ in range(10)) for process in processes] == [6, 6]


def test_a_redis_that_hangs_is_waited_for_half_a_second_only(redis: Any) -> None:
    processes = counted_together(redis.url)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert sum(sent(processes[0], "d") for _ in range(10)) == 6
        assert time.monotonic() - started < 5
    finally:
        redis.process.send_signal(signal.SIGCONT)
