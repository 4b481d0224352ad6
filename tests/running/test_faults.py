"""Parts killed and stopped, bad input, and what is left of a conversation."""

from __future__ import annotations

import json
import signal
import sqlite3
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tools.burst import burst
from tools.running import Server
from web.store import key_of

pytestmark = pytest.mark.running
EMERGENCY = "I took too much and can't breathe"


def timed(server: Server, conversation: str, text: str) -> tuple[dict, float]:
    started = time.perf_counter()
    reply = server.say(conversation, text)
    return reply, time.perf_counter() - started


@pytest.mark.parametrize("name", ["rasa", "actions"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hung_part_leaves_contacts_and_the_urgent_reply(server: Server, name: str, how: signal.Signals, planted: str) -> None:
    server.wait_answering()
    conversation = server.start()
    assert server.say(conversation, "Is ketamine addictive?")["kind"] == "answer"
    server.send(name, how)
    try:
        reply, seconds = timed(server, conversation, planted)
        assert seconds < 4
        assert reply["kind"] == "unavailable" and reply["contacts"] and reply["clinician"]
        urgent = server.say(conversation, EMERGENCY)
        assert urgent["kind"] == "urgent" and urgent["contacts"][0]["ways"][0]["dial"] == "911"
    finally:
        if how == signal.SIGSTOP:
            server.send(name, signal.SIGCONT)
    server.wait_answering()
    reply = server.say(conversation, "what about the bladder?")
    assert reply["kind"] == "answer"
    assert planted.split()[1] not in server.logs()


def test_the_web_server_comes_back_and_conversations_with_it(server: Server) -> None:
    conversation = server.start()
    server.say(conversation, "Is ketamine addictive?")
    server.send("web", signal.SIGKILL)
    server.wait_ready()
    assert len(server.client.get(f"/api/conversations/{conversation}").json()["messages"]) == 3
    assert server.say(conversation, "tell me more")["kind"] == "answer"


@pytest.mark.parametrize("place", [0, 32, 64])
def test_an_emergency_among_64_messages_while_rasa_hangs(server: Server, place: int) -> None:
    """Right replies, and no wait for the 64; the figure is `make bench`'s, because a stopwatch in a test measures the machine."""
    server.wait_answering()
    messages = [(server.start(), "Is ketamine addictive?") for _ in range(64)]
    messages.insert(place, (server.start(region="GB"), EMERGENCY))
    with server.stopped("rasa"):
        results = burst(server.url, messages)
    urgent = results.pop(place)
    assert urgent["reply"]["kind"] == "urgent" and urgent["reply"]["contacts"][0]["ways"][0]["dial"] == "999"
    assert urgent["ms"] < 2500, "less than the dialogue's time-out, on the busiest machine"
    assert {r["status"] for r in results} == {200}
    assert {r["reply"]["kind"] for r in results} == {"unavailable"}
    assert all(r["reply"]["contacts"] for r in results)
    assert max(r["ms"] for r in results) < 12_000
    server.wait_answering()
    conversation = messages[1 if place == 0 else 0][0]
    assert server.say(conversation, "Is ketamine addictive?")["kind"] == "answer"
    stored = server.client.get(f"/api/conversations/{messages[place][0]}").json()["messages"]
    assert [m["reply"]["kind"] for m in stored if m["reply"]] == ["smalltalk", "urgent"], "the urgent turn is written down too"


def test_an_emergency_that_only_the_classifier_sees_is_answered_before_the_dialogue_is_asked(server: Server) -> None:
    """Where its words are in no rule it waits for the encoding of the others, but not for the time-out of the hung dialogue."""
    server.wait_answering()
    messages = [(server.start(), "Is ketamine addictive?") for _ in range(64)]
    messages.append((server.start(), "my family would be better off and tonight i will make that happen"))
    with server.stopped("rasa"):
        results = burst(server.url, messages)
    assert results[-1]["reply"]["kind"] == "urgent"
    assert results[-1]["ms"] < 2500
    server.wait_answering()


@pytest.mark.parametrize(
    ("content", "headers", "status", "slug"),
    [
        (b"", {}, 400, "empty-text"),
        (b'{"text": ""}', {}, 400, "empty-text"),
        (b'{"text": "  \\n "}', {}, 400, "empty-text"),
        (b'{"text": 7}', {}, 400, "invalid-field"),
        (b'["text"]', {}, 400, "invalid-json"),
        (b'{"text": ', {}, 400, "invalid-json"),
        (b'{"text": "\xff\xfe"}', {}, 400, "invalid-json"),
        (b'{"text": "hello"}', {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (json.dumps({"text": "a" * 2001}).encode(), {}, 413, "text-too-long"),
        (json.dumps({"text": "a" * 1_000_000}).encode(), {}, 413, "body-too-large"),
        (b'{"text": "hello", "message_id": ""}', {}, 400, "invalid-field"),
    ],
)
def test_bad_bodies_are_problem_documents_and_the_conversation_lives(server: Server, content: bytes, headers: dict, status: int, slug: str) -> None:
    conversation = server.start()
    response = server.client.post(f"/api/conversations/{conversation}/messages", content=content, headers={"Content-Type": "application/json", **headers})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"].endswith("/" + slug) and problem["contacts"] and problem["clinician"]
    assert server.say(conversation, "Is ketamine addictive?")["kind"] == "answer"


@pytest.mark.parametrize("text", ["/restart", "/urgent{bad", '/ask{"a": 1}', "<script>alert(1)</script>", "a\x00b\x07", "\u202eevil", "//", "🙂", "' OR 1=1 --", "${7*7}"])
def test_odd_text_gets_a_polite_reply(server: Server, text: str) -> None:
    reply = server.ask(text)
    assert reply["kind"] in ("answer", "clarify", "abstain", "decline", "smalltalk")
    assert "<script>" not in json.dumps(reply)


def test_unknown_and_deleted_conversations_are_alike_but_urgent_is_answered(server: Server) -> None:
    deleted = server.start()
    assert server.client.delete(f"/api/conversations/{deleted}").status_code == 204
    assert server.client.delete(f"/api/conversations/{deleted}").status_code == 204
    problems = []
    for conversation in ("no-such-one", deleted):
        response = server.client.post(f"/api/conversations/{conversation}/messages", json={"text": "hello"})
        assert response.status_code == 404
        problems.append({k: v for k, v in response.json().items()})
        assert server.say(conversation, EMERGENCY)["kind"] == "urgent"
        assert server.client.get(f"/api/conversations/{conversation}").status_code == 404
    assert problems[0] == problems[1]
    assert problems[0]["type"].endswith("/no-such-conversation")


def test_urgent_at_the_end_of_20000_characters(server: Server) -> None:
    text = "My knee has been sore since the spring and I walk the dog. " * 340 + EMERGENCY
    assert len(text) > 20_000
    assert server.ask(text)["kind"] == "urgent"


@pytest.mark.parametrize("body", [{"language": "fr"}, {"region": "ZZ"}, {"channel": "fax"}, {"language": 3}])
def test_unknown_language_region_channel(server: Server, body: dict) -> None:
    response = server.client.post("/api/conversations", json=body)
    assert response.status_code == 400 and response.json()["type"].endswith("/invalid-field")


def test_messages_are_answered_in_order_of_arrival(server: Server) -> None:
    conversation = server.start()
    texts = ["Is ketamine addictive?", "Does it damage the bladder?", "What does it cost?", "Is it approved by the FDA?"]
    with ThreadPoolExecutor(4) as pool:
        futures = []
        for text in texts:
            futures.append(pool.submit(server.say, conversation, text))
            time.sleep(0.05)
        [f.result() for f in futures]
    messages = server.client.get(f"/api/conversations/{conversation}").json()["messages"][1:]
    assert [m["text"] for m in messages if m["role"] == "patient"] == texts
    # each reply stands behind its own question
    assert [m["role"] for m in messages] == ["patient", "guide"] * 4


def files_with(folder: Path, needle: str) -> list[str]:
    return [str(p) for p in folder.rglob("*") if p.is_file() and needle.encode() in p.read_bytes()]


def expire(server: Server, conversation: str) -> None:
    """As if its last message were a day ago."""
    with sqlite3.connect(server.var / "guide.db", timeout=10) as database:
        assert database.execute("UPDATE conversations SET expires_at = 1 WHERE key = ?", [key_of(conversation)]).rowcount == 1
    database.close()


def test_what_is_deleted_or_has_expired_is_in_no_file(server: Server, planted: str) -> None:
    """Databases with their write-ahead logs, logs of every process, run-time files: all of `var`."""
    needle = planted.split()[1]
    deleted, expired = server.start(), server.start()
    for conversation in (deleted, expired):
        reply = server.say(conversation, planted)
        body = {"reply_id": reply["reply_id"], "helpful": False, "comment": planted}
        assert server.client.post(f"/api/conversations/{conversation}/feedback", json=body).status_code == 204
    assert {Path(p).name.split("-")[0] for p in files_with(server.var, needle)} == {"guide.db", "rasa.db"}
    assert server.client.delete(f"/api/conversations/{deleted}").status_code == 204
    expire(server, expired)
    assert server.client.get(f"/api/conversations/{expired}").status_code == 404
    deadline = time.monotonic() + 75
    while (left := files_with(server.var, needle)) and time.monotonic() < deadline:
        time.sleep(1)
    assert left == []


def test_no_log_holds_a_patients_words(server: Server, planted: str) -> None:
    """After a time-out, an exception in each process that holds the text, and a malformed line."""
    server.wait_answering()
    conversation = server.start()
    address = f"/api/conversations/{conversation}/messages"
    with server.stopped("rasa"):
        assert server.say(conversation, planted)["reason"] == "timeout"
    server.wait_answering()
    for name, seen in (("guide.db", 503), ("rasa.db", 200)):  # a database that fails quotes the statement with its values
        database = sqlite3.connect(server.var / name, timeout=10, isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        response = server.client.post(address, json={"text": planted})
        database.execute("ROLLBACK")
        database.close()
        assert response.status_code == seen and planted not in response.text
    assert server.client.post(address, content='{"text": "' + planted, headers={"Content-Type": "application/json"}).status_code == 400
    server.client.post(f"{address}/{planted}", content=planted)
    server.wait_answering()
    assert planted.split()[1] not in server.logs()


def test_delete_wins_over_a_turn_in_flight(server: Server, planted: str) -> None:
    needle = planted.split()[1]
    server.wait_answering()
    conversation = server.start()
    server.send("actions", signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            turn = pool.submit(server.client.post, f"/api/conversations/{conversation}/messages", json={"text": planted})
            time.sleep(0.8)
            assert server.client.delete(f"/api/conversations/{conversation}").status_code == 204
            assert turn.result().status_code in (200, 404)
    finally:
        server.send("actions", signal.SIGCONT)
    deadline = time.monotonic() + 75
    while (left := files_with(server.var, needle)) and time.monotonic() < deadline:
        time.sleep(1)
    assert left == []
    assert server.client.get(f"/api/conversations/{conversation}").status_code == 404


def test_a_paused_guide_says_so_and_still_sees_emergencies(server: Server) -> None:
    conversation = server.start()
    (server.var / "paused").touch()
    try:
        reply = server.say(conversation, "Is ketamine addictive?")
        assert (reply["kind"], reply["reason"]) == ("unavailable", "paused") and reply["contacts"]
        assert server.say(conversation, EMERGENCY)["kind"] == "urgent"
    finally:
        (server.var / "paused").unlink()


def test_a_port_in_use_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    import sys

    from tools.running import ROOT, environment

    run = subprocess.run([sys.executable, "-m", "tools.serve"], cwd=ROOT, env=environment(tmp_path, server.ports), capture_output=True, text=True)
    assert run.returncode != 0
    assert run.stderr.strip().count("\n") == 0 and str(server.ports["port"]) in run.stderr


@pytest.mark.parametrize(("name", "value", "word"), [("PORT", "http", "PORT"), ("REGION", "XX", "REGION"), ("BUILDS", "nowhere", "no build")])
def test_wrong_settings_are_one_clear_line(tmp_path: Path, name: str, value: str, word: str) -> None:
    import sys

    from tools.running import ROOT, environment

    env = environment(tmp_path, {}, **{f"KETAMINE_GUIDE_{name}": value})
    run = subprocess.run([sys.executable, "-m", "tools.serve"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode != 0 and word in run.stderr and "Traceback" not in run.stderr


def test_openapi_matches_the_routes(server: Server) -> None:
    from web.app import api

    published = server.client.get("/api/openapi.json").json()["paths"]
    assert httpx.get(f"{server.url}/api/openapi.json", trust_env=False).status_code == 200
    assert api.name == "api"
    documented = {(path, method.upper()) for path, item in published.items() for method in item if method in ("get", "post", "delete")}
    from flask import Flask

    app = Flask("x")
    app.register_blueprint(api)
    import re

    running = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert documented == running


def test_urgent_is_quick_while_rasa_is_down(server: Server) -> None:
    """No stopwatch mark here (see evals.bench); only that it does not wait for the dialogue's time-out."""
    server.wait_answering()
    conversations = [server.start() for _ in range(5)]
    server.send("rasa", signal.SIGSTOP)
    try:
        times = [timed(server, c, EMERGENCY)[1] for c in conversations]
    finally:
        server.send("rasa", signal.SIGCONT)
    server.wait_answering()
    assert statistics.median(times) < 2
