"""Who may count as whom, and who may read the figures: in process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from knowledge.decision import Decision
from tests.channels.fakes import make_world
from web.app import create_app
from web.clinic import Clinic
from web.metrics import Metrics
from web.parts import Parts
from web.settings import Settings


def made(folder: Path, **values: Any) -> FlaskClient:
    """The application with a fake dialogue and these settings."""
    folder.mkdir(exist_ok=True)
    world = make_world(folder)
    world.guide.ask = lambda *_: Decision("abstain", reason="no_statement", lead="abstain_no_statement")
    configuration = Settings(var=folder, _env_file=None, **values)
    parts = Parts(configuration, world.guide, SimpleNamespace(alive=lambda url: True), Metrics("0" * 12), "0" * 12, Clinic(), scrub=lambda text: text)  # type: ignore[arg-type]
    return create_app(configuration, parts).test_client()


def statuses(client: FlaskClient, forwarded: list[str]) -> list[int]:
    """One new conversation for each claimed address."""
    return [client.post("/api/conversations", json={}, headers={"X-Forwarded-For": one}).status_code for one in forwarded]


def test_a_forged_address_does_not_pass_the_rate_limit(tmp_path: Path) -> None:
    claimed = [f"198.51.100.{n}" for n in range(4)]
    alone = made(tmp_path / "a", rate_limits="on", rate_address="2/minute")
    assert statuses(alone, claimed) == [201, 201, 429, 429], "without a proxy of ours nobody may name an address"
    behind = made(tmp_path / "b", rate_limits="on", rate_address="2/minute", proxies=1)
    assert statuses(behind, [f"{one}, 203.0.113.9" for one in claimed]) == [201, 201, 429, 429], "our proxy names the last one"
    assert statuses(behind, ["203.0.113.10"]) == [201]


@pytest.mark.parametrize(
    ("token", "address", "headers", "status"),
    [
        (None, "127.0.0.1", {}, 200),
        (None, "198.51.100.7", {}, 403),
        (None, "127.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, 403),
        ("a long random word", "127.0.0.1", {}, 403),
        ("a long random word", "127.0.0.1", {"Authorization": "Bearer another"}, 403),
        ("a long random word", "198.51.100.7", {"Authorization": "Bearer a long random word"}, 200),
    ],
)
def test_metrics_are_for_the_loopback_or_who_has_the_token(tmp_path: Path, token: str | None, address: str, headers: dict[str, str], status: int) -> None:
    client = made(tmp_path, metrics_token=token)
    assert client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code == status
