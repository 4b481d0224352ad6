"""The screen with rules alone: who is in danger, who is not, in whatever spelling, and never an exception."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.safety.rules import CATEGORIES
from knowledge.safety.screen import CONTENT, Finding, Screen, undisguised, windows

URGENT = [
    # direct
    ("I want to kill myself", "crisis_suicide", "self"),
    ("i want to die", "crisis_suicide", "self"),
    ("I'm going to end my life tonight", "crisis_suicide", "self"),
    ("I have suicidal thoughts, would ketamine help?", "crisis_suicide", "self"),
    ("suicidal", "crisis_suicide", "self"),
    ("kms", "crisis_suicide", "self"),
    ("I took all my pills because I want to die", "crisis_suicide", "self"),
    ("how many lozenges would kill me", "crisis_suicide", "self"),
    ("my friend says he wants to kill himself", "crisis_suicide", "other"),
    ("my daughter is cutting herself", "crisis_suicide", "child"),
    ("quiero morirme", "crisis_suicide", "self"),
    ("me quiero matar", "crisis_suicide", "self"),
    ("mi hermano dice que se va a suicidar", "crisis_suicide", "other"),
    ("ya no quiero vivir", "crisis_suicide", "self"),
    ("I can't breathe", "medical_emergency", "self"),
    ("My husband took his lozenge and won't wake up", "medical_emergency", "other"),
    ("my chest feels like an elephant is sitting on it", "medical_emergency", "self"),
    ("her lips are blue", "medical_emergency", "other"),
    ("one side of my face is drooping", "medical_emergency", "self"),
    ("he is having a seizure", "medical_emergency", "other"),
    ("worst headache of my life", "medical_emergency", "self"),
    ("I passed out after the lozenge", "medical_emergency", "self"),
    ("I can't pee and I have a fever", "medical_emergency", "self"),
    ("call an ambulance", "medical_emergency", "self"),
    ("no puedo respirar", "medical_emergency", "self"),
    ("mi marido no despierta", "medical_emergency", "other"),
    ("me duele mucho el pecho", "medical_emergency", "self"),
    ("I took too many lozenges", "overdose", "self"),
    ("I accidentally took a double dose", "overdose", "self"),
    ("I think I overdosed", "overdose", "self"),
    ("I mixed my lozenge with vodka and feel woozy", "overdose", "self"),
    ("me tomé demasiadas pastillas", "overdose", "self"),
    ("seeing things and scared two days after an infusion", "postinfusion_emergency", "self"),
    ("I had my infusion yesterday and I can't stand up", "postinfusion_emergency", "self"),
    ("I haven't been able to pee since my infusion", "postinfusion_emergency", "self"),
    ("desde la infusión de ayer veo cosas que no están y tengo mucho miedo", "postinfusion_emergency", "self"),
    ("my husband hits me", "abuse_danger", "self"),
    ("the nurse touched me while I was under ketamine", "abuse_danger", "self"),
    ("he forces me to take ketamine", "abuse_danger", "self"),
    ("mi marido me pega", "abuse_danger", "self"),
    ("someone spiked my drink with ketamine", "abuse_danger", "self"),
    ("my toddler ate my ketamine lozenge", "child_exposure", "child"),
    ("my 3 year old swallowed one of my troches", "child_exposure", "child"),
    ("mi hijo se tragó una tableta de ketamina", "child_exposure", "child"),
    # told without naming it
    ("Everyone would be better off without me", "crisis_suicide", "self"),
    ("I've been giving my things away and wrote letters to my kids. They're in the drawer.", "crisis_suicide", "self"),
    ("If this infusion doesn't work I am done with life", "crisis_suicide", "self"),
    ("I hope I don't wake up tomorrow", "crisis_suicide", "self"),
    ("there are 90 pills on the table in front of me", "crisis_suicide", "self"),
    ("he's gone a funny grey colour and he is gasping for air", "medical_emergency", "other"),
]

ORDINARY = [
    "does ketamine help suicidal thoughts?",
    "can ketamine stop your breathing",
    "the pain is killing me",
    "I had a seizure ten years ago",
    "what is a k-hole",
    "what is the drug abuse potential of ketamine",
    "what if my kid found it — how should I store it",
    "I'm dying to know if it works",
    "Is ketamine safe for people with a history of suicide attempts?",
    "no chest pain, no fever, just tired",
    "I have never been suicidal",
    "I'm not going to kill myself, I just want the pain to stop",
    "Why is trigeminal neuralgia called the suicide disease?",
    "My brother killed himself last year. Does ketamine run risks in families?",
    "What happens if I stop breathing during the infusion?",
    "when should I call 911 after an infusion",
    "I was abused as a child, can I still have ketamine?",
    "How do you keep lozenges away from children?",
    "my insurance forced me to wait",
    "I hurt myself lifting a box last week",
    "How long does an infusion last?",
    "I can't take it anymore, this back pain",
    "I can't go on like this, what are my options for nerve pain?",
    "can I drive after ketamine",
    "what is the lethal dose of ketamine",
    "I had hallucinations during my infusion, is that common?",
    "my insurance company is not responding",
    "I read that Matthew Perry died of ketamine",
    "I take too many pills already, can ketamine replace some?",
    "¿la ketamina ayuda con los pensamientos suicidas?",
    "el dolor me está matando",
    "me muero de ganas de probarlo",
    "¿puede la ketamina parar la respiración?",
    "tuve una convulsión hace diez años",
    "¿cuánto dura una infusión?",
    "¿Cómo guardo las tabletas lejos de los niños?",
    "is it a danger sign if someone cannot be woken",
    "can't be woken after ketamine, is that a danger sign",
    "what are the signs someone has had too much ketamine",
    "which symptoms mean calling an ambulance after spravato",
    "when do carers need to ring an ambulance, as a rule",
    "do doctors give the drip while somebody is hearing voices",
    "does the nasal spray slow breathing",
    "my blood pressure was 185 on the screen during treatment, does ketamine do that",
    "my sister was paralysed in a car accident, does ketamine help",
    "I can't walk since my back was injured. Is ketamine used for this?",
    "the pregabalin didn't agree with my mum, what else is there",
    "my GP said no to the drip, is he right",
    "they said no food before it, but for how long",
    "plan B if the infusion fails",
    "coffee grounds or cat litter for leftover tablets",
    "a hiding place for my tablets, away from the children",
    "they won't see my daughter until she is 18",
    "I want to cut my dose of morphine in half",
    "I hear voices sometimes. Am I allowed ketamine?",
    "I'm terrified of getting hooked. How addictive is ketamine?",
    "will I be unconscious again, I was out cold in an operation once",
    "when may I enjoy wine following my session",
    "they made me sign a consent form, is that legal",
    "after an infarct, may I have ketamine",
    "hi", "thanks", "ok", "", "   ", "?", "🙂",
]  # fmt: skip


@pytest.mark.parametrize(("text", "category", "subject"), URGENT)
def test_danger_is_found(screen: Screen, text: str, category: str, subject: str) -> None:
    finding = screen.check(text)
    assert finding.category == category, finding.why
    assert finding.subject == subject
    assert finding.by == "rule" and finding.rule and finding.rule in finding.why


# The same words as in questions in general, told of somebody there or of now.
TOLD = [
    "my husband can't be woken after ketamine, is that a danger sign",
    "his lips are blue, is that a danger sign",
    "chest pain, is that a warning sign",
    "someone stopped breathing after taking ketamine at home",
    "not breathing normally after ketamine",
    "my mum took too much ketamine, what are the signs",
    "can ketamine make someone stop breathing? my wife stopped breathing",
    "what are the symptoms of stroke? my dad's face is drooping",
    "paralysed from the waist down since this morning",
    "my vomit looks like coffee grounds",
    "hallucinations after ketamine and I'm scared, they won't stop",
    "the room has been spinning for a day since my session",
    "I want to cut me wrists",
    "he said no and they gave me ketamine anyway",
    "I've hidden enough of the patches",
    "I'm hiding from him",
    "ya tengo un plan b, las pastillas",
]


@pytest.mark.parametrize("text", TOLD)
def test_what_is_told_of_somebody_or_of_now_is_danger(screen: Screen, text: str) -> None:
    assert screen.check(text).urgent


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_questions_are_not_taken_over(screen: Screen, text: str) -> None:
    finding = screen.check(text)
    assert finding.category is None, finding.why


@pytest.mark.parametrize(
    ("text", "language"),
    [("no puedo respirar", "es"), ("I can't breathe", "en"), ("hello, mi marido no respira please help", "es")],
)
def test_the_reply_is_in_the_language_of_the_rule(screen: Screen, text: str, language: str) -> None:
    assert screen.check(text).language == language


@pytest.mark.parametrize(
    ("text", "category", "signs"),
    [
        ("my toddler ate my lozenge and won't wake up", "child_exposure", True),
        ("my toddler ate my lozenge", "child_exposure", False),
        ("I took too many lozenges and I can't breathe", "overdose", True),
        ("I took too many lozenges", "overdose", False),
        ("I swallowed all my pills, I want to die", "crisis_suicide", True),
        ("I want to die", "crisis_suicide", False),
        ("two days after my infusion I have chest pain", "medical_emergency", True),
        ("my boyfriend choked me and I passed out", "abuse_danger", True),
    ],
)
def test_the_more_urgent_contact_comes_first(screen: Screen, text: str, category: str, signs: bool) -> None:
    finding = screen.check(text)
    assert (finding.category, finding.danger_signs) == (category, signs), finding.why


# -- spelling -----------------------------------------------------------------------------------------------------

_LOOK_ALIKE = str.maketrans("aceopsxi", "асеорѕхі")


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


def _swap_one(text: str) -> str:
    words = text.split(" ")
    longest = max(range(len(words)), key=lambda i: len(words[i]))
    w = words[longest]
    if len(w) >= 6 and w.isalpha():
        words[longest] = w[:2] + w[3] + w[2] + w[4:]
    return " ".join(words)


DISGUISES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "no apostrophes": lambda t: t.replace("'", ""),
    "zero width": _zero_width,
    "look-alikes": lambda t: t.lower().translate(_LOOK_ALIKE),
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "a swapped letter": _swap_one,
    "emoji": lambda t: f"🙏🙏 {t} 😭😭",
    "buried": lambda t: (
        "Hello, I hope you are well. Thank you for the clear page about infusions, my clinic sent me the link. "
        "I am 54 and live in Leeds with my sister. " + t + ". Thank you very much in advance and have a lovely day. Kind regards, Ann"
    ),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_disguises_lose_nothing_much(screen: Screen, name: str) -> None:
    alter = DISGUISES[name]
    missed = [t for t, _, _ in URGENT if not screen.check(alter(t)).urgent]
    assert len(missed) <= 0.05 * len(URGENT), missed


def test_random_typos_lose_little(screen: Screen) -> None:
    rng = random.Random(7)
    missed = 0
    for text, _, _ in URGENT:
        words = text.split(" ")
        at = max(range(len(words)), key=lambda i: (len(words[i]), rng.random()))
        w = words[at]
        place = rng.randrange(1, max(2, len(w) - 1))
        words[at] = w[:place] + rng.choice(string.ascii_lowercase) + w[place + 1 :]
        missed += not screen.check(" ".join(words)).urgent
    assert missed <= 0.1 * len(URGENT)


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_long_texts_are_screened_whole(screen: Screen, place: str) -> None:
    filler = "My back has hurt since the accident and I walk with a cane. " * 340
    texts = {"start": "I can't breathe. " + filler, "middle": filler[:9000] + " I can't breathe. " + filler[:9000],
             "end": filler + " I can't breathe"}  # fmt: skip
    assert len(texts[place]) > 18_000
    assert screen.check(texts[place]).category == "medical_emergency"


def test_a_glance_sees_what_is_plainly_put(screen: Screen) -> None:
    assert screen.glance("I took too much and can't breathe") and screen.glance("mi marido no respira \ud800")
    assert not screen.glance("Does ketamine work for CRPS?") and not screen.glance("")


def test_windows_overlap_and_cover() -> None:
    text = " ".join(str(n) for n in range(5000))
    parts = windows(text)
    assert all(str(n) in " ".join(parts).split() for n in range(5000))
    assert all(len(p) <= 4000 for p in parts)
    assert windows("x" * 9000)[-1].endswith("x")


# -- across messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "category"),
    [
        (["my son is 3", "he found my ketamine lozenges", "and one is missing, what do I do"], "child_exposure"),
        (["I had my infusion yesterday", "I am seeing people in the garden and I'm so scared"], "postinfusion_emergency"),
        (["I feel hopeless, nothing helps", "I have all my pills here in front of me"], "crisis_suicide"),
    ],
)
def test_danger_told_in_pieces(screen: Screen, messages: list[str], category: str) -> None:
    *recent, last = messages
    assert screen.check(last, recent).category == category


def test_an_earlier_danger_is_not_found_again(screen: Screen) -> None:
    assert screen.check("how long does an infusion last?", ["I want to die"]).category is None


# -- notices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("it burns when I pee since my infusions", "risk.bladder"),
        ("there is blood in my urine", "risk.bladder"),
        ("my skin looks yellow", "risk.liver"),
        ("I still don't feel like myself four days after the infusion", "risk.psychological"),
        ("I got a rash after the infusion", "risk.general"),
        ("me arde al orinar desde las infusiones", "risk.bladder"),
        ("tengo la piel amarilla", "risk.liver"),
    ],
)
def test_soon_not_now(screen: Screen, text: str, topic: str) -> None:
    finding = screen.check(text)
    assert finding.category is None and "see_clinician_soon" in finding.notices and topic in finding.soon_topics


@pytest.mark.parametrize("text", ["can ketamine cause burning urine?", "is a rash a side effect", "will my skin turn yellow"])
def test_a_general_question_is_not_a_symptom(screen: Screen, text: str) -> None:
    assert screen.check(text).notices == ()


@pytest.mark.parametrize("text", ["I feel so hopeless", "I'm so depressed by this pain", "I cry every day", "estoy muy deprimida", "ya no puedo más"])
def test_low_mood_is_no_takeover(screen: Screen, text: str) -> None:
    finding = screen.check(text)
    assert finding.category is None and finding.notices == ("low_mood",)


@pytest.mark.parametrize("text", ["I'm 15 and have CRPS", "i am sixteen, can i get it?", "tengo 14 años y me duele", "soy menor de edad"])
def test_minors(screen: Screen, text: str) -> None:
    assert screen.check(text).minor


@pytest.mark.parametrize("text", ["I'm 51", "I am 15 weeks post surgery", "my son is 15", "tengo 45 años"])
def test_not_minors(screen: Screen, text: str) -> None:
    assert not screen.check(text).minor


# -- the encoder and the classifier -------------------------------------------------------------------------------


class _Classifier:
    def __init__(self, answer: tuple[str, float, float] | None, notices: tuple[str, ...] = ()) -> None:
        self.answer, self.notices, self.vectors = answer, notices, []  # type: ignore[var-annotated]

    def urgent(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, float, float] | None:
        self.vectors.append(vector)
        return self.answer

    def notice(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, ...]:
        return self.notices


class _Encoder:
    def __init__(self, fail: bool = False) -> None:
        self.calls, self.fail = 0, fail

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls += 1
        if self.fail:
            raise OSError("no encoder")
        return np.zeros((len(texts), 384), np.float32)


def _with(screen: Screen, classifier: object, encoder: object | None = None) -> Screen:
    return Screen(screen.rules, screen.gentle, screen.facts, screen.normaliser, screen.languages, screen.core_words,
                  classifier, encoder)  # type: ignore[arg-type]  # fmt: skip


def test_the_classifier_answers_where_rules_are_silent(screen: Screen) -> None:
    found = _with(screen, _Classifier(("overdose", 0.9, 0.5)), _Encoder()).check("something odd")
    assert (found.category, found.by, found.score) == ("overdose", "classifier", 0.9)


def test_the_classifiers_notices_stand_beside_the_rules(screen: Screen) -> None:
    found = _with(screen, _Classifier(None, ("soon",)), _Encoder()).check("something odd")
    assert (found.category, found.notices, found.by) == (None, ("see_clinician_soon",), "classifier")
    both = _with(screen, _Classifier(None, ("low_mood",)), _Encoder()).check("it burns when I pee since my infusions")
    assert both.notices == ("low_mood", "see_clinician_soon") and both.by == "rule" and "risk.bladder" in both.soon_topics


class _Joined(_Classifier):
    """Sees danger only in texts that hold all of `words`; alone the newest message scores `alone`."""

    def __init__(self, alone: float, *words: str) -> None:
        super().__init__(None)
        self.alone, self.words = alone, words

    def urgent(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, float, float] | None:
        return ("overdose", 0.9, 0.5) if all(word in text for word in self.words) else None

    def scores(self, vector: np.ndarray, text: str) -> dict[str, float]:
        return {"overdose": self.alone}


def test_the_classifier_reads_the_last_messages_together(screen: Screen) -> None:
    told = _with(screen, _Joined(0.4, "violet", "teapot"), _Encoder())
    assert told.check("and a teapot", ["first a violet"]).category == "overdose"
    assert told.check("and a teapot").category is None
    assert told.check("and a teapot", ["a violet teapot"]).category is None  # that was answered when it came
    calm = _with(screen, _Joined(0.01, "violet", "teapot"), _Encoder())
    assert calm.check("and a teapot", ["first a violet"]).category is None  # the newest message has nothing of danger


def test_a_given_vector_saves_an_encoding(screen: Screen) -> None:
    classifier, encoder = _Classifier(None), _Encoder()
    vector = np.ones(384, np.float32)
    _with(screen, classifier, encoder).check("a question", vector=vector)
    assert encoder.calls == 0 and classifier.vectors[0] is vector


def test_without_encoder_the_rules_serve(screen: Screen) -> None:
    broken = _with(screen, _Classifier(("overdose", 0.9, 0.5)), _Encoder(fail=True))
    assert broken.check("something odd").category is None
    assert broken.check("I can't breathe").category == "medical_emergency"


def test_unreadable_weights_do_not_stop_the_screen(tmp_path: Path) -> None:
    weights = tmp_path / "safety.npz"
    weights.write_bytes(b"nothing")
    loaded = Screen.load(CONTENT, weights=weights)
    assert loaded.classifier is None and loaded.check("I can't breathe").urgent


# -- never an exception -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["\ud800", "\x00" * 10, "I want\ud83d to die", "\u202e eid ot tnaw I", "🧑‍🦽" * 500, "(" * 5000, "a b " * 5000, "ﷺ" * 300]
)
def test_odd_strings(screen: Screen, text: str) -> None:
    assert isinstance(screen.check(text, [text]), Finding)


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.one_of(
        st.text(max_size=120),
        st.lists(
            st.sampled_from(
                [
                    "i",
                    "my",
                    "he",
                    "took",
                    "lozenge",
                    "die",
                    "kill",
                    "cant",
                    "breathe",
                    "no",
                    "se",
                    "quiero",
                    "😀",
                    ".",
                    "?",
                    "!",
                    "12",
                    "'",
                    "k1ll",
                    "\u200b",
                    "s",
                    "u",
                ]
            ),
            max_size=25,
        ).map(" ".join),
        st.binary(max_size=60).map(lambda b: b.decode("utf-8", "surrogateescape")),
    )
)
def test_fuzz(screen: Screen, text: str) -> None:
    finding = screen.check(text)
    assert finding.category is None or finding.category in CATEGORIES
    assert finding.by is not None or finding.category is None


def test_a_fault_inside_still_finds_plain_words(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[str]:
        raise RuntimeError("broken")

    monkeypatch.setattr(screen.normaliser, "views", broken)
    assert screen.check("I want to kill myself").category == "crisis_suicide"
    assert screen.check("no puedo respirar").language == "es"
    assert screen.check("hello").category is None


@pytest.mark.parametrize(("text", "plain"), [("I tооk tоо much", "i took too much"), ("мне плохо после ketamine", "мне плохо после ketamine"), ("I took it", "I took it")])
def test_look_alike_letters_are_read_where_a_word_mixes_alphabets(text: str, plain: str) -> None:
    """The classifier and the language guess would take them for another language; a Russian message stays Russian."""
    assert undisguised(text) == plain
