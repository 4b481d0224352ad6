"""Contacts: who is called first, in which words, in every region, and what the curators are told."""

from __future__ import annotations

import datetime as dt
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge.contacts import REGIONS, Contacts
from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import CATEGORIES

CONTENT = Path(__file__).parents[3] / "knowledge" / "content"
FILE = CONTENT / "crisis" / "contacts.yml"
EMERGENCY = {"US": {"911"}, "CA": {"911"}, "GB": {"999", "112"}, "IE": {"112", "999"}, "AU": {"000", "112"}, "ES": {"112"}, "EU": {"112"}}
EVERY = list(product(REGIONS, CATEGORIES, ("en", "es"), (False, True)))


@pytest.fixture(scope="module")
def contacts() -> Contacts:
    return Contacts.load(CONTENT)


def dials(contact: dict[str, Any]) -> set[str]:
    return {w["dial"] for w in contact["ways"] if w["dial"]}


def is_emergency(contact: dict[str, Any], region: str) -> bool:
    return bool(dials(contact) & EMERGENCY[region]) and set(contact["for"]) == set(CATEGORIES)


@pytest.mark.parametrize(("region", "category", "language", "danger"), EVERY)
def test_every_region_and_category_shows_the_emergency_number(
    contacts: Contacts, region: str, category: str, language: str, danger: bool
) -> None:
    shown = contacts.for_category(category, region, language, danger)
    assert any(is_emergency(c, region) for c in shown)
    if danger or category in ("medical_emergency", "postinfusion_emergency", "abuse_danger"):
        assert is_emergency(shown[0], region)


@pytest.mark.parametrize(("region", "category", "language", "danger"), EVERY)
def test_contacts_have_the_contracts_shape(contacts: Contacts, region: str, category: str, language: str, danger: bool) -> None:
    for contact in contacts.for_category(category, region, language, danger):
        assert set(contact) == {"name", "for", "ways", "hours", "region"}
        assert contact["name"]
        assert contact["hours"]
        assert contact["ways"]
        assert category in contact["for"]
        for way in contact["ways"]:
            assert set(way) == {"kind", "dial", "e164", "say", "body", "url"}
            assert way["kind"] in ("call", "text", "chat", "whatsapp")
            assert way["dial"] is None or re.fullmatch(r"[0-9]{3,15}", way["dial"])
            assert way["dial"] or way["url"]
            assert way["say"]


@pytest.mark.parametrize("region", ["US", "CA", "GB", "IE", "AU", "ES"])
def test_a_crisis_shows_the_crisis_line_before_the_emergency_number(contacts: Contacts, region: str) -> None:
    shown = contacts.for_category("crisis_suicide", region, "en")
    assert not is_emergency(shown[0], region)
    assert is_emergency(shown[1], region)


def test_spanish_in_the_us_begins_with_the_spanish_lines(contacts: Contacts) -> None:
    shown = contacts.for_category("crisis_suicide", "US", "es")
    words = [w["say"] for c in shown[:2] for w in c["ways"]]
    assert words[0] == "Llame al 988 y pulse 2"
    assert any("AYUDA" in w and "988" in w for w in words)
    assert any("AYUDA" in w and "741741" in w for w in words)


def test_spain_has_024_and_112(contacts: Contacts) -> None:
    shown = contacts.for_category("crisis_suicide", "ES", "es")
    assert "024" in dials(shown[0])
    assert "112" in dials(shown[1])


def test_the_european_line_is_never_alone_and_never_first(contacts: Contacts) -> None:
    shown = contacts.for_category("crisis_suicide", "EU", "en")
    assert "112" in dials(shown[0])
    line = next(c for c in shown if "116123" in dials(c))
    assert "not" in " ".join([line["name"], line["hours"], *(w["say"] for w in line["ways"])]).lower()


def test_an_overdose_with_danger_signs_turns_the_order_round(contacts: Contacts) -> None:
    calm, danger = (contacts.for_category("overdose", "US", "en", sign) for sign in (False, True))
    assert "18002221222" in dials(calm[0])
    assert "911" in dials(danger[0])


def test_a_closed_poison_line_gives_way_to_the_emergency_number(contacts: Contacts) -> None:
    night = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)
    day = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
    assert is_emergency(contacts.for_category("child_exposure", "IE", "en", at=night)[0], "IE")
    assert not is_emergency(contacts.for_category("child_exposure", "IE", "en", at=day)[0], "IE")


def test_quebec_lines_come_first_in_quebec_and_name_their_place_elsewhere(contacts: Contacts) -> None:
    assert contacts.for_category("overdose", "CA-QC", "en")[0]["ways"][0]["say"].startswith("In Quebec")
    assert not contacts.for_category("overdose", "CA", "en")[0]["ways"][0]["say"].startswith("In ")


