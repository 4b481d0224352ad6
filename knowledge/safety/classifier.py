"""The classifier behind the rules: what the rules miss because people tell danger in words of their own.

Two models are averaged. One is a small network (a layer of hidden units, itself an average of three) over what the message means: the retrieval encoder's vector,
made for English, and the vector of a multilingual encoder, in which what is learned from an English example holds in Spanish. The
other is linear over how it is said, in hashed pieces of the normalised text: character n-grams, words and word pairs, and groups of
everyday words that mean much the same in both languages. Spanish has its own thresholds.

A message has one vector, and in a long one a sentence of danger is a small part of it. So the screen also asks about the
sentences of a long message one by one, and about its repaired spelling; such parts have thresholds of their own, because
each of them is one more chance to be wrong. The last messages joined count like a message.

Serving needs numpy only and gives equal output for equal input. `build` trains with scikit-learn from examples_en.yml and
examples_es.yml, chooses the thresholds on held-out examples, and writes one .npz without pickle.
`python -m knowledge.safety.classifier <encoder folder>` prints how it does on examples it has not seen.
"""

from __future__ import annotations

import functools
import json
import math
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from knowledge import multilingual
from knowledge.multilingual import MultilingualEncoder
from knowledge.parallel import side_by_side
from knowledge.safety.errors import SafetyContentError
from knowledge.safety.normalise import words_of
from knowledge.safety.rules import CATEGORIES, LANGUAGES, read_yaml, validated

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from knowledge.encoder import Vectors

__all__ = ["Classifier", "Example", "Examples", "Figures", "WordGroups", "build", "read_examples", "train"]

FORMAT = 5
ENCODED = 384  # numbers of the retrieval encoder's vector
DIMENSIONS = ENCODED + multilingual.DIMENSIONS
SEEDS = (7, 8, 9)  # a network from each start, averaged: one alone depends on its start by several points of recall
HIDDEN = 96 * len(SEEDS)
BUCKETS = 1 << 14  # per kind of piece
KINDS = ("letters", "words", "groups", "near")
NOTICES = ("low_mood", "soon")
LABELS = (*CATEGORIES, *NOTICES)
# Share of held-out examples that are not urgent and would be taken over all the same, in English and in Spanish: more in Spanish, where the vectors tell
# less, because somebody in danger must be found in either language.
MAX_FALSE_TAKEOVER = (0.0175, 0.0275)
MAX_FALSE_PART = (0.006, 0.009)  # the same for a part: one sentence of a long message, or a repaired spelling
_SPENT = 0.85  # share of that allowance spent in choosing, because thresholds fit the examples they are chosen on best
_DESCENT = 0.5  # how far a category comes down from the common height to its own highest calm example
MAX_FALSE_NOTICE = 0.015  # a notice stands under an answer and costs little when it was not needed
MAX_FALSE_PART_NOTICE = 0.005
FOLDS = 5

_REMEMBERED = 16  # texts read last; a long message has that many sentences
_MOST_WORDS = 600  # a longer text adds nothing but time; the rules screen it whole
_NEAR = 6  # words within which two groups count as near each other
_NEAR_COPY = 0.6  # cosine of words from which two examples go to the same side of the split
_BLOCK = 512  # examples compared with all others at once
_LOWEST = -2.0  # no threshold below this logit, however few the examples

