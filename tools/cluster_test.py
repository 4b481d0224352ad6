"""What is left of messages while every process of the cluster is killed once: `python -m tools.cluster_test` (make cluster-test).

Clients do what the chat does: a message that failed is sent again with its id. At the end each conversation is read back and
compared with what its client was told. Exit code 1 when a message was lost or mixed up, when an error came without contacts,
or when an emergency got anything but the urgent reply.
"""

from __future__ import annotations

import argparse
import itertools
import math
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass

from knowledge.errors import BuildMissing
from tools.cluster import PARTS, Missing, cluster, end_on_signals, wait_listening
from tools.load import CONVERSATIONS, EMERGENCY, Client, Sent, drive
from tools.running import Server
from web.settings import SettingsError

PATIENCE = 60.0  # seconds for which a client goes on trying
READING = 1.0  # seconds a client waits after a reply that says to try again in a moment


@dataclass
class Hit:
    """A process that was killed or stopped.

    Attributes:
        name: The process.
        at: When, by `time.monotonic`.
        back: When it listened again.
    """

    name: str
    at: float
    back: float


def hunt(server: Server, how: signal.Signals, hit: list[Hit], stop: threading.Event) -> None:
    """Kill one process after another, each when the one before listens again; a stopped one goes on after 5 s."""
    for name in PARTS:
        if stop.wait(2):
            return
        server.send(name, how)
        hit.append(Hit(name, time.monotonic(), math.nan))
        if how == signal.SIGSTOP:
            stop.wait(5)
            server.send(name, signal.SIGCONT)
        if stop.wait(1):  # a process that was killed is gone a little later, and its port with it
            return
        port = "port" if name == "nginx" else name.replace("-", "_")
        with suppress(RuntimeError):
            wait_listening(server, port, 90)
        hit[-1].back = time.monotonic()


def first_answers(client: Client) -> dict[str, object]:
    """What an undisturbed guide says to each first question of a conversation."""
    told: dict[str, object] = {}
    for language, texts in CONVERSATIONS:
        conversation = client.begin(language)
        if conversation is not None and (reply := client.say(conversation, texts[0]).reply):
            told[texts[0]] = _said(reply)
    return told


def _said(reply: dict[str, object]) -> object:
    statements = reply["statements"]
    return reply["kind"], [s["id"] for s in statements] if isinstance(statements, list) else []


def audit(client: Client, sent: list[Sent], expected: dict[str, object]) -> Counter[str]:
    """Count what became of the messages."""
    found: Counter[str] = Counter(sent=len(sent))
    owner: dict[str, str] = {}
    by_conversation: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        by_conversation[one.conversation].append(one)
        found["sent again"] += one.tries - 1
        for status, told in one.failures:
            found["5xx"] += status >= 500
            found["connections lost"] += status == 0
            found["errors without contacts"] += status != 0 and not told
        if one.reply is None:
            continue
        found["acknowledged"] += 1
        found["unavailable"] += one.reply["kind"] == "unavailable"
        found["answered"] += one.reply["kind"] != "unavailable"
        found["emergencies"] += one.text == EMERGENCY
        found["emergencies missed"] += one.text == EMERGENCY and one.reply["kind"] != "urgent"
        found["mixed up"] += owner.setdefault(one.reply["reply_id"], one.conversation) != one.conversation
    for conversation, told in by_conversation.items():
        kept = client.transcript(conversation)
        if kept is None:
            found["lost"] += sum(one.reply is not None for one in told)
            continue
        # after each of the patient's messages comes the reply to it
        pairs = [(a["text"], b["reply"]) for a, b in itertools.pairwise(kept) if a["role"] == "patient" and b["role"] == "guide"]
        replies = {reply["reply_id"]: text for text, reply in pairs}
        texts = [m["text"] for m in kept if m["role"] == "patient"]
        for one in told:
            if one.reply is not None and one.reply["reply_id"] not in replies:
                found["lost"] += 1
                found["lost urgent"] += one.reply["kind"] == "urgent"
            elif one.reply is not None:
                found["mixed up"] += replies[one.reply["reply_id"]] != one.text
        found["mixed up"] += any(text not in {one.text for one in told} for text in texts)
        found["stored twice"] += len(texts) > len(told)
        first = told[0]
        if first.reply and first.text in expected and first.reply["kind"] != "unavailable":
            found["wrong first answers"] += _said(first.reply) != expected[first.text]
    return found


def table(found: Counter[str]) -> str:
    names = ("sent", "acknowledged", "answered", "unavailable", "lost", "mixed up", "stored twice", "wrong first answers", "emergencies", "emergencies missed",
             "5xx", "connections lost", "errors without contacts", "sent again")  # fmt: skip
    return "\n".join(f"  {name:<24} {found[name]:>7}" for name in names)


def by_part(sent: list[Sent], hit: list[Hit]) -> str:
    """What became of the messages answered after each process was hit and before the next one was."""
    lines = [f"  {'hit':<10} {'back after':>10} {'sent':>6} {'answered':>9} {'unavailable':>12} {'5xx':>5} {'slowest':>8}"]
    ends = [h.at for h in hit[1:]] + [math.inf]
    for one, end in zip(hit, ends, strict=True):
        those = [s for s in sent if one.at <= s.begun + s.seconds < end]
        unavailable = sum(s.reply is not None and s.reply["kind"] == "unavailable" for s in those)
        answered = sum(s.reply is not None for s in those) - unavailable
        errors = sum(status >= 500 for s in those for status, _ in s.failures)
        slowest = max((s.seconds for s in those), default=0.0)
        lines.append(f"  {one.name:<10} {one.back - one.at:>8.1f} s {len(those):>6} {answered:>9} {unavailable:>12} {errors:>5} {slowest:>6.1f} s")
    return "\n".join(lines)


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster_test", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000, help="at least so many; more while processes are still to be killed")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=5, help="sending ends then, whatever the number and whatever is not killed yet")
    parser.add_argument("--stop", action="store_true", help="SIGSTOP for 5 s instead of SIGKILL")
    arguments = parser.parse_args()
    end_on_signals()
    try:
        with cluster() as server:
            server.wait_answering()
            client = Client(server.url, arguments.at_once, PATIENCE)
            expected = first_answers(client)
            killed: list[Hit] = []
            stop = threading.Event()
            how = signal.SIGSTOP if arguments.stop else signal.SIGKILL
            hunter = threading.Thread(target=hunt, args=(server, how, killed, stop), daemon=True)
            begun = time.monotonic()
            hunter.start()

            def more(so_far: int) -> bool:
                """Until enough were sent and every process was hit, or the time is over."""
                return time.monotonic() - begun < arguments.minutes * 60 and (so_far < arguments.messages or hunter.is_alive())

            sent = drive(client, arguments.at_once, more, READING)
            seconds = time.monotonic() - begun
            stop.set()
            hunter.join()
            recovering = time.monotonic()
            server.wait_answering()
            again = time.monotonic() - recovering
            found = audit(client, sent, expected)
            print(f"{len(sent)} messages, {arguments.at_once} at once, {seconds:.0f} s; {'stopped for 5 s' if arguments.stop else 'killed'}: {len(killed)} of {len(PARTS)} processes")
            print(table(found))
            print(by_part(sent, killed))
            print(f"  answering again after    {again:>6.1f} s", flush=True)
    except KeyboardInterrupt:
        return 1
    except (Missing, RuntimeError, SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    bad = ("lost", "mixed up", "wrong first answers", "emergencies missed", "errors without contacts")
    return 1 if any(found[name] for name in bad) else 0


if __name__ == "__main__":
    sys.exit(main())
