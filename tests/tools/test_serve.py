"""Nothing is started that was altered since it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.build import sha256
from tools.serve import usable


def test_only_the_dialogue_that_was_trained_here_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not usable(tmp_path) and "run `make build`" in capsys.readouterr().err
    (tmp_path / "rasa").mkdir()
    model = tmp_path / "rasa" / "model.tar.gz"
    model.write_bytes(b"a model")
    (tmp_path / "rasa" / "sha256").write_text(sha256(model), "utf-8")
    assert usable(tmp_path)
    model.write_bytes(b"a model with something else in it")
    assert not usable(tmp_path) and "was altered" in capsys.readouterr().err
