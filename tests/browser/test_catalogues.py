"""The interface's words: the same in every language, all of them used, none missing."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.support import ROOT

TEXT = ROOT / "web" / "frontend" / "text"
CATALOGUES = {p.stem: json.loads(p.read_text("utf-8")) for p in TEXT.glob("*.json")}
SOURCES = "\n".join(
    p.read_text("utf-8")
    for p in [*(ROOT / "web" / "frontend" / "src").glob("*.js"), *(ROOT / "web" / "templates").glob("*.html"), ROOT / "web" / "embed.py", ROOT / "web" / "pages.py"]
)
PAGES = "\n".join(p.read_text("utf-8") for p in (ROOT / "web" / "templates").glob("*.html")) + (ROOT / "web" / "pages.py").read_text("utf-8")
# keys put together in the source: certainty_high …
MADE = ("certainty_", "read_", "kind_", "group_", "problem_", "wrong_", "intro_is", "intro_not", "intro_private")


def test_languages_are_those_of_the_guide() -> None:
    assert set(CATALOGUES) == {"en", "es"}


@pytest.mark.parametrize("language", [c for c in CATALOGUES if c != "en"])
def test_catalogues_have_the_same_keys_and_places(language: str) -> None:
    assert CATALOGUES[language].keys() == CATALOGUES["en"].keys()
    for key, words in CATALOGUES[language].items():
        assert words.strip(), key
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", CATALOGUES["en"][key])), key


def test_every_key_is_used() -> None:
    unused = [k for k in CATALOGUES["en"] if not k.startswith(MADE) and not re.search(rf"[\"'.]{k}\b", SOURCES)]
    assert unused == []


def test_every_key_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r"\bt\(\"(\w+)\"", SOURCES)) | set(re.findall(r"\bt\.(\w+)", PAGES)) | set(re.findall(r"\bt\['(\w+)'\]", PAGES))
    assert asked - CATALOGUES["en"].keys() == set()
    assert [k for k in re.findall(r"\bt\.(\w+)", PAGES) if hasattr(dict, k)] == []  # Jinja would take the dictionary's own


def test_source_kinds_and_certainties_have_words() -> None:
    from typing import get_args

    from knowledge.schema import Certainty, ReadAs, SourceKind

    for prefix, kind in (("certainty", Certainty), ("read", ReadAs), ("kind", SourceKind)):
        for value in get_args(kind):
            assert f"{prefix}_{value}" in CATALOGUES["en"]
