"""A sign-off holds for exactly the text that was signed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from knowledge.content import Content
from knowledge.sign import Signatures, statement_digest

if TYPE_CHECKING:
    from conftest import Folder

ID = "base-numbers"
FILE = "statements/efficacy.general.yml"
ON = dt.date(2026, 3, 1)


def _sign(folder: Folder, statement: str = ID, by: str = "A. Clinician, GP", on: dt.date = ON, digest: str | None = None) -> None:
    digest = digest or statement_digest(Content.load(folder.root).statements[statement])
    known = folder.read("signatures.yml") if folder.path("signatures.yml").exists() else []
    folder.write("signatures.yml", [*known, {"what": f"statement:{statement}", "sha256": digest, "by": by, "on": on}])


def _edit(folder: Folder, **changes: Any) -> None:
    data = folder.read(FILE)
    for entry in data["statements"]:
        if entry["id"] == ID:
            entry.update(changes)
    folder.write(FILE, data)


def _review(folder: Folder, statement: str = ID) -> dict[str, Any]:
    content = Content.load(folder.root)
    return Signatures(content).review(content.statements[statement])


def test_unsigned_is_drafted(folder: Folder) -> None:
    """Until a clinician signs."""
    assert _review(folder) == {"state": "drafted", "by": None, "on": None}
    assert not Signatures(Content.load(folder.root)).all_signed


def test_signed_names_who_and_when(folder: Folder) -> None:
    """And only the statement that was signed."""
    _sign(folder)
    assert _review(folder) == {"state": "signed", "by": "A. Clinician, GP", "on": "2026-03-01"}
    assert _review(folder, "base-two")["state"] == "drafted"
    assert folder.problems() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"text": {"en": "In New York, 1 trial had 60 adults."}},
        {"text": {"en": "In New York, 1 trial had 60 people.", "es": "Hubo 60 personas."}},
        {"facts": ["us-fact", "base-fact"]},
        {"sources": [{"id": "base-source", "locator": "Methods"}]},
        {"regions": []},
        {"kind": "study"},
        {"review_by": dt.date(2099, 1, 1)},
        {"conditions": ["crps"]},
    ],
)
def test_an_edit_voids_the_signature(folder: Folder, changes: dict[str, Any]) -> None:
    """Any field that patients read or that stands behind it."""
    _sign(folder)
    _edit(folder, **changes)
    assert _review(folder)["state"] == "drafted"


def test_phrasings_may_change(folder: Folder) -> None:
    """Patients never read them."""
    _sign(folder)
    _edit(folder, phrasings={"en": ["one way", "two ways", "three ways", "four ways"]})
    assert _review(folder)["state"] == "signed"


def test_taking_the_edit_back_restores_it(folder: Folder) -> None:
    """The hash is of the text, not of the moment."""
    before = folder.path(FILE).read_text("utf-8")
    _sign(folder)
    _edit(folder, kind="study")
    folder.path(FILE).write_text(before, "utf-8")
    assert _review(folder)["state"] == "signed"


def test_the_latest_signature_counts(folder: Folder) -> None:
    """By its date, wherever it stands in the file."""
    _sign(folder, by="Second", on=dt.date(2026, 5, 1))
    _sign(folder, by="First", on=dt.date(2026, 1, 1))
    assert _review(folder)["by"] == "Second"
    _sign(folder, by="Third, of another text", on=dt.date(2026, 6, 1), digest="0" * 64)
    assert _review(folder)["state"] == "drafted"


def test_a_signature_of_another_statement_is_none(folder: Folder) -> None:
    """A hash counts only under its own id."""
    digest = statement_digest(Content.load(folder.root).statements["base-two"])
    _sign(folder, digest=digest)
    assert _review(folder)["state"] == "drafted"


def test_all_signed(folder: Folder) -> None:
    """True when every statement is, false as soon as one is edited."""
    signatures = [
        {"what": f"statement:{s.id}", "sha256": statement_digest(s), "by": "A. Clinician, GP", "on": ON}
        for s in Content.load(folder.root).statements.values()
    ]
    folder.write("signatures.yml", signatures)
    assert Signatures(Content.load(folder.root)).all_signed
    _edit(folder, kind="study")
    assert not Signatures(Content.load(folder.root)).all_signed


def test_digest_survives_the_build(folder: Folder) -> None:
    """Signatures hold in content.json too."""
    _sign(folder)
    content = Content.load(folder.root)
    again = Content.from_json(content.to_json())
    assert Signatures(again).review(again.statements[ID])["state"] == "signed"
    assert all(statement_digest(s) == statement_digest(again.statements[s.id]) for s in content.statements.values())


def test_check_counts_valid_signatures_only(folder: Folder) -> None:
    """A voided one is not signed."""
    _sign(folder)
    assert folder.report().figures["signed"] == 1
    _edit(folder, kind="study")
    assert folder.report().figures["signed"] == 0
