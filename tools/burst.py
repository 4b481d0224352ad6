"""Many messages at the same instant, an emergency among them, and how long each waits: over plain sockets, in a process of its own.

`python -m tools.burst` reads one JSON object from standard input and writes one to standard output, so that whoever asks
does not slow down what is timed. An HTTP client of 65 threads would be the slowest part.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class _Open:
    """One connection: what came so far, when it was sent, when the answer was whole."""

    socket: socket.socket
    text: str = ""
    got: bytes = b""
    sent: float = 0.0
    done: float = 0.0

    def whole(self) -> bool:
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return False
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        return len(body) >= length

    def reply(self) -> dict[str, Any]:
        status = int(self.got.split(b" ", 2)[1])
        return {"status": status, **json.loads(self.got.partition(b"\r\n\r\n")[2])}


def send(url: str, messages: list[tuple[str, str]], timeout: float = 20.0) -> list[dict[str, Any]]:
    """Send messages at once, each over a connection opened before.

    Args:
        url: The web server.
        messages: (conversation id, text) in the order of sending.
        timeout: Seconds after which what has not come counts as not answered.

    Returns:
        For each message `ms` (from its sending to the last byte of its answer; None without an answer), `status` and `reply`.
    """
    place = urlsplit(url)
    address = (str(place.hostname), int(place.port or 80))
    opened = [_Open(socket.create_connection(address)) for _ in messages]
    for one in opened:
        # a browser that shows the chat has used its connection before
        one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for one in opened:
        while not one.whole():
            one.got += one.socket.recv(65536)
        one.got = b""
    time.sleep(0.3)
    requests = []
    for conversation, text in messages:
        body = json.dumps({"text": text}).encode()
        head = f"POST /api/conversations/{conversation}/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    for one, request in zip(opened, requests, strict=True):
        one.sent = time.perf_counter()
        one.socket.sendall(request)
    selector = selectors.DefaultSelector()
    for one in opened:
        selector.register(one.socket, selectors.EVENT_READ, one)
    end = time.monotonic() + timeout
    waiting = len(opened)
    while waiting and time.monotonic() < end:
        for key, _ in selector.select(0.5):
            one = key.data
            one.got += (piece := one.socket.recv(1 << 20))
            if not piece or one.whole():
                one.done = time.perf_counter()
                selector.unregister(one.socket)
                waiting -= 1
    results = []
    for one in opened:
        one.socket.close()
        results.append({"ms": 1000 * (one.done - one.sent), **one.reply()} if one.done and one.whole() else {"ms": None, "status": 0})
    return results


def burst(url: str, messages: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The same, from a process of its own."""
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tools.burst"], input=json.dumps({"url": url, "messages": messages}), capture_output=True, text=True, check=True, cwd=ROOT
    )
    results: list[dict[str, Any]] = json.loads(run.stdout)
    return results


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(send(asked["url"], [(c, t) for c, t in asked["messages"]]), sys.stdout)
