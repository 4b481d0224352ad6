"""Requests that are declined whatever the dialogue makes of them: a dose, a supply, misuse, a verdict on a person.

The rules are content/safety/decline.yml, English and Spanish, read sentence by sentence. They aim at precision: a general
question must get its answer. What they miss the dialogue's own classifier declines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rapidfuzz.distance import OSA

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.normalise import Normaliser, Spellings, fold, words_of
from knowledge.safety.phrases import Expander, PhraseError
from knowledge.safety.rules import LANGUAGES, Language, load_spellings, read_yaml, validated
from knowledge.safety.screen import CONTENT

__all__ = ["DeclineFinding", "DeclineRules"]

Reason = Literal["dose", "supply", "misuse", "eligibility", "diagnosis", "medicine_change", "other_personal"]
_LONGEST = 4000  # the contract's texts end at 2,000; what is longer was refused before
_SENTENCE = re.compile(r"[^.?]*(?:[.?] |$)")
_LINE_BREAK = re.compile(r"(?<![.?!\n])\n(?=[^\n])")  # a line that is broken off is not the end of a sentence
_OPTIONS = re2.Options()
_OPTIONS.max_mem = 128 << 20
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False


@dataclass(frozen=True)
class DeclineFinding:
    """Why a message is declined.

    Attributes:
        reason: the contract's reason.
        rule: id of the rule.
        language: language of the rule.
        words: the words that matched, folded.
        why: the rule's own reason, for `knowledge explain`.
    """

    reason: Reason
    rule: str
    language: str = "en"
    words: str = ""
    why: str = ""


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str = Field(pattern=r"^decline(-[a-z0-9]+)+$")
    reason: Reason
    language: Language
    phrases: tuple[str, ...] = Field(min_length=1)
    not_: tuple[str, ...] = Field(default=(), alias="not")
    why: str = Field(min_length=8)
    reviewed: str | None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    lists: dict[Language, dict[str, tuple[str, ...]]]
    rules: tuple[_Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _both_languages(self) -> _File:
        if set(self.lists) != set(LANGUAGES):
            raise ValueError("lists must hold en and es")
        return self


@dataclass(frozen=True)
class _Ready:
    rule: _Rule
    find: Any
    undo: Any | None


class DeclineRules:
    """The compiled rules. Make one a process with `load`; safe to share between threads."""

    def __init__(self, ready: Sequence[_Ready], reader: _Reader) -> None:
        self._ready = tuple(ready)
        self._reader = reader

    @classmethod
    def load(cls, folder: Path = CONTENT) -> DeclineRules:
        """Read the rules.

        Args:
            folder: content/safety, the content folder above it, or decline.yml itself.

        Raises:
            SafetyContentError: naming the file, the rule, the field and the mend.
        """
        file = folder
        if folder.is_dir():
            file = (folder / "safety" if (folder / "safety").is_dir() else folder) / "decline.yml"
        table = validated(_File, file, read_yaml(file))
        spellings = load_spellings(file.parent / "spellings.yml")

        def respell(text: str) -> list[str]:
            return spellings.apply(words_of(text))

        expanders = {language: Expander(table.lists[language], respell) for language in LANGUAGES}
        ready, seen = [], set()
        for rule in table.rules:
            if rule.id in seen:
                raise SafetyContentError(file, rule.id, "id", "the id stands twice.", "give the rule its own id.")
            seen.add(rule.id)
            expander = expanders[rule.language]
            find = _compiled(file, rule.id, "phrases", expander, rule.phrases)
            undo = _compiled(file, rule.id, "not", expander, rule.not_) if rule.not_ else None
            ready.append(_Ready(rule, find, undo))
        vocabulary = expanders["en"].vocabulary | expanders["es"].vocabulary
        return cls(ready, _Reader(vocabulary, spellings))

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of all rules, in order."""
        return tuple(ready.rule.id for ready in self._ready)

    def check(self, text: str) -> DeclineFinding | None:
        """Return why `text` is declined, or None; answers every string.

        Args:
            text: one message.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
        text = _LINE_BREAK.sub(" ", text)
        sentences = [s for view in self._reader.views(text) for s in _sentences(view)]
        for ready in self._ready:
            for sentence in sentences:
                match = ready.find.search(sentence)
                if match is None or (ready.undo is not None and ready.undo.search(sentence) is not None):
                    continue
                rule = ready.rule
                return DeclineFinding(rule.reason, rule.id, rule.language, match.group().strip(), rule.why)
        return None


def _sentences(view: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(view):
        sentence = match.group().strip()
        if sentence not in ("", ".", "?"):
            yield f" {sentence} "


def _compiled(file: Path, rule: str, field: str, expander: Expander, phrases: Sequence[str]) -> Any:
    sources = []
    for phrase in phrases:
        try:
            source = expander.phrase(phrase)
            source = source if source.startswith("(?:^ ") else " " + source
            re2.compile(source, _OPTIONS)
        except (PhraseError, re2.error) as error:
            raise SafetyContentError(file, rule, field, f"{phrase!r}: {error}.", "correct the phrase.") from error
        sources.append(source)
    return re2.compile("|".join(sources), _OPTIONS)


class _Reader:
    """Turns a message into one or two views: as it stands, and with the words that carry a request spelt right.

    Only those words are repaired: repairing any word towards any other would decline questions that nobody asked.
    """

    def __init__(self, vocabulary: set[str], spellings: Spellings) -> None:
        self._normaliser = Normaliser(vocabulary, (), spellings)
        self._spellings = spellings
        self._vocabulary = frozenset(vocabulary)
        self._repair = lru_cache(maxsize=4096)(self._repair_uncached)

    def views(self, text: str) -> list[str]:
        words = self._normaliser.words(text)
        plain = self._spellings.apply(words)
        repaired = self._spellings.apply([self._repair(w) for w in words])
        return [f" {' '.join(w)} " for w in (plain, *([repaired] if repaired != plain else []))]

    def _repair_uncached(self, word: str) -> str:
        if len(word) < 6 or word in self._vocabulary or word in _NEIGHBOURS:
            return word
        for allowed in (1, 2 if len(word) >= 9 else 1):
            for target in _REPAIRED:
                if target[0] == word[0] and OSA.distance(word, target, score_cutoff=allowed) <= allowed:
                    return target
        return word


# What is worth repairing …
_REPAIRED = tuple(
    fold(
        "ketamine esketamine spravato infusion infusions lozenge lozenges troches prescription candidate eligible "
        "qualify suitable dosage milligrams sertraline gabapentin pregabalin duloxetine oxycodone tramadol medication "
        "medications antidepressant antidepressants fibromyalgia lethal recreationally diagnose recommend "
        "ketamina esketamina infusiones candidata candidato sertralina gabapentina medicamento medicamentos"
    ).split()
)
# … and what stands close to it but means something else.
_NEIGHBOURS = frozenset(
    {"confusion", "effusion", "delusion", "suitably", "quality", "legal", "diagnosed", "diagnoses", "recommended", "recommends", "candidates"}
)
