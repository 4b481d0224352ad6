"""Who gets in: the ports that are open, the token that the internal ones ask for, the files."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import httpx
import pytest

from knowledge import door
from tools.load import family
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


def listeners(pids: set[int]) -> dict[int, str]:
    """TCP ports on which these processes listen, and the address as /proc writes it."""
    ours = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                ours.add(os.readlink(file))
            except OSError:  # closed meanwhile
                continue
    found = {}
    for line in [*Path("/proc/net/tcp").read_text().splitlines()[1:], *Path("/proc/net/tcp6").read_text().splitlines()[1:]]:
        parts = line.split()
        if parts[3] == "0A" and f"socket:[{parts[9]}]" in ours:
            address, port = parts[1].split(":")
            found[int(port, 16)] = address
    return found


def outer_address() -> str | None:
    """An address of this machine that is not the loopback; None where it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address


def reachable(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def test_only_the_web_port_is_open_beyond_the_loopback(server: Server) -> None:
    """Every TCP port of every process that a start leaves running; the web server is told to serve every address."""
    found = listeners(family(server.process.pid))
    assert found == {server.ports["port"]: "00000000", server.ports["rasa_port"]: "0100007F", server.ports["actions_port"]: "0100007F"}
    if address := outer_address():
        assert {name for name, port in server.ports.items() if reachable(address, port)} == {"port"}


def test_only_the_owner_reads_what_is_kept(server: Server) -> None:
    assert stat.S_IMODE(server.var.stat().st_mode) == 0o700
