"""Content to JSON and back, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from knowledge.content import CONTENT, Content, read_yaml
from knowledge.errors import ContentError, Problem

if TYPE_CHECKING:
    from conftest import Folder


def _same(one: Content, other: Content) -> None:
    for f in fields(Content):
        if f.name != "where":
            assert getattr(one, f.name) == getattr(other, f.name), f.name


def test_round_trip(folder: Folder) -> None:
    """Every part comes back equal and in order; the same bytes are written again."""
    folder.write("unused_facts.yml", [{"id": "hold-fact", "why": "not for patients: ñ"}])
    folder.write(
        "signatures.yml", [{"what": "statement:base-two", "sha256": "a" * 64, "by": "A. Clinician", "on": folder.now}]
    )
    content = Content.load(folder.root)
    text = content.to_json()
    again = Content.from_json(text)
    _same(content, again)
    assert list(again.statements) == list(content.statements)
    assert again.to_json() == text
    assert "ñ" in text


def test_round_trip_of_the_real_content() -> None:
    """The base as curated, numbers and sources of every shape."""
    content = Content.load(CONTENT)
    again = Content.from_json(content.to_json())
    _same(content, again)
    assert again.to_json() == content.to_json()


def test_same_content_same_bytes(make_folder: Callable[..., Folder]) -> None:
    """Wherever the folder lies and however its YAML is written."""
    one, two = make_folder("one"), make_folder("two")
    for path in two.root.rglob("statements/*.yml"):
        data = two.read(str(path.relative_to(two.root)))
        two.write(str(path.relative_to(two.root)), dict(reversed(data.items())))
    assert Content.load(one.root).to_json() == Content.load(two.root).to_json() == Content.load(one.root).to_json()


def test_other_content_other_bytes(make_folder: Callable[..., Folder]) -> None:
    """One letter is enough."""
    one, two = make_folder("one"), make_folder("two")
    path = two.path("statements/mechanism.yml")
    path.write_text(path.read_text("utf-8").replace("Nobody", "No-one"), "utf-8")
    assert Content.load(one.root).to_json() != Content.load(two.root).to_json()


def test_json_is_plain(folder: Folder) -> None:
    """Nothing but JSON: dates and addresses are text, keys sorted."""
    text = Content.load(folder.root).to_json()
    data = json.loads(text)
    assert json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1) == text
    assert data["sources"][0]["url"] == "https://example.org/trial"
    assert data["statements"][0]["last_reviewed"] == folder.dates()["last_reviewed"].isoformat()


def test_entries_know_where_they_stand(folder: Folder) -> None:
    """File and line of statements, sources, facts, topics and disagreements."""
    labels = {"statement", "source", "fact", "topic", "disagreement"}
    where = {k: v for k, v in Content.load(folder.root).where.items() if k.partition(":")[0] in labels}
    for key, (file, line) in where.items():
        text = folder.path(file).read_text("utf-8").splitlines()[line - 1]
        assert text.strip() == f"- id: {key.partition(':')[2]}"
    assert {key.partition(":")[0] for key in where} == labels


def test_shared_fields_of_a_file_give_way_to_the_entrys_own(folder: Folder) -> None:
    """A statement may set its own dates and topic."""
    folder.add(folder.statement("own", topic="mechanism"), topic="efficacy.crps")
    assert Content.load(folder.root).statements["own"].topic == "mechanism"


def test_an_empty_folder_reads_as_no_content(folder: Folder) -> None:
    """Missing files are no entries; the rules say what is missing."""
    for path in [*folder.root.glob("*.yml"), *folder.root.glob("*/base*.yml"), *folder.path("statements").iterdir()]:
        path.unlink(missing_ok=True)
    content = Content.load(folder.root)
    assert not content.statements
    assert not content.sources
    assert len(folder.problems()) >= 48


def test_problems_read_as_one_line(folder: Folder) -> None:
    """file:line: field: message. Mend: …"""
    problem = Problem("sources.yml", 3, "some-source.doi", "a DOI is wrong", "correct it")
    assert str(problem) == "sources.yml:3: some-source.doi: a DOI is wrong. Mend: correct it"
    later = Problem("topics.yml", 1, "x", "y", "z")
    assert ContentError([later, problem]).problems == (problem, later)


def test_read_yaml_runs_no_code(folder: Folder) -> None:
    """Tags that make objects are refused, with the line."""
    folder.write("terms.yml", "- term:\n    en: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ContentError) as caught:
        read_yaml(folder.path("terms.yml"), folder.root)
    assert caught.value.problems[0].file == "terms.yml"
    assert caught.value.problems[0].line == 2
