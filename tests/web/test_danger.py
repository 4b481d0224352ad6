"""Danger in a conversation, and with parts of the web server broken: the real guide in one process, rules alone, a scripted dialogue."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from knowledge.answer import Setting
from knowledge.build import build_hash, verify
from knowledge.decision import Decision
from knowledge.errors import BuildCorrupt
from knowledge.safety.screen import Finding
from tests.channels.fakes import World, answerer, content, make_world
from web.errors import Refusal
from web.guide import Incoming
from web.metrics import Metrics
from web.pages import pages
from web.parts import Parts
from web.settings import Settings

EMERGENCY = "I took too much and can't breathe"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.close()


class Talk:
    """One conversation of the web page."""

    def __init__(self, world: World, language: str = "en", region: str = "US", channel: str = "web"):
        self.world = world
        self.id = world.store.create(language, region, channel, None)

    def say(self, text: str) -> dict[str, Any]:
        return self.world.guide.message(Incoming(text, self.id))


def notices(reply: dict[str, Any]) -> list[str]:
    return [n["kind"] for n in reply["notices"]]


# -- a conversation ------------------------------------------------------------------------------------------------------


def test_danger_stays_in_sight_until_it_is_over(world: World) -> None:
    talk = Talk(world)
    first = talk.say("I want to kill myself")
    assert first["kind"] == "urgent" and first["contacts"][0]["ways"][0]["dial"] == "988"
    again = talk.say("they didn't pick up")
    assert again["kind"] == "urgent" and len(again["lead"]) < len(first["lead"])
    short = talk.say("no")
    assert short["kind"] == "urgent" and short["lead"] != again["lead"]
    question = talk.say("how long does a session last?")
    assert question["kind"] == "answer" and notices(question)[0] == "still_in_danger" and question["contacts"]
    thanked = talk.say("I'm safe now, my sister is with me")
    assert thanked["kind"] == "smalltalk" and thanked["contacts"]
    assert "still_in_danger" in notices(talk.say("what does it cost?"))
    assert "still_in_danger" not in notices(talk.say("what about the bladder?"))


def test_no_urgent_reply_is_followed_by_a_bare_one(world: World) -> None:
    for answer in ("ok", "no", "too late", "thanks", "does ketamine help crps?", "what is the weather", "hello", "how many mg"):
        talk = Talk(world)
        assert talk.say("I can't breathe")["kind"] == "urgent"
        assert talk.say(answer)["contacts"], answer


def test_the_same_urgent_words_never_come_twice_in_a_row(world: World) -> None:
    talk = Talk(world)
    leads = [talk.say(text)["lead"] for text in ["I want to die", "I want to die", "no", "no", "no", "I want to die", "I'm going to kill myself"]]
    assert all(a != b for a, b in zip(leads, leads[1:], strict=False))


def test_danger_told_in_three_messages_is_urgent(world: World) -> None:
    talk = Talk(world)
    kinds = [talk.say(text)["kind"] for text in ("my son is 3", "he found my ketamine lozenges", "and one is missing, what do I do")]
    assert kinds[-1] == "urgent" or "urgent" in kinds


def test_a_carer_is_spoken_to_as_a_carer(world: World) -> None:
    own, other = Talk(world).say("I want to kill myself"), Talk(world).say("my husband says he wants to kill himself")
    child = Talk(world).say("my toddler ate my ketamine lozenge")
    say = world.guide.answerer.say.urgent
    assert other["lead"].startswith(say.lead("crisis_suicide", "en", "other"))
    assert own["lead"].startswith(say.lead("crisis_suicide", "en", "self"))
    assert child["lead"].startswith(say.lead("child_exposure", "en", "child"))


def test_somebody_under_age_is_told_of_an_adult_in_danger_and_without(world: World) -> None:
    line = world.guide.answerer.say.urgent.minor("en")
    urgent = Talk(world).say("I'm 15 and I want to die")
    assert line in urgent["lead"]
    plain = Talk(world).say("I'm 15 and have CRPS, does ketamine help?")
    assert plain["kind"] == "answer" and line in plain["clinician"]
    assert line not in Talk(world).say("I'm 45 and have CRPS, does ketamine help?")["clinician"]


@pytest.mark.parametrize(("text", "language"), [("quiero morirme", "es"), ("I want to die", "en")])
def test_the_reply_speaks_the_language_of_the_danger_and_says_the_number_in_the_other(world: World, text: str, language: str) -> None:
    for conversation in ("en", "es"):
        reply = Talk(world, language=conversation).say(text)
        assert reply["language"] == language
        assert ("In English:" if language == "es" else "En español:") in reply["lead"]


def test_a_kiosk_says_first_to_tell_the_desk(world: World) -> None:
    assert Talk(world, channel="kiosk").say("I can't breathe")["lead"].startswith(world.guide.answerer.say.urgent.kiosk("en"))


def test_a_warning_sign_brings_the_notice_and_the_statement_on_that_risk(world: World) -> None:
    reply = Talk(world).say("it burns when I pee since my infusions")
    assert reply["kind"] == "answer" and notices(reply)[0] == "see_clinician_soon"
    assert reply["statements"][0]["topic"] == "risk.bladder"
    said = next(n["text"] for n in reply["notices"] if n["kind"] == "see_clinician_soon").lower()
    assert "today" in said and not any(word in said for word in ("usually", "normal", "don't worry"))


def test_low_mood_is_an_answer_with_a_gentle_line(world: World) -> None:
    reply = Talk(world).say("I cry every day. Does ketamine help crps?")
    assert reply["kind"] == "answer" and "low_mood" in notices(reply)
    assert next(n["contacts"] for n in reply["notices"] if n["kind"] == "low_mood")


def test_a_foreign_statement_says_which_country_it_is_about() -> None:
    foreign = next(s for s in content().statements.values() if s.regions and "ES" not in s.regions)
    reply = answerer().reply(Decision("answer", statements=((foreign.id, 1.0),), topic=foreign.topic), Setting("en", "ES", None))
    told = [n["text"] for n in reply["notices"] if n["kind"] == "outside_region"]
    assert len(told) == 1 and any(country in told[0] for country in ("the United States", "Canada", "the United Kingdom", "Ireland", "Australia", "the European Union"))


# -- with parts broken ---------------------------------------------------------------------------------------------------


@pytest.fixture
def broken_database(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))

    for name in ("get", "create", "arrive", "answer", "transcript", "ping"):
        monkeypatch.setattr(world.store, name, fail)
    return world


def test_with_the_database_gone_danger_is_answered_and_the_rest_refused_with_contacts(broken_database: World) -> None:
    reply = broken_database.guide.message(Incoming(EMERGENCY, "any"))
    assert reply["kind"] == "urgent" and reply["contacts"]
    with pytest.raises(Refusal) as refusal:
        broken_database.guide.message(Incoming("does ketamine help crps?", "any"))
    assert refusal.value.slug == "store-down"


def test_a_locked_database_holds_danger_up_for_seconds_only(world: World, tmp_path: Path) -> None:
    talk = Talk(world)
    blocker = sqlite3.connect(tmp_path / "guide.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        started = time.perf_counter()
        assert talk.say(EMERGENCY)["kind"] == "urgent"
        assert time.perf_counter() - started < 8
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()


def parts_of(world: World, tmp_path: Path) -> Parts:
    settings = Settings(var=tmp_path, rate_limits="off")
    alive = SimpleNamespace(alive=lambda url: True)
    return Parts(settings, world.guide, alive, Metrics("0" * 12), "0" * 12)  # type: ignore[arg-type]


def test_the_page_without_javascript_shows_the_urgent_reply_with_the_database_gone(broken_database: World, tmp_path: Path) -> None:
    from flask import g

    import web.app

    app = Flask("web.app", root_path=str(Path(web.app.__file__).parent))
    app.extensions["guide"] = parts_of(broken_database, tmp_path)
    app.register_blueprint(pages)
    for name in ("api", "embed"):
        app.register_blueprint(getattr(__import__(f"web.{name}", fromlist=[name]), name))
    app.before_request(lambda: setattr(g, "request_id", "r"))
    shown = app.test_client().post("/", data={"text": EMERGENCY})
    assert shown.status_code == 200 and b"911" in shown.data


def test_readiness_names_what_is_missing(world: World, tmp_path: Path) -> None:
    parts = parts_of(world, tmp_path)
    told = parts.readiness()
    assert told["status"] == "degraded"
    assert told["parts"]["screen"]["state"] == "rules only" and told["parts"]["encoder"]["state"] == "missing"
    assert Talk(world).say(EMERGENCY)["kind"] == "urgent"


def test_readiness_is_degraded_when_the_dialogue_was_started_with_another_build(world: World, tmp_path: Path) -> None:
    parts = parts_of(world, tmp_path)
    world.guide.encoder = world.guide.screen.classifier = object()  # type: ignore[assignment]
    try:
        for build, status in (("0" * 12, "ready"), ("f" * 12, "degraded")):
            (tmp_path / "dialogue.build").write_text(build)
            assert parts.readiness()["status"] == status
    finally:
        world.guide.encoder = world.guide.screen.classifier = None


def test_statements_of_another_build_are_left_out() -> None:
    known = next(iter(content().statements))
    both = answerer().reply(Decision("answer", statements=((known, 1.0), ("of-another-build", 1.0))), Setting())
    assert [s["id"] for s in both["statements"]] == [known]
    none = answerer().reply(Decision("answer", statements=(("of-another-build", 1.0),)), Setting())
    assert (none["kind"], none["reason"]) == ("unavailable", "down") and none["contacts"]


@pytest.mark.parametrize("harm", ["changed", "missing", "manifest"])
def test_an_altered_build_is_refused(tmp_path: Path, harm: str) -> None:
    files = {"content.json": b"{}", "safety.npz": b"weights"}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    folder = tmp_path / build_hash(hashes)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps({"files": hashes}))
    assert verify(folder) == hashes
    if harm == "changed":
        (folder / "safety.npz").write_bytes(b"other weights")
    elif harm == "missing":
        (folder / "safety.npz").unlink()
    else:
        (folder / "manifest.json").write_text(json.dumps({"files": {**hashes, "content.json": "0" * 64}}))
    with pytest.raises(BuildCorrupt):
        verify(folder)


def test_a_classifiers_notice_is_shown_like_a_rules(world: World) -> None:
    reply = answerer().reply(Decision("answer", statements=((next(iter(content().statements)), 1.0),)), Setting())
    finding = Finding(notices=("low_mood", "see_clinician_soon"), by="classifier")
    world.guide.urgent.add_notices(reply, finding, world.guide.urgent.step(None, finding, "x"), Setting())
    assert notices(reply)[:2] == ["see_clinician_soon", "low_mood"] and all(n["contacts"] for n in reply["notices"][:2])
