"""Emergency and crisis contacts: which to show, in which order, in which words.

Read from content/crisis/contacts.yml. The words to show (`say`) are always the entry's own; no number is ever built from
digits. Who is called first follows the public contract; how lines stand beside each other follows the evidence's display
rules (areas in words, lines for women, men or young people say so in their name, European 116 numbers never alone).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import CATEGORIES, read_yaml, validated

__all__ = ["Contacts", "Entry", "REGIONS"]

REGIONS = ("US", "CA", "GB", "IE", "AU", "ES", "EU")
Region = Literal["US", "CA", "CA-QC", "GB", "IE", "AU", "ES", "EU"]
Category = Literal[
    "crisis_suicide", "medical_emergency", "overdose", "postinfusion_emergency", "abuse_danger", "child_exposure"
]
_AUDIENCES = ("all", "youth", "women", "men", "veterans")

_FOR_WHOM = {
    "en": {"youth": "for young people", "women": "for women", "men": "for men", "veterans": "for veterans and service members"},
    "es": {"youth": "para jóvenes", "women": "para mujeres", "men": "para hombres", "veterans": "para veteranos y militares"},
}
_LOCAL = {
    "en": ("Your local emergency number", "Call your local emergency number", "24/7"),
    "es": ("Su número local de emergencias", "Llame a su número local de emergencias", "24 horas"),
}
_COUNTRY = {
    "en": {"US": "United States", "CA": "Canada", "GB": "United Kingdom", "IE": "Ireland", "AU": "Australia", "ES": "Spain",
           "EU": "European Union"},
    "es": {"US": "Estados Unidos", "CA": "Canadá", "GB": "Reino Unido", "IE": "Irlanda", "AU": "Australia", "ES": "España",
           "EU": "Unión Europea"},
}  # fmt: skip
# The lines that the display rule for an unknown region names beside each emergency number.
_UNKNOWN_REGION_CRISIS = {"US": "us-988", "CA": "ca-988", "GB": "gb-samaritans", "IE": "ie-samaritans", "AU": "au-lifeline",
                          "ES": "es-024"}  # fmt: skip
_EVERYONE = {"en": "Emergency services (for everyone)", "es": "Emergencias (para todas las personas)"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Model):
    """Words to show, in both languages."""

    en: str = Field(min_length=2)
    es: str = Field(min_length=2)

    def in_(self, language: str) -> str:
        """Return the Spanish words for "es", else the English ones."""
        return self.es if language == "es" else self.en


class Way(_Model):
    """One way to reach a service.

    Attributes:
        kind: how.
        dial: digits as dialled inside the region, or None.
        e164: the international form, or None.
        say: the words to show.
        body: keyword to send, for texts.
        url: the page to open, for chats.
        language: set when this way serves one language only.
    """

    kind: Literal["call", "text", "chat", "whatsapp"]
    dial: str | None = None
    e164: str | None = None
    say: Words
    body: str | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _digits(self) -> Way:
        if self.dial is not None and not re.fullmatch(r"[0-9]{3,15}", self.dial):
            raise ValueError(f"dial {self.dial!r} must hold digits only")
        if self.e164 is not None and not re.fullmatch(r"\+[1-9][0-9]{6,14}", self.e164):
            raise ValueError(f"e164 {self.e164!r} must be a plus sign and digits")
        if self.dial is None and self.url is None:
            raise ValueError("a way needs something to dial or to open")
        if re.findall(r"[0-9]+", self.say.en) != re.findall(r"[0-9]+", self.say.es):
            raise ValueError("the digits in say differ between the languages")
        return self


class OpenHours(_Model):
    """Daily opening hours of a line that is not open round the clock."""

    timezone: str
    opens: str = Field(pattern=r"^[0-2][0-9]:[0-5][0-9]$")
    closes: str = Field(pattern=r"^[0-2][0-9]:[0-5][0-9]$")


class Entry(_Model):
    """One service.

    Attributes:
        role: `emergency`, `crisis`, `poison` or `abuse`; decides the place in the contract's order.
        order: smaller comes first among lines of the same role.
        language: "es" for a service in Spanish, shown first to Spanish readers and not to others; None for all.
    """

    id: str
    region: Region
    area: str | None = None
    role: Literal["emergency", "crisis", "poison", "abuse"]
    order: int = 50
    categories: tuple[Category, ...] = Field(min_length=1)
    audience: Literal["all", "youth", "women", "men", "veterans"] = "all"
    name: Words
    ways: tuple[Way, ...] = Field(min_length=1)
    hours: Words
    always_open: bool
    open: OpenHours | None = None
    language: Literal["es"] | None = None
    languages: tuple[str, ...] = ()
    source: str
    seen_at: str
    seen_on_official_page: bool
    date_seen: dt.date
    confirm_by: dt.date
    notes: str | None = None

    @model_validator(mode="after")
    def _area_in_words(self) -> Entry:
        if self.area is not None:
            for way in self.ways:
                for words in (way.say.en, way.say.es):
                    if not re.match(r"(?:In|En) ", words):
                        raise ValueError(f"a line for {self.area} only must say so: {words!r}")
        return self


class _File(_Model):
    meta: dict[str, str]
    contacts: tuple[Entry, ...] = Field(min_length=1)


class Contacts:
    """The contacts, ready to be asked. Build with `load`."""

    def __init__(self, entries: Iterable[Entry], file: Path | None = None) -> None:
        self.entries = tuple(entries)
        self.file = file
        self._by_id = {entry.id: entry for entry in self.entries}

    @classmethod
    def load(cls, path: Path) -> Contacts:
        """Read contacts.yml.

        Args:
            path: the file, or the content folder that holds crisis/contacts.yml.

        Raises:
            SafetyContentError: when it is broken or an id stands twice.
        """
        file = path / "crisis" / "contacts.yml" if path.is_dir() else path
        table = validated(_File, file, read_yaml(file))
        seen: set[str] = set()
        for entry in table.contacts:
            if entry.id in seen:
                raise SafetyContentError(file, entry.id, "id", "the id stands twice.", "give each contact its own id.")
            seen.add(entry.id)
        return cls(table.contacts, file)

    # -- what to show ---------------------------------------------------------------------------------------------

    def for_category(
        self,
        category: str,
        region: str | None,
        language: str = "en",
        danger_signs: bool = False,
        audience: str | None = None,
        *,
        minor: bool = False,
        at: dt.datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Return the contacts for an urgent reply, in the contract's shape and order.

        Args:
            category: one of the six urgent categories.
            region: a contract region, or None when it is not known.
            language: "es" gives Spanish words and Spanish-speaking lines first; anything else English.
            danger_signs: somebody's life may be in danger: the emergency number goes first.
            audience: whom the writer says to be (`youth`, `women`, `men` or `veterans`), never guessed: the lines for them
                stand with those for everyone. The first two contacts stay what they are.
            minor: the writer says to be under 18; the same as audience `youth`.
            at: the time now (aware); only used to put the emergency number before a poison line that is closed.

        Returns:
            Contacts, at least one; the emergency number is always among them.
        """
        language = "es" if language == "es" else "en"
        if region is None or region not in (*REGIONS, "CA-QC"):
            return self._unknown_region(category, language)
        ordered = self._ordered(category, region, language, danger_signs, "youth" if minor else audience, at)
        lines = [e for e in ordered if e.role != "emergency"]
        only_some = category == "abuse_danger" and bool(lines) and all(e.audience != "all" for e in lines)
        return [self._shape(e, language, everyone=only_some and e.role == "emergency") for e in ordered]

    def _ordered(
        self,
        category: str,
        region: str,
        language: str,
        danger_signs: bool = False,
        audience: str | None = None,
        at: dt.datetime | None = None,
    ) -> list[Entry]:
        own = [e for e in self._in(region) if category in e.categories]
        emergency = [e for e in own if e.role == "emergency"]
        lines = [e for e in own if e.role != "emergency"]
        lines = [e for e in lines if e.language is None or e.language == language]
        lines.sort(key=lambda e: self._rank(e, region, language, audience))
        if category == "crisis_suicide":
            first = [e for e in lines if e.audience == "all" and (e.area is None or region == "CA-QC")][: _first(lines, language)]
            # The European number is not answered everywhere, so 112 stands before it.
            if danger_signs or not first or first[0].id.startswith("eu-116"):
                ordered = [*emergency, *first]
            else:
                ordered = [*first, *emergency]
        elif category in ("overdose", "child_exposure"):
            first = [e for e in lines if e.role == "poison"]
            closed = bool(first) and at is not None and not all(_is_open(e, at) for e in first)
            ordered = [*emergency, *first] if danger_signs or not first or closed else [*first, *emergency]
        else:
            ordered = list(emergency)
        return ordered + [e for e in lines if e not in ordered]

    def emergency(self, region: str | None, language: str = "en") -> dict[str, Any]:
        """Return the region's emergency number as one contact; the local one in words when the region is not known."""
        language = "es" if language == "es" else "en"
        entry = self._emergency_entry(region)
        return self._local(language) if entry is None else self._shape(entry, language)

    def general(self, region: str | None, language: str = "en") -> list[dict[str, Any]]:
        """Return the emergency number and the crisis line, for replies that are not urgent but must not be bare."""
        language = "es" if language == "es" else "en"
        entry = self._emergency_entry(region)
        if entry is None or region is None:
            return self._unknown_region("crisis_suicide", language)
        crisis = [e for e in self._ordered("crisis_suicide", region, language) if e.role != "emergency"]
        return [self._shape(e, language) for e in (entry, *crisis[:1])]

    def crisis_lines(self, region: str | None, language: str = "en") -> list[dict[str, Any]]:
        """Return the contacts of a low_mood notice: the crisis line first, then the emergency number."""
        if region not in (*REGIONS, "CA-QC"):
            return self._unknown_region("crisis_suicide", "es" if language == "es" else "en")
        return self.for_category("crisis_suicide", region, language)[:2]

    # -- checking -------------------------------------------------------------------------------------------------

    def check(self, today: dt.date) -> list[str]:
        """Return what is wrong with the contacts, in words a curator can act on; empty when nothing is.

        Args:
            today: the day to hold `confirm_by` against.
        """
        problems = []
        for region in REGIONS:
            for category in CATEGORIES:
                for language in ("en", "es"):
                    shown = self._ordered(category, region, language)
                    if not shown:
                        problems.append(f"{region} {category}: no contact at all. Add at least the emergency number.")
                        continue
                    if not any(entry.role == "emergency" for entry in shown):
                        problems.append(f"{region} {category}: the emergency number is missing. Add it to its categories.")
                    if shown[0].id.startswith("eu-116"):
                        problems.append(f"{region} {category}: {shown[0].id} stands before 112. Put 112 first.")
        for entry in self.entries:
            if entry.confirm_by < today:
                problems.append(
                    f"{entry.id}: should have been confirmed by {entry.confirm_by}. Check it at {entry.seen_at.split(' ')[0]} "
                    "and set date_seen and confirm_by."
                )
            if entry.confirm_by < entry.date_seen:
                problems.append(f"{entry.id}: confirm_by is before date_seen. Correct the dates.")
            if entry.open is not None and entry.always_open:
                problems.append(f"{entry.id}: always_open and opening hours contradict each other. Remove one.")
            for way in entry.ways:
                if way.dial is not None and not _digits_said(way):
                    problems.append(f"{entry.id}: the words {way.say.en!r} do not show the number {way.dial}. Mend say or dial.")
        return problems

    # -- inside ---------------------------------------------------------------------------------------------------

    def _in(self, region: str) -> Sequence[Entry]:
        regions = ("CA", "CA-QC") if region in ("CA", "CA-QC") else (region,)
        return [e for e in self.entries if e.region in regions]

    def _emergency_entry(self, region: str | None) -> Entry | None:
        return next((e for e in self._in(region or "") if e.role == "emergency"), None)

    @staticmethod
    def _rank(entry: Entry, region: str, language: str, wanted: str | None) -> tuple[int, int, int, int]:
        quebec_first = 0 if region == "CA-QC" and entry.region == "CA-QC" else 1
        audience = 0 if entry.audience in ("all", wanted) else 2
        area = 0 if entry.area is None or quebec_first == 0 else 1
        return quebec_first, 0 if entry.language == language else 1, audience + area, entry.order

    def _shape(self, entry: Entry, language: str, everyone: bool = False) -> dict[str, Any]:
        name = entry.name.in_(language)
        if everyone:
            name = _EVERYONE[language]
        if entry.audience != "all" and _FOR_WHOM[language][entry.audience] not in name:
            name = f"{name} ({_FOR_WHOM[language][entry.audience]})"
        return {
            "name": name,
            "for": list(entry.categories),
            "ways": [
                {"kind": w.kind, "dial": w.dial, "e164": w.e164, "say": w.say.in_(language), "body": w.body, "url": w.url}
                for w in entry.ways
            ],
            "hours": entry.hours.in_(language),
            "region": entry.region if entry.region != "CA-QC" else "CA",
        }

    def _local(self, language: str) -> dict[str, Any]:
        name, say, hours = _LOCAL[language]
        way = {"kind": "call", "dial": None, "e164": None, "say": say, "body": None, "url": None}
        return {"name": name, "for": list(CATEGORIES), "ways": [way], "hours": hours, "region": None}

    def _unknown_region(self, category: str, language: str) -> list[dict[str, Any]]:
        shown = [self._local(language)]
        for region in REGIONS:
            chosen = [self._emergency_entry(region)]
            if category == "crisis_suicide" and region in _UNKNOWN_REGION_CRISIS:
                chosen.append(self._by_id.get(_UNKNOWN_REGION_CRISIS[region]))
            for entry in chosen:
                if entry is not None:
                    contact = self._shape(entry, language)
                    contact["name"] = f"{_COUNTRY[language][region]}: {contact['name']}"
                    shown.append(contact)
        return shown


def _first(lines: Sequence[Entry], language: str) -> int:
    """Return how many crisis lines stand before the emergency number: the two Spanish ones, else one."""
    own = sum(1 for e in lines if e.language == language and e.audience == "all")
    return max(1, own)


def _digits_said(way: Way) -> bool:
    said = re.sub(r"[^0-9]", "", way.say.en)
    if way.dial is None or way.dial in said:
        return True
    # A number whose letters are its name ("442-AYUDAME") is shown in letters.
    keys = {c: str(n) for n, group in {2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ"}.items() for c in group}
    spelt = "".join(c if c.isdigit() else keys.get(c.upper(), "") for c in way.say.en)
    return way.dial in spelt or way.dial.removeprefix("1") in spelt or way.dial.removeprefix("34") in said


def _is_open(entry: Entry, at: dt.datetime) -> bool:
    if entry.open is None:
        return True
    try:
        local = at.astimezone(ZoneInfo(entry.open.timezone)).strftime("%H:%M")
    except (ZoneInfoNotFoundError, ValueError):
        return False  # not knowing the time there, the emergency number goes first
    return entry.open.opens <= local < entry.open.closes
