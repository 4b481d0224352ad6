"""Structured logs: one JSON object a line, with request ids, never with text."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str = "info") -> None:
    """Log JSON lines to standard error. Exceptions are logged by type only: their messages may quote a patient."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format='{"event": "library", "logger": "%(name)s", "level": "%(levelname)s"}')
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
