"""`make bench-search`: what a question costs in process on one thread, how the flat index grows, and whether an int8 encoder pays.

Development questions only. Written to evals/peers.md.
"""

from __future__ import annotations

import datetime as dt
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from evals.marked import write
from evals.measure import Share, p95
from evals.peers.__main__ import DOCUMENT
from evals.peers.figures import DEPTH, among, best_rows, reciprocal_rank
from evals.questions import Question, labels, load
from knowledge.decide import Decider
from knowledge.encoder import Encoder
from knowledge.load import load_decider

SIZES = (2_000, 10_000, 20_000, 50_000, 100_000)
SEED = 7
NEIGHBOURS = 60
DEEP = 300  # rows in which ten statements are always found
FASTER, LOST = 1.5, 0.003  # int8 pays from this ratio of medians, and at this loss of either share at most


def milliseconds(do: Callable[..., object], *given: object) -> float:
    """What this thread computed during one call: waiting for a core that others use does not count. All work is on this one thread."""
    started = time.thread_time()
    do(*given)
    return 1000 * (time.thread_time() - started)


def line(name: str, times: Sequence[float], *more: str) -> str:
    """A table row: median and 95th percentile."""
    return f"| {name} | {statistics.median(times):.2f} | {p95(times):.2f} |" + "".join(f" {m} |" for m in more)


class Stopwatch:
    """Adds up the time of one method of an object, call after call.

    Attributes:
        ms: Milliseconds since it was last set to 0.
    """

    def __init__(self, owner: Any, name: str):
        self.ms = 0.0
        inner = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.thread_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.ms += 1000 * (time.thread_time() - started)

        setattr(owner, name, timed)


def query(decider: Decider, questions: Sequence[Question]) -> str:
    """Whole decisions, as served but without the dialogue, and their parts. A message with several questions is searched several times."""
    search = decider.search
    find = Stopwatch(search, "find")
    parts: dict[str, list[float]] = {"encode": [], "search": [], "decide": [], "together": []}
    for question in questions:
        vectors: list[np.ndarray] = []  # the web server encodes once and sends the vector on
        encode = milliseconds(lambda text, to: to.append(search.encode([search.repair(text)])[0]), question.text, vectors)
        find.ms = 0.0
        decide = milliseconds(lambda text, vector: decider.decide(text, vector=vector), question.text, vectors[0])
        for name, ms in (("encode", encode), ("search", find.ms), ("decide", decide - find.ms), ("together", encode + decide)):
            parts[name].append(ms)
    names = {
        "search": "search: vectors, BM25, signals, topic; what differs from the message as sent is encoded in it",
        "decide": "decide: spelling, rules, requests, choice",
        "together": "together",
    }
    return "\n".join(
        ["| part of a query | median CPU ms | p95 CPU ms |", "| --- | --- | --- |", *(line(names.get(n, n), t) for n, t in parts.items())]
    )


