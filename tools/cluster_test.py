"""What is left of messages while every process of the cluster is hit once: `python -m tools.cluster_test` (make cluster-test).

Rounds: `kill` (SIGKILL), `stop` (SIGSTOP for 5 s), `upgrade` (each of our processes is started anew with another build, as in an
upgrade of one machine after another), `planted` (a sentence that must be nowhere once its conversation is deleted or has expired).

Clients do what the chat does: a message that failed is sent again with its id. At the end each conversation is read back and
compared with what its client was told. Exit code 1 when a message was lost or mixed up, when an error came without contacts,
when an emergency got anything but the urgent reply, or when a patient's words were found where none may be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from knowledge.build import build_hash, sha256
from knowledge.errors import BuildMissing
from tools.cluster import PARTS, TWICE, Cluster, Missing, cluster, end_on_signals, wait_listening
from tools.load import CONVERSATIONS, EMERGENCY, Client, Sent, drive
from web.settings import SettingsError
from web.store import key_of

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


def kill(server: Cluster, name: str, stop: threading.Event) -> None:
    """The process and its children are gone; its port with them."""
    pid = server.pid(name)
    server.send(name, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists() and not stop.wait(0.1):
        pass


def hang(server: Cluster, name: str, stop: threading.Event) -> None:
    """The process does nothing for 5 s."""
    server.send(name, signal.SIGSTOP)
    stop.wait(5)
    server.send(name, signal.SIGCONT)


def hunt(server: Cluster, parts: tuple[str, ...], how: Callable[[Cluster, str, threading.Event], None], hit: list[Hit], stop: threading.Event) -> None:
    """Hit one process after another, each when the one before listens again."""
    for name in parts:
        if stop.wait(2):
            return
        hit.append(Hit(name, time.monotonic(), math.nan))
        how(server, name, stop)
        with suppress(RuntimeError):
            wait_listening(server, "port" if name == "nginx" else name.replace("-", "_"), 90)
        hit[-1].back = time.monotonic()


def other_build(build: Path, folder: Path) -> Path:
    """A build that says the same under another hash, made of links to the files of a build."""
    made = folder / "making"
    shutil.copytree(build, made, copy_function=os.link)
    named = made / "content" / "wording" / "replies.yml"
    text = named.read_text("utf-8")
    named.unlink()  # not the file of the build, which has the same inode
    named.write_text(text + "# another build\n", "utf-8")
    files = {n: sha256(made / n) if n == str(named.relative_to(made)) else h for n, h in json.loads((made / "manifest.json").read_text("utf-8"))["files"].items()}
    (made / "manifest.json").unlink()
    (made / "manifest.json").write_text(json.dumps({"files": files}, indent=1, sort_keys=True), "utf-8")
    return made.rename(folder / build_hash(files))


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
                # an urgent reply goes out without waiting for a database that is down: the patient has it, the conversation does not
                found["urgent, unrecorded" if one.reply["kind"] == "urgent" else "lost"] += 1
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
             "urgent, unrecorded", "5xx", "connections lost", "errors without contacts", "sent again")  # fmt: skip
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


def found_in_files(folder: Path, needles: list[str]) -> list[str]:
    """Files that hold one of some words."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and any(n.encode() in p.read_bytes() for n in needles)]


def found_in_tables(server: Cluster, needle: str) -> list[str]:
    """Tables of which a row holds a word."""
    tables = server.database.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'").splitlines()
    return [t for t in tables if server.database.execute(f"SELECT count(*) FROM {t} AS t WHERE t::text LIKE '%{needle}%'") != "0"]  # noqa: S608  (our own words)


def plant(server: Cluster, needle: str) -> dict[str, int]:
    """Say a sentence in one conversation that is deleted and in one that expires, also while Rasa hangs and in a broken body.

    Returns:
        Where it was while the conversations lived, and where it is afterwards.
    """
    sentence = f"{needle} does ketamine help crps"
    conversations = [server.start(), server.start()]
    for conversation in conversations:
        reply = server.say(conversation, sentence)
        with ExitStack() as hanging:
            for n in (1, 2):
                hanging.enter_context(server.stopped(f"rasa-{n}"))
            server.say(conversation, sentence)
        address = f"/api/conversations/{conversation}"
        server.client.post(f"{address}/messages", content='{"text": "' + sentence, headers={"Content-Type": "application/json"})
        server.client.post(f"{address}/feedback", json={"reply_id": reply["reply_id"], "helpful": False, "comment": sentence})
    heap = server.database.folder / "data" / "base"
    server.database.execute("ANALYZE")  # autovacuum does so when it likes; what it copies must not outlive the rows either
    server.database.execute("CHECKPOINT")
    counts = {"tables before": len(found_in_tables(server, needle)), "heap files before": len(found_in_files(heap, [needle]))}
    server.client.delete(f"/api/conversations/{conversations[0]}")
    server.database.execute(f"UPDATE conversations SET expires_at = 1 WHERE key = '{key_of(conversations[1])}'")  # noqa: S608
    until = time.monotonic() + 90
    while (left := found_in_tables(server, needle)) and time.monotonic() < until:
        time.sleep(1)
    counts["tables after"] = len(left)
    for what in ("VACUUM", "VACUUM FULL"):
        server.database.execute(what)
        server.database.execute("CHECKPOINT")
        counts[f"heap files after {what}"] = len(found_in_files(heap, [needle]))
    counts["logs"] = len(found_in_files(server.var / "log", [needle]))
    return counts


