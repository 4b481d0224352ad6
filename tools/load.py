"""Conversations as patients have them, many at once: `python -m tools.load` (make load) measures, `tools.cluster_test` counts.

The words are ours and stand in this file: load is measured, not understanding (that is `make eval`).
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from knowledge.errors import BuildMissing
from tools.running import running
from web.settings import SettingsError

CONVERSATIONS = (
    ("en", ("Does ketamine help CRPS?", "How long does the relief last?", "What are the side effects?", "and the bladder?", "thank you")),
    ("en", ("hello", "I have fibromyalgia. Would it help?", "how much should I take?", "Is it approved by the FDA?")),
    ("en", ("Is ketamine addictive?", "tell me more", "Can I drive afterwards?", "What does it cost?", "ok thanks")),
    ("es", ("¿La ketamina ayuda con el dolor crónico?", "¿Cuáles son los riesgos?", "¿Es adictiva?")),
    ("en", ("what happens during an infusion", "will it hurt", "can I take it with my gabapentin", "what is the capital of France")),
    ("en", ("does keatmine help nerve pain", "what about the nasal spray", "is it bad for the liver")),
)
EMERGENCY = "I took too much and can't breathe"
EMERGENCY_EVERY = 50  # messages
PAUSE = 0.5  # seconds a client waits before it sends a message again


@dataclass
class Sent:
    """What became of one message.

    Attributes:
        conversation: Its id.
        text: As sent.
        seconds: From the first sending to the last answer.
        status: HTTP status of the last answer; 0 without one.
        reply: The Reply, or None.
        tries: Times it was sent.
        failures: Every other answer that came before: (status, whether it told whom to call and when to come back).
        begun: When it was first sent, by `time.monotonic`.
    """

    conversation: str
    text: str
    seconds: float = 0.0
    status: int = 0
    reply: dict[str, Any] | None = None
    tries: int = 0
    failures: list[tuple[int, bool]] = field(default_factory=list)
    begun: float = 0.0


class Client:
    """A browser's way to talk: kept connections, message ids, and sending again where asked to.

    Args:
        url: The web server or the proxy before it.
        at_once: Connections kept.
        patience: Seconds for which a message that failed is sent again with its id; 0 for never.
    """

    def __init__(self, url: str, at_once: int, patience: float = 0.0):
        self._url = url
        self._patience = patience
        self._pool = urllib3.PoolManager(maxsize=at_once, timeout=urllib3.Timeout(30), retries=False)

    def begin(self, language: str = "en") -> str | None:
        """A new conversation's id; None when that failed for the whole of our patience."""
        until = time.monotonic() + self._patience
        while True:
            status, _, body = self._send("POST", "/api/conversations", {"language": language})
            if status == 201:
                return str(body["conversation_id"])
            if time.monotonic() > until:
                return None
            time.sleep(PAUSE)

    def say(self, conversation: str, text: str) -> Sent:
        """Send a message, and again while it fails in a way that may pass."""
        sent, message_id, begun = Sent(conversation, text, begun=time.monotonic()), uuid.uuid4().hex, time.perf_counter()
        until = time.monotonic() + self._patience
        while True:
            sent.tries += 1
            sent.status, headers, body = self._send("POST", f"/api/conversations/{conversation}/messages", {"text": text, "message_id": message_id})
            sent.seconds = time.perf_counter() - begun
            if sent.status == 200:
                sent.reply = body["reply"]
                return sent
            told = bool(body.get("contacts")) and (sent.status not in (429, 503) or "Retry-After" in headers)
            sent.failures.append((sent.status, told))
            if time.monotonic() > until or sent.status not in (0, 429, 500, 502, 503, 504):
                return sent
            time.sleep(PAUSE)

    def transcript(self, conversation: str) -> list[dict[str, Any]] | None:
        """The messages kept of a conversation; None when it cannot be read."""
        for _ in range(20):
            status, _, body = self._send("GET", f"/api/conversations/{conversation}", None)
            if status == 200:
                return list(body["messages"])
            time.sleep(PAUSE)
        return None

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any, dict[str, Any]]:
        try:
            response = self._pool.request(method, self._url + path, json=body) if body is not None else self._pool.request(method, self._url + path)
            found = response.json() if response.data else {}
            return response.status, response.headers, found if isinstance(found, dict) else {}
        except (urllib3.exceptions.HTTPError, ValueError):
            return 0, {}, {}


