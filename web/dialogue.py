"""Asking Rasa, without ever letting it take the web server down with it."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import urllib3

from knowledge import door
from knowledge.decision import Decision

OPEN_AFTER = 3  # time-outs in a row
PROBE_EVERY = 2.0  # seconds


class Meter(Protocol):
    """Counts stage errors."""

    def __call__(self, stage: str) -> None: ...


@dataclass
class Breaker:
    """Opens after three time-outs in a row, then lets one message through every two seconds to probe.

    Source: the circuit breaker of M. Nygard, Release It! (2007), ch. 5.
    """

    failures: int = 0
    next_probe: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Whether a message may try now."""
        with self._lock:
            if self.failures < OPEN_AFTER:
                return True
            now = time.monotonic()
            if now < self.next_probe:
                return False
            self.next_probe = now + PROBE_EVERY
            return True

    def record(self, answered: bool) -> None:
        """Tell how it went."""
        with self._lock:
            self.failures = 0 if answered else self.failures + 1
            if not answered:
                self.next_probe = time.monotonic() + PROBE_EVERY


class Dialogue:
    """Rasa's REST channel on the loopback.

    Args:
        url: Its address.
        timeout: Longest wait in seconds.
        waiting: How many messages may wait at once; beyond it `unavailable` at once, so that threads stay free.
        count_error: Counts stage errors.
        token_file: File of the token that the internal ports ask for.
    """

    def __init__(self, url: str, timeout: float, waiting: int, count_error: Meter = lambda stage: None, token_file: Path | None = None):
        self._url = url
        self._slots = threading.BoundedSemaphore(waiting)
        self._breaker = Breaker()
        self._count_error = count_error
        self._headers = {"Content-Type": "application/json"}
        if token_file is not None and token_file.exists():
            self._headers[door.HEADER] = door.credentials(token_file)
        self._pool = urllib3.PoolManager(maxsize=waiting, timeout=urllib3.Timeout(timeout), retries=False)

    def ask(self, sender: str, text: str, vector: np.ndarray | None, about: dict[str, str]) -> Decision:
        """The dialogue's Decision on a message; every failure is a Decision of kind `unavailable`.

        Args:
            sender: The conversation's internal id.
            text: The prepared text. Leading slashes are taken off: Rasa would read them as commands.
            vector: Its encoding (384,), or None.
            about: Region, language and request id, for the action.
        """
        text = text.lstrip("/ ")
        if not text:
            return Decision("clarify", lead="ask_rephrase", suggestions=("efficacy.general", "risk.general", "practical.what_happens"))
        if not self._breaker.allows():
            return Decision("unavailable", reason="down")
        if not self._slots.acquire(blocking=False):
            self._count_error("busy")
            return Decision("unavailable", reason="timeout")
        try:
            return self._post(sender, text, vector, about)
        finally:
            self._slots.release()

    def _post(self, sender: str, text: str, vector: np.ndarray | None, about: dict[str, str]) -> Decision:
        metadata: dict[str, Any] = dict(about)
        if vector is not None:
            metadata["vector"] = base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")
        body = json.dumps({"sender": sender, "message": text, "metadata": metadata}).encode()
        try:
            response = self._pool.request("POST", self._url, body=body, headers=self._headers)
            replies = json.loads(response.data) if response.status == 200 else None
        except urllib3.exceptions.NewConnectionError:  # before time-outs: urllib3 counts it among them
            replies = None
        except urllib3.exceptions.TimeoutError:
            self._breaker.record(answered=False)
            self._count_error("timeout")
            return Decision("unavailable", reason="timeout")
        except (urllib3.exceptions.HTTPError, ValueError):
            replies = None
        if replies is None:
            self._count_error("down")
            return Decision("unavailable", reason="down")
        self._breaker.record(answered=True)
        # no message at all is how Rasa's REST channel tells that the action server failed
        for reply in replies if isinstance(replies, list) else ():
            decision = (reply.get("custom") or {}).get("decision") if isinstance(reply, dict) else None
            if decision is not None:
                try:
                    return Decision.from_dict(decision)
                except ValueError:
                    break
        self._count_error("empty")
        return Decision("unavailable", reason="down")

    def alive(self, url: str) -> bool:
        """Whether a loopback address answers at all (for readiness)."""
        try:
            return self._pool.request("GET", url, timeout=1.0, headers=self._headers).status == 200
        except urllib3.exceptions.HTTPError:
            return False
