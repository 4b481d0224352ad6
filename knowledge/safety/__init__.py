"""The safety room: is somebody in danger, what do we say, and for how long do we watch?

`Screen` (screen.py) finds danger in a message, `Watch` (watch.py) keeps it in mind over the next ones, `UrgentWording`
(wording.py) holds the words, `DeclineRules` (decline.py) finds requests that get no verdict and no number. Contacts
are in knowledge.contacts. Pure logic: no network, no clock, no store.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from knowledge.errors import Problem


def content_problems(root: Path, now: dt.date) -> Iterator[Problem]:
    """Everything wrong with the safety rules, contacts and urgent wording of a content folder."""
    from knowledge.contacts import Contacts
    from knowledge.safety.classifier import read_examples
    from knowledge.safety.decline import DeclineRules
    from knowledge.safety.errors import SafetyContentError
    from knowledge.safety.screen import Screen
    from knowledge.safety.watch import Watch
    from knowledge.safety.wording import problems

    folder = root / "safety"
    loads = (
        lambda: Screen.load(root),
        lambda: DeclineRules.load(folder),
        lambda: Watch.load(root),
        lambda: read_examples(folder),
    )
    for load in loads:
        try:
            load()
        except SafetyContentError as error:
            yield _problem(error)
    try:
        for message in Contacts.load(root).check(now):
            yield Problem("crisis/contacts.yml", 0, message.split(":")[0], message, "see the message")
        for message in problems(root):
            yield Problem("wording/urgent.yml", 0, "wording", message, "see the message")
    except SafetyContentError as error:
        yield _problem(error)


def _problem(error: Exception) -> Problem:
    file = getattr(error, "file", "safety")
    where = f"{getattr(error, 'item', None) or 'file'}.{getattr(error, 'field', None) or 'content'}"
    name = file.name if isinstance(file, Path) else str(file)
    return Problem(f"safety/{name}", 0, where, getattr(error, "problem", str(error)), getattr(error, "mend", "see the message"))
