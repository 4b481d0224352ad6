"""Conversations as patients have them, many at once: `python -m tools.load` (make load) measures, `tools.cluster_test` counts.

For one web worker and for two: throughput, waiting, errors and how busy each process is; the knee; and at the knee, by py-spy,
what the processor works on. The words are ours and stand in this file: load is measured, not understanding (that is `make eval`).
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from knowledge.errors import BuildMissing
from tools.running import Server, running
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
PROCESSES = ("web", "rasa", "actions")
STAGES = (
    ("encoding", ("onnxruntime", "tokenizers/", "knowledge/encoder")),
    ("safety screen", ("knowledge/safety/", "/re2/")),
    ("the reply's words", ("knowledge/answer",)),
    ("search and decision", ("knowledge/", "faiss/", "bm25s/", "rapidfuzz/", "actions/")),
    ("database", ("sqlalchemy/", "web/store", "bot/store", "psycopg")),
    ("intent of the message", ("sklearn/", "bot/featurizer", "rasa/nlu/", "scipy/")),
    ("JSON", ("/json/", "/jsonschema/")),
    ("logging", ("/logging/", "structlog/")),
    ("metrics", ("prometheus_client/", "web/metrics")),
    ("HTTP", ("sanic/", "aiohttp/", "uvloop", "asyncio/", "gunicorn/", "werkzeug/", "flask/", "urllib3/", "/http/", "socket.py", "selectors.py")),
    ("the rest of Rasa", ("rasa/", "bot/")),
)
LOOPS = ("run_forever", "run_until_complete", "sanic/server")  # innermost only while compiled code of the loop runs, or waits
KNEE = 0.95  # of the best throughput
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


def family(pid: int) -> set[int]:
    """A process and all below it; empty when it is gone."""
    found = {pid}
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                found |= family(int(child))
    except OSError:
        return set()
    return found


def worked(pid: int) -> float:
    """Seconds of processor time that a process and all below it have used."""
    ticks = 0
    for one in family(pid):
        with suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{one}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def knee(throughputs: dict[int, float]) -> int:
    """The fewest at once with which throughput is as good as it gets."""
    best = max(throughputs.values())
    return min(n for n, t in throughputs.items() if t >= KNEE * best)


def shares(stacks: str) -> Counter[str]:
    """Samples by stage: of each stack the innermost frame that belongs to a stage decides.

    Args:
        stacks: Lines of py-spy's format `raw`: frames from the outermost, joined by semicolons, and a count.
    """
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        inner = frames.split(";")[::-1]
        stage = next((name for frame in inner for name, words in STAGES if any(w in frame for w in words)), "Python itself")
        if any(word in inner[0] for word in LOOPS):
            stage = "event loop, waiting included"
        found[stage] += int(count)
    return found


def profile(server: Server, at_once: int, seconds: int) -> Iterator[str]:
    """What each process works on under that load; a line a process."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        yield "py-spy is not installed"
        return
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in PROCESSES}
        until = time.monotonic() + seconds + 2
        command = [program, "record", "--subprocesses", "--full-filenames", "--nonblocking", "--format", "raw", "--rate", "50", "--duration", str(seconds)]
        spies = [
            subprocess.Popen([*command, "--pid", str(server.pid(name)), "--output", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
            for name, file in files.items()
        ]
        drive(Client(server.url, at_once), at_once, lambda _: time.monotonic() < until)
        for spy in spies:
            spy.wait(timeout=60)
        for name, file in files.items():
            found = shares(file.read_text("utf-8")) if file.exists() else Counter[str]()
            said = ", ".join(f"{stage} {100 * n / found.total():.0f}%" for stage, n in found.most_common(6))
            yield f"  {name:<8} {said or 'py-spy could not look into it'}"


def row(at_once: int, seconds: float, sent: list[Sent], busy: list[float] | None = None) -> str:
    """A line of the table; `busy` is the share of a core that each process took."""
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
        + "".join(f" {100 * b:>6.0f}%" for b in busy or ())
    )


HEAD = "at once   sent msg/s     p50     p95     p99  urgent95 unavailable 429/503 clean errors"


@contextmanager
def target(arguments: argparse.Namespace, workers: int) -> Iterator[tuple[str, Server | None]]:
    """The address to load: one that runs already, a cluster, or a system of one machine, started for it, whose processes can be looked at."""
    if arguments.url:
        yield arguments.url, None
    elif arguments.cluster:
        from tools.cluster import cluster

        with cluster() as server:
            server.wait_answering()
            yield server.url, None
    else:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "var", KETAMINE_GUIDE_WORKERS=str(workers)) as server:
            server.wait_answering()
            yield server.url, server


def measure(url: str, server: Server | None, arguments: argparse.Namespace) -> int:
    """Print the table of one system; returns the number of errors other than a clean 429 or 503."""
    bad = 0
    pids = [server.pid(name) for name in PROCESSES] if server else []
    throughputs = {}
    print(HEAD + "".join(f" {name:>7}" for name in PROCESSES[: len(pids)]) + "   (ms; % of a core)", flush=True)
    for at_once in arguments.at_once:
        begun, before = time.monotonic(), [worked(pid) for pid in pids]
        until = begun + arguments.seconds
        sent = drive(Client(url, at_once), at_once, lambda _, until=until: time.monotonic() < until)
        seconds = time.monotonic() - begun
        busy = [(worked(pid) - b) / seconds for pid, b in zip(pids, before, strict=True)]
        print(row(at_once, seconds, sent, busy), flush=True)
        throughputs[at_once] = sum(s.reply is not None and s.reply["kind"] != "unavailable" for s in sent) / seconds
        bad += sum(not (status in (429, 503) and told) for s in sent for status, told in s.failures)
    print(f"knee: {knee(throughputs)} at once, {throughputs[knee(throughputs)]:.1f} messages answered a second, on {os.cpu_count()} cores", flush=True)
    if server and arguments.profile:
        print(f"what each process works on at {knee(throughputs)} at once:")
        for line in profile(server, knee(throughputs), arguments.profile):
            print(line, flush=True)
    return bad


def main() -> int:
    """Entry point; returns the exit code: 1 when there was an error other than a clean 429 or 503."""
    parser = argparse.ArgumentParser(prog="python -m tools.load", description=__doc__)
    parser.add_argument("--url", help="a guide that runs, with rate limits off; else one is started")
    parser.add_argument("--cluster", action="store_true", help="start the cluster instead of a system of one machine")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="web workers of a system of one machine")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, default=20, help="for each")
    parser.add_argument("--profile", type=int, default=12, help="seconds for which py-spy looks at each process at the knee; 0 for not at all")
    arguments = parser.parse_args()
    bad = 0
    try:
        for workers in arguments.workers if not (arguments.url or arguments.cluster) else [0]:
            with target(arguments, workers) as (url, server):
                if workers:
                    print(f"{workers} web worker{'s' * (workers > 1)}")
                bad += measure(url, server, arguments)
    except (RuntimeError, SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
