"""The classifier behind the rules: what the rules' words miss because people tell danger in their own.

One linear model per category (one-vs-rest logistic regression) over the encoder's vector and hashed pieces of the
normalised text. The encoder was made for English, so Spanish has weights of its own for the vector and leans on the pieces.

Serving needs numpy only and gives equal output for equal input. `build` trains with scikit-learn from examples_en.yml and
examples_es.yml, chooses a threshold per category on held-out examples, and writes one .npz without pickle.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.normalise import words_of
from knowledge.safety.rules import CATEGORIES, LANGUAGES, read_yaml, validated

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Classifier", "Example", "Figures", "build", "read_examples", "train"]

FORMAT = 1
DIMENSIONS = 384
BUCKETS = 1 << 15
NOTICES = ("low_mood", "soon")
LABELS = (*CATEGORIES, *NOTICES)
MAX_FALSE_TAKEOVER = 0.01  # share of held-out examples that are not urgent and would be taken over all the same
MAX_FALSE_NOTICE = 0.03  # a notice stands under an answer and costs little when it is not needed
FOLDS = 5

_MOST_WORDS = 800  # a longer text adds nothing but time; the rules screen it whole
_NEAR_COPY = 0.7  # cosine of the pieces from which two examples go to the same side of the split
_LOWEST = 0.05  # no threshold below this score, however few the examples

# Words that say "this is Spanish" and are no English ones. The screen's own guesser also knows other languages; here one bit is
# needed, and it must be the same in training and serving.
_SPANISH = frozenset(
    """el la los las un una unos unas de del y que en es por para con mi mis tu su sus se lo le les nos al como cuando
    pero porque muy ya estoy esta estan tengo tiene hay siento puedo puede quiero hace desde hoy ayer ahora despues
    ella ellos yo eso esto fue era ha he hemos ser soy sin todo nada mas donde quien cual cuanto hijo hija mama papa
    dolor ketamina clinica medico ayuda gracias hola tome tomo dio dijo aqui vez alguien nadie nunca siempre tambien""".split()
)
_ENGLISH = frozenset(
    """the a an of and to in is it for with my your his her their i you we they he she was were are be been have has had not but
    because very this that what when where who how can could would should do does did after before from at on or if so""".split()
)


class Encoder(Protocol):
    """What the build needs of an encoder."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (len(texts), 384)."""


# -- features -----------------------------------------------------------------------------------------------------


def is_spanish(words: Sequence[str]) -> bool:
    """Return whether folded `words` look Spanish rather than English."""
    spanish = sum(word in _SPANISH for word in words)
    return spanish > sum(word in _ENGLISH for word in words)


