"""What every channel must do, on each of them."""

from __future__ import annotations

import re

import pytest

from tests.channels.fakes import Phone, World, content

QUESTION = "Does ketamine help CRPS?"
DANGER = "I want to kill myself"
TWILIO_SMS = ("sms",)


def all_of(phone: Phone, first: str) -> str:
    """A first answer and, by SMS, every further page."""
    text = phone.read(first)
    while "Send MORE" in text.splitlines()[-1]:
        text += "\n" + phone.read("MORE")
    return text


def test_an_answer_is_cited_in_plain_text_with_links(phone: Phone) -> None:
    text = all_of(phone, QUESTION)
    assert re.search(r"\[1\]", text)
    assert re.search(r"(?m)^\[1\] .+ \(\d{4}\) https?://\S+$", text)
    assert "Ask your clinician" in text
    assert "Compiled from published sources" in text
    assert not re.search(r"[*_`]{2}|</?\w+>", text), "no markup"
    assert phone.world.platform.refused == []


def test_first_message_says_what_this_is_private_and_how_to_stop(phone: Phone) -> None:
    first = phone.say(QUESTION)
    assert "It is a program, not a person" in first[0].text
    assert "not private" in first[0].text
    assert "STOP" in first[0].text
    assert "not private" not in phone.read("And fibromyalgia?")


def test_a_follow_up_is_in_the_same_conversation(phone: Phone) -> None:
    phone.say(QUESTION)
    phone.say("how long does it last?")
    assert phone.world.rows()["conversations"] == 1
    assert phone.world.rows()["messages"] == 2


def test_two_people_have_two_conversations(phone: Phone) -> None:
    other = phone.world.phone(phone.name, {"slack": "U999999"}.get(phone.name, "15550001111"))
    phone.say(QUESTION)
    other.say(QUESTION)
    assert phone.world.rows()["conversations"] == 2


def test_disagreement_shows_both_sides(phone: Phone) -> None:
    first = phone.read("Do experts disagree?")
    assert "Where sources differ" in first, "the first page tells that sources differ"
    again = phone.world.phone(phone.name, {"slack": "U999999"}.get(phone.name, "15550001111"))
    text = all_of(again, "Do experts disagree?")
    assert len(re.findall(r"(?m)^- .+\[\d\]", text)) >= 2


def test_urgent_comes_first_with_the_number(phone: Phone) -> None:
    shown = phone.say(DANGER)
    assert "988" in shown[0].text[:160]
    assert phone.world.script.asked == []
    assert "not private" not in shown[0].text, "nothing stands before the number"


def test_urgent_after_urgent_remembers(phone: Phone) -> None:
    first = phone.read(DANGER)
    second = phone.read("no")
    assert "988" in second
    assert first != second


def test_decline_names_no_amount(phone: Phone) -> None:
    text = phone.read("How many mg should I take?")
    assert "We do not give doses" in text
    assert not re.search(r"\d+\s?mg", text)


def test_stop_is_obeyed_and_start_begins_again(phone: Phone) -> None:
    phone.say(QUESTION)
    said = phone.read("Stop")
    if phone.name in TWILIO_SMS:
        assert said == "", "Twilio answers STOP itself"
    else:
        assert "no more messages" in said
        assert "911" in said
    assert phone.read("Does it help migraine?") == ""
    assert len(phone.world.script.asked) == 1
    assert "not private" in phone.read("START")
    assert phone.read(QUESTION) != ""


@pytest.mark.parametrize("word", ["ALTO", "Baja.", "parar"])
def test_spanish_words_for_stop(phone: Phone, word: str) -> None:
    phone.say("¿Qué riesgos tiene la ketamina para la vejiga?")
    said = phone.read(word)
    assert "START" in said
    assert phone.read("otra pregunta sobre ketamina") == ""


def test_stop_inside_a_sentence_is_screened(phone: Phone) -> None:
    assert "988" in phone.read("stop, I want to die")
    assert phone.read(QUESTION) != "", "and it is no STOP"


