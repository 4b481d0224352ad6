"""Question (with what the conversation remembers) to ranked statements, with scores and the reason for each.

English and Spanish questions are compared in a space of their own: the tuned encoder knows English only, and the multilingual one, which puts
a Spanish question beside English phrasings as well, is the weaker of the two in English.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bm25s
import faiss
import numpy as np
import Stemmer
import yaml
from spellchecker import SpellChecker

from knowledge.build import topics_of
from knowledge.content import Content
from knowledge.encoder import Vectors
from knowledge.schema import REGIONS
from knowledge.sign import Signatures
from knowledge.text import Entities, Namer, Preparer, Speller, count_words, parts, unaccented, words
from knowledge.topics import REQUESTS, TextClassifier

SIGNAL = {"conditions": (0.06, -0.10), "medicines": (0.05, -0.08), "routes": (0.03, -0.03), "aspects": (0.02, 0.0)}
FOREIGN = -0.5
HIDDEN = -9.0
SHOWN = 4
SAME = 0.90
VERBATIM = 0.97
DEPTH = 60
SPANISH_TOPIC = 2.0  # times the topic classifier's weight: the multilingual vectors tell neighbouring statements apart less well
IN_USE = 50  # how often the dictionary saw a word


@dataclass(frozen=True)
class Weights:
    """What each part adds to a statement's score; `evals ablation` measures what each is worth.

    Attributes:
        dense: Times the cosine.
        bm25: Times BM25 over the query's best: a bonus on the cosine. Rank fusion made the encoder worse on every clean set measured.
        signals: Times the bonuses of SIGNAL.
        topic: Times the topic classifier's probability.
        softness: Times the classifier's logits before that: it has learned every phrasing by heart and is too sure of a question it has not.
        bottom_line: For its topic's bottom line.
    """

    dense: float = 1.0
    bm25: float = 0.2
    signals: float = 1.0
    topic: float = 0.5
    softness: float = 0.5
    bottom_line: float = 0.02


@dataclass(frozen=True)
class Space:
    """What the questions of one language are compared in.

    Attributes:
        encoder: None where every query brings its vector.
        vectors: Of all rows, whatever their language, shape (rows, dimensions).
        topics: Classifier of topics over such vectors.
        requests: Classifier of REQUESTS over such vectors.
        topic: Times `Weights.topic`.
        calibration: Bias and weights of the confidence, and from where on a message is a request for advice.
    """

    encoder: Vectors | None
    vectors: np.ndarray
    topics: TextClassifier
    requests: TextClassifier
    topic: float
    calibration: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path, suffix: str, encoder: Vectors | None, topic: float, calibration: Mapping[str, Any]) -> Space:
        """Read the files of one space of a build."""
        index = faiss.read_index(str(folder / f"index{suffix}.faiss"))
        topics, requests = (TextClassifier.load(folder / f"{name}{suffix}.npz") for name in ("topics", "requests"))
        return cls(encoder, index.reconstruct_n(0, index.ntotal), topics, requests, topic, calibration)


@dataclass(frozen=True)
class Candidate:
    """A statement and why it was found.

    Attributes:
        score: Fused score that orders candidates.
        cosine: Of its best phrasing or text.
        bm25: Of its best row, divided by the query's best.
        signals: Sum of the entity bonuses and penalties.
        matched: The phrasing or text that matched best.
        foreign: Whether it holds in other regions only.
    """

    id: str
    topic: str
    score: float
    cosine: float
    bm25: float
    signals: float
    matched: str
    foreign: bool


@dataclass(frozen=True)
class Found:
    """The result of one search.

    Attributes:
        query: The text searched for, repaired.
        entities: What it names.
        candidates: Best first, DEPTH at most.
        confidence: Calibrated probability that what would be shown is on the question.
        features: What it was computed from.
    """

    query: str
    entities: Entities
    candidates: tuple[Candidate, ...]
    confidence: float
    features: dict[str, float] = field(default_factory=dict)


class Search:
    """Everything that is needed to find statements, loaded from one build.

    Args:
        folder: The build.
        content: Its content.
        encoder: The encoder of English questions; None where every query brings its vector.
        spanish: The encoder of Spanish ones.
        require_signed: Leave out statements that no clinician has signed as they stand.
        weights: Of the parts of the score.
    """

    def __init__(
        self, folder: Path, content: Content, encoder: Vectors | None, spanish: Vectors | None = None, require_signed: bool = False, weights: Weights | None = None
    ):
        self.folder = folder
        self.weights = weights or Weights()
        self.content = content
        self.encoder = encoder
        self.build = folder.name
        self.rows: list[dict[str, str]] = json.loads((folder / "rows.json").read_text("utf-8"))
        self.calibration: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "calibration.yml").read_text("utf-8"))
        self._spaces = {
            "en": Space.load(folder, "", encoder, 1.0, self.calibration),
            "es": Space.load(folder, "_es", spanish, SPANISH_TOPIC, self.calibration["es"]),
        }
        self.vectors = self._spaces["en"].vectors
        ids = list(content.statements)
        place = {s: i for i, s in enumerate(ids)}
        self._ids = ids
        # the rows of a statement lie together, in the order of the statements
        self._owner = np.array([place[r["statement"]] for r in self.rows])
        self._first_row = np.searchsorted(self._owner, np.arange(len(ids) + 1))
        self._text_row = {r["statement"]: i for i, r in enumerate(self.rows) if r["kind"] == "text" and r["language"] == "en"}
        self._stemmer = Stemmer.Stemmer("english")
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._tokens([r["text"] for r in self.rows]), show_progress=False)
        self._preparer = preparer(content, folder)
        self._base_words = set(count_words(unaccented(r["text"]) for r in self.rows))
        self.namer = Namer(content.lexicon)
        self._signals = _Signals(content)
        self._bottom_line = np.array([s.bottom_line for s in content.statements.values()], dtype=bool)
        self._regions = {r: np.array([bool(s.regions) and r not in s.regions for s in content.statements.values()], dtype=bool) for r in REGIONS}
        signatures = Signatures(content)
        self.require_signed, self._signatures = require_signed, signatures
        self._hidden = np.array([not self.shows(f"statement:{i}") for i in ids], dtype=bool)
        self._topics = topics = topics_of(content)
        self._topic = np.array([topics.index(s.topic) for s in content.statements.values()])

    @classmethod
    def load(cls, folder: Path, encoder: Vectors | None = None, spanish: Vectors | None = None, require_signed: bool = False) -> Search:
        """Read a build (already verified)."""
        content = Content.from_json((folder / "content.json").read_text("utf-8"))
        return cls(folder, content, encoder, spanish, require_signed)

    def _tokens(self, texts: Sequence[str]) -> Any:
        return bm25s.tokenize([unaccented(t) for t in texts], stopwords="en", stemmer=self._stemmer, show_progress=False)

    def shows(self, what: str) -> bool:
        """Whether a text may be shown: always, unless only signed ones may."""
        return not self.require_signed or self._signatures.is_signed(what)

    def prepare(self, text: str) -> str:
        """The text as it is searched: clean, spelling repaired, "it" named."""
        return self._preparer.prepare(text)

    def repair(self, text: str) -> str:
        """The text as the dialogue reads it: clean, spelling repaired."""
        return self._preparer.repair(text)

    def space(self, language: str) -> Space:
        """The space that a message of a language is compared in; English for all but Spanish."""
        return self._spaces.get(language, self._spaces["en"])

    def encode(self, texts: Sequence[str], language: str = "en") -> np.ndarray:
        """Vectors (len(texts), dimensions) of prepared texts in their language's space; together they cost less than one by one."""
        encoder = self.space(language).encoder
        if encoder is None:
            raise RuntimeError("this process holds no encoder: every query must bring its vector")
        return encoder.encode(list(texts))

    def request(self, text: str, vector: np.ndarray | None = None, language: str = "en") -> dict[str, float]:
        """Probability of each of REQUESTS for a repaired text and its vector; encoded here when absent."""
        logits = self.space(language).requests.logits(text, self.encode([text], language)[0] if vector is None else vector)
        odds = np.exp(logits - logits.max())
        return dict(zip(REQUESTS, (odds / odds.sum()).tolist(), strict=True))

    def find(self, prepared: str, vector: np.ndarray | None = None, region: str | None = None, language: str = "en") -> Found:
        """Rank statements.

        Args:
            prepared: What `prepare` returned.
            vector: Its vector in the language's space; encoded here when absent.
            region: The patient's; statements that hold elsewhere only come last.
            language: Of the message.
        """
        space = self.space(language)
        query = self.encode([prepared], language)[0] if vector is None else np.asarray(vector, dtype=np.float32)
        # every row's cosine is wanted: the index would sort them all first, which takes longer than to compute them
        cosine = faiss.pairwise_distances(query[None, :], space.vectors, faiss.METRIC_INNER_PRODUCT)[0]
        tokens = self._tokens([prepared])
        bm25 = self._bm25.get_scores([t for t in tokens.vocab if t]) if tokens.vocab else np.zeros(len(self.rows))
        bm25 = bm25 / bm25.max() if len(bm25) and bm25.max() > 0 else bm25
        entities = self.namer.find(prepared)
        weights = self.weights
        fused = weights.dense * cosine + weights.bm25 * bm25
        best = np.maximum.reduceat(fused, self._first_row[:-1])
        signals = weights.signals * self._signals.bonus(entities) + weights.bottom_line * self._bottom_line
        foreign = self._regions[region] if region else np.zeros(len(self._ids), dtype=bool)
        logits = space.topics.logits(prepared, query)
        of_topics = logits[:-1] - logits[:-1].max()
        soft = np.exp(weights.softness * of_topics)
        total = best + signals + weights.topic * space.topic * (soft / soft.sum())[self._topic] + FOREIGN * foreign
        total[self._hidden] = HIDDEN
        order = [i for i in np.argsort(-total, kind="stable")[:DEPTH] if not self._hidden[i]]
        candidates = [self._candidate(i, total, cosine, bm25, fused, signals, foreign) for i in order]
        if not candidates:
            return Found(prepared, entities, (), 0.0)
        request = space.requests.logits(prepared, query)
        features = {
            "topic_logit": float(logits[:-1].max()),
            "topic_p": float(np.exp(of_topics[self._topics.index(candidates[0].topic)]) / np.exp(of_topics).sum()),
            "outside": float(request[REQUESTS.index("outside")] - request[REQUESTS.index("question")]),
            "known": self._known(prepared),
        }
        return self._calibrated(prepared, entities, tuple(candidates), features, space.calibration)

    def _candidate(
        self, i: int, total: np.ndarray, cosine: np.ndarray, bm25: np.ndarray, fused: np.ndarray, signals: np.ndarray, foreign: np.ndarray
    ) -> Candidate:
        start, end = self._first_row[i], self._first_row[i + 1]
        row = start + int(np.argmax(fused[start:end]))
        return Candidate(
            id=self._ids[i],
            topic=self.content.statements[self._ids[i]].topic,
            score=round(float(total[i]), 4),
            cosine=round(float(cosine[start:end].max()), 4),
            bm25=round(float(bm25[row]), 4),
            signals=round(float(signals[i]), 4),
            matched=self.rows[row]["text"],
            foreign=bool(foreign[i]),
        )

    def _known(self, prepared: str) -> float:
        """Share of a text's longer words that the base uses."""
        longer = [w for w in words(unaccented(prepared)) if len(w) >= 4]
        return sum(w in self._base_words for w in longer) / len(longer) if longer else 1.0

    def _calibrated(
        self, query: str, entities: Entities, candidates: tuple[Candidate, ...], of_message: dict[str, float], calibration: Mapping[str, Any]
    ) -> Found:
        first = candidates[0]
        features = {
            "cosine": first.cosine,
            "best_cosine": max(c.cosine for c in candidates),
            "bm25": first.bm25,
            **of_message,
        }
        weights = calibration["weights"]
        z = calibration["bias"] + sum(weights.get(name, 0.0) * value for name, value in features.items())
        # what is nearly to the letter a curated phrasing needs no estimate
        confidence = 1.0 if first.cosine >= VERBATIM else float(1 / (1 + np.exp(-z)))
        return Found(
            query=query,
            entities=entities,
            candidates=candidates,
            confidence=confidence,
            features=features,
        )

    def choose(self, found: Found, limit: int = SHOWN) -> list[Candidate]:
        """The candidates to show: the first, then those near it that add something, no two alike.

        The topic's bottom line leads when the question fits it nearly as well as the best; else it stands last where it fits at all.
        Statements of another region are taken only when the first one is of another region itself.
        """
        first = found.candidates[0]
        gap = self.calibration["show_gap"]
        same = [c for c in found.candidates if c.foreign == first.foreign]
        chosen = [first]
        for c in same[1:]:
            if len(chosen) == limit or c.score < first.score - gap:
                break
            if not any(self._alike(c.id, other.id) for other in chosen):
                chosen.append(c)
        bottom = next((c for c in same if c.topic == first.topic and self.content.statements[c.id].bottom_line), None)
        if bottom and bottom.score >= first.score - 2 * gap:
            rest = [c for c in chosen if c is not bottom]
            leads = bottom.score >= first.score - self.calibration["lead_gap"]
            chosen = [bottom, *rest][:limit] if leads else [*rest[: limit - 1], bottom]
        topics = {c.topic for c in chosen}
        if len(topics) > 1:
            return chosen
        # the topic classifier spoke for one topic, the words fit another as well; or another is not far behind: both are shown
        others = [c for c in same if c.topic not in topics]
        other = max(others, key=self._fit, default=None)
        if other and self._fit(other) < max(self._fit(c) for c in chosen):
            other = next((c for c in others if c.score >= first.score - self.calibration["other_gap"]), None)
        return [*chosen[: limit - 1], other] if other else chosen

    def _fit(self, c: Candidate) -> float:
        """Score without the topic classifier's part."""
        return self.weights.dense * c.cosine + self.weights.bm25 * c.bm25 + c.signals

    def _alike(self, a: str, b: str) -> bool:
        return bool(self.vectors[self._text_row[a]] @ self.vectors[self._text_row[b]] > SAME)

    def questions(self, prepared: str) -> list[str]:
        """The questions a message holds, one or more."""
        return parts(prepared)


