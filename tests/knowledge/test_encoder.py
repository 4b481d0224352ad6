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


def test_every_layer_is_tuned_and_none_by_much() -> None:
    with np.load(tuning.TUNED, allow_pickle=False) as tuned:
        steps = {name: tuned[name] for name in tuned.files if name.endswith(":step")}
        assert {int(name.split(".")[1]) for name in steps} == set(range(6))
        assert all(np.isfinite(step).all() and step.min() >= 0 and step.max() * tuning.STEPS < 0.05 for step in steps.values())


def test_what_training_changed_is_kept_to_a_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    official = {"layer.0.w": rng.normal(size=(4, 8)).astype(np.float32), "layer.0.b": np.zeros(8, dtype=np.float32)}
    trained = {name: weights + rng.normal(scale=0.01, size=weights.shape).astype(np.float32) for name, weights in official.items()}
    tuning.save(official, trained, tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as kept:
        for name, weights in trained.items():
            assert np.abs(official[name] + kept[name] * kept[f"{name}:step"] - weights).max() <= kept[f"{name}:step"].max() * 0.51
