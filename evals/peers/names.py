"""The systems, in the order of the table."""

from __future__ import annotations

# name, what the table calls it, whether it runs in the app's environment
NAMES: tuple[tuple[str, str, bool], ...] = (
    ("ours", "**Ketamine Guide**, as served", True),
    ("ours_plain", "Ketamine Guide, vectors + 0.2 BM25 only", True),
    ("bm25s", "BM25 (bm25s)", False),
    ("haystack", "Haystack 2, embedding", False),
    ("haystack_hybrid", "Haystack 2, hybrid (RRF)", False),
    ("txtai", "txtai, dense", False),
    ("txtai_hybrid", "txtai, hybrid, weights at default", False),
    ("txtai_hybrid_as_ours", "txtai, hybrid, weights as ours", False),
)
