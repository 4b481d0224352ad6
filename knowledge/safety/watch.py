"""Danger lasts longer than a message.

After an urgent reply the conversation is watched for 30 minutes and 10 turns. This module only decides; the caller
keeps the state (a small JSON-able dataclass), tells the time and builds the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from knowledge.safety.normalise import words_of
from knowledge.safety.phrases import Expander, PhraseError
from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import _compile, load_spellings, read_yaml, validated
from knowledge.safety.screen import CONTENT, Finding

__all__ = ["MAX_SECONDS", "MAX_TURNS", "Step", "Watch", "WatchState"]

MAX_SECONDS = 30 * 60
MAX_TURNS = 10
_SHORT = 5  # words; an answer this short after an urgent reply is an answer to it

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
        """Return the state, or None when `data` is empty or from another version."""
        if not data:
            return None
        try:
            return cls(**data)
        except TypeError:
            return None


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

    en: Lists
    es: Lists


class Watch:
    """Decides over the turns after an urgent reply. Build with `load`."""

    def __init__(self, safe: Any, not_safe: Any, refuse: Any, help_questions: Any, starts: Any, respell: Any) -> None:
        self._safe, self._not_safe, self._refuse = safe, not_safe, refuse
        self._help, self._starts, self._respell = help_questions, starts, respell

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

        def compiled(name: str) -> Any:
            try:
                phrases = [*getattr(table.en, name), *getattr(table.es, name)]
                return _compile("|".join(e if e.startswith("(?:^ ") else " " + e for e in map(expander.phrase, phrases)))
            except PhraseError as error:
                raise SafetyContentError(file, None, name, f"{error}.", "correct the phrase.") from error

        names = ("safe", "not_safe", "refuse", "help_questions", "question_starts")
        return cls(*(compiled(name) for name in names), respell)

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
            danger_signs=finding.danger_signs,
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
        if finding.urgent:
            new = self.start(finding, now, live)
            return Step("urgent", new, new.last_variant, "urgent by itself")
        if live is None:
            return Step("none", None, 0, "nothing is being watched")
        live = replace(live, turns=live.turns + 1, minor=live.minor or finding.minor)
        view = self._view(text)
        if self._safe.search(view) and not self._not_safe.search(view):
            return Step("thank_safe", None, live.turns % 3, "says to be safe; the contacts stay once more")
        asks = "?" in text or self._starts.search(view) is not None
        short = len(view.split()) <= _SHORT
        if self._help.search(view):
            return self._again(live, "asks about the help itself")
        if self._refuse.search(view) and not (asks and not short):
            return self._again(live, "refuses or could not reach help")
        if asks and view.strip():
            # A question of one or two words ("why?") is part of the talk about the danger, not a new topic.
            if len(view.split()) <= 2 and not _topical(view):
                return self._again(live, "too short to be a new question")
            return Step("answer_with_contacts", replace(live, last_kind="again", last_variant=live.last_variant), 0, "a new question")
        if finding.soon_topics:
            return Step("answer_with_contacts", live, 0, "a symptom with a sourced statement")
        return self._again(live, "a short answer" if short else "not a question; the danger stands")

    def _again(self, live: WatchState, why: str) -> Step:
        variant = live.last_variant + 1 if live.last_kind == "again" else 0
        return Step("urgent_again", replace(live, last_kind="again", last_variant=variant), variant, why)

    def _view(self, text: str) -> str:
        words = self._respell(text[:4000].encode("utf-8", "replace").decode("utf-8"))
        return f" {' '.join(words)} "


def _topical(view: str) -> bool:
    return any(word in view for word in (" ketamine ", " ketamina ", " crps ", " cost ", " infusion ", " infusions ", " side effects "))
