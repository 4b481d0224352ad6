"""The internal ports ask every caller for the token that each start makes anew."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest

from knowledge import door
from tools.running import Server

pytestmark = pytest.mark.running
REQUESTS = [
    ("rasa_port", "GET", "/"),
    ("rasa_port", "GET", "/version"),
    ("rasa_port", "POST", "/webhooks/rest/webhook"),
    ("rasa_port", "GET", "/webhooks/rest/"),
    ("rasa_port", "POST", "/no/such/path"),
    ("actions_port", "GET", "/health"),
    ("actions_port", "POST", "/webhook"),
    ("actions_port", "GET", "/actions"),
    ("actions_port", "OPTIONS", "/webhook"),
    ("actions_port", "GET", "/no/such/path"),
]
BODY = {"sender": "c_0", "message": "What are the risks?", "next_action": "action_answer", "tracker": {}}


def asked(server: Server, port: str, method: str, path: str, **headers: str) -> int:
    url = f"http://127.0.0.1:{server.ports[port]}{path}"
    return httpx.request(method, url, json=BODY if method == "POST" else None, headers=headers, timeout=10, trust_env=False).status_code


@pytest.mark.parametrize(("port", "method", "path"), REQUESTS)
def test_an_internal_port_refuses_who_has_no_token(server: Server, port: str, method: str, path: str) -> None:
    assert asked(server, port, method, path) == 403
    assert asked(server, port, method, path, Authorization="Bearer " + "x" * 43) == 403


def test_the_token_opens_both(server: Server) -> None:
    token = door.credentials(server.var / "run" / "token")
    assert asked(server, "rasa_port", "GET", "/", Authorization=token) == 200
    assert asked(server, "actions_port", "GET", "/health", Authorization=token) == 200
    assert server.client.get("/readyz").json()["status"] == "ready"


def test_only_the_owner_reads_the_token_and_nothing_tells_it(server: Server) -> None:
    run = server.var / "run"
    for name in ("token", "endpoints.yml"):
        assert stat.S_IMODE((run / name).stat().st_mode) == 0o600
    token = (run / "token").read_text()
    assert token not in server.logs() and token not in (run / "supervisor.conf").read_text() and token not in (server.var / "serve.txt").read_text()
    for process in ("rasa", "actions", "web"):
        told = Path(f"/proc/{server.pid(process)}")
        assert token.encode() not in (told / "environ").read_bytes() + (told / "cmdline").read_bytes()
