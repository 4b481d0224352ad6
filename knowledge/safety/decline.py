"""Requests that get no verdict and no number: dose, supply, misuse, eligibility, diagnosis, medicine change, other.

The rules are decline_en.yml and decline_es.yml. They are written for precision: an ordinary question that mentions a dose
or a medicine ("can ketamine be taken with alcohol?") must get its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knowledge.safety.normalise import Normaliser
from knowledge.safety.rules import RuleSet, load_protect, load_spellings
from knowledge.safety.screen import CONTENT, rule_files, windows

__all__ = ["DeclineFinding", "DeclineRules", "REASONS"]

# In the order in which they decide when several fit: what could hurt somebody first.
REASONS = ("misuse", "supply", "dose", "medicine_change", "eligibility", "diagnosis", "other_personal")


@dataclass(frozen=True)
class DeclineFinding:
    """A request to decline.

    Attributes:
        reason: the contract's reason.
        rule: id of the rule.
        language: language of the rule, "en" or "es".
        words: the words that matched, for explanations.
    """

    reason: str
    rule: str
    language: str
    words: str


class DeclineRules:
    """Finds requests to decline. Build with `load`."""

    def __init__(self, rules: RuleSet, normaliser: Normaliser) -> None:
        self.rules, self.normaliser = rules, normaliser

    @classmethod
    def load(cls, content: Path = CONTENT) -> DeclineRules:
        """Read the rules.

        Args:
            content: the knowledge content folder.

        Raises:
            SafetyContentError: when a file is broken.
        """
        folder = content / "safety" if (content / "safety").is_dir() else content
        spellings = load_spellings(folder / "spellings.yml")
        rules = RuleSet.load(folder, rule_files(folder, ("decline",)), spellings)
        return cls(rules, Normaliser(rules.vocabulary, load_protect(folder / "protect.txt"), spellings))

    def check(self, text: str) -> DeclineFinding | None:
        """Return why `text` must be declined, or None. Never raises on any string."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        best: DeclineFinding | None = None
        for window in windows(text):
            for view in self.normaliser.views(window):
                for hit in self.rules.hits(view):
                    reason = hit.rule.reason or "other_personal"
                    if best is None or REASONS.index(reason) < REASONS.index(best.reason):
                        best = DeclineFinding(reason, hit.rule.id, hit.language, hit.words)
        return best
