"""The API under generated and hostile requests, in process: nothing breaks, and nothing comes back unescaped."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from knowledge.decision import Decision
from tests.channels.fakes import World, make_world
from web.app import create_app
from web.clinic import Clinic
from web.metrics import Metrics
from web.openapi import document
from web.parts import Parts
from web.settings import Settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))  # a method and path
HOSTILE = 500
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def decide(sender: str, text: str, *_: object) -> Decision:
    """A dialogue that says whatever kind comes next."""
    kinds = [
        Decision("abstain", reason="no_statement", lead="abstain_no_statement"), Decision("unavailable", reason="down"),
        Decision("smalltalk", lead="greeting"), Decision("clarify", lead="ask_rephrase", suggestions=("efficacy.general",)),
    ]  # fmt: skip
    return kinds[len(text) % len(kinds)]


class Made:
    """The application with a fake dialogue."""

    def __init__(self, folder: Path):
        self.world: World = make_world(folder)
        self.world.guide.ask = decide
        configuration = Settings(rate_limits="off", var=folder, _env_file=None)
        dialogue = SimpleNamespace(alive=lambda url: True)
        parts = Parts(configuration, self.world.guide, dialogue, Metrics("0" * 12), "0" * 12, Clinic(), scrub=lambda text: text)  # type: ignore[arg-type]
        self.app: Flask = create_app(configuration, parts)
        self.client: FlaskClient = self.app.test_client()
        begun = self.begin()
        self.conversation, self.reply = begun["conversation_id"], begun["reply"]["reply_id"]

    def begin(self) -> dict[str, Any]:
        return self.client.post("/api/conversations", json={}).get_json()

    def spare(self) -> str:
        return self.begin()["conversation_id"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    started = Made(tmp_path_factory.mktemp("fuzz"))
    yield started
    started.world.close()


def test_generated_requests_get_only_what_the_document_promises(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", made.app)
    counts: dict[str, int] = {}
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize="FUZZ_EXAMPLES" not in os.environ, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        def run(case: Any) -> None:
            if "conversation_id" in (case.path_parameters or {}) and len(str(case.body)) % 2:
                case.path_parameters["conversation_id"] = made.spare() if case.method == "DELETE" else made.conversation  # half of them exist
            counts[case.operation.label] = counts.get(case.operation.label, 0) + 1
            case.call_and_validate(checks=CHECKS)

        given(case=operation.as_strategy())(run)()
    assert set(counts) == {f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item if method != "parameters"} - {"GET /api/openapi.json"}, counts  # the document itself is what schemathesis reads
    assert sum(counts.values()) > 100, counts
    with capsys.disabled():
        print(f"\nschemathesis: {sum(counts.values())} cases over {len(counts)} operations, {len(CHECKS)} checks each, 0 failures")


PARTS = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'; DROP TABLE messages; --", "{{7*7}}", "${7*7}", "\x00", "\u202e", "\ud83d", "😀",
    "%00", "../../etc/passwd", "</title><svg/onload=alert(1)>", "javascript:alert(1)", "\r\nSet-Cookie: a=b", "{\"a\":", "[[]]", "\\u0000", "/restart",
    "&lt;b&gt;", "<!--", "-->", "\ufeff", "\u0301" * 9, "A" * 90, "1e999", "NaN", "null", "true", "´`\"'", "%s%n%x", "<a href=javascript:x>y</a>",
)  # fmt: skip
MARK = "<zq9 onx=1>"


def hostile() -> list[str]:
    chance = random.Random(20261128)
    return ["".join([*chance.sample(PARTS, chance.randint(1, 4)), MARK, chance.choice(PARTS)]) for _ in range(HOSTILE)]


def test_hostile_strings_in_every_text_field_break_nothing_and_are_never_echoed_unescaped(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    broken, echoed, seen = [], [], 0
    for number, text in enumerate(hostile()):
        if number % 10 == 0:  # a new browser, or its page would grow by every message
            client = made.app.test_client()
        plain = text.encode("utf-8", "replace").decode()  # only JSON can carry half a character
        quoted = quote(plain, safe="")
        api = f"/api/conversations/{made.conversation}"
        responses = [
            client.post(f"{api}/messages", json={"text": text}),
            client.post(f"{api}/messages", json={"text": "hello", "message_id": text}),
            client.post(f"{api}/messages", data=text.encode("utf-8", "surrogatepass"), content_type="application/json"),
            client.post("/api/conversations", json={"language": text, "region": text, "channel": text}),
            client.post(f"{api}/feedback", json={"reply_id": made.reply, "helpful": True, "comment": text}),
            client.post(f"{api}/feedback", json={"reply_id": text, "helpful": True, "statement_id": text, "problem": text}),
            client.get(f"/api/conversations/{quoted}"),
            client.get(f"/api/sources/{quoted}"),
            client.get(f"/sources/{quoted}"),
            client.post("/", data={"text": plain, "lang": plain}),
            client.get("/", query_string={"lang": plain, "q": plain, "region": plain}),
        ]
        for response in responses:
            seen += 1
            if response.status_code >= 500:
                broken.append((response.status_code, response.request.path, text))
            if response.mimetype == "text/html" and MARK in response.get_data(as_text=True):
                echoed.append((response.request.path, text))
            if any(MARK in value or "\n" in value for value in response.headers.values()):
                echoed.append(("header", text))
    with capsys.disabled():
        print(f"\nhostile strings: {HOSTILE} in {seen} requests, answers of 500 and above {len(broken)}, unescaped echoes {len(echoed)}")
    assert seen == HOSTILE * 11
    assert broken == []
    assert echoed == []
