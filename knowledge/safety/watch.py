"""Danger lasts longer than a message.

After an urgent reply the conversation is watched for 30 minutes and 10 turns. This module only decides; the caller
keeps the state (a small JSON-able dataclass), tells the time and builds the reply.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.normalise import words_of
from knowledge.safety.phrases import Expander, PhraseError
from knowledge.safety.rules import CATEGORIES, _compile, load_spellings, read_yaml, validated
from knowledge.safety.screen import CONTENT, Finding

__all__ = ["MAX_SECONDS", "MAX_TURNS", "Step", "Watch", "WatchState"]

MAX_SECONDS = 30 * 60
MAX_TURNS = 10
_SHORT = 4  # words; an answer this short after an urgent reply is an answer to it
_LONGEST = 4000  # characters looked at
_QUESTION = re.compile(r"[^.?!\n]*\?")
_LONG = 25  # words; a refusal in a longer message is not its point
# A sister beside you is help against being alone with it; it is none against chest pain, and a partner may be the danger.
_COMPANY_HELPS = ("crisis_suicide", "postinfusion_emergency")

Action = Literal["none", "urgent", "urgent_again", "answer_with_contacts", "thank_safe"]


@dataclass(frozen=True)
class WatchState:
    """What is remembered of a danger.

    Attributes:
        category: the urgent category.
        language: language of the urgent reply, "en" or "es".
        subject: whom it is about.
        minor: the writer says to be under 18.
        danger_signs: the emergency number goes first.
        since: when the last urgent message came, seconds since the epoch.
        turns: patient messages since then.
        last_variant: index of the wording used last in the list `last_kind`.
        last_kind: "first", "again" or "thanks".
    """

    category: str
    language: str
    subject: Literal["self", "other", "child"]
    minor: bool
    danger_signs: bool
    since: float
    turns: int = 0
    last_variant: int = 0
    last_kind: Literal["first", "again", "thanks"] = "first"

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storage."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> WatchState | None:
        """Return the state, or None when `data` is none: a store may hand back what another version wrote."""
        if not isinstance(data, Mapping):
            return None
        try:
            state = cls(**data)
            sound = math.isfinite(state.since) and state.turns >= 0 and state.last_variant >= 0
        except TypeError:
            return None
        known = state.category in CATEGORIES and state.last_kind in ("first", "again", "thanks")
        return state if sound and known else None


@dataclass(frozen=True)
class Step:
    """What to do with a message.

    Attributes:
        action: `urgent` – the full urgent reply; `urgent_again` – the shorter one with the other way to reach help;
            `answer_with_contacts` – the ordinary answer with the notice still_in_danger and the contacts;
            `thank_safe` – thanks, with the contacts once more; `none` – nothing is being watched.
        state: what to keep, or None when the watch is over.
        variant: index of the wording, for `Wording.urgent`, `.again` or `.thanks`; never the one used last.
        why: for explanations.
    """

    action: Action
    state: WatchState | None
    variant: int = 0
    why: str = ""


class _WatchFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    class Lists(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        safe: tuple[str, ...]
        not_safe: tuple[str, ...]
        refuse: tuple[str, ...]
        help_questions: tuple[str, ...]
        question_starts: tuple[str, ...]
        # Builds made before these lists existed do without them.
        company: tuple[str, ...] = ()
        answers: tuple[str, ...] = ()
        hopeless: tuple[str, ...] = ()
        misread: tuple[str, ...] = ()
        topics: tuple[str, ...] = ()

    en: Lists
    es: Lists


@dataclass(frozen=True)
class _Said:
    """What a message says, as far as the watch cares."""

    words: int
    asks: bool
    lists: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.lists

    @property
    def topical(self) -> bool:
        """A question or sentence of its own about something this guide knows."""
        return "topics" in self and (self.asks or self.words > 2)


class Watch:
    """Decides over the turns after an urgent reply. Build with `load`."""

    def __init__(self, lists: Mapping[str, Any], respell: Any) -> None:
        self._lists, self._respell = dict(lists), respell

    @classmethod
    def load(cls, content: Path = CONTENT) -> Watch:
        """Read content/safety/watch.yml.

        Raises:
            SafetyContentError: when it is broken.
        """
        folder = content / "safety" if (content / "safety").is_dir() else content
        file = folder / "watch.yml"
        spellings = load_spellings(folder / "spellings.yml")

        def respell(text: str) -> list[str]:
            return spellings.apply(words_of(text))

        table = validated(_WatchFile, file, read_yaml(file))
        expander = Expander({}, respell)

        def compiled(name: str, phrases: tuple[str, ...]) -> Any:
            try:
                return _compile("|".join(e if e.startswith("(?:^ ") else " " + e for e in map(expander.phrase, phrases)))
            except PhraseError as error:
                raise SafetyContentError(file, None, name, f"{error}.", "correct the phrase.") from error

        lists = {name: (*getattr(table.en, name), *getattr(table.es, name)) for name in _WatchFile.Lists.model_fields}
        return cls({name: compiled(name, phrases) for name, phrases in lists.items() if phrases}, respell)

    def start(self, finding: Finding, now: float, before: WatchState | None = None) -> WatchState:
        """Return the state after an urgent finding.

        Args:
            finding: an urgent finding.
            now: seconds since the epoch.
            before: the state so far, so that wording and known facts carry over.
        """
        if finding.category is None:
            raise ValueError("only an urgent finding starts a watch")
        variant = 0
        if before is not None and before.last_kind == "first":
            variant = before.last_variant + 1
        return WatchState(
            category=finding.category,
            language="es" if finding.language == "es" else "en",
            subject=finding.subject,
            minor=finding.minor or (before is not None and before.minor),
            danger_signs=finding.danger_signs or (before is not None and before.danger_signs),
            since=now,
            last_variant=variant,
        )

    def alive(self, state: WatchState | None, now: float) -> bool:
        """Whether `state` is still being watched."""
        return state is not None and now - state.since <= MAX_SECONDS and state.turns < MAX_TURNS

    def step(self, state: WatchState | None, finding: Finding, text: str, now: float) -> Step:
        """Decide what to do with a message.

        Args:
            state: the state kept so far, or None.
            finding: what the screen found in the message.
            text: the message.
            now: seconds since the epoch.
        """
        live = state if state is not None and self.alive(state, now) else None
        if live is None and not finding.urgent:
            return Step("none", None, 0, "nothing is being watched")
        said = self._said(text)
        # The ambulance that has come reads like an emergency to a classifier; only rules overrule "I am safe".
        if finding.urgent and not (live and finding.by == "classifier" and _safe(said, live)):
            # The wording goes on from an ended watch as well: its last reply may be the newest one in the conversation.
            new = self.start(finding, now, live or (replace(state, minor=False, danger_signs=False) if state else None))
            return Step("urgent", new, new.last_variant, "urgent by itself")
        if live is None:
            return Step("none", None, 0, "nothing is being watched")
        live = replace(live, turns=live.turns + 1, minor=live.minor or finding.minor)
        if _safe(said, live):
            thanked = replace(live, last_kind="thanks")
            if said.asks and said.topical:
                return Step("answer_with_contacts", thanked, 0, "says to be safe and asks something")
            return Step("thank_safe", thanked, live.turns % 3, "says to be safe; the contacts stay once more")
        if live.last_kind == "thanks":
            if ("refuse" in said or "hopeless" in said or "not_safe" in said) and not said.topical:
                return self._again(live, "the danger is back")
            return Step("answer_with_contacts", replace(live, turns=MAX_TURNS), 0, "the contacts stay once more")
        because = self._in_danger(said, finding)
        if because is not None:
            return self._again(live, because)
        return Step("answer_with_contacts", live, 0, "a new question")

    @staticmethod
    def _in_danger(said: _Said, finding: Finding) -> str | None:
        """Return why the message is an answer to the danger, or None when it is a topic of its own."""
        if "refuse" in said and said.words <= _LONG and not (said.topical and said.asks):
            return "refuses or could not reach help"
        if "misread" in said:
            return None
        if said.topical:
            return None
        if "help_questions" in said:
            return "asks about the help itself"
        if ("hopeless" in said or "not_safe" in said) and said.words <= _LONG:
            return "gives up, or is not safe"
        if "low_mood" in finding.notices and not said.asks:
            return "low mood, and the danger stands"
        if "answers" in said or ("topics" not in said and not said.asks and said.words <= _SHORT):
            return "a short answer"
        return None

    def _said(self, text: str) -> _Said:
        view = self._view(text)
        words = len(view.split())
        lists = frozenset(name for name, find in self._lists.items() if find.search(view))
        # A question of one or two words ("why?") is part of the talk about the danger, not a new topic.
        asks = ("?" in text or "question_starts" in lists) and (words > 2 or ("topics" in lists and words > 0))
        # "Am I safe now?" is no news of safety; "I'm safe now. Can I ask something?" is.
        for question in _QUESTION.findall(text[:_LONGEST]):
            view = self._view(question)
            if any(self._lists[name].search(view) for name in ("safe", "company") if name in self._lists):
                lists |= {"not_safe"}
        return _Said(words, asks, lists)

    def _again(self, live: WatchState, why: str) -> Step:
        variant = live.last_variant + 1 if live.last_kind == "again" else 0
        return Step("urgent_again", replace(live, last_kind="again", last_variant=variant), variant, why)

    def _view(self, text: str) -> str:
        words = self._respell(text[:_LONGEST].encode("utf-8", "replace").decode("utf-8"))
        return f" {' '.join(words)} "


def _safe(said: _Said, state: WatchState) -> bool:
    if "not_safe" in said or "refuse" in said:
        return False
    return "safe" in said or ("company" in said and state.category in _COMPANY_HELPS)
