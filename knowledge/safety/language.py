"""A small offline guess at the language of a message: English, Spanish, or another.

Evidence, in this order: the script; words that only one language uses; letters and letter groups typical of one.
It serves one decision, "should we say that we only speak English and Spanish?", so it says "und" (undetermined) where
evidence is thin: calling a short English text foreign would refuse somebody who was understood.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from knowledge.safety.rules import read_yaml, validated

__all__ = ["Guess", "LanguageGuesser"]

_SCRIPTS = (
    ("zh", "\u4e00", "\u9fff"), ("zh", "\u3400", "\u4dbf"), ("ja", "\u3040", "\u30ff"), ("ko", "\uac00", "\ud7af"),
    ("ar", "\u0600", "\u06ff"), ("he", "\u0590", "\u05ff"), ("ru", "\u0400", "\u04ff"), ("el", "\u0370", "\u03ff"),
    ("hi", "\u0900", "\u097f"), ("bn", "\u0980", "\u09ff"), ("pa", "\u0a00", "\u0a7f"), ("gu", "\u0a80", "\u0aff"),
    ("ta", "\u0b80", "\u0bff"), ("te", "\u0c00", "\u0c7f"), ("th", "\u0e00", "\u0e7f"), ("ka", "\u10a0", "\u10ff"),
    ("hy", "\u0530", "\u058f"), ("am", "\u1200", "\u137f"), ("km", "\u1780", "\u17ff"), ("my", "\u1000", "\u109f"),
)  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@dataclass(frozen=True)
class Guess:
    """A guess at a message's language.

    Attributes:
        language: "en", "es", another ISO 639-1 code, or "und" where there is too little to say.
        confidence: 0 to 1; share of the evidence that speaks for `language`.
        foreign: true when the message is quite surely neither English nor Spanish.
    """

    language: str
    confidence: float
    foreign: bool


class _LanguageFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    words: dict[str, tuple[str, ...]]
    letters: dict[str, tuple[str, ...]]


class LanguageGuesser:
    """Guesses languages from a table of words and letter groups.

    Args:
        words: language → words that speak for it.
        letters: language → letters or letter groups that speak for it.
    """

    def __init__(self, words: Mapping[str, tuple[str, ...]], letters: Mapping[str, tuple[str, ...]]) -> None:
        self._words: dict[str, set[str]] = {}
        for language, entries in words.items():
            for entry in entries:
                for form in {entry.casefold(), _bare(entry)}:
                    self._words.setdefault(form, set()).add(language)
        self._letters = {language: tuple(e.casefold() for e in entries) for language, entries in letters.items()}
        # what is left of them for a text in plain ASCII
        self._plain_letters = {language: plain for language, groups in self._letters.items() if (plain := tuple(g for g in groups if g.isascii()))}

    @classmethod
    def load(cls, file: Path) -> LanguageGuesser:
        """Read languages.yml.

        Raises:
            SafetyContentError: when it is broken.
        """
        table = validated(_LanguageFile, file, read_yaml(file))
        return cls(table.words, table.letters)

    def guess(self, text: str) -> Guess:
        """Return the guess for `text`; looks at its first 4,000 characters."""
        return self._guess(text[:4000])

    @lru_cache(maxsize=512)  # noqa: B019  (one guesser a process, and the web asks twice for the same message)
    def _guess(self, text: str) -> Guess:
        script = _script(text)
        if script is not None:
            return Guess(script, 1.0, True)
        tokens = [t.replace("’", "'") for t in _TOKEN.findall(text.casefold())]
        if not tokens:
            return Guess("und", 0.0, False)
        scores: dict[str, float] = {}
        known = 0
        for token in tokens:
            languages = self._words.get(token) or self._words.get(token.replace("'", "")) or set()
            known += bool(languages)
            for language in languages:
                # A word that several languages share says less about each.
                scores[language] = scores.get(language, 0.0) + 1.0 / len(languages)
        lowered = text.casefold()
        for language, groups in (self._plain_letters if lowered.isascii() else self._letters).items():
            hits = sum([min(lowered.count(group), 3) for group in groups])
            if hits:
                scores[language] = scores.get(language, 0.0) + 0.5 * min(hits, 6)
        if not scores:
            return Guess("und", 0.0, False)
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        best, top = ranked[0]
        total = sum(scores.values())
        confidence = top / total
        ours = max(scores.get("en", 0.0), scores.get("es", 0.0))
        if best in ("en", "es"):
            return Guess(best, confidence, False)
        # Foreign only with at least two pieces of evidence that clearly beat ours, over enough of the text.
        foreign = top >= 2.0 and top >= 1.8 * ours + 0.5 and top >= 0.14 * len(tokens)
        return Guess(best if foreign else "und", confidence, foreign)


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def _script(text: str) -> str | None:
    counts: dict[str, int] = {}
    latin = 0
    for char in unicodedata.normalize("NFKC", text):
        if not char.isalpha():
            continue
        if char < "\u0250":
            latin += 1
            continue
        for language, low, high in _SCRIPTS:
            if low <= char <= high:
                counts[language] = counts.get(language, 0) + 1
                break
    if not counts:
        return None
    best = max(counts, key=lambda k: counts[k])
    if best == "zh" and counts.get("ja"):
        best = "ja"
    # Look-alike letters inside Latin words are a disguise, not a language.
    enough = counts[best] >= 2 and sum(counts.values()) > latin
    if best in ("ru", "el") and latin and any(_mixed(word) for word in text.split()):
        enough = False
    return best if enough else None


def _mixed(word: str) -> bool:
    letters = [c for c in word if c.isalpha()]
    latin = sum(c < "\u0250" for c in letters)
    return 0 < latin < len(letters)
