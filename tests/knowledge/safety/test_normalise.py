"""What people type, and the words the rules read."""

from __future__ import annotations

import pytest

from knowledge.safety.normalise import Normaliser, Spellings, fold, words_of
from knowledge.safety.screen import Screen


@pytest.fixture(scope="module")
def plain() -> Normaliser:
    words = [
        "want",
        "to",
        "die",
        "kill",
        "myself",
        "suicide",
        "breathe",
        "cant",
        "husband",
        "breathing",
        "drowning",
        "lozenge",
        "hurts",
        "chest",
        "is",
        "not",
    ]
    spellings = Spellings.from_table({"im": "i am", "wanna": "want to", "can not": "cant"}, {"q": "que"}, ["estoy"])
    return Normaliser(words, ["drawing", "breather"], spellings)


@pytest.mark.parametrize(
    ("raw", "folded"),
    [
        ("ÉL NO RESPIRA", "el no respira"),
        ("ｋｉｌｌ", "kill"),
        ("𝓴𝓲𝓵𝓵", "kill"),
        ("ѕuісіdе", "suicide"),
        ("k\u200bi\u200dll", "kill"),
        ("ki\u0301ll", "kill"),
        ("can’t", "can't"),
        ("a\u0000b", "ab"),
        ("ﬁt", "fit"),
    ],
)
def test_fold(raw: str, folded: str) -> None:
    assert fold(raw) == folded


@pytest.mark.parametrize(
    "raw",
    [
        "I want to die",
        "I WANT TO DIE!!!",
        "i w a n t  t o  d i e",
        "i.w.a.n.t t.o d.i.e",
        "iwanttodie",
        "i wanna die",
        "i want to dieeee",
        "ｉ ｗａｎｔ ｔｏ ｄｉｅ",
        "i want to d1e",
        "i want to\u00a0die",
        "i want to d\u200bie",
    ],
)
def test_one_reading_for_many_spellings(plain: Normaliser, raw: str) -> None:
    assert any(" want to die " in view for view in plain.views(raw))


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("suicde", "suicide"), ("suiicde", "suicide"), ("braethe", "breathe"), ("loznege", "lozenge"),
        ("husbnad", "husband"), ("su*cide", "suicide"), ("su!c!de", "suicide"), ("5uicide", "suicide"), ("k*ll", "kill"),
    ],
)  # fmt: skip
def test_typos_and_disguises(plain: Normaliser, raw: str, word: str) -> None:
    assert any(f" {word} " in view for view in plain.views(raw))


def test_ordinary_words_stay(plain: Normaliser) -> None:
    assert plain.views("drawing a breather") == [" drawing a breather "]


def test_spanish_spellings_only_among_spanish(plain: Normaliser) -> None:
    assert plain.views("estoy q no") == [" estoy que no "]
    assert plain.views("q and a") == [" q and a "]


def test_sentences_end_but_pauses_do_not(plain: Normaliser) -> None:
    assert plain.views("I want to... die")[0] == " i want to die "
    assert plain.views("No! Why? Yes")[0] == " no . why ? yes "
    assert plain.views("took 1.5 mg")[0] == " took 15 mg "


def test_words_of_is_plain() -> None:
    assert words_of("¡No puedo RESPIRAR, mamá!") == ["no", "puedo", "respirar", "mama"]


@pytest.mark.parametrize(
    "text",
    [
        "The patient was drawing a house while the nurse was sitting nearby",
        "Which healing approaches and which dosing schedules were tried in Swedish trials?",
        "My physio says hiking, sewing and ceiling exercises are fine",
        "La terapia de la pareja y el parque del barrio me gustan mucho",
    ],
)
def test_repairs_do_not_invent_words(screen: Screen, text: str) -> None:
    assert len(screen.normaliser.views(text)) == 1


def test_long_runs_are_bounded(plain: Normaliser) -> None:
    assert plain.views("a" * 100_000)
