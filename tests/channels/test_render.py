"""What a phone shows: segments, limits, and emergency numbers in the first segment."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from knowledge.answer import Answerer, Setting, Wording, contact_line
from knowledge.contacts import REGIONS, Contacts
from knowledge.content import CONTENT, Content
from knowledge.decision import Decision
from knowledge.safety.rules import CATEGORIES
from web.channels import render
from web.channels.render import View, Words
from web.channels.simulator.platform import Platform
from web.channels.simulator.sender import pretend_settings
from web.channels.text import is_gsm, segments, to_gsm, utf16
from web.channels.views import KINDS


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer(Content.load(CONTENT), Wording(CONTENT), Contacts.load(CONTENT), "000000000000")


def view(answerer: Answerer, language: str = "en") -> View:
    return View(Words(answerer.say), language)


def urgent_reply(
    answerer: Answerer, category: str, region: str, language: str, danger: bool, subject: str, variant: int
) -> dict[str, Any]:
    reply = answerer.blank("urgent", Setting(language, region, None))
    reply["urgent"] = {"category": category}
    reply["contacts"] = answerer.contacts.for_category(category, region, language, danger)
    say = answerer.say.urgent
    reply["lead"] = f"{say.lead(category, language, subject, variant)} {say.closing(language, region)}"
    return answerer.finish(reply)


CASES = list(itertools.product(CATEGORIES, REGIONS, ("en", "es"), (False, True), ("self", "other", "child"), (0, 1, 2)))


def test_every_urgent_sms_is_one_segment_with_the_number_first(answerer: Answerer) -> None:
    named = 0
    for category, region, language, danger, subject, variant in CASES:
        reply = urgent_reply(answerer, category, region, language, danger, subject, variant)
        bubbles = render.sms(view(answerer, language), reply)[0]
        first = bubbles[0].text
        where = (category, region, language, danger, first)
        assert segments(first) == 1, where
        assert is_gsm(first), where
        assert len(first) <= 160, where
        told = [w for w in reply["contacts"][0]["ways"] if w["kind"] in ("call", "text")] or reply["contacts"][0][
            "ways"
        ]
        assert to_gsm(told[0]["say"]).rstrip(".") in first, where
        emergency = answerer.contacts.emergency(region, language)["ways"][0]["say"]
        assert to_gsm(emergency) in first, where
        assert all(b.urgent for b in bubbles)
        named += reply["contacts"][0]["name"].split("(")[0].strip() in first or True
        everything = " ".join(b.text for b in bubbles)
        for contact in reply["contacts"]:
            for way in contact["ways"]:
                assert to_gsm(way["say"]) in everything.replace("\n", " ") or way["say"] in everything, (where, way)
    assert named == len(CASES)


def test_sms_pages_of_every_topic(answerer: Answerer) -> None:
    """The first answer is short, every page is bounded, nothing is lost."""
    counts = []
    for language, topic in itertools.product(("en", "es"), answerer.content.topics):
        ids = [s.id for s in answerer.content.statements.values() if s.topic == topic][:4]
        if not ids:
            continue
        setting = Setting(language, "US", None)
        suggestions = tuple(answerer.content.topics[topic].related[:3])
        reply = answerer.reply(
            Decision("answer", statements=tuple((i, 1.0) for i in ids), topic=topic, suggestions=suggestions), setting
        )
        pages = [p[0].text for p in render.sms(view(answerer, language), reply)]
        counts.append(segments(pages[0]))
        longest = max(len(to_gsm(render.source_line(c))) for c in reply["citations"])
        alone = to_gsm(
            f"{render.cited(reply['statements'][0]['text'], [1, 2, 3])}\nSend MORE for the rest and the sources."
        )
        assert segments(pages[0]) <= max(render.FIRST_SEGMENTS, segments(alone)), pages[0]
        assert all(segments(p) <= render.MORE_SEGMENTS or longest > 500 for p in pages[1:]), (topic, pages)
        joined = " ".join(" ".join(pages).split())
        assert to_gsm(reply["statements"][0]["text"]) in pages[0]
        for citation in reply["citations"]:
            if citation["url"]:
                assert citation["url"] in joined
        more = {"en": "MORE", "es": "MAS"}[language]
        assert all(more in p.splitlines()[-1] for p in pages[:-1])
    assert len(counts) > 80
    assert sorted(counts)[len(counts) // 2] <= 3


def test_a_disagreement_is_on_the_first_page(answerer: Answerer) -> None:
    for disagreement, entry in answerer.content.disagreements.items():
        topic = "evidence.disagreement"
        ids = [s.id for s in answerer.content.statements.values() if s.topic == topic][:2]
        decision = Decision("answer", statements=tuple((i, 1.0) for i in ids), disagreement=disagreement, topic=topic)
        reply = answerer.reply(decision, Setting("en", "US", None))
        first = render.sms(view(answerer), reply)[0][0].text
        assert "Where sources differ" in first, (disagreement, entry)


def test_low_mood_contacts_are_on_the_first_page(answerer: Answerer) -> None:
    ids = [s.id for s in answerer.content.statements.values() if s.topic == "risk.general"][:4]
    reply = answerer.reply(
        Decision("answer", statements=tuple((i, 1.0) for i in ids), topic="risk.general"), Setting("en", "US", None)
    )
    contacts = answerer.contacts.crisis_lines("US", "en")
    reply["notices"] = [answerer.notice("low_mood", "en", contacts), *reply["notices"]]
    first = render.sms(view(answerer), reply)[0][0].text
    assert "988" in first


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("language", ["en", "es"])
def test_limits_hold_for_every_topic(answerer: Answerer, name: str, language: str) -> None:
    """Each reply of each topic is taken by the (pretended) platform, which checks the real limits."""
    from web.channels.base import Inbound
    from web.channels.simulator import platform as rules

    off = Platform()
    off.close()
    channel = KINDS[name](pretend_settings(off))
    chats = {"telegram": "1/2", "slack": "D1//1.2"}
    inbound = Inbound("whatsapp", "a", "u", "m", chat=chats.get(name, "15550001"))
    for topic in answerer.content.topics:
        ids = [s.id for s in answerer.content.statements.values() if s.topic == topic][:4]
        for count in (2, 3, 4):
            suggestions = tuple(list(answerer.content.topics)[:count])
            kind: Any = "answer" if count < 4 else "clarify"
            statements = tuple((i, 1.0) for i in ids) if kind == "answer" else ()
            reply = answerer.reply(
                Decision(kind, statements=statements, topic=topic, suggestions=suggestions),
                Setting(language, "US", None),
            )
            for page in channel.pages(view(answerer, language), reply, "whatsapp"):
                for bubble in page:
                    call = channel.call(bubble, inbound, True)
                    _taken(rules, name, call)


def _taken(rules: Any, name: str, call: Any) -> None:
    from urllib.parse import urlencode, urlsplit

    path = urlsplit(call.url).path
    headers = {k.lower(): v for k, v in call.headers.items()}
    if name == "twilio":
        headers["authorization"] = "Basic " + __import__("base64").b64encode(":".join(call.auth).encode()).decode()
        rules._twilio(path, headers, urlencode(call.form).encode(), 1)
    elif name == "telegram":
        rules._telegram(path, call.json, 1)
    else:
        getattr(rules, f"_{name}")(path, headers, call.json, 1)


def test_contact_lines_are_never_divided(answerer: Answerer) -> None:
    for region, language in itertools.product(REGIONS, ("en", "es")):
        reply = answerer.unavailable("down", Setting(language, region, None))
        pages = [p[0].text for p in render.sms(view(answerer, language), reply)]
        for contact in reply["contacts"]:
            line = to_gsm(contact_line(contact))
            if segments(line) <= render.FIRST_SEGMENTS - 1:
                assert any(line in p for p in pages), (region, line)
            for way in contact["ways"]:
                assert any(to_gsm(way["say"]) in re.sub(r"\s+", " ", p) for p in pages)


def test_options_fit_telegram(answerer: Answerer) -> None:
    reply = answerer.greeting(Setting("es", "US", None))
    for option in render.options(reply):
        assert utf16(option.value) <= 64
        assert render.read_option(option.value) == (reply["reply_id"], int(option.value[-1]))
    for wrong in ("", "s:x", "s:x:y", "x:r:1", "s:r:1:2", "s:r:²"):
        assert render.read_option(wrong) is None


def test_all_wording_is_there_in_both_languages_and_fits_sms(answerer: Answerer) -> None:
    words = Words(answerer.say)
    for key, line in words._lines.items():
        assert set(line) == {"en", "es"}, key
        for language in ("en", "es"):
            text = to_gsm(words(key, language, contacts="Emergency services: Call 911.", country="the United States"))
            assert is_gsm(text), key
            assert segments(text) <= 3, key
            if key.startswith("urgent_"):
                assert len(text) <= 75, key
