"""The web server's port, while the application loads and after."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tools.running import ROOT, environment, free_port
from web.worker import sent

SLOW = """
import pathlib, time
pathlib.Path("loading").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.02)
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"""


def test_no_port_is_open_before_the_application_is_loaded(tmp_path: Path) -> None:
    """A proxy that is refused asks the next web server at once; one that is accepted waits."""
    (tmp_path / "slow.py").write_text(SLOW, "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "web" / "gunicorn.conf.py"), "slow:app"]
    env = {**environment(tmp_path / "var", {"port": port}), "PYTHONPATH": f"{tmp_path}:{ROOT}", "KETAMINE_GUIDE_WORKERS": "2"}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 30
        while not (tmp_path / "loading").exists() and time.monotonic() < until:
            time.sleep(0.05)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
        (tmp_path / "go").touch()
        transport = httpx.HTTPTransport(retries=6)  # it waits 0.5, 1, 2 … s between them
        assert httpx.Client(transport=transport, trust_env=False).get(f"http://127.0.0.1:{port}").text == "here"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", None),
        (b"POST /api/x HTTP/1.1\r\nContent-Le", None),
        (b"POST /api/x HTTP/1.1\r\nContent-Length: 40\r\n\r\n", None),
        (b'POST /api/x HTTP/1.1\r\n\r\n{"text": "no puedo respir\\u00e1r"}', "no puedo respirár"),
        (b'POST /api/x HTTP/1.1\r\n\r\n{"text": "half of a', '{"text": "half of a'),
        (b'POST /api/x HTTP/1.1\r\n\r\n{"other": 1}', '{"other": 1}'),
        (b"POST /api/x HTTP/1.1\r\n\r\n[1]", "[1]"),
        (b"POST /ask HTTP/1.1\r\n\r\ntext=can%27t+breathe", "text=can't breathe"),
        (b"POST /ask HTTP/1.1\r\n\r\n\xff", "\ufffd"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", ""),
        (b"\x16\x03\x01\x02", ""),
    ],
)
def test_the_words_of_a_request_are_read_and_left_where_they_are(request_: bytes, words: str | None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(request_)
        assert [sent(ours), sent(ours)] == [words, words]
        if request_:
            assert ours.recv(1000) == request_


def test_a_closed_connection_has_no_words() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    assert sent(ours) == ""
    ours.close()
    assert sent(ours) == ""
