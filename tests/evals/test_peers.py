"""The measures by which systems are compared, against values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evals.marked import write
from evals.measure import p95
from evals.peers.__main__ import COLUMNS, ahead, no_network, table
from evals.peers.figures import Answer, Wanted, among, best_rows, figures, reciprocal_rank

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("ids", "right", "expected"),
    [
        (["a", "b", "c"], {"a"}, 1.0),
        (["a", "b", "c"], {"c"}, 1 / 3),
        (["a", "b", "c"], {"c", "b"}, 1 / 2),  # the first right one counts
        (["a", "b", "c"], {"x"}, 0.0),
        ([], {"a"}, 0.0),
        ([*"abcdefghij", "k"], {"j"}, 1 / 10),
        ([*"abcdefghij", "k"], {"k"}, 0.0),  # the eleventh does not
    ],
)
def test_reciprocal_rank(ids: list[str], right: set[str], expected: float) -> None:
    assert reciprocal_rank(ids, right) == pytest.approx(expected)


def test_among_looks_at_the_first_k_only() -> None:
    assert not among(["a", "b", "c", "d"], {"d"}, 3)
    assert among(["a", "b", "c", "d"], {"c", "z"}, 3)


def test_a_statement_stands_where_its_best_row_does() -> None:
    assert best_rows([("b", 0.9), ("a", 0.8), ("b", 0.7), ("c", 0.1)]) == (["b", "a", "c"], 0.9)
    assert best_rows([]) == ([], 0.0)


def test_p95() -> None:
    assert p95([1.0] * 99 + [100.0]) == pytest.approx(1.0)
    assert p95([1.0] * 90 + [100.0] * 10) == pytest.approx(100.0)


def test_figures_by_hand() -> None:
    topic_of = {"a": "one", "b": "one", "c": "two"}
    inside = [
        (Wanted({"one"}, {"a"}), Answer(["a", "b", "c"], 0.9, 1, 1)),  # rank 1, on topic
        (Wanted({"one"}, {"a"}), Answer(["b", "a", "c"], 0.6, 1, 1)),  # rank 2, on topic
        (Wanted({"two"}, {"c"}), Answer(["a", "b", "x", "c"], 0.4, 1, 1)),  # rank 4, off topic
        (Wanted({"two"}, ()), Answer(["c"], 0.8, 1, 1)),  # nothing labelled: counts for the topic and the scores only
        (Wanted({"two"}, ()), Answer([], 0.0, 1, 1)),  # nothing found
    ]
    near, far = [Answer(["a"], 0.5, 1, 1), Answer(["a"], 0.9, 1, 1)], [Answer([], 0.0, 1, 1)]
    got = figures(inside, near, far, topic_of)
    assert str(got["top-1"]).endswith("(1/3)")
    assert str(got["top-3"]).endswith("(2/3)")
    assert str(got["top-10"]).endswith("(3/3)")
    assert got["MRR@10"] == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert str(got["first on topic"]).endswith("(3/5)")
    # inside .9 .6 .4 .8 0 against .5: three above; against .9: one tie; against 0: four above and one tie
    assert got["AUROC near"] == pytest.approx((3 + 0.5) / 10)
    assert got["AUROC all"] == pytest.approx((3 + 0.5 + 4.5) / 15)


def row(share: str, number: float) -> dict[str, str | float]:
    return {c: share if c.startswith(("top", "first")) else number for c in COLUMNS}


def test_a_peer_is_ahead_by_more_of_a_share_and_by_less_of_a_time() -> None:
    results = {"ours": row("0.800 [0.7, 0.9] (8/10)", 5.0), "ours plain": row("0.900 (9/10)", 1.0), "peer": row("0.900 [0.8, 1.0] (9/10)", 4.0)}
    lines = dict(line[2:].split(": ") for line in ahead(results).splitlines())
    assert lines["top-1"] == "peer" and lines["median ms"] == "peer"
    assert lines["MRR@10"] == "none"
    assert "| peer | 0.900 [0.8, 1.0] (9/10) |" in table(results)


def test_a_document_is_written_between_its_marks_only(tmp_path: Path) -> None:
    document = tmp_path / "d.md"
    document.write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n", "utf-8")
    write(document, "x", "new")
    assert document.read_text("utf-8") == "before\n<!-- x -->\nnew\n<!-- /x -->\nafter\n"
    with pytest.raises(ValueError, match="no marks"):
        write(document, "y", "new")


def test_a_connection_is_refused_while_measuring() -> None:
    with pytest.raises(RuntimeError):
        no_network("socket.connect", ())
    no_network("open", ())


def test_the_peers_environment_is_pinned_to_the_dot() -> None:
    lines = (ROOT / "evals/peers/requirements.txt").read_text("utf-8").splitlines()
    assert all("==" in line for line in lines if line and not line.startswith("#"))
    assert yaml.safe_load((ROOT / "evals/peers/config.yml").read_text("utf-8"))["rows"] >= 10
