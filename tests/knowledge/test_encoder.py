"""The exported encoder gives sentence-transformers' vectors, in both environments, and the tuned layers are in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from knowledge import tuning
from knowledge.build import current, weights_folder
from knowledge.content import Content
from knowledge.encoder import Encoder

ROOT = Path(__file__).resolve().parents[2]
BOT = ROOT / ".venv-bot/bin/python"
ENCODE = """
import json, sys
from pathlib import Path
from knowledge.encoder import Encoder
print(json.dumps(Encoder.load(Path(sys.argv[1])).encode(json.load(sys.stdin)).tolist()))
"""


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    statements = list(Content.load().statements.values())
    return [s.text["en"] for s in statements[:100]] + [s.phrasings["en"][0] for s in statements[:100]]


@pytest.fixture(scope="module")
def folder() -> Path:
    return current(ROOT / "build") / "encoder"


@pytest.fixture(scope="module")
def exported(folder: Path, sentences: list[str]) -> np.ndarray:
    return Encoder.load(folder).encode(sentences)


def test_equals_sentence_transformers(exported: np.ndarray, sentences: list[str]) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(weights_folder()), device="cpu")
    tuning.apply(model)
    assert len(sentences) == 200
    assert np.abs(model.encode(sentences, normalize_embeddings=True) - exported).max() < 1e-4


def test_the_official_model_alone_gives_other_vectors(exported: np.ndarray, sentences: list[str]) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(weights_folder()), device="cpu")
    assert np.abs(model.encode(sentences, normalize_embeddings=True) - exported).max() > 1e-2


def test_equals_in_rasas_environment(exported: np.ndarray, sentences: list[str], folder: Path) -> None:
    run = subprocess.run([str(BOT), "-c", ENCODE, str(folder)], input=json.dumps(sentences), capture_output=True, text=True, cwd=ROOT, check=True)
    assert np.abs(np.array(json.loads(run.stdout)) - exported).max() < 1e-4


def test_tuned_layers_are_the_upper_ones_only() -> None:
    with np.load(tuning.TUNED, allow_pickle=False) as tuned:
        assert {int(name.split(".")[1]) for name in tuned.files} == set(range(tuning.FROM_LAYER, 6))
        assert all(np.isfinite(tuned[name]).all() for name in tuned.files)