def test_lines_for_some_say_so_and_come_after_lines_for_all(contacts: Contacts) -> None:
    names = [c["name"] for c in contacts.for_category("abuse_danger", "GB", "en")]
    women = next(i for i, n in enumerate(names) if "for women" in n)
    men = next(i for i, n in enumerate(names) if "for men" in n)
    everyone = [i for i, n in enumerate(names) if not re.search(r"for (women|men|young people)", n)]
    assert max(everyone) < min(women, men)


def test_an_audience_told_brings_its_line_forward(contacts: Contacts) -> None:
    plain = [c["name"] for c in contacts.for_category("crisis_suicide", "GB", "en")]
    youth = [c["name"] for c in contacts.for_category("crisis_suicide", "GB", "en", audience="youth")]
    first = next(i for i, n in enumerate(youth) if "young" in n)
    assert first < next(i for i, n in enumerate(plain) if "young" in n)
    assert youth[:2] == plain[:2]
    assert youth == [c["name"] for c in contacts.for_category("crisis_suicide", "GB", "en", minor=True)]


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("region", [None, "XX", ""])
def test_an_unknown_region_gets_the_list_of_the_display_rule(contacts: Contacts, category: str, region: str | None) -> None:
    shown = contacts.for_category(category, region, "en")
    assert shown[0]["ways"][0]["say"] == "Call your local emergency number"
    assert {"911", "999", "000", "112"} <= set().union(*(dials(c) for c in shown))
    if category == "crisis_suicide":
        assert {"988", "116123", "131114", "024"} <= set().union(*(dials(c) for c in shown))


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_general_gives_the_emergency_number_then_the_crisis_line(contacts: Contacts, region: str, language: str) -> None:
    shown = contacts.general(region, language)
    assert is_emergency(shown[0], region)
    assert "crisis_suicide" in shown[1]["for"]
    assert contacts.emergency(region, language) == shown[0]


def test_spanish_words_are_spanish(contacts: Contacts) -> None:
    for region, category in product(REGIONS, CATEGORIES):
        for contact in contacts.for_category(category, region, "es"):
            assert not any(re.match(r"(Call|Text|Chat|In|By)\b", w["say"]) for w in contact["ways"]), contact["name"]


def test_digits_are_the_same_in_both_languages(contacts: Contacts) -> None:
    for entry in contacts.entries:
        for way in entry.ways:
            assert re.findall(r"\d+", way.say.en) == re.findall(r"\d+", way.say.es)


def test_all_is_well_today_and_past_dates_are_told(contacts: Contacts) -> None:
    seen = max(e.date_seen for e in contacts.entries)
    assert contacts.check(seen) == []
    late = contacts.check(dt.date(2099, 1, 1))
    assert len(late) >= len(contacts.entries)
    assert any("us-988" in line and "confirmed" in line for line in late)


def changed(tmp_path: Path, change: Any) -> Path:
    data = yaml.safe_load(FILE.read_text("utf-8"))
    for entry in data["contacts"]:  # safe_load reads dates as dates
        entry["date_seen"], entry["confirm_by"] = str(entry["date_seen"]), str(entry["confirm_by"])
    change(data["contacts"])
    file = tmp_path / "contacts.yml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    return file


def test_a_region_without_emergency_number_is_a_problem(tmp_path: Path) -> None:
    file = changed(tmp_path, lambda entries: entries.remove(next(e for e in entries if e["id"] == "us-911")))
    assert any("US medical_emergency" in p for p in Contacts.load(file).check(dt.date(2026, 11, 23)))


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("dial", "9-1-1", "digits only"),
        ("dial", "", "digits only"),
        ("e164", "911", "plus sign"),
        ("kind", "pager", "kind"),
        ("say", {"en": "Call 911", "es": "Llame al 112"}, "digits in say differ"),
        ("numbers", "911", "numbers"),
    ],
)
def test_a_broken_way_is_refused_by_name(tmp_path: Path, field: str, value: Any, hint: str) -> None:
    file = changed(tmp_path, lambda entries: entries[0]["ways"][0].update({field: value}))
    with pytest.raises(SafetyContentError) as error:
        Contacts.load(file)
    assert "us-911" in str(error.value)
    assert hint in str(error.value)


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SafetyContentError, match="twice"):
        Contacts.load(changed(tmp_path, lambda entries: entries.append(dict(entries[0]))))


def test_a_line_for_an_area_must_say_so(tmp_path: Path) -> None:
    with pytest.raises(SafetyContentError, match="must say so"):
        Contacts.load(changed(tmp_path, lambda entries: entries[0].update(area="Texas")))


def test_a_missing_file_is_told() -> None:
    with pytest.raises(SafetyContentError, match="cannot be read"):
        Contacts.load(Path("/nowhere/contacts.yml"))