def test_danger_is_answered_after_stop(phone: Phone) -> None:
    phone.say("stop")
    assert "988" in phone.read(DANGER)
    assert phone.read("What is ketamine?") == "", "and the STOP still holds"


def test_help_shows_contacts(phone: Phone) -> None:
    text = phone.read("help")
    assert "911" in text
    assert text.index("911") < text.index("STOP")
    assert "911" in phone.read("AYUDA")


def test_help_while_in_danger_is_danger(phone: Phone) -> None:
    phone.say(DANGER)
    text = phone.read("help")
    assert "911" in text
    assert "COUNTRY" not in text


def test_a_replayed_message_is_answered_once(phone: Phone) -> None:
    hook = phone.sender.text(QUESTION)
    assert phone.post(hook) != []
    before = phone.world.rows()
    assert phone.post(hook) == []
    assert phone.world.rows() == before
    assert len(phone.world.script.asked) == 1


def test_an_urgent_replay_is_answered_once(phone: Phone) -> None:
    hook = phone.sender.text(DANGER)
    assert phone.post(hook) != []
    assert phone.post(hook) == []


def test_a_replay_after_deletion_brings_nothing_back(phone: Phone) -> None:
    hook = phone.sender.text(QUESTION)
    phone.post(hook)
    phone.say("delete my data")
    assert phone.post(hook) == []
    assert phone.world.rows()["conversations"] == 0


def test_delete_my_data_leaves_nothing(phone: Phone) -> None:
    phone.say(QUESTION)
    assert "deleted" in phone.read("Delete my data.")
    rows = phone.world.rows()
    assert rows["conversations"] == rows["messages"] == rows["channel_users"] == 0


def test_delete_while_in_danger_is_obeyed(phone: Phone) -> None:
    phone.say(DANGER)
    assert "deleted" in phone.read("delete my data")
    assert phone.world.rows()["messages"] == phone.world.rows()["conversations"] == 0


def test_delete_in_spanish(phone: Phone) -> None:
    phone.say("¿Qué riesgos tiene la ketamina para la vejiga?")
    assert "Hecho" in phone.read("Borrar mis datos")
    assert phone.world.rows()["messages"] == 0


def test_an_image_gets_a_polite_line_once(phone: Phone) -> None:
    assert "only text" in phone.post(phone.sender.media())[0].text
    assert phone.post(phone.sender.media()) == [], "an album is many messages"


def test_a_caption_is_screened(phone: Phone) -> None:
    assert "988" in phone.post(phone.sender.media(DANGER))[0].text


def test_a_caption_is_answered(phone: Phone) -> None:
    text = "\n".join(s.text for s in phone.post(phone.sender.media(QUESTION)))
    assert "[1]" in text
    assert "only text" in text


def test_with_the_dialogue_down_it_says_so_with_contacts(phone: Phone) -> None:
    phone.world.script.down = True
    text = phone.read(QUESTION)
    assert "not running" in text
    assert "911" in text
    assert "988" in text
    assert "988" in phone.read(DANGER)


