"""Figures in a document that people wrote, between two marks."""

from __future__ import annotations

from pathlib import Path


def write(document: Path, mark: str, text: str) -> None:
    """Put text between a document's two marks.

    Raises:
        ValueError: when they are not there.
    """
    old = document.read_text("utf-8")
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if begin not in old or end not in old:
        raise ValueError(f"{document.name} has no marks {mark}")
    document.write_text(old.split(begin)[0] + f"{begin}\n{text}\n{end}" + old.split(end, 1)[1], "utf-8")
