"""The language guess, and the core words of ten other languages."""

from __future__ import annotations

import pytest

from knowledge.safety.screen import Screen


@pytest.mark.parametrize(
    ("text", "language", "foreign"),
    [
        ("How long does an infusion last?", "en", False),
        ("¿Cuánto dura una infusión?", "es", False),
        ("me duele la espalda", "es", False),
        ("ok", "en", False), ("lol idk", "en", False), ("yo bruh k", "en", False), ("omg thx", "en", False), ("CRPS", "und", False),
        ("ketamine?", "en", False), ("sup", "en", False), ("😀", "und", False), ("", "und", False),
        ("La kétamine aide-t-elle contre la douleur chronique ?", "fr", True),
        ("Hilft Ketamin gegen chronische Schmerzen?", "de", True),
        ("La ketamina aiuta contro il dolore cronico? Quanto dura il trattamento?", "it", True),
        ("A cetamina ajuda na dor crônica? Quais são os efeitos?", "pt", True),
        ("Czy ketamina pomaga na ból przewlekły?", "pl", True),
        ("Ajută ketamina la durerea cronică?", "ro", True),
        ("氯胺酮能治疗慢性疼痛吗？", "zh", True),
        ("هل يساعد الكيتامين في الألم المزمن؟", "ar", True),
        ("Nakakatulong ba ang ketamine sa talamak na sakit?", "tl", True),
        ("Ketamine có giúp giảm đau mãn tính không?", "vi", True),
        ("Помогает ли кетамин при хронической боли?", "ru", True),
    ],
)  # fmt: skip
def test_guess(screen: Screen, text: str, language: str, foreign: bool) -> None:
    guess = screen.guess_language(text)
    assert guess.foreign is foreign
    if foreign or language != "und":
        assert guess.language in (language, "und") if not foreign else guess.language == language


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("je veux mourir", "crisis_suicide"), ("mon mari ne respire plus", "medical_emergency"),
        ("ich will nicht mehr leben", "crisis_suicide"), ("mein Mann atmet nicht", "medical_emergency"),
        ("voglio morire", "crisis_suicide"), ("non riesco a respirare", "medical_emergency"),
        ("chcę się zabić", "crisis_suicide"), ("on nie oddycha", "medical_emergency"),
        ("quero morrer", "crisis_suicide"), ("não consigo respirar", "medical_emergency"),
        ("vreau să mor", "crisis_suicide"), ("nu pot respira", "medical_emergency"),
        ("我想自杀", "crisis_suicide"), ("他不能呼吸了", "medical_emergency"),
        ("أريد أن أموت", "crisis_suicide"), ("لا أستطيع التنفس", "medical_emergency"),
        ("gusto ko nang mamatay", "crisis_suicide"), ("hindi ako makahinga", "medical_emergency"),
        ("tôi muốn chết", "crisis_suicide"), ("tôi không thở được", "medical_emergency"),
        ("j'ai pris trop de kétamine", "overdose"), ("mein Kind hat Tabletten geschluckt", "child_exposure"),
    ],
)  # fmt: skip
def test_core_words(screen: Screen, text: str, category: str) -> None:
    finding = screen.check(text)
    assert finding.category == category, finding
    assert finding.by in ("core_words", "rule")


def test_there_are_ten_languages_with_some_thirty_words_each(screen: Screen) -> None:
    assert len(screen.core_words.languages) == 10
    counts: dict[str, int] = {}
    for language, _, _, words in screen.core_words._plain:
        counts[language] = counts.get(language, 0) + len(words)
    assert min(counts.values()) >= 30


@pytest.mark.parametrize("text", ["Is suicide more common in people with chronic pain?", "¿Puede dar un infarto?", "the ambulance service"])
def test_words_shared_with_our_languages_need_a_foreign_message(screen: Screen, text: str) -> None:
    assert screen.check(text).category is None
