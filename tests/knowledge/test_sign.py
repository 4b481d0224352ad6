"""A sign-off holds for exactly the text that was signed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from knowledge.content import Content
from knowledge.errors import ContentError
from knowledge.schema import TOPICS
from knowledge.sign import Signatures, digest, sign

if TYPE_CHECKING:
    from conftest import Broken, Folder

ID = "base-numbers"
FILE = "statements/efficacy.general.yml"
ON = dt.date(2026, 3, 1)


def _sign(
    folder: Folder, statement: str = ID, by: str = "A. Clinician, GP", on: dt.date = ON, sha256: str | None = None
) -> None:
    sha256 = sha256 or digest(Content.load(folder.root).statements[statement])
    known = folder.read("signatures.yml") if folder.path("signatures.yml").exists() else []
    folder.write("signatures.yml", [*known, {"what": f"statement:{statement}", "sha256": sha256, "by": by, "on": on}])


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
    _sign(folder, by="Third, of another text", on=dt.date(2026, 6, 1), sha256="0" * 64)
    assert _review(folder)["state"] == "drafted"


def test_a_signature_of_another_statement_is_none(folder: Folder) -> None:
    """A hash counts only under its own id."""
    other = digest(Content.load(folder.root).statements["base-two"])
    _sign(folder, sha256=other)
    assert _review(folder)["state"] == "drafted"


def test_all_signed(folder: Folder) -> None:
    """True when everything is, false as soon as one text is edited."""
    sign(folder.root, "A. Clinician, GP", topics=TOPICS, wording=True)
    assert Signatures(Content.load(folder.root), folder.root).all_signed
    assert Signatures(Content.load(folder.root), folder.root).unsigned() == []
    _edit(folder, kind="study")
    signatures = Signatures(Content.load(folder.root), folder.root)
    assert not signatures.all_signed
    assert signatures.unsigned() == [f"statement:{ID}"]


def test_sign_records_who_when_and_what(folder: Folder) -> None:
    """One file, reviewed like any other, that `check` accepts and signing again replaces."""
    assert sign(folder.root, " A. Clinician, GP ", statements=[ID], on=ON) == [f"statement:{ID}"]
    assert _review(folder) == {"state": "signed", "by": "A. Clinician, GP", "on": "2026-03-01"}
    assert sign(folder.root, "B. Clinician, GP", statements=[ID], on=ON) == [f"statement:{ID}"]
    assert [s["by"] for s in folder.read("signatures.yml")] == ["B. Clinician, GP"]
    assert folder.problems() == []


def test_signing_twice_writes_the_same_bytes(folder: Folder) -> None:
    """No churn in the reviewed file."""
    sign(folder.root, "A. Clinician, GP", topics=["mechanism"], on=ON)
    first = folder.path("signatures.yml").read_bytes()
    sign(folder.root, "A. Clinician, GP", topics=["mechanism"], on=ON)
    assert folder.path("signatures.yml").read_bytes() == first


def test_a_topic_is_signed_whole(folder: Folder) -> None:
    """Its statements, its clinician lines and the disagreements that hang on it; nothing of other topics."""
    names = sign(folder.root, "A. Clinician, GP", topics=["mechanism"], on=ON)
    assert sorted(names) == ["disagreement:base-disagreement", "statement:base-mechanism", "topic:mechanism"]


def test_an_edit_of_a_clinician_line_voids_the_topic(folder: Folder) -> None:
    """The lines are signed with the topic, apart from its statements."""
    sign(folder.root, "A. Clinician, GP", topics=["mechanism"], on=ON)
    topics = folder.read("topics.yml")
    for topic in topics:
        if topic["id"] == "mechanism":
            topic["clinician"] = {"en": "Ask your doctor. It depends.", "es": "Pregunte."}
    folder.write("topics.yml", topics)
    signatures = Signatures(Content.load(folder.root))
    assert not signatures.is_signed("topic:mechanism")
    assert signatures.is_signed("statement:base-mechanism")


@pytest.mark.parametrize("name", ["wording/replies.yml", "wording/checks.yml"])
def test_an_edit_of_signed_wording_voids_it(folder: Folder, name: str) -> None:
    """One byte is enough, and only that file's."""
    names = sign(folder.root, "A. Clinician, GP", wording=True, on=ON)
    assert all(n.startswith("file:") for n in names)
    assert {n.split("/")[0] for n in names} == {"file:wording", "file:safety", "file:crisis"}
    folder.path(name).write_bytes(folder.path(name).read_bytes() + b"\n")
    signatures = Signatures(Content.load(folder.root), folder.root)
    assert [n for n in names if not signatures.is_signed(n)] == [f"file:{name}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"statements": ["no-such-statement"]}, "no such statement"),
        ({"topics": ["no-such-topic"]}, "no such topic"),
        ({}, "nothing to sign"),
    ],
)
def test_nothing_is_signed_by_mistake(folder: Folder, arguments: dict[str, Any], message: str) -> None:
    """The problem is named and no file is written."""
    with pytest.raises(ContentError, match=message):
        sign(folder.root, "A. Clinician, GP", **arguments)
    assert not folder.path("signatures.yml").exists()


@pytest.mark.parametrize("by", ["", "  ", "Somebody", ",,,,,,", "A. Clinician,   "])
def test_a_signature_needs_name_and_role(folder: Folder, by: str) -> None:
    """Both, and neither empty."""
    with pytest.raises(ContentError, match="name and role"):
        sign(folder.root, by, statements=[ID])
    assert not folder.path("signatures.yml").exists()


def test_a_dangling_disagreement_is_a_problem_not_an_exception(folder: Folder, broken: Callable[[str], Broken]) -> None:
    """Signing reads content that `check` has not passed."""
    folder.lay(broken("disagreement_unknown_statement"))
    try:
        found = sign(folder.root, "A. Clinician, GP", topics=["mechanism"])
    except ContentError as error:
        found = [str(error)]
    assert any("no-such-statement" in x or x == "statement:base-mechanism" for x in found)


def test_digest_survives_the_build(folder: Folder) -> None:
    """Signatures hold in content.json too."""
    _sign(folder)
    content = Content.load(folder.root)
    again = Content.from_json(content.to_json())
    assert Signatures(again).review(again.statements[ID])["state"] == "signed"
    assert all(digest(s) == digest(again.statements[s.id]) for s in content.statements.values())


def test_check_counts_valid_signatures_only(folder: Folder) -> None:
    """A voided one is not signed."""
    _sign(folder)
    assert folder.report().figures["signed"] == 1
    _edit(folder, kind="study")
    assert folder.report().figures["signed"] == 0