def pieces(words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashed pieces of a text: character n-grams (3 to 5) inside words, words and pairs of words.

    Args:
        words: folded words, as `words_of` gives them.

    Returns:
        Bucket numbers (int64, ascending, no double) and their weights (float32, length 1 as a vector).
    """
    counts: dict[int, int] = {}
    before = "^"
    for word in [_shape(w) for w in words[:_MOST_WORDS]]:
        padded = f" {word} "
        found = [f"w{word}", f"p{before} {word}"]
        for size in (3, 4, 5):
            found.extend(padded[i : i + size] for i in range(len(padded) - size + 1))
        for piece in found:
            bucket = zlib.crc32(piece.encode("utf-8", "replace")) % BUCKETS
            counts[bucket] = counts.get(bucket, 0) + 1
        before = word
    if not counts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    buckets = np.array(sorted(counts), dtype=np.int64)
    weights = np.array([1.0 + math.log(counts[b]) for b in buckets.tolist()], dtype=np.float32)
    return buckets, weights / np.float32(np.linalg.norm(weights))


def _shape(word: str) -> str:
    # A model must not learn one patient's figures; how long a number is may matter ("180 over 120").
    return "0" * len(word) if word.isdigit() else word[:30]


# -- serving ------------------------------------------------------------------------------------------------------


class Classifier:
    """Scores a message per category; numpy only, safe to share between threads.

    Args:
        labels: the categories and notices, in the order of the rows.
        vector_en: weights of the encoder's vector for English and everything that is not Spanish, shape (labels, 384).
        vector_es: the same for Spanish.
        pieces_weights: weights of the pieces, shape (labels, BUCKETS).
        bias: shape (labels, 2): for English, for Spanish.
        thresholds: the score from which a label counts, shape (labels,).
        figures: how the training did on held-out examples, as JSON-able values.
    """

    def __init__(
        self,
        labels: Sequence[str],
        vector_en: np.ndarray,
        vector_es: np.ndarray,
        pieces_weights: np.ndarray,
        bias: np.ndarray,
        thresholds: np.ndarray,
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self._vector = (vector_en.astype(np.float32), vector_es.astype(np.float32))
        self._pieces = np.ascontiguousarray(pieces_weights.astype(np.float32).T)  # one row a bucket: rows are picked
        self._bias = bias.astype(np.float32)
        self.thresholds = dict(zip(self.labels, (float(t) for t in thresholds), strict=True))
        self.figures = dict(figures or {})

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read weights that `build` wrote.

        Raises:
            OSError: when the file cannot be opened.
            ValueError: when it is not a complete file of this format; nothing in it is ever executed.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                part = {name: file[name] for name in file.files}
        except OSError:
            raise
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise ValueError(f"{path.name} is no file of weights ({type(error).__name__})") from error
        try:
            if int(part["format"]) != FORMAT:
                raise ValueError(f"{path.name} has format {int(part['format'])}, this program reads {FORMAT}")
            labels = tuple(str(label) for label in part["labels"])
            shapes = {
                "vector_en": (len(labels), DIMENSIONS), "vector_es": (len(labels), DIMENSIONS),
                "pieces": (len(labels), BUCKETS), "bias": (len(labels), 2), "thresholds": (len(labels),),
            }  # fmt: skip
            for name, shape in shapes.items():
                if part[name].shape != shape or part[name].dtype.kind != "f" or not np.isfinite(part[name]).all():
                    raise ValueError(f"{path.name}: {name} is damaged")
            if set(labels) != set(LABELS):
                raise ValueError(f"{path.name} knows other categories than this program")
            figures = json.loads(str(part["figures"]))
        except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
            raise ValueError(f"{path.name} is not complete ({error})") from error
        return cls(
            labels, part["vector_en"], part["vector_es"], part["pieces"], part["bias"], part["thresholds"], figures
        )

    def save(self, path: Path) -> None:
        """Write the weights as one .npz, half precision, without pickle."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                labels=np.array(self.labels),
                vector_en=self._vector[0].astype(np.float16),
                vector_es=self._vector[1].astype(np.float16),
                pieces=self._pieces.T.astype(np.float16),
                bias=self._bias,
                thresholds=np.array([self.thresholds[label] for label in self.labels], dtype=np.float64),
                figures=np.array(json.dumps(self.figures, sort_keys=True)),
            )

    def scores(self, vector: np.ndarray, text: str) -> dict[str, float]:
        """Return a score from 0 to 1 for every category and notice.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
        """
        words = words_of(text)
        tongue = int(is_spanish(words))
        buckets, weights = pieces(words)
        logits = self._bias[:, tongue] + self._vector[tongue] @ np.asarray(vector, dtype=np.float32).reshape(-1)
        logits = logits + weights @ self._pieces[buckets]
        return {label: _sigmoid(float(logit)) for label, logit in zip(self.labels, logits, strict=True)}

    def urgent(self, vector: np.ndarray, text: str) -> tuple[str, float, float] | None:
        """Return the category that lies highest over its threshold, with its score and threshold; None for none.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
        """
        scores = self.scores(vector, text)
        over = [c for c in CATEGORIES if scores[c] >= self.thresholds[c]]
        if not over:
            return None
        best = max(over, key=lambda c: (_logit(scores[c]) - _logit(self.thresholds[c]), c))
        return best, scores[best], self.thresholds[best]

    def notice(self, vector: np.ndarray, text: str) -> tuple[str, ...]:
        """Return those of "low_mood" and "soon" whose score reaches the threshold.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
        """
        scores = self.scores(vector, text)
        return tuple(label for label in NOTICES if scores[label] >= self.thresholds[label])


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