# Words that say "this is Spanish" or "this is English" and nothing in the other. The screen's own guesser knows more
# languages; here one bit is needed, and it must be the same in training and serving.
_SPANISH = frozenset((
    "el", "la", "los", "las", "un", "una", "unos", "unas", "de", "del", "y", "que", "en", "es", "por", "para", "con",
    "mi", "mis", "tu", "su", "sus", "se", "lo", "le", "les", "nos", "al", "como", "cuando", "pero", "porque", "muy",
    "ya", "estoy", "esta", "estan", "tengo", "tiene", "hay", "siento", "puedo", "puede", "quiero", "hace", "desde",
    "hoy", "ayer", "ahora", "despues", "ella", "ellos", "yo", "eso", "esto", "fue", "era", "ha", "he", "hemos", "ser",
    "soy", "sin", "todo", "nada", "mas", "donde", "quien", "cual", "cuanto", "hijo", "hija", "mama", "papa", "dolor",
    "ketamina", "clinica", "medico", "ayuda", "gracias", "hola", "tome", "tomo", "dio", "dijo", "aqui", "vez",
    "alguien", "nadie", "nunca", "siempre", "tambien", "pastilla", "pastillas", "respira", "respirar", "sobredosis",
    "suicidarme", "matarme", "morir", "morirme", "pecho", "sangre", "miedo",
))  # fmt: skip
_ENGLISH = frozenset((
    "the", "a", "an", "of", "and", "to", "in", "is", "it", "for", "with", "my", "your", "his", "her", "their", "i",
    "you", "we", "they", "he", "she", "was", "were", "are", "be", "been", "have", "has", "had", "not", "but", "because",
    "very", "this", "that", "what", "when", "where", "who", "how", "can", "could", "would", "should", "do", "does",
    "did", "after", "before", "from", "at", "on", "or", "if", "so",
))  # fmt: skip


# -- pieces -------------------------------------------------------------------------------------------------------


def spanish(words: Sequence[str]) -> bool | None:
    """Return whether folded `words` look Spanish (True) or English (False); None when nothing tells."""
    ours = sum(word in _SPANISH for word in words)
    theirs = sum(word in _ENGLISH for word in words)
    return None if ours == theirs else ours > theirs


class WordGroups:
    """Everyday words under the names of the groups they belong to.

    Args:
        table: language → group → words; `*` at the end of a word stands for any ending.
    """

    def __init__(self, table: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self.table = {language: {g: list(w) for g, w in groups.items()} for language, groups in table.items()}
        self._words: dict[tuple[str, str], list[str]] = {}
        self._stems: dict[tuple[str, str], list[str]] = {}
        for language, groups in self.table.items():
            for group, words in groups.items():
                for word in words:
                    target = self._stems if word.endswith("*") else self._words
                    target.setdefault((language, word.rstrip("*")), []).append(group)

    def of(self, words: Sequence[str], tongue: bool | None) -> list[list[str]]:
        """Return the groups of each word, sorted, looked up in the language(s) that `tongue` leaves possible."""
        languages = ("en", "es") if tongue is None else ("es",) if tongue else ("en",)
        out = []
        for word in words:
            groups: set[str] = set()
            for language in languages:
                groups.update(self._words.get((language, word), ()))
                for size in range(2, len(word) + 1):
                    groups.update(self._stems.get((language, word[:size]), ()))
            out.append(sorted(groups))
        return out


@dataclass(frozen=True)
class _Pieces:
    """A text's hashed pieces: columns (all kinds side by side), their weights, and whether it is Spanish."""

    columns: np.ndarray
    weights: np.ndarray
    spanish: bool


def _pieces(text: str, groups: WordGroups) -> _Pieces:
    words = words_of(text)[:_MOST_WORDS]
    tongue = spanish(words)
    shapes = [_shape(word) for word in words]
    mark = "?" if "?" in text else "."
    found = (
        _letters(shapes),
        _words(shapes, mark),
        *_groups(groups.of(words, tongue), mark),
    )
    columns, weights = [], []
    for kind, pieces in enumerate(found):
        counts: dict[int, int] = {}
        for piece in pieces:
            bucket = zlib.crc32(piece.encode("utf-8", "replace")) % BUCKETS
            counts[bucket] = counts.get(bucket, 0) + 1
        if not counts:
            continue
        order = sorted(counts)
        tamed = np.array([1.0 + math.log(counts[bucket]) for bucket in order], dtype=np.float32)
        columns.append(np.array(order, dtype=np.int64) + kind * BUCKETS)
        weights.append(tamed / np.float32(np.linalg.norm(tamed)))
    if not columns:
        return _Pieces(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), bool(tongue))
    return _Pieces(np.concatenate(columns), np.concatenate(weights), bool(tongue))


