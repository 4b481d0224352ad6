"""Urgent wording: complete, calm, without numbers, never the same twice in a row."""

from __future__ import annotations

import re
import shutil
from itertools import product
from pathlib import Path

import pytest

from knowledge.contacts import REGIONS, Contacts
from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import CATEGORIES
from knowledge.safety.wording import DECLINE_REASONS, NOTICES, UrgentWording, problems

CONTENT = Path(__file__).parents[3] / "knowledge" / "content"
LANGUAGES = ("en", "es")
SUBJECTS = ("self", "other", "child")


@pytest.fixture(scope="module")
def wording() -> UrgentWording:
    return UrgentWording.load(CONTENT)


def test_nothing_is_wrong_with_the_wording() -> None:
    assert problems(CONTENT) == []


@pytest.mark.parametrize(("category", "language", "subject"), list(product(CATEGORIES, LANGUAGES, SUBJECTS)))
def test_a_lead_has_three_wordings_none_twice_in_a_row(wording: UrgentWording, category: str, language: str, subject: str) -> None:
    said = [wording.lead(category, language, subject, v) for v in range(12)]
    assert len(set(said)) >= 3
    assert all(a != b for a, b in zip(said, said[1:], strict=False))


@pytest.mark.parametrize(("category", "language"), list(product(CATEGORIES, LANGUAGES)))
def test_a_repeat_is_shorter_and_names_another_way(wording: UrgentWording, category: str, language: str) -> None:
    said = [wording.repeat(category, language, v) for v in range(12)]
    assert len(set(said)) >= 3
    assert all(a != b for a, b in zip(said, said[1:], strict=False))
    other_way = r"next|another|again|someone|anyone|emergency|people|siguiente|otro|otra|alguien|cualquiera|urgencias|emergencias|gente"
    assert all(re.search(other_way, text, re.I) for text in said)
    assert max(len(t.split()) for t in said) <= 34


@pytest.mark.parametrize(("category", "language", "subject"), list(product(CATEGORIES, LANGUAGES, SUBJECTS)))
def test_a_lead_says_what_to_do_without_asking(wording: UrgentWording, category: str, language: str, subject: str) -> None:
    for variant in range(4):
        text = wording.lead(category, language, subject, variant)
        assert "?" not in text
        assert "call" in text.lower() or "llam" in text.lower()


def test_no_line_holds_a_digit(wording: UrgentWording) -> None:
    assert [where for where, _, text in wording if re.search(r"\d", text)] == []


def test_lines_for_carers_do_not_speak_of_the_writers_danger(wording: UrgentWording) -> None:
    for category in ("crisis_suicide", "medical_emergency"):
        for variant in range(4):
            assert "Your life" not in wording.lead(category, "en", "other", variant)
            assert "how you feel" not in wording.lead(category, "en", "child", variant)


@pytest.mark.parametrize("region", [*REGIONS, "CA-QC"])
def test_the_closing_names_the_region(wording: UrgentWording, region: str) -> None:
    assert "not a person and cannot call for you" in wording.closing("en", region)
    assert "Call your local emergency number" in wording.closing("en", region)
    assert "Not in " in wording.closing("en", region)
    assert "no puedo llamar por usted" in wording.closing("es", region)
    assert "¿No está en " in wording.closing("es", region)


@pytest.mark.parametrize("region", [None, "", "XX", "self"])
def test_the_closing_of_no_region_still_points_to_help(wording: UrgentWording, region: str | None) -> None:
    assert "local emergency number" in wording.closing("en", region)
    assert "{" not in wording.closing("es", region)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_single_lines(wording: UrgentWording, language: str) -> None:
    assert {"en": "guardian", "es": "pediatra"}[language] in wording.minor(language)
    assert {"en": "Tell the person at the desk now.", "es": "Avise ahora a la persona del mostrador."}[language] == wording.kiosk(language)
    assert {"en": "Thank you", "es": "Gracias"}[language] in wording.safe_now(language)
    for kind in NOTICES:
        assert wording.notice(kind, language)
    for reason in DECLINE_REASONS:
        assert wording.decline(reason, language)


