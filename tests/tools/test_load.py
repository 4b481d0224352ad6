"""The clients of the load test, against a server that fails in known ways."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tools import load
from tools.load import EMERGENCY, Client, drive, percentile, row


class Flaky(BaseHTTPRequestHandler):
    """Accepts conversations; gives every third message another error first: 503 as it should be, 429 without Retry-After, 500."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    seen: dict[str, int] = {}

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/conversations"):
            self.reply(201, {"conversation_id": "c"})
            return
        with self.lock:
            number = len(self.seen)
            tries = self.seen[body["message_id"]] = self.seen.get(body["message_id"], 0) + 1
        if tries == 1 and number % 3 == 0:
            status, headers = ((503, {"Retry-After": "1"}), (429, {}), (500, {}))[number // 3 % 3]
            self.reply(status, {"contacts": [1]}, headers)
        else:
            self.reply(200, {"reply": {"kind": "urgent" if body["text"] == EMERGENCY else "answer", "reply_id": body["message_id"]}})

    def reply(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Flaky.seen = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_failures_are_sent_again_with_their_id_and_counted_as_they_came(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PAUSE", 0.01)
    sent = drive(Client(url, 1, patience=5), 1, lambda so_far: so_far < 9)
    assert len(sent) == 9 and all(s.status == 200 and s.reply for s in sent)
    assert len(Flaky.seen) == 9, "nine ids, whatever was sent again"
    assert [s.failures for s in sent if s.failures] == [[(503, True)], [(429, False)], [(500, True)]]
    assert [s.tries for s in sent] == [2, 1, 1] * 3


def test_without_patience_a_failure_is_the_result(url: str) -> None:
    sent = drive(Client(url, 4), 4, lambda so_far: so_far < 20)
    assert sum(bool(s.failures) for s in sent) >= 20 // 3
    cells = row(4, 1.0, sent).split()
    assert int(cells[1]) == len(sent)
    limits, clean, errors = (int(c) for c in cells[-3:])
    assert limits > clean > 0 and errors > 0
    assert limits + errors == sum(len(s.failures) for s in sent)


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([float(n) for n in range(1, 101)], p) for p in (0.5, 0.95, 0.99)] == [50.0, 95.0, 99.0]
    assert percentile([7.0], 0.99) == 7.0


def test_the_knee_is_the_fewest_at_once_that_give_the_most() -> None:
    assert load.knee({1: 5.0, 8: 19.5, 32: 20.0, 64: 18.0}) == 8


def test_a_sample_belongs_to_the_innermost_stage() -> None:
    stacks = (
        "main (/x/gunicorn/app.py:1);message (/p/web/guide.py:9);encode (/p/knowledge/encoder.py:3);dot (/x/numpy/core.py:1) 3\n"
        "main (/x/gunicorn/app.py:1);arrive (/p/web/store.py:9);execute (/x/sqlalchemy/engine.py:3) 2\nmain (/p/unknown.py:1) 1\n"
        "main (/x/rasa/run.py:1);serve (/x/sanic/server/runners.py:9) 4\n"
    )
    assert load.shares(stacks) == {"encoding": 3, "database": 2, "Python itself": 1, "event loop, waiting included": 4}


def test_what_a_process_worked_includes_its_children() -> None:
    import os

    assert os.getpid() in load.family(os.getpid()) and load.worked(os.getpid()) > 0
    assert load.family(2**22 + 1) == set()
