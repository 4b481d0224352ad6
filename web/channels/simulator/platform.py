"""A server on the loopback that takes messages as Twilio, Meta, Telegram and Slack do, and refuses what they refuse.

Sources: the API pages named in each channel's module; the shapes of answers are those pages' examples.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

Answer = tuple[int, dict[str, Any], dict[str, str]]  # status, body, headers


@dataclass(frozen=True)
class Shown:
    """A message as the person sees it.

    Attributes:
        text: Its text.
        buttons: (label, value) of what can be tapped.
        menu: The buttons are in a menu that opens at a tap.
        quoted: It quotes the message it answers.

    """

    text: str
    buttons: tuple[tuple[str, str], ...] = ()
    menu: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Received:
    """A request that the platform got, and what became of it."""

    path: str
    to: str
    data: dict[str, Any]
    shown: Shown | None
    at: float = field(default_factory=time.monotonic)


class Refused(Exception):
    """Raised when the platform would refuse a message."""

    def __init__(self, status: int, body: dict[str, Any]):
        self.status, self.body = status, body
        super().__init__(str(status))


@dataclass
class Platform:
    """All platforms at one loopback address.

    Attributes:
        failures: What to do with the next requests instead: a status, ("sleep", seconds), or (status, headers).
        received: What was taken, in order.
        refused: What was refused, with the reason.
        port: Where to listen; 0 for any free port.

    """

    port: int = 0
    failures: list[Any] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tries: int = 0
    on_message: Callable[[Received], None] | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                platform._handle(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        listen = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="pretend-platform", daemon=True)
        listen.start()

    def settings(self) -> dict[str, str]:
        """The settings that send our messages here."""
        return {
            "twilio_api": self.url,
            "telegram_api": self.url,
            "meta_api": f"{self.url}/v23.0",
            "slack_api": f"{self.url}/api",
        }

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def messages(self, to: str | None = None) -> list[Shown]:
        """What was shown, to somebody or to all."""
        with self._lock:
            return [r.shown for r in self.received if r.shown is not None and to in (None, r.to)]

    def wait(self, count: int, timeout: float = 5.0, to: str | None = None) -> list[Shown]:
        """Wait until so many messages were shown."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.messages(to)
            left = deadline - time.monotonic()
            if len(found) >= count or left <= 0:
                return found
            with self._arrived:
                self._arrived.wait(min(left, 0.05))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._lock:
            self.tries += 1
            failure = self.failures.pop(0) if self.failures else None
        headers: dict[str, str] = {}
        if isinstance(failure, tuple) and failure[0] == "sleep":
            time.sleep(failure[1])
            failure = None
        if failure is not None:
            status, headers = failure if isinstance(failure, tuple) else (failure, {})
            self._answer(handler, status, {"ok": False, "error": {"message": "pretended"}}, headers)
            return
        try:
            body, got = self._take(handler.path, {k.lower(): v for k, v in handler.headers.items()}, raw)
        except Refused as error:
            with self._lock:
                self.refused.append(json.dumps(error.body))
            self._answer(handler, error.status, error.body, headers)
            return
        with self._arrived:
            self.received.append(got)
            self._arrived.notify_all()
        if self.on_message and got.shown:
            self.on_message(got)
        self._answer(handler, 201 if "/Messages.json" in got.path else 200, body, headers)

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            pass  # the client gave up waiting, which is what was pretended

    def _take(self, path: str, headers: dict[str, str], raw: bytes) -> tuple[dict[str, Any], Received]:
        number = len(self.received) + 1
        if path.endswith("/Messages.json"):
            return _twilio(path, headers, raw, number)
        data = json.loads(raw)
        if path.startswith("/bot"):
            return _telegram(path, data, number)
        if path.startswith("/api/"):
            return _slack(path, headers, data, number)
        if "messaging_product" in data:
            return _whatsapp(path, headers, data, number)
        return _messenger(path, headers, data, number)


def _need(good: bool, status: int, body: dict[str, Any]) -> None:
    if not good:
        raise Refused(status, body)


def _twilio(path: str, headers: dict[str, str], raw: bytes, number: int) -> tuple[dict[str, Any], Received]:
    data = dict(parse_qsl(raw.decode()))
    sent = headers.get("authorization", "")
    sid = path.split("/")[3]
    known = sent.startswith("Basic ") and base64.b64decode(sent[6:]).decode().startswith(f"{sid}:")
    _need(known, 401, {"code": 20003, "message": "Authenticate", "status": 401})
    _need(bool(data.get("Body")), 400, {"code": 21602, "message": "Message body is required.", "status": 400})
    too_long = {
        "code": 21617,
        "message": "The concatenated message body exceeds the 1600 character limit.",
        "status": 400,
    }
    _need(len(data["Body"]) <= 1600, 400, too_long)
    body = {"sid": f"SM{number:032x}", "status": "queued", "to": data["To"], "from": data["From"], "error_code": None}
    return body, Received(path, data["To"], data, Shown(data["Body"]))


def _meta_error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "A"}}


