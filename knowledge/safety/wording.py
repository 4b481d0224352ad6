"""What is said beside the numbers: urgent replies, repeats, closings, notices, refusals.

Read from content/wording/urgent.yml. The lines hold no number of their own; the contacts above them do. Every method
answers every language: "es" in Spanish, anything else in English.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import read_yaml, validated

__all__ = ["DECLINE_REASONS", "NOTICES", "UrgentWording", "problems"]

NOTICES = ("low_mood", "see_clinician_soon", "still_in_danger")
DECLINE_REASONS = ("dose", "supply", "misuse", "eligibility", "diagnosis", "medicine_change", "other_personal")

# GSM 03.38, the letters of a plain SMS that count once; anything else makes the whole message cost double.
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_SMS_LENGTH = 110  # leaves 50 of a segment's 160 letters for the first contact
_SENTENCE_WORDS = {"en": 20, "es": 24}
# No false comfort, and no rate dressed as a word.
_NEVER = {
    "en": re.compile(r"\b(?:usually|normal|normally|don't worry|do not worry|rarely|always works|i promise|calm down)\b", re.I),
    "es": re.compile(r"\b(?:normalmente|normal|no se preocupe|casi siempre|casi nunca|rara vez|le prometo|cálmese)\b", re.I),
}
_INFORMAL = re.compile(r"\b(?:tú|te|ti|tu|tus|contigo|llama|vosotros)\b", re.I)  # Spanish lines say usted


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Line(_Model):
    en: str = Field(min_length=8)
    es: str = Field(min_length=8)

    def in_(self, language: str) -> str:
        return self.es if language == "es" else self.en


class _Place(_Model):
    en: str = Field(min_length=4)
    es: str = Field(min_length=4)


_Variants = Annotated[tuple[str, ...], Field(min_length=3)]


class _BySubject(_Model):
    self_: _Variants = Field(alias="self")
    other: _Variants
    child: _Variants

    def of(self, subject: str) -> tuple[str, ...]:
        return {"other": self.other, "child": self.child}.get(subject, self.self_)


class _Lead(_Model):
    en: _BySubject
    es: _BySubject


class _Repeat(_Model):
    en: _Variants
    es: _Variants


class _ByCategory(_Model):
    crisis_suicide: _Lead
    medical_emergency: _Lead
    overdose: _Lead
    postinfusion_emergency: _Lead
    abuse_danger: _Lead
    child_exposure: _Lead


class _RepeatByCategory(_Model):
    crisis_suicide: _Repeat
    medical_emergency: _Repeat
    overdose: _Repeat
    postinfusion_emergency: _Repeat
    abuse_danger: _Repeat
    child_exposure: _Repeat


_Sms = Annotated[tuple[str, ...], Field(min_length=2)]


class _SmsByCategory(_Model):
    crisis_suicide: _Sms
    medical_emergency: _Sms
    overdose: _Sms
    postinfusion_emergency: _Sms
    abuse_danger: _Sms
    child_exposure: _Sms


class _Closing(_Model):
    not_a_person: _Line
    not_in_region: _Line
    region_unknown: _Line


class _Regions(_Model):
    US: _Place
    CA: _Place
    GB: _Place
    IE: _Place
    AU: _Place
    ES: _Place
    EU: _Place


class _Notices(_Model):
    low_mood: _Line
    see_clinician_soon: _Line
    still_in_danger: _Line


class _Declines(_Model):
    dose: _Line
    supply: _Line
    misuse: _Line
    eligibility: _Line
    diagnosis: _Line
    medicine_change: _Line
    other_personal: _Line


class _File(_Model):
    lead: _ByCategory
    repeat: _RepeatByCategory
    closing: _Closing
    regions: _Regions
    second_language: _Line
    minor: _Line
    kiosk: _Line
    safe_now: _Line
    notice: _Notices
    decline: _Declines
    sms_es: _SmsByCategory


class UrgentWording:
    """The lines, ready to be asked. Build with `load`; safe to share between threads."""

    def __init__(self, table: _File) -> None:
        self._table = table

    @classmethod
    def load(cls, root: Path) -> UrgentWording:
        """Read wording/urgent.yml.

        Args:
            root: the content folder, or the file itself.

        Raises:
            SafetyContentError: when a line is missing or the file is broken.
        """
        file = root / "wording" / "urgent.yml" if root.is_dir() else root
        return cls(validated(_File, file, read_yaml(file)))

    def lead(self, category: str, language: str, subject: str, variant: int = 0) -> str:
        """Return the words of an urgent reply.

        Args:
            category: one of the six urgent categories.
            language: "es", else English.
            subject: "self", "other" or "child"; anything else is taken as "self".
            variant: any number; two that follow each other give different lines.

        Raises:
            KeyError: when there is no such category.
        """
        lead: _Lead = self._of(self._table.lead, category)
        lines = (lead.es if language == "es" else lead.en).of(subject)
        return lines[variant % len(lines)]

    def repeat(self, category: str, language: str, variant: int = 0) -> str:
        """Return the shorter words for a short or refusing answer, naming the other way to reach help.

        Raises:
            KeyError: when there is no such category.
        """
        repeat: _Repeat = self._of(self._table.repeat, category)
        lines = repeat.es if language == "es" else repeat.en
        return lines[variant % len(lines)]

    def closing(self, language: str, region: str | None) -> str:
        """Return the end of an urgent reply: not a person, and what to do outside the region."""
        closing = self._table.closing
        place: _Place | None = getattr(self._table.regions, (region or "").split("-")[0], None) if region else None
        if place is None:
            where = closing.region_unknown.in_(language)
        else:
            where = closing.not_in_region.in_(language).format(region=place.es if language == "es" else place.en)
        return f"{closing.not_a_person.in_(language)} {where}"

    def minor(self, language: str) -> str:
        """Return the line for somebody who says to be under 18."""
        return self._table.minor.in_(language)

    def kiosk(self, language: str) -> str:
        """Return what a kiosk says before anything else."""
        return self._table.kiosk.in_(language)

    def safe_now(self, language: str) -> str:
        """Return the thanks for "I'm safe now"; the contacts stand beside it once more."""
        return self._table.safe_now.in_(language)

    def notice(self, kind: str, language: str) -> str:
        """Return the text of a notice: `low_mood`, `see_clinician_soon` or `still_in_danger`.

        Raises:
            KeyError: for any other kind.
        """
        line: _Line = self._of(self._table.notice, kind)
        return line.in_(language)

    def decline(self, reason: str, language: str) -> str:
        """Return why a request is turned down and where help is.

        Raises:
            KeyError: when it is none of the contract's seven reasons.
        """
        line: _Line = self._of(self._table.decline, reason)
        return line.in_(language)

    def sms_es(self, category: str, variant: int = 0) -> str:
        """Return Spanish words in the plain SMS alphabet, at most 110 letters.

        Raises:
            KeyError: when there is no such category.
        """
        lines: tuple[str, ...] = self._of(self._table.sms_es, category)
        return lines[variant % len(lines)]

    def second_language_line(self, language: str, contacts: Sequence[Mapping[str, Any]]) -> str:
        """Return the numbers once more, in the other language.

        Args:
            language: the language of this line (not of the reply): "es" after an English reply.
            contacts: the contacts in that language, in order, in the contract's shape. Named are the first, and the
                first that serves every emergency if that is another.

        Returns:
            For example "En español: Llame al 988 y pulse 2 · Llame al 911."; empty without contacts.
        """
        emergency = [c for c in contacts if "medical_emergency" in c["for"]]
        chosen = [*contacts[:1], *(c for c in emergency[:1] if c != contacts[0])]
        ways = " · ".join(c["ways"][0]["say"] for c in chosen if c["ways"])
        return self._table.second_language.in_(language).format(ways=ways) if ways else ""

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Yield every line as (where, language, text), places of the world left out."""
        for section, table in self._table:
            if section not in ("regions", "sms_es"):
                yield from _lines(section, table, None)
        for category, lines in self._table.sms_es:
            for n, text in enumerate(lines):
                yield f"sms_es.{category}.{n + 1}", "es", text

    @staticmethod
    def _of(table: BaseModel, key: str) -> Any:
        if key not in type(table).model_fields:
            raise KeyError(key)
        return getattr(table, key)


