"""Sign-off: who reviewed which text, when, and whether the text still is what was signed.

Signed are statements (`statement:<id>`), a topic's clinician lines (`topic:<id>`), and the files of urgent wording and of
safety rules (`file:<path>`). An edit changes the digest and so voids the signature.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from knowledge.content import Content, today
from knowledge.errors import ContentError, Problem
from knowledge.schema import Signature, Statement

SIGNED_FOLDERS = ("safety", "wording", "crisis")


def digest(entry: BaseModel | bytes) -> str:
    """Hash of what a clinician signs: a file's bytes, or all fields of an entry but the phrasings, which nobody reads."""
    if isinstance(entry, bytes):
        return hashlib.sha256(entry).hexdigest()
    data = entry.model_dump(mode="json", exclude={"phrasings"})
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Signatures:
    """The valid sign-offs of a content.

    Args:
        content: Checked content.
        root: Its folder, for the signed files; None leaves these out.

    """

    def __init__(self, content: Content, root: Path | None = None):
        latest = {s.what: s for s in sorted(content.signatures, key=lambda s: s.on)}
        now = {what: digest(entry) for what, entry in signable(content, root)}
        self._valid: dict[str, Signature] = {w: latest[w] for w, d in now.items() if w in latest and latest[w].sha256 == d}
        self._what = set(now)

    @property
    def all_signed(self) -> bool:
        """Whether everything that can be signed is."""
        return bool(self._what) and self._what == set(self._valid)

    def is_signed(self, what: str) -> bool:
        """Whether one text is signed as it stands."""
        return what in self._valid

    def signed(self) -> list[str]:
        """What is signed as it stands."""
        return sorted(self._valid)

    def unsigned(self) -> list[str]:
        """What is not signed as it stands."""
        return sorted(self._what - set(self._valid))

    def review(self, statement: Statement) -> dict[str, Any]:
        """The contract's `review` of a statement."""
        signature = self._valid.get(f"statement:{statement.id}")
        if signature is None:
            return {"state": "drafted", "by": None, "on": None}
        return {"state": "signed", "by": signature.by, "on": signature.on.isoformat()}


def signable(content: Content, root: Path | None) -> Iterable[tuple[str, BaseModel | bytes]]:
    """Everything that can be signed, by name."""
    for s in content.statements.values():
        yield f"statement:{s.id}", s
    for t in content.topics.values():
        yield f"topic:{t.id}", t
    for d in content.disagreements.values():
        yield f"disagreement:{d.id}", d
    if root is not None:
        for folder in SIGNED_FOLDERS:
            for path in sorted((root / folder).glob("*.yml")):
                if not path.name.startswith("examples"):
                    yield f"file:{path.relative_to(root)}", path.read_bytes()


def sign(
    root: Path, by: str, *, statements: Sequence[str] = (), topics: Sequence[str] = (), wording: bool = False, on: dt.date | None = None
) -> list[str]:
    """Record a review in signatures.yml.

    Args:
        root: The content folder.
        by: Name and role of who reviewed.
        statements: Statement ids.
        topics: Topics whose statements, disagreements and clinician lines were reviewed.
        wording: Whether the urgent wording, safety rules and contacts were reviewed.
        on: The day; today when not given.

    Returns:
        What was signed.

    Raises:
        ContentError: for an unknown id, an empty name, or nothing to sign.

    """
    content = Content.load(root)
    problems = [Problem("signatures.yml", 0, s, "no such statement", "correct the id") for s in statements if s not in content.statements]
    problems += [Problem("signatures.yml", 0, t, "no such topic", "correct the topic") for t in topics if t not in content.topics]
    if sum(bool(part.strip()) for part in by.split(",")) < 2:
        problems.append(Problem("signatures.yml", 0, "by", "a signature needs name and role", 'write --by "Name, role"'))
    if not (statements or topics or wording):
        problems.append(Problem("signatures.yml", 0, "what", "nothing to sign", "give --statements, --topic or --wording"))
    if problems:
        raise ContentError(problems)
    of_topics = {s.id for s in content.statements.values() if s.topic in topics}
    wanted = {f"statement:{s}" for s in {*statements, *of_topics}} | {f"topic:{t}" for t in topics}
    wanted |= {f"disagreement:{d.id}" for d in content.disagreements.values() if of_topics & set(d.statements)}
    day = (on or today()).isoformat()
    signed = {s.what: s.model_dump(mode="json") for s in content.signatures}
    names = []
    for what, entry in signable(content, root):
        if what in wanted or (wording and what.startswith("file:")):
            signed[what] = {"what": what, "sha256": digest(entry), "by": by.strip(), "on": day}
            names.append(what)
    path = root / "signatures.yml"
    head = "# Who signed which text and when; written by `python -m knowledge sign`, reviewed like any other file.\n"
    text = head + yaml.safe_dump([signed[w] for w in sorted(signed)], allow_unicode=True, sort_keys=False, width=150)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
    return names