# -- examples -----------------------------------------------------------------------------------------------------


class _ExampleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    crisis_suicide: tuple[str, ...] = Field(min_length=1)
    medical_emergency: tuple[str, ...] = Field(min_length=1)
    overdose: tuple[str, ...] = Field(min_length=1)
    postinfusion_emergency: tuple[str, ...] = Field(min_length=1)
    abuse_danger: tuple[str, ...] = Field(min_length=1)
    child_exposure: tuple[str, ...] = Field(min_length=1)
    soon: tuple[str, ...] = Field(min_length=1)
    low_mood: tuple[str, ...] = Field(min_length=1)
    none: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_text_twice(self) -> _ExampleFile:
        seen: dict[str, str] = {}
        for label in (*LABELS, "none"):
            for text in getattr(self, label):
                key = " ".join(words_of(text))
                if not key:
                    raise ValueError(f"an example under {label} has no words")
                if key in seen:
                    raise ValueError(f"{text!r} stands under {seen[key]} and under {label}")
                seen[key] = label
        return self


@dataclass(frozen=True)
class Example:
    """A labelled message.

    Attributes:
        text: the message.
        label: one of the six categories, "soon", "low_mood" or "none".
        language: "en" or "es".
    """

    text: str
    label: str
    language: str

    @property
    def urgent(self) -> bool:
        """Whether the message must be taken over."""
        return self.label in CATEGORIES


def read_examples(folder: Path) -> list[Example]:
    """Read examples_en.yml and examples_es.yml.

    Raises:
        SafetyContentError: naming the file and what is wrong in it.
    """
    out: list[Example] = []
    for language in LANGUAGES:
        file = folder / f"examples_{language}.yml"
        table = validated(_ExampleFile, file, read_yaml(file))
        out.extend(Example(text, label, language) for label in (*LABELS, "none") for text in getattr(table, label))
    return out


# -- training -----------------------------------------------------------------------------------------------------

_C = 20.0  # inverse strength of the penalty
_VECTOR_WEIGHT = (1.6, 1.0)  # of the encoder's vector beside the pieces: English, Spanish
_OTHER_WEIGHT = 0.3  # an example of another urgent category speaks only a little against this one


@dataclass(frozen=True)
class Figures:
    """How the classifier did on examples it was not trained on, thresholds chosen on yet other ones.

    Attributes:
        recall: label → share of its examples that were taken over (for a notice: that got it).
        right_category: share of the urgent examples taken over that got their own category.
        false_takeover: share of the other examples that were taken over.
        by_language: language → (recall of urgent examples, false takeovers).
        false_notice: notice → share of the examples with label "none" that got it.
        counts: label → number of examples.
    """

    recall: Mapping[str, float]
    right_category: float
    false_takeover: float
    by_language: Mapping[str, tuple[float, float]]
    false_notice: Mapping[str, float]
    counts: Mapping[str, int]


def build(safety_folder: Path, out: Path, encoder: Encoder) -> None:
    """Train on the curators' examples and write the weights.

    Args:
        safety_folder: the folder content/safety with examples_en.yml and examples_es.yml.
        out: the .npz to write.
        encoder: the encoder that also serves.

    Raises:
        SafetyContentError: when an example file is broken or holds too little.
    """
    examples = read_examples(safety_folder)
    vectors = encoder.encode([e.text for e in examples])
    try:
        classifier, _ = train(examples, vectors)
    except ValueError as error:
        raise SafetyContentError(safety_folder, None, None, f"{error}.", "add examples.") from error
    classifier.save(out)


