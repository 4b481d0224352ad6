"""Prometheus metrics; counts and times only."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, Info


class Metrics:
    """The metrics of one worker."""

    def __init__(self, build: str):
        self.registry = CollectorRegistry()
        self._replies = Counter("guide_replies", "Replies by channel and kind", ["channel", "kind"], registry=self.registry)
        self._urgent = Counter("guide_urgent", "Urgent replies by category", ["category"], registry=self.registry)
        self._errors = Counter("guide_stage_errors", "Errors by stage", ["stage"], registry=self.registry)
        self.latency = Histogram("guide_stage_seconds", "Seconds of each stage", ["stage"], registry=self.registry)
        Info("guide_build", "The knowledge build served", registry=self.registry).info({"hash": build})

    def count(self, what: str, **labels: str) -> None:
        """Count a reply, an urgent reply or an error."""
        {"reply": self._replies, "urgent": self._urgent, "error": self._errors}[what].labels(**labels).inc()

    def error(self, stage: str) -> None:
        """Count a stage error."""
        self._errors.labels(stage=stage).inc()
