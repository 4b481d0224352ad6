"""results.md and the plots."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from evals.marked import write
from evals.run import Results


def markdown(results: Results, day: dt.date) -> str:
    """The figures as a page."""
    lines = [
        "# Results",
        "",
        f"Written by `python -m evals run --write` on {day}: the {results.split} split, the whole system over HTTP (safety figures by the screen that the",
        "web server uses). Intervals are 95% (Wilson). Thresholds that gate a change are in [thresholds.yml](thresholds.yml).",
        "",
        "| figure | value [95% interval] (hits/cases) |",
        "| --- | --- |",
        *(f"| {name} | {share} |" for name, share in results.shares.items()),
        *(f"| {name} | {number:.3f} |" for name, number in results.numbers.items()),
        "",
        "![Risk and coverage](plots/coverage.svg) ![Scores](plots/scores.svg) ![Topics confused](plots/confusion.svg)",
    ]
    return "\n".join(lines) + "\n"


IN_README = (
    "first statement on the right topic (of all)",
    "wrong among answered",
    "answered although out of scope, far",
    "individual advice declined",
    "follow-ups right on the last turn",
    "urgent recall, direct",
    "urgent recall, all",
    "takeover of what must not trigger",
)


def into_readme(results: Results, readme: Path) -> None:
    """Write the chief figures between the README's two result marks."""
    rows = ["| figure, test questions | value [95% interval] (hits/cases) |", "| --- | --- |"]
    rows += [f"| {name} | {results.shares[name]} |" for name in IN_README if name in results.shares]
    write(readme, "results", "\n".join(rows))


def plots(results: Results, folder: Path) -> None:
    """Risk-coverage curve, score histograms, topics most often confused."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "ketamine-guide"
    import matplotlib.pyplot as plt

    folder.mkdir(exist_ok=True)
    ordered = sorted(results.coverage, reverse=True)
    total = max(1, len(results.scores.get("in scope", ())))
    wrong, xs, ys = 0, [], []
    for i, (_, right) in enumerate(ordered, 1):
        wrong += not right
        xs.append(i / total)
        ys.append(wrong / i)
    figure, axes = plt.subplots(figsize=(5, 3.5))
    axes.plot(xs, ys)
    axes.set(xlabel="coverage of in-scope questions", ylabel="wrong among answered", title="Risk and coverage")
    figure.tight_layout()
    figure.savefig(folder / "coverage.svg", metadata={"Date": None})
    figure, axes = plt.subplots(figsize=(5, 3.5))
    for name in ("in scope", "near", "far"):
        axes.hist(results.scores.get(name, []), bins=20, range=(0, 1), alpha=0.5, label=name)
    axes.set(xlabel="score", ylabel="questions", title="Scores in and out of scope")
    axes.legend()
    figure.tight_layout()
    figure.savefig(folder / "scores.svg", metadata={"Date": None})
    common = Counter(results.confusion).most_common(15)
    figure, axes = plt.subplots(figsize=(8, 4))
    axes.barh([f"{a} → {b}" for (a, b), _ in reversed(common)], [n for _, n in reversed(common)])
    axes.set(xlabel="questions", title="Topics most often confused (asked → first shown)")
    figure.tight_layout()
    figure.savefig(folder / "confusion.svg", metadata={"Date": None})
    plt.close("all")
