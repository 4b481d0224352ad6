"""Each system behind one method: a question to statements, best first. Libraries are imported where they are used: no environment has them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
import yaml

from evals.peers.figures import best_rows
from knowledge.encoder import Encoder

BUILDS = Path("build")
CONFIG: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("config.yml").read_text("utf-8"))


class System(Protocol):
    """A system under measurement.

    Attributes:
        slow: Whether questions beyond the timed ones are asked in two processes at once, after `hasten`.
    """

    slow: bool

    def rank(self, text: str) -> tuple[list[str], float]:
        """Statements best first, none twice, and the score of the first."""
        ...

    def hasten(self) -> None:
        """Whatever makes answers come sooner and leaves them as they are; called after the timed questions."""
        ...


class Base:
    """What most systems have alike."""

    slow = False

    def hasten(self) -> None:
        """Nothing to do."""


class Rows:
    """The rows of the current build with their vectors (n, 384), and the encoder that made them."""

    def __init__(self) -> None:
        self.folder = (BUILDS / "current").resolve()  # not by `knowledge.build`: the peers' environment has not what it imports
        rows = json.loads((self.folder / "rows.json").read_text("utf-8"))
        self.texts: list[str] = [r["text"] for r in rows]
        self.statements: list[str] = [r["statement"] for r in rows]
        index = faiss.read_index(str(self.folder / "index.faiss"))
        self.vectors: np.ndarray = index.reconstruct_n(0, index.ntotal)
        self.encoder = Encoder.load(self.folder / "encoder", threads=1)
        content = json.loads((self.folder / "content.json").read_text("utf-8"))
        self.topic_of = {s["id"]: s["topic"] for s in content["statements"]}

    def best(self, numbers: Sequence[int], scores: Sequence[float]) -> tuple[list[str], float]:
        """Statements of rows that come best first."""
        return best_rows((self.statements[int(i)], float(s)) for i, s in zip(numbers, scores, strict=True))


class Ours(Base):
    """The ranking of `knowledge.search` as served: repaired text, all parts of the score, and the statements shown before the rest."""

    def __init__(self, rows: Rows):
        from knowledge.search import Search

        self._search = Search.load(rows.folder, rows.encoder)

    def rank(self, text: str) -> tuple[list[str], float]:
        """See System; the score is the calibrated confidence."""
        found = self._search.find(self._search.prepare(text))
        if not found.candidates:
            return [], 0.0
        return list(dict.fromkeys(c.id for c in (*self._search.choose(found), *found.candidates))), found.confidence


class OursPlain(Base):
    """Our cosine + 0.2 BM25 after spelling repair, without signals, topic classifier or calibration: what is ours in retrieval alone."""

    def __init__(self, rows: Rows):
        from knowledge.search import Search, Weights

        self._search = Search.load(rows.folder, rows.encoder)
        self._search.weights = Weights(signals=0, topic=0, bottom_line=0)

    def rank(self, text: str) -> tuple[list[str], float]:
        """See System; the score is the fused one."""
        found = self._search.find(self._search.prepare(text))
        return [c.id for c in found.candidates], found.candidates[0].score if found.candidates else 0.0


class BM25s(Base):
    """bm25s alone."""

    def __init__(self, rows: Rows):
        import bm25s
        import Stemmer

        self._rows, self._bm25s = rows, bm25s
        self._stemmer = Stemmer.Stemmer(CONFIG["bm25s"]["stemmer"])
        self._index = bm25s.BM25(method=CONFIG["bm25s"]["method"])
        self._index.index(self._tokens(rows.texts), show_progress=False)

    def _tokens(self, texts: list[str]) -> Any:
        return self._bm25s.tokenize(texts, stopwords=CONFIG["bm25s"]["stopwords"], stemmer=self._stemmer, show_progress=False)

    def rank(self, text: str) -> tuple[list[str], float]:
        """See System."""
        tokens = self._tokens([text])
        if not [t for t in tokens.vocab if t]:
            return [], 0.0
        numbers, scores = self._index.retrieve(tokens, k=CONFIG["rows"], show_progress=False, n_threads=0)
        found = scores[0] > 0
        return self._rows.best(numbers[0][found], scores[0][found])


class Haystack(Base):
    """Haystack 2: the embedding retriever of its in-memory store, alone or joined with its BM25 retriever by reciprocal rank fusion."""

    slow = True

    def __init__(self, rows: Rows, hybrid: bool):
        from haystack import Document, Pipeline, component
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        @component
        class TextEmbedder:
            """Our encoder in the shape of Haystack's embedders."""

            @component.output_types(embedding=list[float])
            def run(self, text: str) -> dict[str, list[float]]:
                return {"embedding": rows.encoder.encode([text])[0].tolist()}

        self._hybrid = hybrid
        self._store = store = InMemoryDocumentStore(**CONFIG["haystack"]["store"])
        each = zip(rows.texts, rows.statements, rows.vectors, strict=True)
        store.write_documents([Document(id=str(i), content=t, meta={"statement": s}, embedding=v.tolist()) for i, (t, s, v) in enumerate(each)])
        self._pipeline = Pipeline()
        self._pipeline.add_component("embedder", TextEmbedder())
        self._pipeline.add_component("embedding", InMemoryEmbeddingRetriever(store, top_k=CONFIG["rows"]))
        self._pipeline.connect("embedder.embedding", "embedding.query_embedding")
        if hybrid:
            self._pipeline.add_component("bm25", InMemoryBM25Retriever(store, top_k=CONFIG["rows"]))
            self._pipeline.add_component("joiner", DocumentJoiner(**CONFIG["haystack"]["joiner"]))
            self._pipeline.connect("bm25", "joiner")
            self._pipeline.connect("embedding", "joiner")

    def rank(self, text: str) -> tuple[list[str], float]:
        """See System."""
        asked: dict[str, Any] = {"embedder": {"text": text}}
        if self._hybrid:
            asked["bm25"] = {"query": text}
        documents = self._pipeline.run(asked)["joiner" if self._hybrid else "embedding"]["documents"]
        return best_rows((d.meta["statement"], float(d.score)) for d in documents)

    def hasten(self) -> None:
        """Vectors as arrays instead of the lists that Haystack makes of them: its store builds a matrix of them for each question."""
        for document in self._store.storage.values():
            document.embedding = np.array(document.embedding)


