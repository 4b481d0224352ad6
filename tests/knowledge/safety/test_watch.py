"""The watch after an urgent reply: who is still in danger, who asks something new, who is safe."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import CATEGORIES
from knowledge.safety.screen import Finding
from knowledge.safety.watch import MAX_SECONDS, MAX_TURNS, Step, Watch, WatchState
from knowledge.safety.wording import UrgentWording

CONTENT = Path(__file__).parents[3] / "knowledge" / "content"
WATCH = Watch.load(CONTENT)
NOTHING = Finding()
SUICIDE = Finding(category="crisis_suicide", by="rule")

STILL_IN_DANGER = [
    "no one answered", "it went to voicemail", "straight to voicemail", "i hung up", "i'm not gonna call", "nah", "nope not doing that",
    "they can't help me", "calling won't change anything", "already tried that line", "the line is engaged", "i've been on hold forever",
    "it says all lines are busy", "my phone has no credit", "i have no phone, borrowed this", "i can't talk out loud",
    "can't speak right now he's in the next room", "he's listening", "i'm too embarrassed", "i don't want an ambulance",
    "no ambulance please", "i can't afford an ambulance", "i don't want the cops here", "please don't send anyone", "it's already done",
    "i already took them", "i'm bleeding", "she's still not waking up", "still can't breathe", "it's getting worse", "getting worse",
    "nothing changed", "not really", "kinda", "idk", "i dunno", "meh", "sure", "fine", "k bye", "goodnight", "goodbye", "thanks anyway",
    "it doesn't matter anymore", "nobody can help", "you don't understand", "you're just a bot", "what do you care",
    "stop telling me to call", "you already said that", "same thing again", "that's all you say?", "don't", "pls", "pleaseee", "help me",
    "i'm alone", "i'm scared", "i don't know what to do", "my hands are shaking", "i can't stop crying", "i just want it to stop",
    "i changed my mind i want help", "ok calling now", "will they be angry", "what do i say when they answer",
    "do i have to give my name", "how long will the ambulance take", "can i text instead", "is there a chat", "wrong number",
    "number doesn't work", "it's not working", "the number does not exist", "they said call back later", "they told me to wait",
    "she refuses to call", "he won't let me call", "he won't go to hospital", "she says no", "hes not answering me",
    "i cant find my phone", "nadie responde", "me salta el buzón", "no tengo saldo", "no quiero ambulancia", "no puedo hablar, está aquí",
    "tengo vergüenza", "ya lo hice", "sigue sin despertar", "cada vez peor", "no sirve de nada", "no sé", "bueno", "ya", "da igual todo",
    "eres un robot", "¿y qué les digo?", "¿cuánto tarda la ambulancia?", "no me hacen caso", "no quiere llamar", "el número no funciona",
    "tengo mucho miedo", "estoy sola",
    "ok", "k", "no", "nope", "yes", "why?", "why bother", "thanks", "bye", "hello?", "...", "?", "", "👍", "😭😭", "💔", "hm",
    "they didn't pick up", "they didnt pick up the phone", "nobody answers", "no one is picking up", "no answer", "it just rings",
    "it rings out", "line is busy", "they put me on hold", "they hung up on me", "i'm on hold for 20 minutes now", "no signal here",
    "the clinic didn't pick up", "I called and nobody answered", "i tried that number already", "already called, no answer",
    "too late", "it's too late", "its to late", "what's the point", "whats the point of trying anymore?", "i don't want to", "I can't",
    "i cant do this anymore", "i don't want to call anyone", "I'm not calling", "too scared to call", "don't want to bother anyone",
    "leave me alone", "forget it", "whatever", "doesn't matter", "nobody cares", "I'm fine", "it's not that bad", "maybe later",
    "i give up", "so alone", "help", "please help me", "I'm scared", "what should i do", "what do i do now", "can you call them for me",
    "are you a real person?", "will they send the police to my house?", "am I safe now?", "I am not safe", "i wish i was safe",
    "he took my phone", "ok i will call", "it has been an hour and the ambulance has not come", "sorry",
    "no contestan", "nadie contesta", "llamé y no contestan", "ya es tarde", "es tarde", "para qué", "no quiero", "no puedo más",
    "no quiero llamar", "me da igual", "vale", "gracias", "adiós", "qué hago", "tengo miedo", "ayuda", "no estoy a salvo",
    "¿Estoy a salvo?", "me colgaron", "sin señal", "déjame en paz", "nadie me ayuda", "la ambulancia no llega",
]  # fmt: skip
NEW_QUESTIONS = [
    "how is ketamine given?", "what are the side effects of ketamine", "is ketamine addictive", "how many infusions do people need",
    "can my husband come with me", "does it help fibromyalgia", "what about my bladder", "how long does it take to work",
    "does insurance pay for it", "what does esketamine cost in the uk", "can i have it while pregnant", "is there a pill form",
    "does it show up in drug tests", "why is it not approved", "who can't have ketamine", "what should i ask my doctor",
    "tell me about the risks", "explain nmda receptors", "and for migraines?", "what's the evidence for neuropathy",
    "¿cómo se administra?", "¿crea adicción?", "¿ayuda con la fibromialgia?", "¿cuántas infusiones hacen falta?",
    "¿puede venir mi marido?", "is it safe for older people", "how soon can i drive", "what are the alternatives",
    "do doctors agree on this", "sorry that was for my brother, he is fine now. How does ketamine work?",
    "how long does relief last?", "What does ketamine cost?", "side effects", "spravato", "is it approved for pain?",
    "can you help me understand the side effects of ketamine", "what should I do to prepare for an infusion?",
    "gabapentin didn't help me, what else is there for nerve pain", "I am over 60 and have back pain, will it help",
    "is it too late to cancel my infusion?", "thanks, can you tell me what the risks are", "ok so what does the evidence say",
    "does insurance cover infusions", "why do doctors disagree about this?", "what is CRPS?", "how does it work in the brain",
    "I was reading about infusions and bladder problems", "that's not what I meant", "you misunderstood", "it was just a question",
    "¿Cuánto dura el efecto?", "cuánto cuesta", "qué es la ketamina", "efectos secundarios", "¿es segura para el corazón?",
    "no puedo dormir por el dolor, qué puedo preguntar al médico", "solo era una pregunta",
]  # fmt: skip
SAFE = [
    "the paramedics are with her now", "ambulance just pulled up", "im at A&E now", "we're at the ER", "she's breathing normally again",
    "he's awake now and talking", "i gave the pills to my neighbour", "i flushed the pills", "i rang them and we talked, i feel calmer",
    "spoke to samaritans, feeling a bit better", "the crisis line helped, thank you", "i got out, i'm at my sister's",
    "the police took him away", "poison control says he's ok", "they said she will be fine", "i'm ok now, the feeling passed",
    "i called my therapist", "I won't do it, I promise", "ya llegó la ambulancia", "hablé con el 024 y estoy más tranquila",
    "ya respira bien", "está despierta y hablando", "me fui de casa, estoy a salvo", "tiré las pastillas",
    "toxicología dice que está bien", "the danger is over", "all good now, thanks",
    "I'm safe now", "im safe now", "we are safe", "I am somewhere safe", "I feel better now", "I'm okay now", "the ambulance is here",
    "ambulance is on the way", "paramedics just arrived", "police are here", "I called 911", "we called an ambulance",
    "I am on the phone with 988", "I'm talking to someone now", "we are at the hospital", "on my way to the ER",
    "my husband is driving me to the hospital", "he is breathing again", "she woke up", "false alarm", "I'm not in danger",
    "I'm safe now, thank you. Can I still ask something?",
    "ya estoy a salvo", "estoy bien ahora", "la ambulancia ya llegó", "ya llamé al 112", "estoy en urgencias", "falsa alarma",
    "me llevan al hospital", "no estoy en peligro",
]  # fmt: skip
COMPANY = ["I'm with my sister now", "my sister is here", "my husband is with me", "I'm not alone", "someone is here with me now",
           "estoy con mi hermana", "mi marido está conmigo", "ya no estoy sola"]  # fmt: skip
NOT_SAFE = ["I'm not safe", "I don't feel safe", "if I was safe I would tell you", "the ambulance isn't here yet", "I'd be better off dead",
            "no me siento segura", "la ambulancia no llega"]  # fmt: skip


def started(finding: Finding = SUICIDE, now: float = 0.0) -> WatchState:
    state = WATCH.step(None, finding, "x", now).state
    assert state is not None
    return state


def after(text: str, finding: Finding = NOTHING, state: WatchState | None = None, now: float = 60.0) -> Step:
    return WATCH.step(state or started(), finding, text, now)


def test_nothing_is_watched_before_danger() -> None:
    assert after("ok", state=None) is not None
    assert WATCH.step(None, NOTHING, "they didn't pick up", 0.0) == Step("none", None, 0, "nothing is being watched")


def test_danger_starts_a_watch() -> None:
    finding = Finding(category="overdose", language="es", subject="child", minor=True, danger_signs=True, by="rule")
    step = WATCH.step(None, finding, "x", 7.0)
    assert step.action == "urgent"
    assert step.variant == 0
    state = step.state
    assert state is not None
    assert (state.category, state.language, state.subject, state.minor, state.danger_signs) == ("overdose", "es", "child", True, True)
    assert (state.since, state.turns) == (7.0, 0)


@pytest.mark.parametrize("text", STILL_IN_DANGER)
def test_short_and_refusing_answers_are_urgent_again(text: str) -> None:
    step = after(text)
    assert step.action == "urgent_again", step.why
    assert step.state is not None
    assert step.state.category == "crisis_suicide"


@pytest.mark.parametrize("text", NEW_QUESTIONS)
def test_a_new_question_is_answered_with_the_contacts(text: str) -> None:
    step = after(text)
    assert step.action == "answer_with_contacts", step.why
    assert step.state is not None
    assert step.state.turns == 1


@pytest.mark.parametrize("text", SAFE)
@pytest.mark.parametrize("category", ["crisis_suicide", "medical_emergency", "abuse_danger"])
def test_safe_is_thanked_and_the_contacts_stay_once_more(text: str, category: str) -> None:
    step = after(text, state=started(Finding(category=category, by="rule")))
    assert step.action == "thank_safe", step.why
    assert step.state is not None
    then = WATCH.step(step.state, NOTHING, "thanks", 90.0)
    assert then.action == "answer_with_contacts"
    assert WATCH.step(then.state, NOTHING, "ok", 120.0).action == "none"


@pytest.mark.parametrize("text", COMPANY)
def test_company_helps_against_being_alone_with_it_only(text: str) -> None:
    assert after(text).action == "thank_safe"
    for category in ("abuse_danger", "medical_emergency", "overdose", "child_exposure"):
        assert after(text, state=started(Finding(category=category, by="rule"))).action != "thank_safe"


@pytest.mark.parametrize("text", NOT_SAFE)
def test_not_safe_is_never_thanked(text: str) -> None:
    assert after(text).action in ("urgent_again", "urgent")


def test_safe_with_a_question_gets_the_answer() -> None:
    step = after("I'm safe now. How long does ketamine stay in the body?")
    assert step.action == "answer_with_contacts"
    assert step.state is not None
    assert step.state.last_kind == "thanks"


def test_danger_that_comes_back_after_safe_is_urgent() -> None:
    thanked = after("I'm safe now").state
    assert thanked is not None
    assert WATCH.step(thanked, NOTHING, "i lied", 90.0).action == "urgent_again"
    assert WATCH.step(thanked, SUICIDE, "x", 90.0).action == "urgent"


def test_the_ambulance_that_came_is_no_new_emergency_for_the_classifier() -> None:
    classifier = Finding(category="medical_emergency", by="classifier", score=0.9)
    assert after("the ambulance is here", classifier).action == "thank_safe"
    assert after("the ambulance is here", replace(classifier, by="rule")).action == "urgent"
    assert WATCH.step(None, classifier, "the ambulance is here", 0.0).action == "urgent"


def test_low_mood_without_a_question_is_urgent_while_watched() -> None:
    low = Finding(notices=("low_mood",))
    assert after("everything just feels grey and heavy these days", low).action == "urgent_again"
    assert after("everything feels grey, does ketamine help with depression?", low).action == "answer_with_contacts"


def test_the_watch_ends_after_thirty_minutes() -> None:
    assert after("ok", now=float(MAX_SECONDS)).action == "urgent_again"
    assert after("ok", now=MAX_SECONDS + 1.0) == Step("none", None, 0, "nothing is being watched")


def test_the_watch_ends_after_ten_turns() -> None:
    state: WatchState | None = started()
    for turn in range(MAX_TURNS):
        step = WATCH.step(state, NOTHING, "how long does a session last?", 10.0 * turn)
        assert step.action == "answer_with_contacts"
        state = step.state
    assert WATCH.step(state, NOTHING, "how long does a session last?", 200.0).action == "none"


def test_new_danger_renews_the_watch() -> None:
    state = after("ok", now=1700.0).state
    step = WATCH.step(state, Finding(category="overdose", by="rule"), "x", 1750.0)
    assert step.state is not None
    assert (step.state.category, step.state.since, step.state.turns) == ("overdose", 1750.0, 0)
    assert WATCH.step(step.state, NOTHING, "ok", 3000.0).action == "urgent_again"


def test_what_was_known_stays_known() -> None:
    state = started(Finding(category="overdose", danger_signs=True, minor=True, by="rule"))
    step = WATCH.step(state, Finding(category="crisis_suicide", by="rule"), "x", 10.0)
    assert step.state is not None
    assert step.state.danger_signs
    assert step.state.minor
    late = WATCH.step(state, Finding(category="crisis_suicide", by="rule"), "x", 9999.0)
    assert late.state is not None
    assert not late.state.danger_signs


def words(step: Step, wording: UrgentWording) -> str | None:
    state = step.state
    if step.action == "urgent" and state:
        return wording.lead(state.category, state.language, state.subject, step.variant)
    if step.action == "urgent_again" and state:
        return wording.repeat(state.category, state.language, step.variant)
    return None


def test_the_same_wording_never_comes_twice_in_a_row() -> None:
    wording = UrgentWording.load(CONTENT)
    chance = random.Random(4)  # noqa: S311
    for _ in range(300):
        state: WatchState | None = None
        now, last = 0.0, None
        for _ in range(30):
            now += chance.choice([5.0, 60.0, 400.0, 2000.0])
            category = chance.choice([None, None, None, "crisis_suicide", "crisis_suicide", "overdose"])
            text = chance.choice(["ok", "nobody answers", "x", "how long does relief last?", "I'm safe now"])
            step = WATCH.step(state, Finding(category=category, by="rule" if category else None), text, now)
            said = words(step, wording)
            assert said is None or said != last
            last, state = said, step.state


def test_state_survives_json_and_nonsense() -> None:
    state = started(Finding(category="child_exposure", subject="child", language="es", by="rule"))
    assert WatchState.from_json(json.loads(json.dumps(state.to_json()))) == state
    good = state.to_json()
    bad: list[Any] = [None, {}, [], "x", 3, {"category": "x"}, {**good, "category": "weather"}, {**good, "since": "now"}, {**good, "since": None},
                      {**good, "turns": "one"}, {**good, "turns": -1}, {**good, "last_kind": "third"}, {**good, "more": 1},
                      {**good, "since": float("nan")}, {**good, "last_variant": None}]  # fmt: skip
    assert [WatchState.from_json(b) for b in bad] == [None] * len(bad)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(max_size=300),
    category=st.sampled_from([None, *CATEGORIES]),
    now=st.floats(-1e6, 1e12, allow_nan=False),
    turns=st.integers(0, 30),
)
def test_any_text_gets_a_step(text: str, category: str | None, now: float, turns: int) -> None:
    state = replace(started(), turns=turns)
    step = WATCH.step(state, Finding(category=category), text, now)
    if category:
        assert step.action in ("urgent", "thank_safe", "answer_with_contacts")
    if step.action.startswith("urgent"):
        assert step.state is not None


@pytest.mark.parametrize("text", ["\ud800", "\x00", "a" * 100_000, "no " * 50_000, "🙂" * 5000])
def test_strange_texts(text: str) -> None:
    assert after(text).action in ("urgent_again", "answer_with_contacts")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("watch.yml", "spellings.yml"):
        shutil.copy(CONTENT / "safety" / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("  safe:", "  saef:", "safe"),
        ("(leave me alone|", "((leave me alone|", "bracket"),
        ("- no (answer|", "- <unknown> (answer|", "no word list"),
        ("en:", "en: [", "YAML"),
    ],
)
def test_a_broken_list_is_refused_and_named(copy: Path, old: str, new: str, complaint: str) -> None:
    file = copy / "watch.yml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(SafetyContentError) as error:
        Watch.load(copy)
    assert "watch.yml" in str(error.value)
    assert complaint in str(error.value)