def train(examples: Sequence[Example], vectors: np.ndarray) -> tuple[Classifier, Figures]:
    """Train, choose thresholds on held-out examples, and measure.

    Every example is scored once by a model that saw neither it nor a near copy of it; thresholds come from those scores.
    The figures choose the thresholds without the fold they are measured on.

    Args:
        examples: labelled messages.
        vectors: their encoder vectors, shape (len(examples), 384).

    Raises:
        ValueError: when a label has fewer than two groups of examples to split.
    """
    labels = np.array([e.label for e in examples])
    features = _matrix(examples, vectors)
    fold = _folds(examples, features)
    held_out = np.zeros((len(examples), len(LABELS)))
    for number in range(FOLDS):
        inside, outside = fold != number, fold == number
        if not outside.any():
            continue
        weights, bias = _fit(features[inside], labels[inside])
        held_out[outside] = features[outside] @ weights.T + bias
    thresholds = _thresholds(held_out, labels)
    figures = _figures(examples, labels, held_out, fold)
    weights, bias = _fit(features, labels)
    vector_en, vector_es, rest = np.split(weights, [DIMENSIONS, 2 * DIMENSIONS], axis=1)
    classifier = Classifier(
        LABELS,
        vector_en * _VECTOR_WEIGHT[0],
        vector_es * _VECTOR_WEIGHT[1],
        rest[:, :BUCKETS],
        np.stack([bias, bias + rest[:, BUCKETS]], axis=1),
        np.array([_sigmoid(t) for t in thresholds]),
        {"recall": dict(figures.recall), "right_category": figures.right_category,
         "false_takeover": figures.false_takeover, "counts": dict(figures.counts)},
    )  # fmt: skip
    return classifier, figures


def _matrix(examples: Sequence[Example], vectors: np.ndarray) -> csr_matrix:
    """Columns: vector if English, vector if Spanish, pieces, one if Spanish."""
    from scipy.sparse import csr_matrix, hstack

    size = len(examples)
    rows, columns, values, spanish = [], [], [], np.zeros((size, 1), dtype=np.float32)
    for at, example in enumerate(examples):
        words = words_of(example.text)
        spanish[at] = is_spanish(words)
        buckets, weights = pieces(words)
        rows.append(np.full(len(buckets), at))
        columns.append(buckets)
        values.append(weights)
    shape = (size, BUCKETS)
    scattered = csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
    vectors = np.asarray(vectors, dtype=np.float32)
    english = vectors * (1 - spanish) * _VECTOR_WEIGHT[0]
    return hstack([csr_matrix(english), csr_matrix(vectors * spanish * _VECTOR_WEIGHT[1]), scattered, csr_matrix(spanish)]).tocsr()


def _folds(examples: Sequence[Example], features: csr_matrix) -> np.ndarray:
    """Deal groups of near copies into folds by the hash of a group's first text."""
    from scipy.sparse.csgraph import connected_components

    scattered = features[:, 2 * DIMENSIONS : 2 * DIMENSIONS + BUCKETS]
    close = (scattered @ scattered.T) > _NEAR_COPY
    _, group = connected_components(close, directed=False)
    first: dict[int, str] = {}
    for example, number in zip(examples, group.tolist(), strict=True):
        first[number] = min(first.get(number, example.text), example.text)
    return np.array([zlib.crc32(first[number].encode("utf-8", "replace")) % FOLDS for number in group.tolist()])


