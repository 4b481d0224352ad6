"""Prometheus metrics; counts and times only (docs/deploy/metrics.md)."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)  # seconds
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own variable: a folder in which workers add up


class Metrics:
    """The metrics of one web server: of its only worker, or of all workers together where they share a folder."""

    def __init__(self, build: str):
        self.registry = CollectorRegistry()
        self._replies = Counter("guide_replies", "Replies by channel and kind, repeated ones too", ["channel", "kind"], registry=self.registry)
        self._urgent = Counter("guide_urgent", "Urgent replies by category", ["category"], registry=self.registry)
        self._refusals = Counter("guide_refusals", "Messages not accepted, by problem", ["problem"], registry=self.registry)
        self._errors = Counter("guide_stage_errors", "Errors by stage", ["stage"], registry=self.registry)
        self._seconds = Histogram("guide_stage_seconds", "Seconds of each stage, waiting for a turn included", ["stage"], registry=self.registry, buckets=BUCKETS)
        self._build = Gauge("guide_build_info", "1 for the knowledge build served", ["hash"], registry=self.registry, multiprocess_mode="livemax")
        self._build.labels(hash=build).set(1)
        if SHARED not in os.environ:
            ProcessCollector(registry=self.registry)

    def count(self, what: str, **labels: str) -> None:
        """Count a reply, an urgent reply, a refusal or an error."""
        {"reply": self._replies, "urgent": self._urgent, "refusal": self._refusals, "error": self._errors}[what].labels(**labels).inc()

    def error(self, stage: str) -> None:
        """Count a stage error."""
        self._errors.labels(stage=stage).inc()

    def stage(self, name: str) -> AbstractContextManager[object]:
        """Time what happens inside."""
        return self._seconds.labels(stage=name).time()

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
