"""What can go wrong while safety content is read.

    KnowledgeError (knowledge.errors)
    └── SafetyContentError      a curators' file under content/safety, content/crisis or content/wording is broken

Screening itself raises nothing: `Screen.check` answers every string.
"""

from __future__ import annotations

from pathlib import Path

from knowledge.errors import KnowledgeError

__all__ = ["SafetyContentError"]


class SafetyContentError(KnowledgeError):
    """A safety file cannot be used as it is; raised while loading, never while screening.

    Args:
        file: the file.
        item: the id of the rule, contact or line, or None where the file as a whole is meant.
        field: the field inside the item.
        problem: what is wrong.
        mend: what to do about it.
    """

    def __init__(self, file: Path | str, item: str | None, field: str | None, problem: str, mend: str) -> None:
        self.file, self.item, self.field, self.problem, self.mend = str(file), item, field, problem, mend
        where = " · ".join(part for part in (str(file), item, field) if part)
        super().__init__(f"{where}: {problem} Mend: {mend}")
