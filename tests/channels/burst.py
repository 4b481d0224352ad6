"""1,000 webhook requests at 20 at once on one channel: how many are lost, how many doubled.

python -m tests.channels.burst [channel] [--requests 1000] [--at-once 20] [--twice 0.1]

Runs the channels with the real guide, screen and database over real HTTP; a scripted dialogue stands in for Rasa, so
that the numbers are the channels' own. `--twice` is the share of messages that the platform delivers a second time.
"""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from werkzeug.serving import make_server

from tests.channels.fakes import make_world, twiml
from web.channels.simulator.sender import PHONES, Hook
from web.logs import configure

QUESTION = "Does ketamine help CRPS?"
ANSWER = "[1]"


def burst(name: str, requests: int, at_once: int, twice: float, folder: Path) -> dict[str, float]:
    """Send the burst and count what each phone got."""
    world = make_world(folder)
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    people = []
    hooks: list[tuple[str, Hook]] = []
    for n in range(requests):
        phone = world.phone(name, f"U{n:08d}" if name == "slack" else f"1555{n:07d}")
        people.append(phone.sender.address)
        hooks.append((phone.sender.address, phone.sender.text(QUESTION)))
    hooks += random.sample(hooks, int(requests * twice))
    random.shuffle(hooks)
    inline: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    times: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60, trust_env=False) as client:
            while True:
                with lock:
                    if not hooks:
                        return
                    address, hook = hooks.pop()
                started = time.perf_counter()
                response = client.post(hook.path, content=hook.body, headers=hook.headers)
                with lock:
                    times.append(time.perf_counter() - started)
                    statuses[response.status_code] += 1
                    if response.headers["content-type"].startswith("text/xml"):
                        inline[address] += sum(ANSWER in s.text for s in twiml(response.text))

    started = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    world.doors[PHONES[name].channel].lanes.close(60)
    got = Counter(inline)
    for received in world.platform.received:
        if received.shown and ANSWER in received.shown.text:
            got[received.to] += 1
    times.sort()
    result = {
        "requests": sum(statuses.values()),
        "not 200": sum(n for s, n in statuses.items() if s != 200),
        "lost": sum(got[p] == 0 for p in people),
        "doubled": sum(got[p] > 1 for p in people),
        "asked": len(world.script.asked),
        "refused by the platform": len(world.platform.refused),
        "per second": round(sum(statuses.values()) / seconds, 1),
        "p50 ms": round(1000 * times[len(times) // 2]),
        "p99 ms": round(1000 * times[int(len(times) * 0.99)]),
    }
    server.shutdown()
    world.close()
    return result


def main() -> int:
    """Run from the command line; fails when a message was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("channel", nargs="?", default="telegram", choices=sorted(PHONES))
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--twice", type=float, default=0.1)
    chosen = parser.parse_args()
    configure("error")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        result = burst(chosen.channel, chosen.requests, chosen.at_once, chosen.twice, Path(folder))
    for key, value in result.items():
        print(f"{key:>24}: {value}")
    return 1 if result["lost"] or result["doubled"] or result["not 200"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
