"""Errors of the knowledge room.

KnowledgeError
├── ContentError      content that cannot be read or breaks a rule; carries every Problem found
├── BuildError        a build could not be made (weights missing or altered, disk, interrupted)
├── BuildMissing      no build to serve from
└── BuildCorrupt      a file of the build does not match its manifest
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in the content, said so that a curator can mend it.

    Attributes:
        file: Path relative to the content folder.
        line: 1-based line of the entry, 0 when the whole file is meant.
        field: Entry id and field, as `some-statement.text.en`.
        message: What is wrong.
        mend: What to do about it.
    """

    file: str
    line: int
    field: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}. Mend: {self.mend}"


class KnowledgeError(Exception):
    """Base of all errors raised by this package."""


class ContentError(KnowledgeError):
    """Raised when content cannot be loaded or breaks its rules."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(p) for p in self.problems))


class BuildError(KnowledgeError):
    """Raised when a build cannot be made."""


class BuildMissing(KnowledgeError):
    """Raised when no build is there to serve from."""


class BuildCorrupt(KnowledgeError):
    """Raised when a file of the build differs from the manifest's hash."""