def test_any_other_language_reads_english(wording: UrgentWording) -> None:
    assert wording.lead("overdose", "zh", "self", 0) == wording.lead("overdose", "en", "self", 0)
    assert wording.notice("low_mood", "pl") == wording.notice("low_mood", "en")


@pytest.mark.parametrize("reason", ["dose", "misuse", "supply"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_declines_of_danger_say_where_help_is(wording: UrgentWording, reason: str, language: str) -> None:
    assert re.search(r"clinician|pharmacist|profesional|médico|farmacéutico", wording.decline(reason, language))


def test_an_unknown_key_is_a_key_error(wording: UrgentWording) -> None:
    for call in (
        lambda: wording.lead("weather", "en", "self"),
        lambda: wording.repeat("weather", "en"),
        lambda: wording.notice("language", "en"),
        lambda: wording.decline("no_statement", "en"),
        lambda: wording.sms_es("weather"),
        lambda: wording.decline("model_fields", "en"),
    ):
        with pytest.raises(KeyError):
            call()


def test_an_unknown_subject_reads_as_self(wording: UrgentWording) -> None:
    assert wording.lead("overdose", "en", "anyone", 1) == wording.lead("overdose", "en", "self", 1)


@pytest.mark.parametrize("category", CATEGORIES)
def test_sms_keeps_to_the_plain_alphabet(wording: UrgentWording, category: str) -> None:
    assert wording.sms_es(category, 0) != wording.sms_es(category, 1)
    for variant in range(2):
        text = wording.sms_es(category, variant)
        assert len(text) <= 110
        assert not set(text) & set("áíóúÁÍÓÚ")


@pytest.mark.parametrize("region", [*REGIONS, None])
def test_the_number_stands_again_in_the_other_language(wording: UrgentWording, region: str | None) -> None:
    contacts = Contacts.load(CONTENT)
    for category in CATEGORIES:
        line = wording.second_language_line("es", contacts.for_category(category, region, "es"))
        assert line.startswith("En español: ")
        assert "Llame" in line
        assert wording.second_language_line("en", contacts.for_category(category, region, "en")).startswith("In English: ")
    assert wording.second_language_line("es", []) == ""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "wording").mkdir()
    shutil.copy(CONTENT / "wording" / "urgent.yml", tmp_path / "wording")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("I am glad you told me.", "Call 911.", "digit"),
        ("I am glad you told me.", "Do not worry.", "may not stand here"),
        ("I am glad you told me.", "This is usually fine.", "may not stand here"),
        ("I am glad you told me.", "Are you alone?", "question"),
        ("Gracias por contármelo.", "Te escucho.", "usted"),
        ("I am glad you told me. You do not have to face this alone.", "I am glad you told me and " + "so " * 30 + ".", "more than 20 words"),
        ("Gracias por escribir. Su vida importa.", "Gracias. Usted está aquí.", "SMS alphabet"),
        ("Gracias por escribir. Su vida importa.", "Gracias por escribir. " * 5, "110 fit"),
        ("Not in {region}?", "Not there?", "in braces"),
        ("I am sorry this is happening to you.", "I am sorry, {name}.", "in braces"),
        (
            "Thank you for saying this. Your life matters. Please call the first number here now, and tell them what you told me.",
            "I am glad you told me. You do not have to face this alone. Please call the first number here now.",
            "stands twice",
        ),
    ],
)
def test_bad_wording_is_a_problem(copy: Path, old: str, new: str, complaint: str) -> None:
    file = copy / "wording" / "urgent.yml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    assert any(complaint in p for p in problems(copy)), problems(copy)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("kiosk:", "kisok:", "kiosk"),
        ("  child_exposure:\n    en:\n      self:", "  child_exposure:\n    en:\n      me:", "self"),
        ("lead:", "lead: [", "YAML"),
    ],
)
def test_broken_wording_is_refused_and_named(copy: Path, old: str, new: str, complaint: str) -> None:
    file = copy / "wording" / "urgent.yml"
    file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(SafetyContentError) as error:
        UrgentWording.load(copy)
    assert "urgent.yml" in str(error.value)
    assert complaint in str(error.value)
    assert len(problems(copy)) == 1
