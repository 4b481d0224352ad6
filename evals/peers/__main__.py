"""`python -m evals.peers`: every system in a process of its own, in its own environment, on one thread; aggregates only are printed and written.

`python -m evals.peers one NAME` measures one system and prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evals.marked import write
from evals.questions import Question, Split, labels, load

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "evals" / "peers.md"
APP, PEERS = ROOT / ".venv/bin/python", ROOT / ".venv-peers/bin/python"
QUIET = {
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")},
    "TOKENIZERS_PARALLELISM": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
COLUMNS = ("top-1", "top-3", "top-10", "MRR@10", "first on topic", "AUROC all", "AUROC near", "median ms", "p95 ms", "median CPU ms", "index s")
WARM = 10  # development questions asked before the clock counts
TIMED = 60  # about so many questions are timed, the same for every system; the others are asked too


def no_network(event: str, _: tuple[Any, ...]) -> None:
    """Audit hook: a library that reaches out fails instead.

    Raises:
        RuntimeError: on any attempt to resolve a name or connect.
    """
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError("no outside request while measuring")


_answer: Callable[[Question], Any]


def _forked(question: Question) -> Any:
    """Ask in a forked process; a closure cannot be sent there."""
    return _answer(question)


def one(name: str, split: Split) -> dict[str, str | float]:
    """Figures of one system, by column."""
    import faiss

    from evals.measure import p95
    from evals.peers.figures import Answer, Wanted, figures
    from evals.peers.systems import Rows, system

    faiss.omp_set_num_threads(1)
    rows = Rows()
    started = time.perf_counter()
    asked = system(name, rows)
    index_seconds = time.perf_counter() - started

    def answer(question: Question) -> Answer:
        begun, computed = time.perf_counter(), time.process_time()
        ids, score = asked.rank(question.text)
        return Answer(ids, score, 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - computed))

    for question in load("in_scope", split="development")[:WARM]:
        answer(question)
    questions = load("in_scope", "out_of_scope", split=split)
    timed = questions[:: max(1, len(questions) // TIMED)]
    answers = {q.id: answer(q) for q in timed}
    times, computed = [a.ms for a in answers.values()], [a.cpu_ms for a in answers.values()]
    rest = [q for q in questions if q.id not in answers]
    if asked.slow:
        asked.hasten()
        global _answer
        _answer = answer
        with multiprocessing.get_context("fork").Pool(2) as pool:
            answers |= zip([q.id for q in rest], pool.map(_forked, rest), strict=True)
    else:
        answers |= {q.id: answer(q) for q in rest}
    known = labels()
    inside, near, far = [], [], []
    for q in questions:
        if q.set == "in_scope":
            label = known.get(q.id, {})
            inside.append((Wanted({*q.topics, *label.get("also", ())}, label.get("ids", ())), answers[q.id]))
        else:
            (near if q.label.get("near") else far).append(answers[q.id])
    return {
        **figures(inside, near, far, rows.topic_of),
        "median ms": statistics.median(times),
        "p95 ms": p95(times),
        "median CPU ms": statistics.median(computed),
        "index s": index_seconds,
        "rows": len(rows.texts),
        "build": rows.folder.name,
        "questions": len(inside),
        "labelled": sum(bool(w.ids) for w, _ in inside),
        "near": len(near),
        "far": len(far),
        "timed": len(times),
    }


def measure(name: str, in_app: bool, split: Split) -> dict[str, Any]:
    """`one` in a process of its own.

    Raises:
        RuntimeError: with what it said, when it fails.
    """
    command = [str(APP if in_app else PEERS), "-W", "ignore", "-m", "evals.peers", "one", name, "--split", split]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, **QUIET}, capture_output=True, text=True)  # noqa: S603
    if run.returncode:
        raise RuntimeError(f"{name}: {run.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def table(results: dict[str, dict[str, Any]]) -> str:
    """One row a system, one column a figure."""
    lines = ["| system | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for shown, figures in results.items():
        values = [
            f"{v:.1f}" if (v := figures[c]).__class__ is float and c.endswith(("ms", " s")) else f"{v:.3f}" if isinstance(v, float) else v
            for c in COLUMNS
        ]
        lines.append(f"| {shown} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def ahead(results: dict[str, dict[str, Any]]) -> str:
    """Where a peer's figure is better than the served system's, in one line a column."""
    names = list(results)
    ours, lines = results[names[0]], []

    def value(figure: str | float) -> float:
        return float(str(figure).split()[0])

    for column in COLUMNS:
        less = column.endswith(("ms", " s"))
        better = [
            n for n in names[2:] if (value(results[n][column]) < value(ours[column])) is less and value(results[n][column]) != value(ours[column])
        ]
        lines.append(f"- {column}: {'; '.join(better) if better else 'none'}")
    return "\n".join(lines)


def main() -> int:
    """Entry point; returns the exit code."""
    from evals.peers.names import NAMES

    parser = argparse.ArgumentParser(prog="python -m evals.peers")
    parser.add_argument("one", nargs="?", choices=["one"])
    parser.add_argument("name", nargs="?", choices=[n for n, _, _ in NAMES])
    parser.add_argument("--split", choices=["development", "test"], default="test")
    args = parser.parse_args()
    if args.one:
        sys.addaudithook(no_network)
        print(json.dumps(one(args.name, args.split)))
        return 0
    results = {}
    for name, shown, in_app in NAMES:
        started = time.perf_counter()
        results[shown] = measure(name, in_app, args.split)
        print(f"  {shown}: {time.perf_counter() - started:.0f} s", flush=True)
    first = next(iter(results.values()))
    text = (
        f"{dt.date.today()}, build {first['build']}, {first['rows']} rows, {args.split} split: {first['questions']} questions in scope "
        f"({first['labelled']} with acceptable statements), {first['near']} near and {first['far']} far out of scope.\n\n"
        f"{table(results)}\n\nPeers ahead of what we serve, by figure:\n\n{ahead(results)}"
    )
    print(text)
    if args.split == "test":
        write(DOCUMENT, "peers", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
