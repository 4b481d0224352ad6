"""Asking Rasa: every failure is `unavailable`, and threads stay free."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from web import dialogue
from web.dialogue import Breaker, Dialogue


class Rasa:
    """A stand-in on the loopback that answers as it is told."""

    def __init__(self) -> None:
        self.body = b"[]"
        self.status = 200
        self.delay = 0.0
        self.seen: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(outer.delay)
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/rest/webhook"


@pytest.fixture
def rasa() -> Iterator[Rasa]:
    started = Rasa()
    yield started
    started.server.shutdown()


ABOUT = {"region": "US", "language": "en", "request_id": "x"}


def test_a_decision_comes_through(rasa: Rasa) -> None:
    rasa.body = b'[{"recipient_id": "c", "custom": {"decision": {"kind": "smalltalk", "lead": "greeting"}}}]'
    assert Dialogue(rasa.url, 1, 4).ask("c", "hello", None, ABOUT).lead == "greeting"
    assert b'"vector"' not in rasa.seen[0]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"not json", b'[{"text": "x"}]', b'[{"custom": {"decision": {"kind": 7}}}]', b'[{"custom": {"decision": []}}]', b"null"])
def test_no_decision_is_unavailable(rasa: Rasa, body: bytes) -> None:
    rasa.body = body
    decision = Dialogue(rasa.url, 1, 4).ask("c", "hello", None, ABOUT)
    assert (decision.kind, decision.reason) == ("unavailable", "down")


def test_a_server_error_and_a_closed_port_are_unavailable(rasa: Rasa) -> None:
    rasa.status = 500
    assert Dialogue(rasa.url, 1, 4).ask("c", "hello", None, ABOUT).reason == "down"
    assert Dialogue("http://127.0.0.1:9/x", 1, 4).ask("c", "hello", None, ABOUT).reason == "down"


@pytest.mark.parametrize("text", ["/", "///", " / / "])
def test_commands_never_reach_rasa(rasa: Rasa, text: str) -> None:
    assert Dialogue(rasa.url, 1, 4).ask("c", text, None, ABOUT).kind == "clarify"
    assert rasa.seen == []


def test_leading_slashes_are_taken_off(rasa: Rasa) -> None:
    Dialogue(rasa.url, 1, 4).ask("c", "//restart{", None, ABOUT)
    assert b'"message":"restart{"' in rasa.seen[0].replace(b": ", b":")


def test_beyond_the_slots_the_answer_is_at_once(rasa: Rasa) -> None:
    rasa.delay = 0.5
    asked = Dialogue(rasa.url, 2, 1)
    first = threading.Thread(target=asked.ask, args=("a", "hello", None, ABOUT))
    first.start()
    time.sleep(0.1)
    assert asked.ask("b", "hello", None, ABOUT).reason == "timeout"
    assert len(rasa.seen) == 1
    first.join()


def test_three_time_outs_open_the_breaker_and_a_probe_closes_it(rasa: Rasa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "PROBE_EVERY", 0.2)
    rasa.delay = 0.3
    asked = Dialogue(rasa.url, 0.05, 4)
    assert [asked.ask("c", "hello", None, ABOUT).reason for _ in range(3)] == ["timeout"] * 3
    seen = len(rasa.seen)
    assert asked.ask("c", "hello", None, ABOUT).reason == "down"
    assert len(rasa.seen) == seen, "an open breaker asks nobody"
    rasa.delay, rasa.body = 0.0, b'[{"custom": {"decision": {"kind": "answer"}}}]'
    time.sleep(0.25)
    assert asked.ask("c", "hello", None, ABOUT).kind == "answer"
    assert asked.ask("c", "hello", None, ABOUT).kind == "answer"


def test_breaker_lets_one_probe_through() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.record(answered=False)
    breaker.next_probe = 0.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
