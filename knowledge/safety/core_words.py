"""Core words of danger in ten other languages.

We cannot hold a conversation in these languages, but "suicide" or "cannot breathe" is understood in all of them and gets
the urgent reply (in English, with the numbers) instead of "I only speak English and Spanish".
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import re2
from pydantic import BaseModel, ConfigDict, Field

from knowledge.safety.language import Guess
from knowledge.safety.rules import read_yaml, validated

__all__ = ["CoreHit", "CoreWords"]

Category = Literal["crisis_suicide", "medical_emergency", "overdose", "abuse_danger", "child_exposure", "postinfusion_emergency"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Category
    words: tuple[str, ...] = Field(min_length=1)
    needs_foreign: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    why: str
    languages: dict[str, tuple[_Entry, ...]]
    reviewed: str | None


@dataclass(frozen=True)
class CoreHit:
    """A core word that was found.

    Attributes:
        id: "core-<language>-<category>".
        category: the contract's category.
        language: the language of the word.
        why: for explanations.
    """

    id: str
    category: str
    language: str
    why: str


class CoreWords:
    """Finds core words; build with `load`."""

    def __init__(self, table: _File) -> None:
        self._plain: list[tuple[str, str, bool, list[str]]] = []
        self.languages = tuple(table.languages)
        for language, entries in table.languages.items():
            for entry in entries:
                self._plain.append((language, entry.category, entry.needs_foreign, [_key(w) for w in entry.words]))
        words = [word for _, _, _, words in self._plain for word in words]
        self._other = tuple(word for word in words if not word.isascii())
        self._ascii = re2.compile(" (?:" + "|".join(sorted({word for word in words if word.isascii()})) + ") ")

    @classmethod
    def load(cls, file: Path) -> CoreWords:
        """Read core_words.yml.

        Raises:
            SafetyContentError: when it is broken.
        """
        return cls(validated(_File, file, read_yaml(file)))

    def find(self, text: str, guess: Guess) -> CoreHit | None:
        """Return the first core word in `text`.

        A word marked `needs_foreign` exists in English or Spanish too ("suicide") and counts only where the message
        was guessed to be neither.
        """
        text = text[:20_000]
        key = _key(text)
        padded = f" {key} "
        # nearly every message ends here
        if self._ascii.search(padded) is None and (key.isascii() or not any(word in key for word in self._other)):
            return None
        for language, category, needs_foreign, words in self._plain:
            if needs_foreign and not guess.foreign:
                continue
            for word in words:
                # Chinese and Arabic do not set words apart by our spaces: look inside as well.
                if (word in key) if not word.isascii() else (f" {word} " in padded):
                    tongue = guess.language if guess.foreign else language
                    return CoreHit(f"core-{language}-{category.replace('_', '-')}", category, tongue, f"core word in {language}: {word!r}")
        return None


def _key(text: str) -> str:
    text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("ł", "l").replace("ß", "ss"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"['’`´]", " ", text)
    return " ".join(re.sub(r"[^\w\s]", " ", text).split())