@dataclass
class Round:
    """What one round does to whom.

    Attributes:
        parts: The processes, one after another.
        how: What is done to each.
        done: The word for it.
    """

    parts: tuple[str, ...]
    how: Callable[[Cluster, str, threading.Event], None]
    done: str


def hold(server: Cluster, client: Client, round_: Round, messages: int, at_once: int, minutes: float, expected: dict[str, object]) -> Counter[str]:
    """Send messages while each of the processes is hit once, print what became of them, and count it."""
    hit: list[Hit] = []
    stop = threading.Event()
    hunter = threading.Thread(target=hunt, args=(server, round_.parts, round_.how, hit, stop), daemon=True)
    begun = time.monotonic()
    hunter.start()

    def more(so_far: int) -> bool:
        """Until enough were sent and every process was hit, or the time is over."""
        return time.monotonic() - begun < minutes * 60 and (so_far < messages or hunter.is_alive())

    sent = drive(client, at_once, more, READING)
    seconds = time.monotonic() - begun
    stop.set()
    hunter.join()
    recovering = time.monotonic()
    server.wait_answering()
    again = time.monotonic() - recovering
    found = audit(client, sent, expected)
    found["not hit"] = len(round_.parts) - len(hit)
    print(f"{len(sent)} messages, {at_once} at once, {seconds:.0f} s; {round_.done}: {len(hit)} of {len(round_.parts)} processes")
    print(table(found))
    print(by_part(sent, hit))
    print(f"  answering again after    {again:>6.1f} s", flush=True)
    return found


BAD = ("lost", "mixed up", "wrong first answers", "emergencies missed", "errors without contacts", "not hit")


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster_test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="*", default=["kill"], help="kill, stop, upgrade, planted")
    parser.add_argument("--messages", type=int, default=2000, help="in each round, at least so many; more while processes are still to be hit")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=5, help="a round ends then, whatever the number and whatever is not hit yet")
    arguments = parser.parse_args()
    if unknown := set(arguments.rounds) - {"kill", "stop", "upgrade", "planted"}:
        parser.error(f"unknown round: {', '.join(sorted(unknown))}")
    end_on_signals()
    failed = False
    started = time.monotonic()
    try:
        with cluster() as server, tempfile.TemporaryDirectory(dir=server.build.parent, prefix=".making-") as folder:
            server.wait_answering()
            print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
            client = Client(server.url, arguments.at_once, PATIENCE)
            expected = first_answers(client)
            for name in arguments.rounds:
                if name == "planted":
                    counts = plant(server, f"zebra{uuid.uuid4().hex}")
                    print("a planted sentence is found in:\n" + "\n".join(f"  {what:<30} {n:>4}" for what, n in counts.items()), flush=True)
                    failed |= any(counts[what] for what in ("tables after", "heap files after VACUUM FULL", "logs")) or not counts["heap files before"]
                    continue
                if name == "upgrade":
                    build = other_build(server.build, Path(folder))
                    round_ = Round(tuple(f"{part}-{n}" for n in (1, 2) for part in TWICE), lambda s, part, _, build=build: s.upgrade(part, build), "upgraded")
                else:
                    round_ = Round(PARTS, *{"kill": (kill, "killed"), "stop": (hang, "stopped for 5 s")}[name])
                found = hold(server, client, round_, arguments.messages, arguments.at_once, arguments.minutes, expected)
                failed |= any(found[what] for what in BAD)
                if name == "upgrade":
                    served = server.ask("What are the risks of ketamine?")["knowledge_version"]
                    print(f"  answers are of build {served}", flush=True)
                    failed |= served != build.name
            told = found_in_files(server.var / "log", [text for _, texts in CONVERSATIONS for text in texts if len(text) > 20])
            print(f"logs that hold a patient's words: {len(told)}", flush=True)
            failed |= bool(told)
    except KeyboardInterrupt:
        return 1
    except (Missing, RuntimeError, SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
