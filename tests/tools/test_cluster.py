"""nginx before web servers that are gone, Rasa's endpoints file, and the audit of the cluster test."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from knowledge import door
from knowledge.build import current
from tools.cluster import NGINX, ROOT, nginx, problems
from tools.cluster_test import audit
from tools.load import EMERGENCY, Client, Sent
from tools.running import free_port
from tools.serve import endpoints
from web.settings import Settings

NAMES = ("port", "rasa", "actions", "web_1", "web_2", "rasa_1", "rasa_2", "actions_1", "actions_2")


@pytest.fixture
def proxy() -> Iterator[tuple[str, Path]]:
    """nginx by the sample configuration, with nothing behind it; its address and the file of what it prints."""
    program = nginx()
    if program is None:
        pytest.skip("nginx is not installed (Debian: nginx)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        problems(Settings(_env_file=None), current(ROOT / "build"), folder)  # type: ignore[call-arg]
        text, ports = NGINX.read_text("utf-8").replace("@folder@", name), {n: free_port() for n in NAMES}
        for key, number in ports.items():
            text = text.replace(f"@{key}@", str(number))
        (folder / "nginx.conf").write_text(text, "utf-8")
        said = folder / "said"
        with said.open("wb") as output:
            command = [program, "-e", "stderr", "-p", name, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{ports['port']}"
            for _ in range(100):
                try:
                    httpx.get(f"{url}/metrics", trust_env=False)
                    break
                except httpx.ConnectError:
                    time.sleep(0.05)
            yield url, said
        finally:
            process.terminate()
            process.wait()


def test_without_any_web_server_nginx_gives_contacts_and_logs_no_conversation(proxy: tuple[str, Path]) -> None:
    url, said = proxy
    conversation, text = uuid.uuid4().hex, f"zebra {uuid.uuid4().hex}"
    response = httpx.post(f"{url}/api/conversations/{conversation}/messages", json={"text": text}, trust_env=False)
    assert response.status_code == 503 and int(response.headers["Retry-After"]) > 0
    assert response.headers["Content-Type"] == "application/problem+json" and response.headers["Cache-Control"] == "no-store"
    assert response.json()["status"] == 503 and response.json()["contacts"] and response.json()["clinician"]
    large = httpx.post(f"{url}/api/conversations/{conversation}/messages", content=b"x" * 5_000_000, trust_env=False)
    assert large.status_code == 413 and large.json()["contacts"]
    assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 404
    assert httpx.get(f"{url}/problem-503.json", trust_env=False).status_code in (404, 503)
    log = said.read_text("utf-8")
    assert " 503 " in log and " 413 " in log
    assert conversation not in log and "zebra" not in log and "/api/" not in log


def test_rasas_endpoints_follow_from_the_two_settings(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    door.make(tmp_path / "run" / "token")
    config = Settings(_env_file=None, var=tmp_path, database_url="postgresql://guide:1234567@db.example:5433/guide", redis_url="redis://:9e99@cache.example:6380/1")  # type: ignore[call-arg]
    made = yaml.safe_load(endpoints(config))
    assert made["tracker_store"] == {
        "type": "bot.store.TrackerStore", "dialect": "postgresql", "url": "db.example", "port": 5433, "db": "guide", "username": "guide", "password": "1234567",
    }  # fmt: skip
    assert made["lock_store"] == {"type": "redis", "url": "cache.example", "port": 6380, "db": 1, "password": "9e99"}
    assert made["action_endpoint"]["headers"] == {door.HEADER: door.credentials(config.internal_token_file)}


class Kept(Client):
    """A client whose transcripts are given."""

    def __init__(self, kept: dict[str, Any]):
        self.kept = kept

    def transcript(self, conversation: str) -> Any:
        return self.kept.get(conversation)


def pair(text: str, reply_id: str) -> list[dict[str, Any]]:
    return [{"role": "patient", "text": text, "reply": None}, {"role": "guide", "text": "", "reply": {"reply_id": reply_id}}]


def sent(conversation: str, text: str, reply_id: str, kind: str = "answer") -> Sent:
    return Sent(conversation, text, 0.1, 200, {"reply_id": reply_id, "kind": kind, "statements": []}, 1)


def bad(found: Counter[str]) -> dict[str, int]:
    return {k: v for k, v in found.items() if v and k in ("lost", "mixed up", "stored twice", "wrong first answers", "emergencies missed")}


def test_the_audit_finds_what_is_lost_and_mixed_up() -> None:
    told = [sent("a", "one", "r1"), sent("a", "two", "r2"), sent("b", EMERGENCY, "r3", "urgent")]
    whole = {"a": [*pair("one", "r1"), *pair("two", "r2")], "b": pair(EMERGENCY, "r3")}
    assert bad(audit(Kept(whole), told, {})) == {}
    assert bad(audit(Kept({**whole, "a": pair("one", "r1")}), told, {})) == {"lost": 1}
    assert bad(audit(Kept({"a": whole["a"]}), told, {})) == {"lost": 1}
    unwritten = audit(Kept({**whole, "b": []}), told, {})
    assert (bad(unwritten), unwritten["urgent, unrecorded"]) == ({}, 1)
    assert bad(audit(Kept({**whole, "a": [*pair("one", "r2"), *pair("two", "r1")]}), told, {})) == {"mixed up": 2}
    assert bad(audit(Kept({**whole, "a": [*whole["a"], *pair("two", "r9")]}), told, {})) == {"stored twice": 1}
    assert bad(audit(Kept(whole), [*told[:2], sent("b", EMERGENCY, "r3")], {})) == {"emergencies missed": 1}
    assert bad(audit(Kept(whole), told, {"one": ("answer", ["other"])})) == {"wrong first answers": 1}
    assert json.dumps(bad(audit(Kept(whole), [*told, sent("c", "three", "r1")], {}))) == '{"mixed up": 1, "lost": 1}'