def growth(vectors: np.ndarray, asked: np.ndarray) -> str:
    """Search time of the flat index by its size: the real vectors (n, 384), then random unit vectors."""
    rng = np.random.default_rng(SEED)
    more = rng.standard_normal((max(0, SIZES[-1] - len(vectors)), vectors.shape[1])).astype(np.float32)
    everything = np.vstack([vectors, more / np.linalg.norm(more, axis=1, keepdims=True)])
    lines = [
        f"| vectors | median CPU ms, best {NEIGHBOURS} | p95 ms | ratio | vectors, times | median CPU ms, every row scored, as served | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    indexes = {size: faiss.IndexFlatIP(vectors.shape[1]) for size in SIZES}
    best: dict[int, list[float]] = {size: [] for size in SIZES}
    every: dict[int, list[float]] = {size: [] for size in SIZES}
    for size, index in indexes.items():
        index.add(everything[:size])
    for number, vector in enumerate(asked):  # by turns, so that a busy machine is busy for all sizes
        for size, index in indexes.items():
            best[size].append(milliseconds(index.search, vector[None, :], NEIGHBOURS))
            if number % 4 == 0:
                every[size].append(milliseconds(faiss.pairwise_distances, vector[None, :], everything[:size], faiss.METRIC_INNER_PRODUCT))
    first = statistics.median(best[SIZES[0]]), statistics.median(every[SIZES[0]])
    for size in SIZES:
        medians = statistics.median(best[size]), statistics.median(every[size])
        lines.append(
            f"| {size:,} | {medians[0]:.2f} | {p95(best[size]):.2f} | {medians[0] / first[0]:.1f} | {size / SIZES[0]:.0f} | {medians[1]:.2f} | {medians[1] / first[1]:.1f} |"
        )
    return "\n".join(lines)


def quantised(folder: Path, out: Path) -> Encoder:
    """The encoder with int8 weights and activations (onnxruntime, dynamic)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(folder / "model.onnx", out / "model.onnx", weight_type=QuantType.QInt8, per_channel=True)
    shutil.copyfile(folder / "tokenizer.json", out / "tokenizer.json")
    return Encoder.load(out, threads=1)


def int8(decider: Decider, questions: Sequence[Question]) -> str:
    """Both encoders through the vectors alone: index and questions by the same encoder."""
    search, known = decider.search, labels()
    texts, owners = [r["text"] for r in search.rows], [r["statement"] for r in search.rows]
    prepared = [search.prepare(q.text) for q in questions]
    rows, measured = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        assert search.encoder is not None
        encoders = {"fp32": search.encoder, "int8": quantised(search.folder / "encoder", Path(temporary))}
        times: dict[str, list[float]] = {name: [] for name in encoders}
        for text in prepared:  # by turns, so that a busy machine is busy for both
            for name, encoder in encoders.items():
                times[name].append(milliseconds(encoder.encode, [text]))
        for name, encoder in encoders.items():
            vectors = search.vectors if name == "fp32" else encoder.encode(texts)
            scores = encoder.encode(prepared) @ vectors.T
            ranked = [best_rows((owners[i], float(row[i])) for i in np.argsort(-row)[:DEEP])[0] for row in scores]
            labelled = [(r, set(known[q.id]["ids"])) for r, q in zip(ranked, questions, strict=True) if known.get(q.id, {}).get("ids")]
            top1 = Share.of(among(r, ids, 1) for r, ids in labelled)
            top10 = Share.of(among(r, ids, DEPTH) for r, ids in labelled)
            mrr = statistics.fmean(reciprocal_rank(r, ids) for r, ids in labelled)
            size = (search.folder / "encoder" if name == "fp32" else Path(temporary)) / "model.onnx"
            measured[name] = (statistics.median(times[name]), top1.value, top10.value)
            rows.append(line(name, times[name], str(top1), str(top10), f"{mrr:.3f}", f"{size.stat().st_size / 1e6:.0f}"))
            if name == "int8":
                cosine = float((vectors * search.vectors).sum(axis=1).min())
    (slow, *before), (fast, *after) = measured["fp32"], measured["int8"]
    pays = slow / fast >= FASTER and all(b - a <= LOST for b, a in zip(before, after, strict=True))
    return "\n".join(
        [
            "| encoder | median CPU ms | p95 CPU ms | top-1 | top-10 | MRR@10 | MB |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"int8 takes 1/{slow / fast:.1f} of the time; lowest cosine to the fp32 vectors {cosine:.3f}. By the rule (at least {FASTER} times as fast, at most "
            f"{100 * LOST:.1f} points lost in top-1 and top-10) it **{'pays' if pays else 'does not pay'}**.",
        ]
    )


def main() -> int:
    """Entry point; returns the exit code."""
    faiss.omp_set_num_threads(1)
    decider = load_decider()
    questions = load("in_scope", split="development")
    for question in questions[:10]:
        decider.decide(question.text)
    assert decider.search.encoder is not None
    asked = decider.search.encoder.encode([q.text for q in questions[:200]])
    sections = [
        f"{dt.date.today()}, build {decider.search.build}, {len(questions)} development questions, one thread; CPU time of that thread, which on an idle machine is the time one waits."
    ]
    for title, table in (
        ("One query, in process", lambda: query(decider, questions)),
        ("How the flat index grows", lambda: growth(decider.search.vectors, asked)),
        ("An int8 encoder", lambda: int8(decider, questions)),
    ):
        sections.append(f"### {title}\n\n{table()}")
        print(sections[-1], flush=True)
    write(DOCUMENT, "search", "\n\n".join(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
