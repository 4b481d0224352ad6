"""Question (with what the conversation remembers) to ranked statements, with scores and the reason for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bm25s
import faiss
import numpy as np
import Stemmer
import yaml

from knowledge.build import topics_of
from knowledge.content import Content
from knowledge.encoder import Encoder
from knowledge.schema import Statement
from knowledge.sign import Signatures
from knowledge.text import Entities, Namer, Preparer, Speller, count_words, parts

BM25_WEIGHT = 0.2  # a bonus on the cosine; rank fusion made MiniLM worse on every clean set measured
SIGNAL = {"conditions": (0.06, -0.10), "medicines": (0.05, -0.08), "routes": (0.03, -0.03), "aspects": (0.02, 0.0)}
TOPIC_WEIGHT = 0.5  # times the topic classifier's probability
BOTTOM_LINE = 0.02
FOREIGN = -0.5
HIDDEN = -9.0
SHOWN = 4
SAME = 0.90
VERBATIM = 0.97
DEPTH = 60


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
        topic_logit: Highest score of the topic classifier.
        scope_logit: Its score for "out of scope".
        confidence: Calibrated probability that the first candidate is on the question.
    """

    query: str
    entities: Entities
    candidates: tuple[Candidate, ...]
    topic_logit: float
    scope_logit: float
    confidence: float
    features: dict[str, float] = field(default_factory=dict)


class Search:
    """Everything that is needed to find statements, loaded from one build.

    Args:
        folder: The build.
        content: Its content.
        encoder: The encoder whose vectors the index holds; None where every query brings its vector.
        require_signed: Leave out statements that no clinician has signed as they stand.
    """

    def __init__(self, folder: Path, content: Content, encoder: Encoder | None, require_signed: bool = False):
        self.folder = folder
        self.content = content
        self.encoder = encoder
        self.build = folder.name
        self.rows: list[dict[str, str]] = json.loads((folder / "rows.json").read_text("utf-8"))
        self.index = faiss.read_index(str(folder / "index.faiss"))
        self.vectors = self.index.reconstruct_n(0, self.index.ntotal)
        ids = list(content.statements)
        place = {s: i for i, s in enumerate(ids)}
        self._ids = ids
        self._owner = np.array([place[r["statement"]] for r in self.rows])
        self._text_row = {r["statement"]: i for i, r in enumerate(self.rows) if r["kind"] == "text" and r["language"] == "en"}
        self._stemmer = Stemmer.Stemmer("english")
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._tokens([r["text"] for r in self.rows]), show_progress=False)
        self._preparer = preparer(content, folder)
        self.namer = Namer(content.lexicon)
        self._lexical: dict[str, Entities] = {s.id: _signals(s) for s in content.statements.values()}
        self.calibration: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "calibration.yml").read_text("utf-8"))
        scope = np.load(folder / "scope.npz")
        self._scope_weights, self._scope_bias = scope["weights"], scope["bias"]
        signatures = Signatures(content)
        self.require_signed, self._signatures = require_signed, signatures
        self._hidden = np.array([not self.shows(f"statement:{i}") for i in ids], dtype=bool)
        topics = topics_of(content)
        self._topic = np.array([topics.index(s.topic) for s in content.statements.values()])

    @classmethod
    def load(cls, folder: Path, encoder: Encoder | None = None, require_signed: bool = False) -> Search:
        """Read a build (already verified)."""
        content = Content.from_json((folder / "content.json").read_text("utf-8"))
        return cls(folder, content, encoder, require_signed)

    def _tokens(self, texts: Sequence[str]) -> Any:
        return bm25s.tokenize(list(texts), stopwords="en", stemmer=self._stemmer, show_progress=False)

    def shows(self, what: str) -> bool:
        """Whether a text may be shown: always, unless only signed ones may."""
        return not self.require_signed or self._signatures.is_signed(what)

    def prepare(self, text: str) -> str:
        """The text as it is searched: clean, spelling repaired, "it" named."""
        return self._preparer.prepare(text)

    def repair(self, text: str) -> str:
        """The text as the dialogue reads it: clean, spelling repaired."""
        return self._preparer.repair(text)

    def encode(self, text: str) -> np.ndarray:
        """Vector (384,) of a prepared text."""
        if self.encoder is None:
            raise RuntimeError("this process holds no encoder: every query must bring its vector")
        vector: np.ndarray = self.encoder.encode([text])[0]
        return vector

    def find(self, prepared: str, vector: np.ndarray | None = None, region: str | None = None) -> Found:
        """Rank statements.

        Args:
            prepared: What `prepare` returned.
            vector: Its vector (384,); encoded here when absent.
            region: The patient's; statements that hold elsewhere only come last.
        """
        query = self.encode(prepared) if vector is None else np.asarray(vector, dtype=np.float32)
        scores, rows = self.index.search(query[None, :], self.index.ntotal)
        cosine = np.empty(self.index.ntotal, dtype=np.float32)
        cosine[rows[0]] = scores[0]
        tokens = self._tokens([prepared])
        bm25 = self._bm25.get_scores([t for t in tokens.vocab if t]) if tokens.vocab else np.zeros(len(self.rows))
        bm25 = bm25 / bm25.max() if len(bm25) and bm25.max() > 0 else bm25
        entities = self.namer.find(prepared)
        fused = cosine + BM25_WEIGHT * bm25
        best = np.full(len(self._ids), -2.0, dtype=np.float32)
        np.maximum.at(best, self._owner, fused)
        signals = np.zeros(len(self._ids), dtype=np.float32)
        foreign = np.zeros(len(self._ids), dtype=bool)
        for i, statement_id in enumerate(self._ids):
            statement = self.content.statements[statement_id]
            signals[i] = _bonus(entities, self._lexical[statement_id]) + (BOTTOM_LINE if statement.bottom_line else 0.0)
            foreign[i] = bool(region and statement.regions and region not in statement.regions)
        logits = self._scope_weights @ query + self._scope_bias
        odds = np.exp(logits[:-1] - logits[:-1].max())
        total = best + signals + TOPIC_WEIGHT * (odds / odds.sum())[self._topic] + FOREIGN * foreign
        total[self._hidden] = HIDDEN
        order = [i for i in np.argsort(-total)[:DEPTH] if not self._hidden[i]]
        candidates = []
        for i in order:
            own = np.flatnonzero(self._owner == i)
            row = own[np.argmax(fused[own])]
            candidates.append(
                Candidate(
                    id=self._ids[i],
                    topic=self.content.statements[self._ids[i]].topic,
                    score=round(float(total[i]), 4),
                    cosine=round(float(cosine[own].max()), 4),
                    bm25=round(float(bm25[row]), 4),
                    signals=round(float(signals[i]), 4),
                    matched=self.rows[row]["text"],
                    foreign=bool(foreign[i]),
                )
            )
        if not candidates:
            return Found(prepared, entities, (), float(logits[:-1].max()), float(logits[-1]), 0.0)
        return self._calibrated(prepared, entities, tuple(candidates), float(logits[:-1].max()), float(logits[-1]))

    def _calibrated(self, query: str, entities: Entities, candidates: tuple[Candidate, ...], topic: float, scope: float) -> Found:
        first = candidates[0]
        others = [c.score for c in candidates if c.topic != first.topic]
        features = {
            "cosine": first.cosine,
            "best_cosine": max(c.cosine for c in candidates),
            "bm25": first.bm25,
            "margin": first.score - others[0] if others else 0.5,
            "topic_logit": topic,
            "scope_logit": scope,
            "names_ketamine": float("ketamine" in entities.medicines or "esketamine" in entities.medicines),
            "words": float(min(len(query.split()), 30)) / 30,
        }
        weights = self.calibration["weights"]
        z = self.calibration["bias"] + sum(weights[name] * value for name, value in features.items())
        # what is nearly to the letter a curated phrasing needs no estimate
        confidence = 1.0 if first.cosine >= VERBATIM else float(1 / (1 + np.exp(-z)))
        return Found(
            query=query,
            entities=entities,
            candidates=candidates,
            topic_logit=topic,
            scope_logit=scope,
            confidence=confidence,
            features=features,
        )

    def choose(self, found: Found, limit: int = SHOWN) -> list[Candidate]:
        """The candidates to show: the first, then those near it that add something, no two alike.

        Statements of another region are taken only when the first one is of another region itself.
        """
        first = found.candidates[0]
        gap = self.calibration["show_gap"]
        chosen = [first]
        for c in found.candidates[1:]:
            if len(chosen) == limit or c.score < first.score - gap:
                break
            if c.foreign != first.foreign or (c.topic != first.topic and c.score < first.score - gap / 2):
                continue
            if any(self._alike(c.id, other.id) for other in chosen):
                continue
            chosen.append(c)
        bottom = next((c for c in found.candidates if c.topic == first.topic and self.content.statements[c.id].bottom_line), None)
        if bottom and bottom not in chosen and bottom.score >= first.score - 2 * gap and bottom.foreign == first.foreign:
            chosen = [*chosen[: limit - 1], bottom]
        return chosen

    def _alike(self, a: str, b: str) -> bool:
        return bool(self.vectors[self._text_row[a]] @ self.vectors[self._text_row[b]] > SAME)

    def questions(self, prepared: str) -> list[str]:
        """The questions a message holds, one or more."""
        return parts(prepared)


