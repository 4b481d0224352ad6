"""The web server's port, while the application loads and after."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tools.running import ROOT, environment, free_port

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
