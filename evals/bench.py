"""`make bench`: times beside a stock Rasa bot's, in one run, as ratios.

The stock bot is what `rasa init` makes, asked over its own REST channel to say hello, with its tracker on SQLite as ours is.
Rounds alternate, so that a busy machine is busy for both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from evals.measure import p95
from knowledge.build import current
from knowledge.safety.screen import Screen
from tools.burst import burst
from tools.running import ROOT, Server, free_port, running
from web.settings import settings

ROUNDS = 3
EMERGENCY = "I took too much and can't breathe"
SINGLE = 40
AT_ONCE = 16
BURST = 160
QUESTIONS = ("Does ketamine work for CRPS?", "Is ketamine addictive?", "Can ketamine harm the bladder?", "How long does relief last?")
RASA = [str(ROOT / ".venv-bot/bin/python"), "-m", "rasa"]
ENVIRONMENT = {**os.environ, "RASA_TELEMETRY_ENABLED": "false", "PYTHONWARNINGS": "ignore", "LOG_LEVEL": "ERROR", "TF_CPP_MIN_LOG_LEVEL": "3"}


def stock_project() -> Path:
    """The trained stock bot, made once."""
    folder = settings().builds.resolve() / "stock-bot"
    if not list((folder / "models").glob("*.tar.gz")):
        print("training the stock bot (some minutes, once)", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([*RASA, "init", "--no-prompt", "--init-dir", str(folder)], env=ENVIRONMENT, check=True, capture_output=True)  # noqa: S603
    return folder


@contextmanager
def stock(folder: Path, var: Path) -> Iterator[str]:
    """The stock bot running; gives the address of its REST channel."""
    port = free_port()
    endpoints = var / "endpoints.yml"
    endpoints.write_text(f"tracker_store:\n  type: SQL\n  dialect: sqlite\n  db: {var / 'stock.db'}\n", "utf-8")
    command = [*RASA, "run", "--port", str(port), "--interface", "127.0.0.1", "--connector", "rest", "--endpoints", str(endpoints)]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                httpx.get(url, timeout=1, trust_env=False)
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the stock bot did not start") from None
                time.sleep(0.5)
        yield f"{url}/webhooks/rest/webhook"
    finally:
        process.terminate()
        process.wait(timeout=30)


def timed(do: Callable[[int], None], n: int) -> list[float]:
    """Milliseconds of n calls, one after the other."""
    times = []
    for i in range(n):
        started = time.perf_counter()
        do(i)
        times.append(1000 * (time.perf_counter() - started))
    return times


def per_second(do: Callable[[int], None]) -> float:
    """Calls a second at 16 at once."""
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(do, range(BURST)))
    return BURST / (time.perf_counter() - started)


def screen_times() -> None:
    """The safety screen in process: ordinary messages, and the worst of 2,000 characters."""
    screen = Screen.load(current(settings().builds) / "content")
    ordinary = timed(lambda i: screen.check(QUESTIONS[i % 4]) and None, 200)  # type: ignore[func-returns-value]
    long = [("my knee hurts and i am tired of it all " * 60)[:2000], ("k i l l " * 300)[:2000], ("ketamime infusoin helpp " * 90)[:2000], "a" * 2000]
    worst = max(t for text in long for t in timed(lambda i, text=text: screen.check(text) and None, 5))  # type: ignore[misc,func-returns-value]
    print(f"screen: p50 {statistics.median(ordinary):.1f} ms, worst of 2,000 characters {worst:.1f} ms")


def emergency_among(server: Server, others: int = 64, rounds: int = 4) -> None:
    """The dialogue stopped, 64 ordinary messages at one instant, one emergency among them: first, in the middle, last."""
    for name, place in (("first", 0), ("in the middle", others // 2), ("last", others)):
        times, slowest = [], 0.0
        for _ in range(rounds):
            messages = [(server.start(), QUESTIONS[i % len(QUESTIONS)]) for i in range(others)]
            messages.insert(place, (server.start(), EMERGENCY))
            server.wait_answering()  # the breaker is closed again
            with server.stopped("rasa"):
                results = burst(server.url, messages)
            urgent = results.pop(place)
            if urgent["reply"]["kind"] != "urgent" or {r["reply"]["kind"] for r in results} != {"unavailable"}:
                raise RuntimeError("a wrong reply in the burst")
            times.append(urgent["ms"])
            slowest = max(slowest, *(r["ms"] for r in results))
        print(
            f"emergency {name} among {others} with the dialogue stopped: min {min(times):.0f}, median {statistics.median(times):.0f}, "
            f"max {max(times):.0f} ms; the others after {slowest / 1000:.1f} s at most",
            flush=True,
        )


def ask(server: Server, i: int) -> None:
    """One full cited answer in a conversation of its own, without the time to begin it."""
    reply = server.say(_conversations.pop(), QUESTIONS[i % len(QUESTIONS)])
    if reply["kind"] != "answer" or not reply["citations"]:
        raise RuntimeError(f"not a cited answer: {reply['kind']}")


_conversations: list[str] = []


def main() -> int:
    """Entry point; returns the exit code."""
    screen_times()
    folder = stock_project()
    ours: dict[str, list[float]] = {"times": [], "rate": []}
    theirs: dict[str, list[float]] = {"times": [], "rate": []}
    with tempfile.TemporaryDirectory() as place:
        var = Path(place)
        with running(var / "var") as server, stock(folder, var) as url, httpx.Client(timeout=30, trust_env=False, limits=httpx.Limits(max_connections=32)) as client:

            def hello(_: int) -> None:
                reply = client.post(url, json={"sender": uuid.uuid4().hex, "message": "hello"}).json()
                if not reply:
                    raise RuntimeError("the stock bot said nothing")

            def answer(i: int) -> None:
                ask(server, i)

            _conversations[:] = [server.start() for _ in range((SINGLE + BURST + 4) * ROUNDS)]
            timed(hello, 4), timed(answer, 4)
            for number in range(1, ROUNDS + 1):
                ours["times"] += (mine := timed(answer, SINGLE))
                theirs["times"] += (stocks := timed(hello, SINGLE))
                ours["rate"].append(per_second(answer))
                theirs["rate"].append(per_second(hello))
                print(
                    f"round {number}: answer p50 {statistics.median(mine):.0f} p95 {p95(mine):.0f} ms, {ours['rate'][-1]:.0f}/s at {AT_ONCE}; "
                    f"stock hello p50 {statistics.median(stocks):.0f} p95 {p95(stocks):.0f} ms, {theirs['rate'][-1]:.0f}/s",
                    flush=True,
                )
            emergency_among(server)
    print(f"answer: p50 {statistics.median(ours['times']):.0f} ms, p95 {p95(ours['times']):.0f} ms, {statistics.median(ours['rate']):.0f} messages/s at {AT_ONCE} at once")
    print(f"stock:  p50 {statistics.median(theirs['times']):.0f} ms, p95 {p95(theirs['times']):.0f} ms, {statistics.median(theirs['rate']):.0f} messages/s at {AT_ONCE} at once")
    print(f"ratio p50: {statistics.median(ours['times']) / statistics.median(theirs['times']):.2f}")
    print(f"ratio throughput: {statistics.median(ours['rate']) / statistics.median(theirs['rate']):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
