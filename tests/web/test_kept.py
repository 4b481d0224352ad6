"""Comments and unanswered questions: kept only where the clinic says so, scrubbed, for a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from knowledge.decision import Decision
from tests.channels.fakes import World, content, make_world
from web import kept
from web.app import create_app
from web.clinic import Clinic
from web.guide import Incoming
from web.metrics import Metrics
from web.parts import Parts
from web.scrub import Scrubber
from web.settings import Settings, settings
from web.store import DAY, feedback, unanswered


@pytest.fixture(scope="module")
def scrub() -> Scrubber:
    return Scrubber(content())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    made.guide.ask = lambda *_: Decision("abstain", reason="no_statement", lead="abstain_no_statement")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("write to jane.roe+1@mail.example.org please", ["jane", "roe", "example"]),
        ("call 617-555-0199 or +34 600 123 456", ["617", "0199", "600", "456"]),
        ("since 12/03/2024, or 3 March, or el 5 de febrero", ["2024", "March", "febrero"]),
        ("maria garcia was rude", ["maria", "garcia"]),
        ("ask Dr. Xylander or nurse Quux", ["Xylander", "Quux"]),
        ("My name is Brzezina Wolanska, room 12", ["Brzezina", "Wolanska", "12"]),
        ("me llamo José", ["José"]),
        ("see https://clinic.example/x?id=7 from 10.0.0.7", ["clinic.example", "10.0"]),
        ("my card 4111 1111 1111 1111, MRN A99812", ["4111", "A99812"]),
    ],
)
def test_what_tells_who_wrote_is_gone(scrub: Scrubber, text: str, gone: list[str]) -> None:
    found = scrub(text)
    assert not [g for g in gone if g in found], found
    assert "[" in found


def test_the_rest_stays(scrub: Scrubber) -> None:
    text = "the answer on ketamine for CRPS was hard to read. I wanted to know about bladder pain"
    assert scrub(text) == text
    assert scrub("") == ""


def test_nothing_is_asked_of_the_network(scrub: Scrubber, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert Scrubber(content())("a@b.example.com www.example.org") == "[email] [address]"


def test_two_thousand_characters_take_little_time(scrub: Scrubber) -> None:
    started = time.perf_counter()
    for text in ("a" * 2000, "1 " * 1000, "Aa " * 666, "a@" * 1000, "1-" * 1000):
        scrub(text)
    assert time.perf_counter() - started < 5


def rows(world: World) -> list[str]:
    with world.store.engine.connect() as db:
        return [r.text for r in db.execute(sa.select(unanswered))]


def ask(world: World, text: str, channel: str = "web") -> str:
    conversation = world.store.create("en", "US", channel, None)
    assert world.guide.message(Incoming(text, conversation))["reason"] == "no_statement"
    return conversation


def test_unanswered_questions_are_kept_only_when_switched_on_and_of_the_web_page_only(world: World, scrub: Scrubber) -> None:
    ask(world, "is it any good for hiccups?")
    assert rows(world) == []
    world.guide.scrub = scrub
    ask(world, "is it any good for hiccups?", "kiosk")
    assert rows(world) == []
    ask(world, "is it good for hiccups, mail me at a@b.example.com")
    assert rows(world) == ["is it good for hiccups, mail me at [email]"]


def test_a_scrubber_that_fails_keeps_nothing_and_costs_no_reply(world: World) -> None:
    def broken(_: str) -> str:
        raise RuntimeError("broken")

    world.guide.scrub = broken
    ask(world, "is it any good for hiccups?")
    assert rows(world) == []


def test_what_is_kept_goes_with_deletion_loses_its_conversation_with_expiry_and_ends(world: World, scrub: Scrubber) -> None:
    world.guide.scrub = scrub
    deleted, expired = ask(world, "deleted zebra question"), ask(world, "expired zebra question")
    for conversation_id, comment in ((deleted, "deleted zebra comment"), (expired, "expired zebra comment")):
        conversation = world.store.get(conversation_id)
        assert conversation
        world.store.add_feedback(conversation, {"reply_id": "r_1", "helpful": True, "build": "0" * 12, "comment": comment})
    world.store.delete(deleted)
    assert rows(world) == ["expired zebra question"]
    with world.store.engine.begin() as db:
        db.execute(sa.text("UPDATE conversations SET expires_at = 1"))
    world.store.sweep()
    with world.store.engine.connect() as db:
        assert [(r.comment, r.conversation) for r in db.execute(sa.select(feedback).order_by(feedback.c.number))] == [(None, None), ("expired zebra comment", None)]
        assert [r.conversation for r in db.execute(sa.select(unanswered))] == [None]
    world.store.keep_for = -DAY
    world.store.sweep()
    assert rows(world) == []
    with world.store.engine.connect() as db:
        assert {r.comment for r in db.execute(sa.select(feedback))} == {None}


def test_the_command_lists_what_is_kept(world: World, scrub: Scrubber, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world.guide.scrub = scrub
    ask(world, "any good for hiccups?\nor sneezing?")
    monkeypatch.setenv("KETAMINE_GUIDE_DATABASE_URL", str(world.store.engine.url))
    settings.cache_clear()
    capsys.readouterr()
    assert kept.main(["unanswered"]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and line.endswith("\ten\tany good for hiccups? or sneezing?\n")
    assert kept.main(["comments"]) == 0
    settings.cache_clear()


@pytest.fixture
def served(world: World, tmp_path: Path) -> Callable[..., FlaskClient]:
    """A client of the whole application, with or without a scrubber for comments."""

    def make(comments: Scrubber | None, **more: bool) -> FlaskClient:
        configuration = Settings(rate_limits="off", var=tmp_path, _env_file=None, **more)
        dialogue = SimpleNamespace(alive=lambda url: True)
        return create_app(configuration, Parts(configuration, world.guide, dialogue, Metrics("0" * 12), "0" * 12, Clinic(), comments)).test_client()  # type: ignore[arg-type]

    return make


def comment(client: FlaskClient, world: World, channel: str = "web") -> str | None:
    """Send feedback with a comment; what is kept of it."""
    begun = client.post("/api/conversations", json={"channel": channel}).get_json()
    body = {"reply_id": begun["reply"]["reply_id"], "helpful": False, "comment": "maria never called back on 617-555-0199"}
    assert client.post(f"/api/conversations/{begun['conversation_id']}/feedback", json=body).status_code == 204
    with world.store.engine.connect() as db:
        return db.execute(sa.select(feedback.c.comment).order_by(feedback.c.number.desc())).scalars().first()


def test_a_comment_is_kept_scrubbed_where_the_clinic_says_so_and_nowhere_else(world: World, scrub: Scrubber, served: Callable[..., FlaskClient]) -> None:
    assert comment(served(None), world) is None
    assert comment(served(scrub), world, "kiosk") is None
    assert comment(served(scrub), world) == "[name] never called back on [number]"


def test_the_privacy_page_says_what_is_kept(served: Callable[..., FlaskClient], scrub: Scrubber) -> None:
    quiet = served(None).get("/privacy").get_data(as_text=True)
    told = served(scrub, keep_comments=True, keep_unanswered=True).get("/privacy").get_data(as_text=True)
    assert "90 days" in told and "the clinic keeps the question" in told and "the clinic keeps the comment" in told
    assert "90 days" not in quiet and "the clinic keeps" not in quiet
