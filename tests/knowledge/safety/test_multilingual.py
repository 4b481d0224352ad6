"""The multilingual encoder as installed: what it says alike, what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from knowledge import multilingual
from knowledge.multilingual import MultilingualEncoder
from knowledge.safety.classifier import Classifier
from knowledge.safety.screen import Screen


@pytest.fixture(scope="module")
def encoder() -> MultilingualEncoder:
    return MultilingualEncoder.load()


def test_a_sentence_lies_closer_to_its_translation_than_to_another_sentence(encoder: MultilingualEncoder) -> None:
    pairs = [
        ("I cannot breathe", "no puedo respirar"),
        ("my daughter swallowed a tablet", "mi hija se tragó una pastilla"),
        ("how much does an infusion cost", "cuánto cuesta una infusión"),
        ("I don't want to live any more", "ya no quiero vivir"),
    ]
    english, spanish = (encoder.encode([pair[i] for pair in pairs]) for i in (0, 1))
    assert ((english @ spanish.T).argmax(axis=1) == np.arange(len(pairs))).all()


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "😀" * 50, "a" * 20_000, "早く助けて"])
def test_any_text_gets_a_unit_vector(encoder: MultilingualEncoder, text: str) -> None:
    vector = encoder.encode([text])[0]
    assert vector.shape == (multilingual.DIMENSIONS,) and vector.dtype == np.float32
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-3


def test_a_text_has_the_same_vector_alone_among_others_and_in_threads(encoder: MultilingualEncoder) -> None:
    texts = [f"message {n} about a long night" for n in range(70)]
    together = encoder.encode(texts)
    assert encoder.encode([]).shape == (0, multilingual.DIMENSIONS)
    with ThreadPoolExecutor(8) as pool:
        alone = np.stack(list(pool.map(lambda t: encoder.encode([t])[0], texts)))
    assert np.abs(alone - together).max() < 1e-4


@pytest.mark.parametrize("changed", ["NO PUEDO RESPIRAR", "\u200bno pue\u200bdo respi\u200drar", "Ｎo puedo respirar"])
def test_capitals_and_invisible_characters_change_nothing(encoder: MultilingualEncoder, changed: str) -> None:
    plain, other = encoder.encode(["no puedo respirar", changed])
    assert np.abs(plain - other).max() < 1e-6


def test_other_files_than_the_tested_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(multilingual.SHA256, "weights.npz", "0" * 64)
    with pytest.raises(ValueError, match=r"weights\.npz"):
        MultilingualEncoder.load()


def test_without_the_package_the_rules_serve_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(multilingual, "PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match="not installed"):
        MultilingualEncoder.load()
    monkeypatch.setattr(Classifier, "load", lambda path: MultilingualEncoder.load())
    screen = Screen.load(weights=tmp_path / "safety.npz")
    assert screen.classifier is None and screen.check("I can't breathe").urgent
