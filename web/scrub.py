"""Taking out of a text what could tell whose it is, before anything of it is kept.

Presidio's recognisers find e-mail addresses, phone numbers, dates, web and network addresses, cards and account numbers; every
other number goes too. Names are found by the lists of first and family names that Faker carries (US, Spain, Mexico), by
titles in front and by capital letters within a sentence, because no model that recognises names comes in a package that
needs no download. A rare name in small letters, or at the beginning of a sentence, is missed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

from knowledge.content import Content

_LOCALES = ("en_US", "es_ES", "es_MX")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NUMBER = re.compile(r"\S*\d\S*")
_ADDRESS = re.compile(r"\S+@\S+|https?://\S+")
_MONTHS = (
    "january|february|march|april|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
)
_DATE = re.compile(rf"\b(?:{_MONTHS})\b|\b(?:May|March)\b", re.IGNORECASE)
_TITLED = re.compile(
    r"\b(?:dr|dra|doctor|doctora|nurse|mr|mrs|ms|miss|prof|sr|sra|srta|señora?|enfermer[ao])\b\.?\s+([^\W\d_]+)|"
    r"\b(?:my name is|i am called|me llamo|mi nombre es)\s+([^\W\d_]+(?:\s+[^\W\d_]+)?)",
    re.IGNORECASE,
)
# a capital letter after a word and a space; not the word "I", nothing all in capitals (CRPS, MRI)
_CAPITAL = re.compile(r"(?<=[\w,;:] )[^\W\d_a-zà-ÿ][a-zà-ÿ]+(?:['’-]\w+)*")


class Scrubber:
    """Replaces what could identify somebody. Loading takes some seconds and 400 MB: only where texts are kept at all.

    Args:
        content: Whose words are no names.
    """

    def __init__(self, content: Content) -> None:
        from presidio_analyzer.predefined_recognizers import (
            CreditCardRecognizer,
            DateRecognizer,
            EmailRecognizer,
            IbanRecognizer,
            IpRecognizer,
            PhoneRecognizer,
            UrlRecognizer,
        )

        class Email(EmailRecognizer):  # type: ignore[misc]
            """Presidio's holds a domain against a list that its library fetches from the network; a pattern is enough."""

            def validate_result(self, pattern_text: str) -> bool | None:
                return None

        self._recognisers: list[tuple[str, Any]] = [
            ("email", Email()), ("address", UrlRecognizer()), ("address", IpRecognizer()), ("date", DateRecognizer()),
            ("number", PhoneRecognizer()), ("number", CreditCardRecognizer()), ("number", IbanRecognizer()),
        ]  # fmt: skip
        # "good", "long" and "young" are family names too; as words of our own texts they go only with a capital letter
        self._names = frozenset(_names()) - _ordinary(content)

    def __call__(self, text: str) -> str:
        """The text with [email], [address], [date], [number] and [name] in place of what was found."""
        kept, at = [], 0
        for start, end, kind in self._spans(text):
            kept += [text[at:start], f"[{kind}]"]
            at = end
        return "".join([*kept, text[at:]])

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        """What was found, in order; what overlaps is one span that takes the name of its first."""
        merged: list[tuple[int, int, str]] = []
        for start, end, kind in sorted(self._found(text), key=lambda s: (s[0], -s[1])):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
            else:
                merged.append((start, end, kind))
        return merged

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        for kind, recogniser in self._recognisers:
            for found in recogniser.analyze(text, recogniser.supported_entities, None):
                yield found.start, found.end, kind
        for kind, pattern in (("address", _ADDRESS), ("date", _DATE), ("number", _NUMBER), ("name", _CAPITAL)):
            for match in pattern.finditer(text):
                yield match.start(), match.end(), kind
        for match in _TITLED.finditer(text):
            group = 1 if match.group(1) else 2
            yield match.start(group), match.end(group), "name"
        for match in _WORD.finditer(text):
            if match.group().lower().removesuffix("'s").removesuffix("’s") in self._names:
                yield match.start(), match.end(), "name"


def _ordinary(content: Content) -> frozenset[str]:
    """Words of statements in small letters; phrasings are left out, because patients write names so."""
    texts = [text for statement in content.statements.values() for text in statement.text.values()]
    return frozenset(word for text in texts for word in _WORD.findall(text) if word.islower())


def _names() -> Iterator[str]:
    for locale in _LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for part in ("first_names", "last_names"):
            for name in getattr(provider, part, ()):
                yield from (w.lower() for w in name.split() if len(w) > 2)