def _whatsapp(path: str, headers: dict[str, str], data: dict[str, Any], number: int) -> tuple[dict[str, Any], Received]:
    _need(headers.get("authorization", "").startswith("Bearer "), 401, _meta_error(190, "Invalid access token"))
    bad = _meta_error(131009, "Parameter value is not valid")
    buttons: list[tuple[str, str]] = []
    menu = False
    if data["type"] == "interactive":
        part = data["interactive"]
        text, action = part["body"]["text"], part["action"]
        _need(0 < len(text) <= 1024, 400, bad)
        if part["type"] == "button":
            _need(1 <= len(action["buttons"]) <= 3, 400, bad)
            buttons = [(b["reply"]["title"], b["reply"]["id"]) for b in action["buttons"]]
            _need(all(0 < len(t) <= 20 and 0 < len(i) <= 256 for t, i in buttons), 400, bad)
        else:
            menu = True
            rows = [r for s in action["sections"] for r in s["rows"]]
            _need(0 < len(action["button"]) <= 20 and 1 <= len(rows) <= 10, 400, bad)
            _need(all(0 < len(r["title"]) <= 24 and len(r.get("description", "")) <= 72 for r in rows), 400, bad)
            buttons = [(r.get("description") or r["title"], r["id"]) for r in rows]
        _need(len({t for t, _ in buttons}) == len(buttons), 400, bad)
    else:
        text = data["text"]["body"]
        _need(0 < len(text) <= 4096, 400, bad)
    body = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": data["to"], "wa_id": data["to"]}],
        "messages": [{"id": f"wamid.out{number}"}],
    }
    return body, Received(path, data["to"], data, Shown(text, tuple(buttons), menu, "context" in data))


def _messenger(
    path: str, headers: dict[str, str], data: dict[str, Any], number: int
) -> tuple[dict[str, Any], Received]:
    _need(headers.get("authorization", "").startswith("Bearer "), 401, _meta_error(190, "Invalid access token"))
    message, to = data["message"], data["recipient"]["id"]
    quick = message.get("quick_replies", [])
    bad = _meta_error(100, "Invalid parameter")
    _need(0 < len(message["text"]) <= 2000 and len(quick) <= 13, 400, bad)
    _need(all(len(q["title"]) <= 20 and len(q["payload"]) <= 1000 for q in quick), 400, bad)
    body = {"recipient_id": to, "message_id": f"m_out{number}"}
    shown = Shown(message["text"], tuple((q["title"], q["payload"]) for q in quick))
    return body, Received(path, to, data, shown)


def _telegram(path: str, data: dict[str, Any], number: int) -> tuple[dict[str, Any], Received]:
    def bad(text: str) -> dict[str, Any]:
        return {"ok": False, "error_code": 400, "description": f"Bad Request: {text}"}

    if path.endswith("/answerCallbackQuery"):
        return {"ok": True, "result": True}, Received(path, "", data, None)
    _need(path.endswith("/sendMessage"), 404, {"ok": False, "error_code": 404, "description": "Not Found"})
    text = data["text"]
    _need(bool(text), 400, bad("message text is empty"))
    _need(len(text.encode("utf-16-le")) // 2 <= 4096, 400, bad("message is too long"))
    rows = data.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [(b["text"], b["callback_data"]) for row in rows for b in row]
    _need(all(1 <= len(v.encode()) <= 64 for _, v in buttons), 400, bad("BUTTON_DATA_INVALID"))
    chat = {"id": data["chat_id"], "type": "private"}
    result = {"message_id": 1000 + number, "date": int(time.time()), "chat": chat, "text": text}
    shown = Shown(text, tuple(buttons), quoted="reply_parameters" in data)
    return {"ok": True, "result": result}, Received(path, str(data["chat_id"]), data, shown)


def _slack(path: str, headers: dict[str, str], data: dict[str, Any], number: int) -> tuple[dict[str, Any], Received]:
    if not headers.get("authorization", "").startswith("Bearer xoxb-"):
        raise Refused(200, {"ok": False, "error": "not_authed"})
    blocks = data.get("blocks", [])
    sections = [b["text"]["text"] for b in blocks if b["type"] == "section"]
    elements = [e for b in blocks if b["type"] == "actions" for e in b["elements"]]
    good = len(blocks) <= 50 and len(elements) <= 25 and all(0 < len(s) <= 3000 for s in sections)
    good = good and all(len(e["text"]["text"]) <= 75 and len(e["value"]) <= 2000 for e in elements)
    good = good and len({e["action_id"] for e in elements}) == len(elements)
    if not good:
        raise Refused(200, {"ok": False, "error": "invalid_blocks"})
    stamp = f"{time.time():.6f}"
    shown = Shown(
        "\n".join(sections), tuple((e["text"]["text"], e["value"]) for e in elements), quoted="thread_ts" in data
    )
    body = {"ok": True, "channel": data["channel"], "ts": stamp, "message": {"text": data["text"], "ts": stamp}}
    return body, Received(path, data["channel"], data, shown)
