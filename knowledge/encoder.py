"""Text to sentence vector: the same ONNX file in every process.

This module is also imported by Rasa's environment (Python 3.10, numpy 1.23), so it needs numpy, onnxruntime and
tokenizers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

DIMENSIONS = 384
MAX_TOKENS = 256
_BATCH = 64


class EncoderError(Exception):
    """Raised when the encoder's files are missing or cannot be read."""


class Vectors(Protocol):
    """What turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 of shape (len(texts), dimensions)."""


class Encoder:
    """all-MiniLM-L6-v2 as ONNX: mean pooling over the attention mask, then L2 normalisation.

    Source: the pooling of the model's own sentence-transformers modules.
    """

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer):
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Encoder:
        """Load `model.onnx` and `tokenizer.json`.

        Args:
            folder: Where the two files lie.
            threads: Threads of one call; 1 leaves the cores to other requests.

        Raises:
            EncoderError: when a file is missing or broken.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise bare exceptions of their own
            raise EncoderError(f"the encoder in {folder} cannot be loaded: {type(error).__name__}") from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return cls(session, tokenizer)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts.

        Args:
            texts: Any number of texts; each is cut at 256 tokens.

        Returns:
            float32 array of shape (len(texts), 384), each row of length 1.
        """
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        # texts of like length share a batch, so that padding is not computed for nothing
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            out[rows] = self._batch([texts[i] for i in rows])
        return out

    def _batch(self, texts: Sequence[str]) -> np.ndarray:
        encodings = self._tokenizer.encode_batch([_clean(t) for t in texts])
        ids = np.array([e.ids for e in encodings], dtype=np.int64)
        mask = np.array([e.attention_mask for e in encodings], dtype=np.int64)
        hidden = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        weights = mask[:, :, None].astype(np.float32)
        pooled = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        norms = np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        return np.asarray(pooled / norms, dtype=np.float32)


def _clean(text: str) -> str:
    """Lone surrogates cannot be tokenised; nothing else is changed."""
    return text.encode("utf-8", "replace").decode("utf-8")
