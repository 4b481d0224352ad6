"""Which topic a question is on, and what kind of request a message is: linear classifiers over the sentence vector and the words.

Words tell what the vector blurs ("lidocaine or ketamine" is about alternatives, "is it an opioid" about what ketamine is), and the vector
what words miss. Both are trained when a build is made, on every phrasing: for topics under its own, with out-of-scope examples as the last
class; for requests as a question (REQUESTS), beside all that curators wrote as out of scope and as asking for a verdict on one person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from knowledge.text import words

WORD_SHARE = 0.7  # length of the word part; the vector's is 1
STRENGTH = 20.0  # scikit-learn's C: weak regularisation, chosen on the development questions
MIN_COUNT = 2  # a term seen once tells nothing apart
REQUESTS = ("question", "outside", "advice")  # classes of the request classifier


def terms(text: str) -> list[str]:
    """Words and pairs of neighbouring words."""
    single = words(text)
    return [*single, *(f"{a} {b}" for a, b in zip(single, single[1:], strict=False))]


class TextClassifier:
    """Multinomial logistic regression; features are the vector (384,) and sublinear tf-idf of terms, scaled to WORD_SHARE.

    Args:
        vocabulary: Terms, each with its row in `word_weights`.
        idf: Inverse document frequency of each term.
        word_weights: (terms, classes).
        vector_weights: (384, classes).
        bias: (classes,).
    """

    def __init__(self, vocabulary: Sequence[str], idf: np.ndarray, word_weights: np.ndarray, vector_weights: np.ndarray, bias: np.ndarray):
        self._row = {t: i for i, t in enumerate(vocabulary)}
        self._idf, self._word_weights, self._vector_weights, self._bias = idf, word_weights, vector_weights, bias

    def logits(self, text: str, vector: np.ndarray) -> np.ndarray:
        """Score of each class (classes,) for a prepared text and its vector (384,)."""
        rows, values = _tf_idf(terms(text), self._row, self._idf)
        logits: np.ndarray = vector @ self._vector_weights + values @ self._word_weights[rows] + self._bias
        return logits

    @classmethod
    def train(cls, texts: Sequence[str], vectors: np.ndarray, labels: Sequence[int]) -> TextClassifier:
        """Fit on texts, their vectors (n, 384) and class numbers; the same inputs give the same weights."""
        from scipy import sparse
        from sklearn.linear_model import LogisticRegression

        of_text = [terms(t) for t in texts]
        counts = Counter(t for ts in of_text for t in set(ts))
        vocabulary = sorted(t for t, n in counts.items() if n >= MIN_COUNT)
        idf = np.array([np.log((1 + len(texts)) / (1 + counts[t])) + 1 for t in vocabulary], dtype=np.float32)
        row = {t: i for i, t in enumerate(vocabulary)}
        found = [_tf_idf(ts, row, idf) for ts in of_text]
        starts = np.cumsum([0, *(len(rows) for rows, _ in found)])
        columns, data = (np.concatenate([f[k] for f in found]) for k in (0, 1))
        word_part = sparse.csr_matrix((data, columns, starts), shape=(len(texts), len(vocabulary)))
        features = sparse.hstack([sparse.csr_matrix(vectors), word_part]).tocsr()
        model = LogisticRegression(C=STRENGTH, max_iter=150, class_weight="balanced").fit(features, labels)
        weights, width = model.coef_.T.astype(np.float32), vectors.shape[1]
        return cls(vocabulary, idf, weights[width:], weights[:width], model.intercept_.astype(np.float32))

    def save(self, path: Path) -> None:
        """Write all arrays to an .npz."""
        np.savez(
            path,
            vocabulary=np.array(list(self._row)),
            idf=self._idf,
            word_weights=self._word_weights,
            vector_weights=self._vector_weights,
            bias=self._bias,
        )

    @classmethod
    def load(cls, path: Path) -> TextClassifier:
        """Read what `save` wrote; no pickle is read."""
        with np.load(path, allow_pickle=False) as f:
            return cls(f["vocabulary"].tolist(), f["idf"], f["word_weights"], f["vector_weights"], f["bias"])


def _tf_idf(found: Iterable[str], row: Mapping[str, int], idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known terms (k,) and their weights (k,), of Euclidean length WORD_SHARE."""
    counts = Counter(row[t] for t in found if t in row)
    rows = np.array(sorted(counts), dtype=np.int32)
    values = np.array([(1 + np.log(counts[r])) * idf[r] for r in sorted(counts)], dtype=np.float32)
    return rows, values * np.float32(WORD_SHARE / (np.linalg.norm(values) or 1.0))