class Txtai(Base):
    """txtai's Embeddings: vectors alone, or with its BM25 by a weighted sum of scores."""

    def __init__(self, rows: Rows, dense_weight: float | None = None):
        from txtai import Embeddings

        known = dict(zip(rows.texts, rows.vectors, strict=True))
        self._rows, self._weight, building = rows, dense_weight, True

        def transform(texts: list[str]) -> np.ndarray:
            # our vectors are at hand for the rows; a question is always encoded
            return np.stack([known[t] for t in texts]) if building else rows.encoder.encode(texts)

        self._embeddings = Embeddings({"method": "external", "transform": transform, "hybrid": dense_weight is not None, **CONFIG["txtai"]["index"]})
        self._embeddings.index((i, t, None) for i, t in enumerate(rows.texts))
        building = False

    def rank(self, text: str) -> tuple[list[str], float]:
        """See System."""
        found = self._embeddings.search(text, CONFIG["rows"], weights=self._weight)
        return self._rows.best([i for i, _ in found], [s for _, s in found])


def system(name: str, rows: Rows) -> System:
    """Build a system by its name in `evals.peers.names`."""
    txtai = CONFIG["txtai"]
    made: dict[str, Any] = {
        "ours": lambda: Ours(rows),
        "ours_plain": lambda: OursPlain(rows),
        "bm25s": lambda: BM25s(rows),
        "haystack": lambda: Haystack(rows, hybrid=False),
        "haystack_hybrid": lambda: Haystack(rows, hybrid=True),
        "txtai": lambda: Txtai(rows),
        "txtai_hybrid": lambda: Txtai(rows, txtai["dense_weight"]),
        "txtai_hybrid_as_ours": lambda: Txtai(rows, txtai["our_dense_weight"]),
    }
    built: System = made[name]()
    return built
