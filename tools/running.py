"""The whole system started on free ports, for tests, evaluation and benchmarks: never for serving."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Server:
    """The running system, and the means to hurt it."""

    url: str
    var: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes]
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=15, trust_env=False, limits=httpx.Limits(max_connections=200))

    def start(self, **body: Any) -> str:
        response = self.client.post("/api/conversations", json=body)
        if response.status_code != 201:
            raise RuntimeError(response.text)
        return str(response.json()["conversation_id"])

    def say(self, conversation: str, text: str, **more: Any) -> dict[str, Any]:
        response = self.client.post(f"/api/conversations/{conversation}/messages", json={"text": text, **more})
        if response.status_code != 200:
            raise RuntimeError(response.text)
        reply: dict[str, Any] = response.json()["reply"]
        return reply

    def ask(self, text: str, **body: Any) -> dict[str, Any]:
        return self.say(self.start(**body), text)

    def pid(self, name: str) -> int:
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.var / "run" / "supervisor.conf"), "pid", name]
        out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()  # noqa: S603
        return int(out)

    def send(self, name: str, what: signal.Signals) -> None:
        os.killpg(os.getpgid(self.pid(name)), what)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """A process hangs meanwhile: it is there and does nothing."""
        self.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(name, signal.SIGCONT)

    def ready(self) -> bool:
        try:
            return bool(self.client.get("/readyz").json()["status"] == "ready")
        except (httpx.HTTPError, ValueError):
            return False

    def wait_ready(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not self.ready():
            if time.monotonic() > deadline:
                raise RuntimeError("not ready again")
            time.sleep(0.3)

    def wait_answering(self, seconds: float = 120) -> None:
        """Until an ordinary question is answered again."""
        deadline = time.monotonic() + seconds
        while self.ask("What are the risks of ketamine?")["kind"] != "answer":
            if time.monotonic() > deadline:
                raise RuntimeError("no answers again")
            time.sleep(0.5)

    def logs(self) -> str:
        return "".join(p.read_text("utf-8", "replace") for p in (self.var / "log").glob("*"))


def environment(var: Path, ports: dict[str, int], **more: str) -> dict[str, str]:
    values = {f"KETAMINE_GUIDE_{k.upper()}": str(v) for k, v in ports.items()}
    return {**os.environ, **values, "KETAMINE_GUIDE_VAR": str(var), "KETAMINE_GUIDE_RATE_LIMITS": "off", **more}


@contextmanager
def running(var: Path, **more: str) -> Iterator[Server]:
    """Start all processes with their files in `var`; stop them at the end.

    Raises:
        RuntimeError: when they do not become ready.
    """
    var.mkdir(parents=True, exist_ok=True)
    ports = {"port": free_port(), "rasa_port": free_port(), "actions_port": free_port()}
    said = var / "serve.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tools.serve"], cwd=ROOT, env=environment(var, ports, **more), stdout=output, stderr=output
        )
    server = Server(f"http://127.0.0.1:{ports['port']}", var, ports, process)
    try:
        deadline = time.monotonic() + 240
        while "is ready" not in said.read_text("utf-8", "replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(said.read_text("utf-8", "replace") + server.logs()[-3000:])
            time.sleep(0.3)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