class _Signals:
    """Which lexicon entries each statement is about, as one matrix a kind.

    Nearly every question and statement is about ketamine and chronic pain: those two tell nothing apart and are left out.
    """

    def __init__(self, content: Content):
        statements = list(content.statements.values())
        self._columns: dict[str, dict[str, int]] = {}
        self._held: dict[str, np.ndarray] = {}
        for kind in SIGNAL:
            names = [e.id for e in getattr(content.lexicon, kind) if e.id not in ("ketamine", "chronic_pain")]
            self._columns[kind] = {n: i for i, n in enumerate(names)}
            self._held[kind] = np.array([[n in getattr(s, kind) for n in names] for s in statements], dtype=bool).reshape(len(statements), len(names))

    def bonus(self, asked: Entities) -> np.ndarray:
        """For each statement (n,): a bonus for each kind that agrees, a penalty where the question names one and the statement is about others."""
        total = np.zeros(len(next(iter(self._held.values()))), dtype=np.float32)
        for kind, (plus, minus) in SIGNAL.items():
            columns = [self._columns[kind][n] for n in getattr(asked, kind) if n in self._columns[kind]]
            if columns:
                agrees = self._held[kind][:, columns].any(axis=1)
                total += np.where(agrees, plus, np.where(self._held[kind].any(axis=1), minus, 0.0))
        return total