def test_with_the_database_gone_danger_is_still_answered(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("x", {}, Exception("gone"))

    monkeypatch.setattr(phone.world.store.engine, "begin", broken)
    monkeypatch.setattr(phone.world.store.engine, "connect", broken)
    assert "988" in phone.read(DANGER)
    text = phone.read(QUESTION)
    assert "911" in text
    hook = phone.sender.text(DANGER)
    phone.post(hook)
    assert phone.post(hook) == [], "a replay is known in memory"


def test_a_fault_of_ours_is_not_silence(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(*_: object, **__: object) -> None:
        raise RuntimeError("a patient's words")

    monkeypatch.setattr(phone.world.guide, "ask", boom)
    assert "911" in phone.read(QUESTION)


def test_spanish_is_answered_in_spanish(phone: Phone) -> None:
    text = phone.read("¿Qué riesgos tiene la ketamina para la vejiga y cómo se cuidan?")
    assert "programa" in text
    assert "ALTO" in text


def test_a_tapped_button_asks_its_suggestion(phone: Phone) -> None:
    if phone.name in ("sms", "whatsapp-twilio"):
        pytest.skip("no buttons")
    buttons = next(s.buttons for s in phone.say(QUESTION) if s.buttons)
    label, value = buttons[1]
    phone.post(phone.sender.tap(label, value))
    assert phone.world.script.asked[-1] == content().topics["risk.general"].suggestion["en"]


def test_an_old_button_still_asks_its_own_suggestion(phone: Phone) -> None:
    if phone.name in ("sms", "whatsapp-twilio"):
        pytest.skip("no buttons")
    buttons = next(s.buttons for s in phone.say("pain") if s.buttons)
    phone.say(QUESTION)
    phone.post(phone.sender.tap(*buttons[1]))
    assert phone.world.script.asked[-1] == content().topics["efficacy.fibromyalgia"].suggestion["en"]


def test_the_answers_follow_the_language_of_the_questions(phone: Phone) -> None:
    phone.say(QUESTION)
    phone.say("¿Qué riesgos tiene la ketamina para la vejiga?")
    assert "responde preguntas" in phone.read("ayuda")
    phone.say("What are the risks of ketamine for the liver?")
    assert "answers questions" in phone.read("help")


def test_language_can_be_chosen(phone: Phone) -> None:
    phone.say(QUESTION)
    assert "responderemos" in phone.read("Español")
    assert "answer in English" in phone.read("in English")


def test_country_can_be_chosen(phone: Phone) -> None:
    phone.say(QUESTION)
    assert "United States" in phone.read("COUNTRY")
    assert "999" in phone.read("country uk")
    assert "999" in phone.read(DANGER)


def test_a_suggestion_by_number(phone: Phone) -> None:
    phone.say(QUESTION)
    phone.say("2")
    assert phone.world.script.asked[-1] == content().topics["risk.general"].suggestion["en"]


def test_too_long_is_told_and_screened(phone: Phone) -> None:
    assert "too long" in phone.read("ketamine " * 400)
    assert "988" in phone.read("ketamine " * 400 + DANGER)


def test_rate_limit_is_told_once_and_danger_passes(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    from web.errors import Refusal

    def limited(address: str, conversation: str) -> None:
        assert phone.sender.user not in address
        raise Refusal("too-many-requests", retry_after=60)

    monkeypatch.setattr(phone.world.guide, "within_limits", limited)
    assert "many messages" in phone.read(QUESTION)
    assert phone.read(QUESTION) == ""
    assert "988" in phone.read(DANGER)


def test_nothing_in_clear_in_the_database(phone: Phone, tmp_path) -> None:
    phone.say(QUESTION)
    phone.say("stop")
    hook = phone.sender.text("hello", None)
    phone.post(hook)
    phone.world.store.engine.dispose()
    stored = b"".join(p.read_bytes() for p in tmp_path.glob("guide.db*"))
    number = phone.sender.user.lstrip("+")
    assert number.encode() not in stored
    assert phone.sender.address.encode() not in stored


def test_nothing_in_clear_in_the_log(phone: Phone, capfd: pytest.CaptureFixture[str]) -> None:
    phone.world.platform.failures[:] = [500] * 20
    phone.say("My name is Planted Sentence, does ketamine help CRPS?")
    phone.world.post(phone.sender.text("x"), **{"X-Hub-Signature-256": "bad", "X-Twilio-Signature": "bad"})
    out = "".join(capfd.readouterr())
    assert phone.sender.user.lstrip("+") not in out
    assert "Planted" not in out
    assert "AAE-pretended" not in out


def test_conversation_ids_are_derived_and_long(world: World) -> None:
    from web.channels.base import Identity, Inbound

    one = Inbound("sms", "+1", "+15550001", "m1")
    a = Identity.of(b"k" * 32, one)
    assert a == Identity.of(b"k" * 32, one)
    assert a.conversation_id != Identity.of(b"l" * 32, one).conversation_id
    assert a.conversation_id != Identity.of(b"k" * 32, Inbound("sms", "+1", "+15550002", "m1")).conversation_id
    assert a.user not in a.conversation_id
    assert len(a.conversation_id) >= 3 + 43  # 256 bits in base64