def _signals(statement: Statement) -> Entities:
    return Entities(
        frozenset(statement.conditions), frozenset(statement.medicines), frozenset(statement.routes), frozenset(statement.aspects)
    )


def _bonus(asked: Entities, has: Entities) -> float:
    """Bonus for each kind that agrees, penalty where the question names one and the statement is about others."""
    total = 0.0
    for kind, (plus, minus) in SIGNAL.items():
        wanted, held = getattr(asked, kind), getattr(has, kind)
        if kind == "medicines":
            # nearly every question and statement names ketamine: it tells nothing apart
            wanted, held = wanted - {"ketamine"}, held - {"ketamine"}
        if kind == "conditions":
            wanted, held = wanted - {"chronic_pain"}, held - {"chronic_pain"}
        if not wanted:
            continue
        if wanted & held:
            total += plus
        elif held:
            total += minus
    return total


def preparer(content: Content, folder: Path) -> Preparer:
    """The preparer of a build: it knows the words of English texts and phrasings, and of the lexicon in every language."""
    texts = [t for s in content.statements.values() for t in (s.text["en"], *s.phrasings.get("en", ()))]
    kinds = (content.lexicon.conditions, content.lexicon.medicines, content.lexicon.routes, content.lexicon.aspects)
    names = [n for kind in kinds for entry in kind for ns in entry.names.values() for n in ns]
    speller = Speller(count_words([*texts, *names, *names]), _whole_words(folder / "encoder" / "tokenizer.json"))
    return Preparer(speller, Namer(content.lexicon))


def _whole_words(tokenizer: Path) -> set[str]:
    """Words the encoder's vocabulary holds whole: ordinary English, never a typo of ours."""
    vocabulary = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    return {w for w in vocabulary if len(w) >= 4 and w.isalpha()}