def drive(client: Client, at_once: int, more: Callable[[int], bool], reading: float = 0.0) -> list[Sent]:
    """Hold conversations, so many at once, and return all that was sent.

    Args:
        client: Sends.
        at_once: Conversations at once, each waiting for its reply before it goes on.
        more: Whether to go on, given the number of messages sent so far.
        reading: Seconds somebody waits who was told to try again in a moment.
    """
    script = itertools.cycle(CONVERSATIONS)
    lock = threading.Lock()
    everything: list[Sent] = []
    number = itertools.count(1)

    def person() -> None:
        while more(len(everything)):
            with lock:
                language, texts = next(script)
            conversation = client.begin(language)
            if conversation is None:
                continue
            for text in texts:
                if not more(len(everything)):
                    return
                if next(number) % EMERGENCY_EVERY == 0:
                    text = EMERGENCY
                sent = client.say(conversation, text)
                with lock:
                    everything.append(sent)
                if sent.reply and sent.reply["kind"] == "unavailable":
                    time.sleep(reading)  # "try again in a moment", it says

    people = [threading.Thread(target=person, daemon=True) for _ in range(at_once)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return everything


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def row(at_once: int, seconds: float, sent: list[Sent]) -> str:
    """A line of the table."""
    good = [s for s in sent if s.reply]
    urgent = [s for s in good if s.text == EMERGENCY]
    times = [1000 * s.seconds for s in good]
    kinds = Counter(str(s.reply["kind"]) for s in good if s.reply)
    refused = [f for s in sent for f in s.failures]
    limits = sum(status in (429, 503) for status, _ in refused)
    clean = sum(told for status, told in refused if status in (429, 503))
    wrong = sum(s.reply["kind"] != "urgent" for s in urgent if s.reply)
    return (
        f"{at_once:>7} {len(sent):>6} {len(good) / seconds:>7.1f} {percentile(times, 0.5):>7.0f} {percentile(times, 0.95):>7.0f} {percentile(times, 0.99):>7.0f} "
        f"{percentile([1000 * s.seconds for s in urgent], 0.95):>9.0f} {kinds['unavailable']:>11} {limits:>7} {clean:>5} {len(refused) - limits + wrong:>6}"
    )


HEAD = "at once   sent msg/s     p50     p95     p99 urgent95 unavailable 429/503 clean errors"


@contextmanager
def target(arguments: argparse.Namespace) -> Iterator[str]:
    """The address to load: one that runs already, a cluster, or a system of one machine, started for it."""
    if arguments.url:
        yield arguments.url
    elif arguments.cluster:
        from tools.cluster import cluster

        with cluster() as server:
            server.wait_answering()
            yield server.url
    else:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "var", KETAMINE_GUIDE_WORKERS=str(arguments.workers)) as server:
            server.wait_answering()
            yield server.url


def main() -> int:
    """Entry point; returns the exit code: 1 when there was an error other than a clean 429 or 503."""
    parser = argparse.ArgumentParser(prog="python -m tools.load", description=__doc__)
    parser.add_argument("--url", help="a guide that runs, with rate limits off; else one is started")
    parser.add_argument("--cluster", action="store_true", help="start the cluster instead of a system of one machine")
    parser.add_argument("--workers", type=int, default=1, help="web workers of a system of one machine")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, default=30, help="for each")
    arguments = parser.parse_args()
    bad = 0
    try:
        with target(arguments) as url:
            print(HEAD + "      (times in ms)", flush=True)
            for at_once in arguments.at_once:
                begun = time.monotonic()
                until = begun + arguments.seconds
                sent = drive(Client(url, at_once), at_once, lambda _, until=until: time.monotonic() < until)
                print(row(at_once, time.monotonic() - begun, sent), flush=True)
                bad += sum(not (status in (429, 503) and told) for s in sent for status, told in s.failures)
    except (RuntimeError, SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