def _shape(word: str) -> str:
    # A model must not learn one patient's figures; how long a number is may matter ("180 over 120").
    return "0" * len(word) if word.isdigit() else word[:30]


def _letters(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        padded = f" {word} "
        for size in (3, 4, 5):
            for start in range(len(padded) - size + 1):
                yield padded[start : start + size]


def _words(words: Sequence[str], mark: str) -> Iterable[str]:
    framed = ["^", *words, "$"]
    yield mark
    yield from ("w" + word for word in words)
    yield from (f"p{a} {b}" for a, b in zip(framed, framed[1:], strict=False))
    yield from (f"s{a} {b}" for a, b in zip(framed, framed[2:], strict=False))


def _groups(seen: Sequence[Sequence[str]], mark: str) -> tuple[list[str], list[str]]:
    """Return the groups with their pairs anywhere, and the ordered pairs of groups near each other."""
    names = sorted({name for groups in seen for name in groups})
    apart = [mark, *names, *(f"{a}+{b}" for i, a in enumerate(names) for b in names[i + 1 :])]
    near = [
        f"{a}>{b}"
        for at, groups in enumerate(seen)
        if groups
        for later in seen[at + 1 : at + _NEAR]
        for a in groups
        for b in later
    ]
    return apart, near


# -- serving ------------------------------------------------------------------------------------------------------


class Network(NamedTuple):
    """A layer of hidden units over the vectors: hidden (DIMENSIONS, HIDDEN), hidden_bias (HIDDEN,), out (HIDDEN, labels)."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray

    def read(self, vectors: np.ndarray) -> np.ndarray:
        """Return what vectors of shape (…, DIMENSIONS) add to the logits, shape (…, labels)."""
        return np.asarray(np.maximum(vectors @ self.hidden + self.hidden_bias, 0) @ self.out)


class Classifier:
    """Scores a message per category; numpy only, safe to share between threads.

    Args:
        network: what reads the vectors.
        pieces: weights of the pieces, shape (labels, kinds * BUCKETS); rows in the order of LABELS.
        bias: of both models together, for English (and all that is not Spanish) and Spanish, shape (2, labels).
        thresholds: the score from which a label counts, shape (2, labels).
        part_thresholds: the same for a part of a message, or its repaired spelling.
        groups: the word groups that the pieces were made with.
        second: the multilingual encoder.
        figures: how the training did on held-out examples, as JSON-able values.
    """

    def __init__(
        self,
        network: Network,
        pieces: np.ndarray,
        bias: np.ndarray,
        thresholds: np.ndarray,
        part_thresholds: np.ndarray,
        groups: WordGroups,
        second: Vectors,
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        # Rounded here as in the file, so that a classifier just trained and one loaded say the same.
        self._network = Network(*(_half(part) for part in network))
        self._pieces, self._bias = np.ascontiguousarray(_half(pieces).T), bias.astype(np.float32)  # a row a piece, as they are looked up
        self._thresholds, self._part_thresholds = thresholds.astype(np.float64), part_thresholds.astype(np.float64)
        self.groups = groups
        self.figures = dict(figures or {})
        self._second = second
        # a text is asked about up to three times in a row: urgent, notice, scores
        self._read = functools.lru_cache(maxsize=_REMEMBERED)(self._read_once)

    @classmethod
    def load(cls, path: Path, second: Vectors | None = None) -> Classifier:
        """Read weights that `build` wrote.

        Args:
            path: the .npz.
            second: the multilingual encoder; the installed one if not given.

        Raises:
            OSError: when the file cannot be opened.
            ValueError: when it is not a complete file of this format, or the multilingual encoder is missing. Nothing in it is ever
                executed.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                part = {name: file[name] for name in file.files}
        except OSError:
            raise
        except Exception as error:  # zipfile, zlib and numpy raise types of their own
            raise ValueError(f"{path.name} is no file of weights ({type(error).__name__})") from error
        try:
            if int(part["format"]) != FORMAT:
                raise ValueError(f"{path.name} has format {int(part['format'])}, this program reads {FORMAT}")
            if tuple(str(label) for label in part["labels"]) != LABELS:
                raise ValueError(f"{path.name} knows other categories than this program")
            shapes = {
                "hidden": (DIMENSIONS, HIDDEN), "hidden_bias": (HIDDEN,), "out": (HIDDEN, len(LABELS)),
                "pieces": (len(LABELS), len(KINDS) * BUCKETS),
                "bias": (2, len(LABELS)), "thresholds": (2, len(LABELS)), "part_thresholds": (2, len(LABELS)),
            }  # fmt: skip
            for name, shape in shapes.items():
                if part[name].shape != shape or part[name].dtype.kind != "f" or not np.isfinite(part[name]).all():
                    raise ValueError(f"{path.name}: {name} is damaged")
            groups = WordGroups(json.loads(str(part["groups"])))
            figures = json.loads(str(part["figures"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name} is not complete ({error})") from error
        network = Network(part["hidden"], part["hidden_bias"], part["out"])
        second = second or MultilingualEncoder.load()
        return cls(network, part["pieces"], part["bias"], part["thresholds"], part["part_thresholds"], groups, second, figures)

    def save(self, path: Path) -> None:
        """Write the weights as one .npz: half precision, no pickle, the same bytes for the same weights."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                labels=np.array(LABELS),
                **{name: part.astype(np.float16) for name, part in self._network._asdict().items()},
                pieces=self._pieces.T.astype(np.float16),
                bias=self._bias,
                thresholds=self._thresholds,
                part_thresholds=self._part_thresholds,
                groups=np.array(json.dumps(self.groups.table, sort_keys=True)),
                figures=np.array(json.dumps(self.figures, sort_keys=True)),
            )

    def thresholds(self, language: str) -> dict[str, float]:
        """Return the threshold of every label for "en" or "es"."""
        return dict(zip(LABELS, self._thresholds[int(language == "es")].tolist(), strict=True))

    def scores(self, vector: np.ndarray, text: str) -> dict[str, float]:
        """Return a score from 0 to 1 for every category and notice.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
        """
        return self._scores(vector, text)[0]

    def urgent(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, float, float] | None:
        """Return the category that lies highest over its threshold, with its score and threshold; None for none.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
            part: `text` is a sentence of a longer message, or one with its spelling repaired: the threshold is higher.
        """
        scores, limits = self._scores(vector, text, part)
        over = [c for c in CATEGORIES if scores[c] >= limits[c]]
        if not over:
            return None
        best = max(over, key=lambda c: _logit(scores[c]) - _logit(limits[c]))
        return best, scores[best], limits[best]

    def nearness(self, vector: np.ndarray, text: str) -> float:
        """Return how near the nearest urgent category comes to its threshold, as a share of it; 1 and more where it counts.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
        """
        scores, limits = self._scores(vector, text)
        return max(scores[c] / limits[c] for c in CATEGORIES)

    def notice(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, ...]:
        """Return those of "low_mood" and "soon" whose score reaches the threshold.

        Args:
            vector: the encoder's vector of `text`, shape (384,).
            text: the message.
            part: `text` is a sentence of a longer message: the threshold is higher.
        """
        scores, limits = self._scores(vector, text, part)
        return tuple(label for label in NOTICES if scores[label] >= limits[label])

    def _scores(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[dict[str, float], dict[str, float]]:
        pieces, second = self._read(text)
        tongue = int(pieces.spanish)
        both = np.concatenate([np.asarray(vector, dtype=np.float32).reshape(-1), second])
        logits = self._bias[tongue] + self._network.read(both) + pieces.weights @ self._pieces[pieces.columns]
        scores = dict(zip(LABELS, (_sigmoid(x) for x in logits.tolist()), strict=True))
        limits = (self._part_thresholds if part else self._thresholds)[tongue]
        return scores, dict(zip(LABELS, limits.tolist(), strict=True))

    def _read_once(self, text: str) -> tuple[_Pieces, np.ndarray]:
        return _pieces(text, self.groups), self._second.encode([text])[0]


def _half(weights: np.ndarray) -> np.ndarray:
    return weights.astype(np.float16).astype(np.float32)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


# -- examples -----------------------------------------------------------------------------------------------------


class _ExampleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    word_groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    crisis_suicide: tuple[str, ...] = Field(min_length=1)
    medical_emergency: tuple[str, ...] = Field(min_length=1)
    overdose: tuple[str, ...] = Field(min_length=1)
    postinfusion_emergency: tuple[str, ...] = Field(min_length=1)
    abuse_danger: tuple[str, ...] = Field(min_length=1)
    child_exposure: tuple[str, ...] = Field(min_length=1)
    soon: tuple[str, ...] = Field(min_length=1)
    low_mood: tuple[str, ...] = Field(min_length=1)
    none: tuple[str, ...] = Field(min_length=1)

    @field_validator("word_groups")
    @classmethod
    def _folded_words(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for group, words in value.items():
            for word in words:
                if words_of(word.rstrip("*")) != [word.rstrip("*")]:
                    raise ValueError(f"{word!r} in group {group} is not one lower-case word without accents")
        return value

    @model_validator(mode="after")
    def _no_text_twice(self) -> _ExampleFile:
        seen: dict[str, str] = {}
        for label in (*LABELS, "none"):
            for text in getattr(self, label):
                key = " ".join(words_of(text))
                if not key:
                    raise ValueError(f"an example under {label} has no words")
                key += " ?" if "?" in text else ""
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


@dataclass(frozen=True)
class Examples:
    """The curators' examples and word groups, both languages."""

    messages: tuple[Example, ...]
    groups: WordGroups


def read_examples(folder: Path) -> Examples:
    """Read examples_en.yml and examples_es.yml.

    Raises:
        SafetyContentError: naming the file and what is wrong in it.
    """
    messages: list[Example] = []
    table: dict[str, Mapping[str, Sequence[str]]] = {}
    for language in LANGUAGES:
        file = folder / f"examples_{language}.yml"
        parsed = validated(_ExampleFile, file, read_yaml(file))
        table[language] = parsed.word_groups
        messages.extend(Example(t, label, language) for label in (*LABELS, "none") for t in getattr(parsed, label))
    return Examples(tuple(messages), WordGroups(table))


# -- training -----------------------------------------------------------------------------------------------------

_SHARE = 0.4  # of the network in the average of the two models; its logits spread wider
_EPOCHS, _DECAY, _STRETCH = 12, 1e-3, 8.0  # of the network; vectors of length 1 are stretched, or it would learn too slowly
_C = 3.0  # inverse strength of the linear model's penalty
_KIND_WEIGHT = (1.0, 1.0, 0.7, 0.7)  # of the kinds of pieces
_OTHER_WEIGHT = 0.2  # an example of another urgent category speaks only a little against this one


@dataclass(frozen=True)
class Figures:
    """How the classifier did on examples it was not trained on, with thresholds chosen on yet other ones.

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


def build(safety_folder: Path, out: Path, encoder: Vectors, ordinary: Sequence[str] = (), second: Vectors | None = None) -> None:
    """Train on the curators' examples and write the weights.

    Args:
        safety_folder: the folder content/safety with examples_en.yml and examples_es.yml.
        out: the .npz to write.
        encoder: the encoder that also serves.
        ordinary: messages that are no danger, from the statements' phrasings and the examples of the dialogue.
        second: the multilingual encoder; the installed one if not given.

    Raises:
        SafetyContentError: when an example file is broken or holds too little.
    """
    examples = read_examples(safety_folder)
    second = second or MultilingualEncoder.load()
    texts = [*(e.text for e in examples.messages), *ordinary]
    try:
        classifier, _ = train(examples, encoder.encode(texts), second, ordinary)
    except ValueError as error:
        raise SafetyContentError(safety_folder / "examples_en.yml", None, None, f"{error}.", "add examples.") from error
    classifier.save(out)


def train(examples: Examples, vectors: np.ndarray, second: Vectors, ordinary: Sequence[str] = ()) -> tuple[Classifier, Figures]:
    """Train, choose thresholds on held-out examples, and measure.

    Every example is scored once by models that saw neither it nor a near copy of it; the thresholds come from those scores.
    For the figures, thresholds are chosen without the fold they are measured on. Ordinary questions teach and are never measured: they
    are easy, and would let the thresholds down.

    Args:
        examples: labelled messages and word groups.
        vectors: the retrieval encoder's vectors of the messages, then of the ordinary questions, shape (texts, 384).
        second: the multilingual encoder.
        ordinary: further messages without danger.

    Raises:
        ValueError: when a label has too few different examples.
    """
    messages = examples.messages
    count = len(messages)
    labels = np.array([*(e.label for e in messages), *("none" for _ in ordinary)])
    texts = [*(e.text for e in messages), *ordinary]
    if vectors.shape != (len(texts), ENCODED):
        raise ValueError(f"the encoder gave vectors of shape {vectors.shape}")
    meant = np.hstack([np.asarray(vectors, dtype=np.float32), second.encode(texts)])
    said, tongue = _matrix(texts, examples.groups)
    fold = _folds(messages, said[:count])
    held_out = np.zeros((count, len(LABELS)))
    outsides = [np.flatnonzero(fold == number) for number in sorted(set(fold.tolist()))]
    insides = [np.setdiff1d(np.arange(len(texts)), outside) for outside in outsides]
    *parts, (network, weights, bias) = side_by_side(_fit, [(meant[i], said[i], labels[i]) for i in (*insides, np.arange(len(texts)))])
    for outside, (network_of, weights_of, bias_of) in zip(outsides, parts, strict=True):
        held_out[outside] = network_of.read(meant[outside]) + said[outside] @ weights_of.T + bias_of
    labels, tongue = labels[:count], tongue[:count]
    figures = _figures(messages, labels, tongue, held_out, fold)
    sigmoid = np.vectorize(_sigmoid)
    classifier = Classifier(
        network,
        weights[:, :-1] * np.repeat(_KIND_WEIGHT, BUCKETS),
        np.stack([bias, bias + weights[:, -1]]),
        sigmoid(_thresholds(held_out, labels, tongue)),
        sigmoid(_thresholds(held_out, labels, tongue, MAX_FALSE_PART, MAX_FALSE_PART_NOTICE)),
        examples.groups,
        second,
        asdict(figures),
    )
    return classifier, figures


def _matrix(texts: Sequence[str], groups: WordGroups) -> tuple[csr_matrix, np.ndarray]:
    """Return the pieces, with one more column that is 1 in Spanish, and who is Spanish."""
    from scipy.sparse import csr_matrix, hstack

    found = [_pieces(t, groups) for t in texts]
    tongue = np.array([p.spanish for p in found])
    ends = np.cumsum([0, *(len(p.columns) for p in found)])
    columns = np.concatenate([p.columns for p in found])
    values = np.concatenate([p.weights for p in found]) * np.array(_KIND_WEIGHT, dtype=np.float32)[columns // BUCKETS]
    scattered = csr_matrix((values, columns, ends), shape=(len(found), len(KINDS) * BUCKETS))
    return hstack([scattered, csr_matrix(tongue[:, None].astype(np.float32))]).tocsr(), tongue


def _folds(messages: Sequence[Example], features: csr_matrix) -> np.ndarray:
    """Deal groups of near copies into folds by the hash of a group's first text."""
    from scipy.sparse import vstack
    from scipy.sparse.csgraph import connected_components

    start = KINDS.index("words") * BUCKETS
    words = features[:, start : start + BUCKETS]
    limit = _NEAR_COPY * _KIND_WEIGHT[KINDS.index("words")] ** 2
    # block by block: the whole table of likenesses would be far larger than what is kept of it
    close = vstack([(words[at : at + _BLOCK] @ words.T) > limit for at in range(0, words.shape[0], _BLOCK)])
    _, cluster = connected_components(close, directed=False)
    first: dict[int, str] = {}
    for message, number in zip(messages, cluster.tolist(), strict=True):
        first[number] = min(first.get(number, message.text), message.text)
    return np.array([zlib.crc32(first[number].encode("utf-8", "replace")) % FOLDS for number in cluster.tolist()])


def _fit(meant: np.ndarray, said: csr_matrix, labels: np.ndarray) -> tuple[Network, np.ndarray, np.ndarray]:
    """Fit both models; returns them weighted for their sum: the network, the linear weights, and the bias of both.

    Both learn every label and "any danger"; a category's logit is the mean of its own and that one's. Whether somebody is in danger is
    easier to tell than in which way, and each example of danger teaches it.
    """
    urgent = np.isin(labels, CATEGORIES)
    targets = {label: labels == label for label in LABELS} | {"any": urgent}
    for name, mine in targets.items():
        if mine.all() or not mine.any():
            raise ValueError(f"too few different examples to learn {name}")
    network, of_network = _network(meant, targets)
    weights, of_linear = _linear(said, targets, urgent)
    return network._replace(out=network.out * _SHARE), weights * (1 - _SHARE), of_network * _SHARE + of_linear * (1 - _SHARE)


def _with_any(own: np.ndarray) -> np.ndarray:
    """Rows of LABELS and "any" → rows of LABELS, where categories are averaged with "any"."""
    out = own[:-1].copy()
    out[: len(CATEGORIES)] = (out[: len(CATEGORIES)] + own[-1]) / 2
    return out


def _network(meant: np.ndarray, targets: Mapping[str, np.ndarray]) -> tuple[Network, np.ndarray]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    parts = []
    for seed in SEEDS:
        model = MLPClassifier((HIDDEN // len(SEEDS),), alpha=_DECAY, batch_size=64, max_iter=_EPOCHS, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early on purpose
            model.fit(meant * np.float32(_STRETCH), np.column_stack(list(targets.values())).astype(int))
        (hidden, out), (hidden_bias, bias) = model.coefs_, model.intercepts_
        parts.append((hidden * _STRETCH, hidden_bias, _with_any(out.T).T / len(SEEDS), _with_any(bias) / len(SEEDS)))
    hiddens, hidden_biases, outs, biases = zip(*parts, strict=True)
    return Network(np.hstack(hiddens), np.concatenate(hidden_biases), np.vstack(outs)), np.sum(biases, axis=0)


def _linear(said: csr_matrix, targets: Mapping[str, np.ndarray], urgent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    rows = []
    for name, mine in targets.items():
        trust = np.where(~mine & urgent & (name in CATEGORIES), _OTHER_WEIGHT, 1.0)
        # The dual solver is five times faster here; it draws from one generator a process, so no threads.
        model = LogisticRegression(C=_C, solver="liblinear", dual=True, tol=0.01, random_state=7, max_iter=2000)
        model.fit(said, mine, sample_weight=trust)
        rows.append(np.append(model.coef_[0], model.intercept_[0]))
    both = _with_any(np.array(rows))
    return both[:, :-1], both[:, -1]


def _thresholds(
    logits: np.ndarray,
    labels: np.ndarray,
    tongue: np.ndarray,
    shares: tuple[float, float] = MAX_FALSE_TAKEOVER,
    notice_share: float = MAX_FALSE_NOTICE,
) -> np.ndarray:
    """Choose thresholds on held-out logits, for English and Spanish apart; shape (2, labels)."""
    return np.stack([_thresholds_of(logits[tongue == es], labels[tongue == es], shares[es], notice_share) for es in (False, True)])


def _thresholds_of(logits: np.ndarray, labels: np.ndarray, share: float, notice_share: float) -> np.ndarray:
    """Choose one language's thresholds.

    One common height spends the allowance; then each category comes down part of the way to its own highest calm example
    below, which costs nothing. Searching each category's best height apart won no recall on unseen examples and gave
    up the hardest category, suicide, for the easy ones.
    """
    columns = [LABELS.index(c) for c in CATEGORIES]
    calm = logits[~np.isin(labels, CATEGORIES)][:, columns]

    def height(tops: np.ndarray, lets: int) -> float:
        """Return a height that `lets` of the calm examples reach: halfway into the gap under them."""
        if not len(tops):
            return 0.0
        under = float(tops[lets] if lets < len(tops) else tops[-1] - 1.0)
        over = float(tops[lets - 1]) if lets else under + 0.5
        return max(_LOWEST, (under + min(over, under + 0.5)) / 2)

    highest = np.sort(calm.max(axis=1))[::-1] if len(calm) else np.zeros(0)
    common = height(highest, int(_SPENT * share * len(calm)))
    limits = np.full(len(columns), common)
    for c in range(len(columns)):
        below = calm[:, c][calm[:, c] < common]
        if len(below):
            limits[c] = max(_LOWEST, common - _DESCENT * (common - below.max()))
    chosen = dict(zip(CATEGORIES, limits.tolist(), strict=True))
    for notice in NOTICES:
        ordinary = np.sort(logits[labels == "none"][:, LABELS.index(notice)])[::-1]
        chosen[notice] = height(ordinary, int(notice_share * len(ordinary)))
    return np.array([chosen[label] for label in LABELS])


def _figures(
    messages: Sequence[Example], labels: np.ndarray, tongue: np.ndarray, logits: np.ndarray, fold: np.ndarray
) -> Figures:
    columns = [LABELS.index(c) for c in CATEGORIES]
    winner = np.full(len(messages), "", dtype=object)
    noticed = np.zeros((len(messages), len(NOTICES)), dtype=bool)
    for number in sorted(set(fold.tolist())):
        inside = fold != number
        if not inside.any():
            continue
        limits = _thresholds(logits[inside], labels[inside], tongue[inside])
        rows = np.flatnonzero(~inside)
        margin = logits[rows] - limits[tongue[rows].astype(int)]
        best = margin[:, columns].argmax(axis=1)
        for at, (row, column) in enumerate(zip(rows, best, strict=True)):
            if margin[at, columns[column]] >= 0:
                winner[row] = CATEGORIES[column]
        noticed[rows] = margin[:, [LABELS.index(n) for n in NOTICES]] >= 0
    urgent = np.isin(labels, CATEGORIES)
    language = np.array([e.language for e in messages])
    took = winner != ""

    def share(hits: np.ndarray, among: np.ndarray) -> float:
        return round(float(hits[among].mean()), 4) if among.any() else 0.0

    recall = {c: share(took, labels == c) for c in CATEGORIES}
    recall |= {n: share(noticed[:, i], labels == n) for i, n in enumerate(NOTICES)}
    return Figures(
        recall=recall,
        right_category=share(winner == labels, urgent & took),
        false_takeover=share(took, ~urgent),
        by_language={
            lang: (share(took, urgent & (language == lang)), share(took, ~urgent & (language == lang)))
            for lang in LANGUAGES
        },
        false_notice={n: share(noticed[:, i], labels == "none") for i, n in enumerate(NOTICES)},
        counts={label: int((labels == label).sum()) for label in (*LABELS, "none")},
    )


def _main(arguments: Sequence[str]) -> None:
    from knowledge.encoder import Encoder as Onnx

    examples = read_examples(Path(__file__).parents[1] / "content" / "safety")
    encoder = Onnx.load(Path(arguments[0]), threads=2)
    _, figures = train(examples, encoder.encode([e.text for e in examples.messages]), MultilingualEncoder.load())
    print(json.dumps(asdict(figures), indent=2))


if __name__ == "__main__":
    _main(sys.argv[1:])
