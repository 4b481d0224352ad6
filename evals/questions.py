"""The labelled questions, and their split into development and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

ROOT = Path(__file__).parent
Split = Literal["development", "test"]


def split_of(text: str) -> Split:
    """By hash of the text, so that a question never changes sides."""
    return "development" if hashlib.sha256(text.strip().lower().encode()).digest()[0] < 128 else "test"


@dataclass(frozen=True)
class Question:
    """One labelled message, or the turns of a dialogue.

    Attributes:
        set: in_scope, out_of_scope, advice or dialogues.
        label: Everything else its file says of it.
    """

    id: str
    set: str
    text: str
    split: Split
    label: dict[str, Any] = field(default_factory=dict)

    @property
    def topics(self) -> list[str]:
        """Topics on which a first statement is right."""
        return list(self.label.get("topics") or ())

    @property
    def parts(self) -> list[list[str]]:
        """Topics of each part of a multi-part question; empty for the others."""
        parts = self.label.get("parts")
        return parts if isinstance(parts, list) else [[t] for t in self.topics] if parts else []


def load(*sets: str, split: Split | None = None) -> list[Question]:
    """Questions of some sets, of one split or both."""
    found = []
    for path in sorted((ROOT / "questions").glob("*/*.yml")):
        if sets and path.stem not in sets:
            continue
        for entry in yaml.safe_load(path.read_text("utf-8")):
            text = entry.get("q") or entry["turns"][-1]
            side = split_of(" ".join(entry["turns"]) if "turns" in entry else text)
            if split is None or side == split:
                label = {k: v for k, v in entry.items() if k not in ("id", "q")}
                found.append(Question(entry["id"], path.stem, text, side, label))
    return found


def labels() -> dict[str, dict[str, Any]]:
    """Acceptable statements of in-scope questions (`ids`) and topics right as well (`also`), by question id; the fourth voice has topics alone."""
    return {e["id"]: e for e in yaml.safe_load((ROOT / "questions" / "labels.yml").read_text("utf-8"))}