def preparer(content: Content, folder: Path) -> Preparer:
    """The preparer of a build: it knows the words of English texts and phrasings, and of the lexicon in every language."""
    texts = [s.text["en"] for s in content.statements.values()]
    phrasings = [p for s in content.statements.values() for p in s.phrasings.get("en", ())]
    kinds = (content.lexicon.conditions, content.lexicon.medicines, content.lexicon.routes, content.lexicon.aspects)
    names = [n for kind in kinds for entry in kind for ns in entry.names.values() for n in ns]
    english = _whole_words(folder / "encoder" / "tokenizer.json") | _dictionary()
    speller = Speller(count_words([*texts, *phrasings, *names, *names]), english | set(count_words([*texts, *names])))
    return Preparer(speller, Namer(content.lexicon))


def _whole_words(tokenizer: Path) -> set[str]:
    """Words the encoder's vocabulary holds whole: ordinary English, British spellings among it, never a typo of ours."""
    vocabulary = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    return {w for w in vocabulary if len(w) >= 4 and w.isalpha()}


def _dictionary() -> set[str]:
    """English words in use; the dictionary's rare ones are typing errors of common ones more often."""
    return {w for w, n in SpellChecker(language="en").word_frequency.items() if n > IN_USE and len(w) >= 4 and w.isalpha()}