def _fit(features: csr_matrix, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    urgent = np.isin(labels, CATEGORIES)
    weights, bias = np.zeros((len(LABELS), features.shape[1])), np.zeros(len(LABELS))
    for row, label in enumerate(LABELS):
        mine = labels == label
        if mine.all() or not mine.any():
            raise ValueError(f"too few different examples to train {label}")
        trust = np.where(mine, 1.0, np.where(urgent & (label in CATEGORIES), _OTHER_WEIGHT, 1.0))
        trust[mine] *= max(1.0, 0.25 * trust[~mine].sum() / mine.sum())  # rare categories must not drown
        model = LogisticRegression(C=_C, solver="liblinear", random_state=7, max_iter=1000, tol=1e-5)
        model.fit(features, mine, sample_weight=trust)
        weights[row], bias[row] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _thresholds(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Choose a threshold per label on held-out logits.

    The categories share one allowance of false takeovers. Each starts above every example that is not urgent; then the one
    whose next step down wins most missed examples per false takeover goes first, until the allowance is spent.
    """
    lowest = _logit(_LOWEST)
    columns = [LABELS.index(c) for c in CATEGORIES]
    calm = logits[~np.isin(labels, CATEGORIES)][:, columns]
    danger = logits[np.isin(labels, CATEGORIES)][:, columns]
    calm_tops = [np.sort(calm[:, c])[::-1] for c in range(len(columns))]
    allowance = int(MAX_FALSE_TAKEOVER * len(calm))
    level = [0] * len(columns)  # how many calm examples lie over each category's threshold

    def limit(c: int, k: int) -> float:
        """A threshold that lets the k highest calm examples over, in the middle of the gap below them."""
        tops = calm_tops[c]
        under = tops[k] if k < len(tops) else lowest
        positives = danger[:, c][danger[:, c] > under]
        over = positives.min() if len(positives) else under + 1.0
        if k > 0:
            over = min(over, tops[k - 1])
        return max(lowest, (under + over) / 2)

    def taken(limits: Sequence[float], rows: np.ndarray) -> int:
        return int((rows >= np.array(limits)).any(axis=1).sum()) if len(rows) else 0

    limits = [limit(c, 0) for c in range(len(columns))]
    while True:
        best: tuple[float, int, int, float] | None = None
        wins, costs = taken(limits, danger), taken(limits, calm)
        for c in range(len(columns)):
            for step in (1, 2, 3, 4):
                trial = [*limits]
                trial[c] = limit(c, level[c] + step)
                cost = taken(trial, calm)
                gain = taken(trial, danger) - wins
                if cost > allowance or gain <= 0:
                    continue
                rate = gain / max(cost - costs, 0.5)
                if best is None or rate > best[0]:
                    best = (rate, c, step, trial[c])
        if best is None:
            break
        _, c, step, limits[c] = best
        level[c] += step
    chosen = dict(zip(CATEGORIES, limits, strict=True))
    for notice in NOTICES:
        row = np.sort(logits[labels == "none"][:, LABELS.index(notice)])[::-1]
        chosen[notice] = max(lowest, float(row[min(int(MAX_FALSE_NOTICE * len(row)), len(row) - 1)]) + 1e-6)
    return np.array([chosen[label] for label in LABELS])


def _figures(examples: Sequence[Example], labels: np.ndarray, logits: np.ndarray, fold: np.ndarray) -> Figures:
    columns = [LABELS.index(c) for c in CATEGORIES]
    winner = np.full(len(examples), "", dtype=object)
    noticed = np.zeros((len(examples), len(NOTICES)), dtype=bool)
    for number in range(FOLDS):
        rows = np.flatnonzero(fold == number)
        if not len(rows) or len(rows) == len(fold):
            continue
        limits = _thresholds(logits[fold != number], labels[fold != number])
        margin = logits[rows] - limits
        best = margin[:, columns].argmax(axis=1)
        for row, column in zip(rows, best, strict=True):
            if logits[row, columns[column]] >= limits[columns[column]]:
                winner[row] = CATEGORIES[column]
        noticed[rows] = margin[:, [LABELS.index(n) for n in NOTICES]] >= 0
    urgent = np.isin(labels, CATEGORIES)
    language = np.array([e.language for e in examples])
    took = winner != ""

    def share(hits: np.ndarray, among: np.ndarray) -> float:
        return round(float(hits[among].mean()), 4) if among.any() else 0.0

    recall = {c: share(took, labels == c) for c in CATEGORIES}
    recall |= {n: share(noticed[:, i], labels == n) for i, n in enumerate(NOTICES)}
    return Figures(
        recall=recall,
        right_category=share(winner == labels, urgent & took),
        false_takeover=share(took, ~urgent),
        by_language={lang: (share(took, urgent & (language == lang)), share(took, ~urgent & (language == lang))) for lang in LANGUAGES},
        false_notice={n: share(noticed[:, i], labels == "none") for i, n in enumerate(NOTICES)},
        counts={label: int((labels == label).sum()) for label in (*LABELS, "none")},
    )
