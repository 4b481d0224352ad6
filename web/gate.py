"""Whose message may use the processor next, within one worker.

Python runs one thread at a time. Sixty messages that come together would take turns at every step, and the one from somebody in
danger would wait for all of them at each of its own steps. So work is let in: rules two messages at a time, short ones first
(a long one takes a hundred times as long), everything that follows only while no message waits for the rules, and what may
still find danger before what only answers. A message found urgent waits for nobody.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

LONGEST_WAIT = 5.0  # seconds
RULES_AT_ONCE = 2  # so that a short message need not wait for the end of a long one


class Rank(IntEnum):
    """What a message wants to do next; lower goes first."""

    RULES = 0
    SCREEN = 1
    DIALOGUE = 2


class Crowded(Exception):
    """Raised when a message has waited too long for its turn: what holds the others up does not end."""


class Gate:
    """Lets threads in by rank, then by size or in order of arrival.

    A thread inside must not wait for anything but the processor and the web server's own database. The rules have a place
    of their own, so that a database that hangs cannot hold them up.

    Args:
        at_once: Threads inside beside the rules: more than cores only slow each other down.
        longest_wait: Seconds after which a thread gives up; one that waits for the rules never does.
    """

    def __init__(self, at_once: int = 2, longest_wait: float = LONGEST_WAIT):
        self._lock = threading.Lock()
        self._longest_wait = longest_wait
        self._free = at_once
        self._rules_free = RULES_AT_ONCE
        self._rules: list[tuple[int, int, threading.Lock]] = []
        self._others: list[tuple[int, int, threading.Lock]] = []
        self._number = itertools.count()

    @contextmanager
    def turn(self, rank: Rank, size: int = 0) -> Iterator[None]:
        """Wait for a place, hold it, give it on.

        Args:
            rank: What is to be done.
            size: How much of it; where rules are concerned less goes first.

        Raises:
            Crowded: after `longest_wait`.
        """
        self._enter(rank, size)
        try:
            yield
        finally:
            self._leave(rank)

    def _enter(self, rank: Rank, size: int) -> None:
        mine = threading.Lock()
        mine.acquire()
        with self._lock:
            number = next(self._number)
            if rank == Rank.RULES:
                heapq.heappush(self._rules, (size, number, mine))
            else:
                heapq.heappush(self._others, (rank, number, mine))
            self._admit()
        if rank == Rank.RULES:
            mine.acquire()
        elif not mine.acquire(timeout=self._longest_wait):
            with self._lock:
                if mine.acquire(blocking=False):
                    return  # it was let in at this very moment
                self._others.remove((rank, number, mine))
                heapq.heapify(self._others)
            raise Crowded

    def _leave(self, rank: Rank) -> None:
        with self._lock:
            if rank == Rank.RULES:
                self._rules_free += 1
            else:
                self._free += 1
            self._admit()

    def _admit(self) -> None:
        """Let in whoever may go now; called with the lock held."""
        while self._rules and self._rules_free:
            self._rules_free -= 1
            heapq.heappop(self._rules)[-1].release()
        while self._others and self._free and not self._rules:
            self._free -= 1
            heapq.heappop(self._others)[-1].release()