def _lines(where: str, node: Any, language: str | None) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, str):
        yield where, language or "en", node
    elif isinstance(node, tuple):
        for n, text in enumerate(node):
            yield f"{where}.{n + 1}", language or "en", text
    else:
        for name, value in node:
            name = name.rstrip("_")
            yield from _lines(f"{where}.{name}", value, name if name in ("en", "es") else language)


def problems(root: Path) -> list[str]:
    """Return what is wrong with the wording, in words a curator can act on; empty when nothing is.

    Args:
        root: the content folder, or urgent.yml itself.
    """
    try:
        wording = UrgentWording.load(root)
    except SafetyContentError as error:
        return [str(error)]
    found: list[str] = []
    counts: Counter[tuple[str, str]] = Counter()
    for where, language, text in wording:
        here = f"wording/urgent.yml · {where}"
        counts[language, text.casefold()] += 1
        if counts[language, text.casefold()] == 2:
            found.append(f"{here}: the line stands twice; the same words must not come twice in a row. Word it differently.")
        if re.search(r"\d", text):
            found.append(f"{here}: a digit; only the contacts carry numbers. Say it in words.")
        if bad := _NEVER[language].search(text):
            found.append(f"{here}: {bad.group()!r} may not stand here. Say what to do instead.")
        if language == "es" and (bad := _INFORMAL.search(text)):
            found.append(f"{here}: {bad.group()!r} is not usted. Use usted.")
        if any(len(sentence.split()) > _SENTENCE_WORDS[language] for sentence in re.split(r"(?<=[.?!:])\s", text)):
            found.append(f"{here}: a sentence of more than {_SENTENCE_WORDS[language]} words. Split it.")
        if where.startswith(("lead", "repeat")) and "?" in text:
            found.append(f"{here}: a question; nobody in danger is asked anything. Say what to do.")
        if where.startswith("sms_es"):
            outside = sorted(set(text) - _GSM7)
            if outside:
                found.append(f"{here}: {' '.join(outside)} not in the plain SMS alphabet. Choose other words.")
            if len(text) > _SMS_LENGTH:
                found.append(f"{here}: {len(text)} letters, {_SMS_LENGTH} fit. Shorten it.")
        wanted = {"closing.not_in_region": "{region}", "second_language": "{ways}"}
        fields = re.findall(r"\{.*?\}", text)
        expected = [field for prefix, field in wanted.items() if where.startswith(prefix)]
        if fields != expected:
            found.append(f"{here}: should hold {', '.join(expected) or 'nothing'} in braces. Correct it.")
    return found
