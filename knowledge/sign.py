"""Sign-off: who reviewed which text, when, and whether the text still is what was signed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from knowledge.content import Content
from knowledge.schema import Statement


def statement_digest(statement: Statement) -> str:
    """Hash of everything a clinician signs: all fields but the phrasings, which patients never read."""
    data = statement.model_dump(mode="json", exclude={"phrasings"})
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Signatures:
    """The valid sign-offs of a content."""

    def __init__(self, content: Content):
        latest = {s.what: s for s in sorted(content.signatures, key=lambda s: s.on)}
        self._valid = {
            s.id: latest[f"statement:{s.id}"]
            for s in content.statements.values()
            if f"statement:{s.id}" in latest and latest[f"statement:{s.id}"].sha256 == statement_digest(s)
        }
        self.all_signed = len(self._valid) == len(content.statements) > 0

    def review(self, statement: Statement) -> dict[str, Any]:
        """The contract's `review` of a statement."""
        signature = self._valid.get(statement.id)
        if signature is None:
            return {"state": "drafted", "by": None, "on": None}
        return {"state": "signed", "by": signature.by, "on": signature.on.isoformat()}
