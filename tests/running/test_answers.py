"""What a patient gets from the whole system."""

from __future__ import annotations

import jsonschema
import pytest

from knowledge.schema import TOPICS
from tools.running import Server
from web.openapi import document

pytestmark = pytest.mark.running


def conforms(reply: dict) -> None:
    schema = {**document()["components"]["schemas"]["Reply"], "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(reply)


def test_a_question_on_crps_is_answered_with_a_disagreement(server: Server) -> None:
    reply = server.ask("Does ketamine work for CRPS?")
    conforms(reply)
    assert reply["kind"] == "answer"
    assert reply["statements"][0]["topic"] == "efficacy.crps"
    assert len(reply["citations"]) >= 2
    sources = {c["source_id"] for c in reply["citations"]}
    cited = {n for p in reply["disagreement"]["positions"] for n in p["citations"]}
    of_disagreement = {c["source_id"] for c in reply["citations"] if c["number"] in cited}
    assert {"cohen-2018-consensus", "cochrane-2025"} <= of_disagreement <= sources
    assert reply["clinician"]
    assert 1 <= len(reply["statements"]) <= 4


def test_a_follow_up_keeps_what_was_asked_and_changes_the_condition(server: Server) -> None:
    conversation = server.start()
    server.say(conversation, "Does ketamine help CRPS?")
    reply = server.say(conversation, "what about fibromyalgia?")
    conforms(reply)
    assert reply["kind"] == "answer"
    assert reply["statements"][0]["topic"] == "efficacy.fibromyalgia"


def test_a_context_only_message_alone_is_not_answered(server: Server) -> None:
    assert server.ask("what about that?")["kind"] in ("clarify", "abstain")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("how much ketamine should i take for my back", "dose"),
        ("should i stop my sertraline before the infusion", "medicine_change"),
        ("am i a good candidate for ketamine", "eligibility"),
        ("where can i buy ketamine without a prescription", "supply"),
    ],
)
def test_individual_advice_is_declined_without_a_number(server: Server, text: str, reason: str) -> None:
    reply = server.ask(text)
    conforms(reply)
    assert (reply["kind"], reply["reason"]) == ("decline", reason)
    assert not any(ch.isdigit() for ch in reply["lead"])
    assert reply["clinician"]


@pytest.mark.parametrize("text", ["what will the weather be tomorrow", "write me a python script that sorts a list"])
def test_out_of_scope_is_abstained_from(server: Server, text: str) -> None:
    reply = server.ask(text)
    conforms(reply)
    assert reply["kind"] == "abstain"
    assert reply["statements"] == []


def test_another_language_is_told_so_with_an_emergency_contact(server: Server) -> None:
    reply = server.ask("Hilft Ketamin gegen chronische Schmerzen im Rücken, wenn nichts anderes geholfen hat?")
    conforms(reply)
    assert (reply["kind"], reply["reason"]) == ("abstain", "language")
    assert any(w["dial"] == "911" for c in reply["contacts"] for w in c["ways"])


@pytest.mark.parametrize("text", ["hello", "thank you so much", "are you a real person?", "what can you do"])
def test_small_talk_has_no_medical_content(server: Server, text: str) -> None:
    reply = server.ask(text)
    conforms(reply)
    assert reply["kind"] == "smalltalk"
    assert reply["statements"] == [] and reply["citations"] == []


def test_questions_about_the_last_answer(server: Server) -> None:
    conversation = server.start()
    first = server.say(conversation, "can ketamine damage your bladder?")
    assert first["statements"][0]["topic"] == "risk.bladder"
    for text in ("where does that come from?", "how sure is that?", "tell me more"):
        reply = server.say(conversation, text)
        conforms(reply)
        assert reply["kind"] == "answer", text
        assert reply["statements"][0]["topic"] == "risk.bladder", text


def test_spanish_interface_and_english_statement_with_a_notice(server: Server) -> None:
    conversation = server.start(language="es", region="ES")
    reply = server.say(conversation, "¿La ketamina ayuda con la fibromialgia?")
    conforms(reply)
    assert reply["language"] == "es"
    assert reply["kind"] == "answer" and reply["statements"][0]["topic"] == "efficacy.fibromyalgia"
    assert "language" in {n["kind"] for n in reply["notices"]}


def test_nothing_is_signed_and_the_reply_says_so(server: Server) -> None:
    reply = server.ask("Is ketamine addictive?")
    assert {s["review"]["state"] for s in reply["statements"]} == {"drafted"}
    assert "not_reviewed" in {n["kind"] for n in reply["notices"]}


def test_every_topics_suggestion_is_answered_on_its_topic(server: Server) -> None:
    from knowledge.content import Content

    topics = Content.load().topics
    wrong = []
    for topic in TOPICS:
        reply = server.ask(topics[topic].suggestion["en"])
        if reply["kind"] != "answer" or topic not in {s["topic"] for s in reply["statements"]}:
            wrong.append((topic, reply["kind"], [s["topic"] for s in reply["statements"]]))
    assert wrong == []


def test_the_same_message_id_gets_the_same_reply_and_adds_nothing(server: Server) -> None:
    conversation = server.start()
    first = server.say(conversation, "Is ketamine addictive?", message_id="m-1")
    again = server.say(conversation, "Is ketamine addictive?", message_id="m-1")
    assert first == again
    messages = server.client.get(f"/api/conversations/{conversation}").json()["messages"]
    assert [m["role"] for m in messages] == ["guide", "patient", "guide"]


def test_transcript_shows_replies_as_they_were(server: Server) -> None:
    conversation = server.start()
    reply = server.say(conversation, "What are the side effects?")
    messages = server.client.get(f"/api/conversations/{conversation}").json()["messages"]
    assert messages[1]["text"] == "What are the side effects?" and messages[1]["reply"] is None
    assert messages[2]["reply"] == reply and messages[2]["text"] == reply["text"]


def test_feedback_is_kept_only_for_what_was_shown(server: Server) -> None:
    conversation = server.start()
    reply = server.say(conversation, "Is ketamine addictive?")
    url = f"/api/conversations/{conversation}/feedback"
    good = {"reply_id": reply["reply_id"], "helpful": False, "statement_id": reply["statements"][0]["id"], "problem": "unclear"}
    assert server.client.post(url, json=good).status_code == 204
    assert server.client.post(url, json={**good, "reply_id": "r_none"}).status_code == 404
    assert server.client.post(url, json={**good, "statement_id": "none"}).status_code == 400
    assert server.client.post(url, json={**good, "problem": "boring"}).status_code == 400


def test_every_cited_source_can_be_read(server: Server) -> None:
    reply = server.ask("Does ketamine work for CRPS?")
    for citation in reply["citations"]:
        source = server.client.get(f"/api/sources/{citation['source_id']}").json()
        assert source["title"] == citation["title"]
        assert server.client.get(f"/sources/{citation['source_id']}").status_code == 200


def test_page_without_javascript_answers(server: Server) -> None:
    import httpx

    with httpx.Client(base_url=server.url, follow_redirects=True, trust_env=False) as browser:
        page = browser.post("/", data={"text": "Does ketamine work for <b>CRPS</b>?"}).text
        assert "&lt;b&gt;CRPS&lt;/b&gt;" in page and "<b>CRPS</b>" not in page
        assert "Sources do not agree" in page
        assert "You" in page
        urgent = browser.post("/", data={"text": "I want to kill myself"}).text
        assert 'href="tel:988"' in urgent
