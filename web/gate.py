"""Whose message may use the processor next, within one worker.

Python runs one thread at a time. Sixty messages that come together would take turns at every step, and the one from somebody in
danger would wait for all of them at each of its own steps. So the rules come first: what follows them is let in only while no request
that has come waits for the rules and no urgent reply is on its way (`Arrivals`), and what may still find danger goes before what only
answers. Among those that wait for the rules, one whose words show danger at a glance goes first. A message found urgent waits for
nobody. The rules themselves take a fraction of a millisecond: handing a place among sixty threads from one to the next costs more than
that, so only long texts wait for each other there.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

LONGEST_WAIT = 5.0  # seconds
LONGEST_HOLD = 0.15  # seconds for which arrivals hold a message up: a client that sends slowly must not do so for longer
STALLED = 0.05  # seconds after which a request that is not past the rules no longer keeps others from theirs
_GLANCES = 128  # requests looked at before one is begun


class Rank(IntEnum):
    """What a message wants to do next; lower goes first."""

    SCREEN = 1
    DIALOGUE = 2


class Crowded(Exception):
    """Raised when a message has waited too long for its turn: what holds the others up does not end."""


@dataclass
class _Request:
    """One that has come; `danger` is None until its words have."""

    handle: Callable[[int], None]
    words: Callable[[], str | None]
    danger: bool | None = None


class Arrivals:
    """Requests that have come and are not past the rules: a few at once, the others in no thread yet.

    Order of arrival, but those that show danger at a glance first.

    Args:
        at_once: How many are handled before the rules at the same time.
    """

    def __init__(self, at_once: int = 2) -> None:
        self.glance: Callable[[str], bool] = lambda words: False  # the screen's, once it has loaded
        self.on_last_past: Callable[[], None] = lambda: None
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._begun: dict[int, tuple[float, int]] = {}  # since when, and how many places it takes
        self._mine = threading.local()
        self._number = itertools.count()

    def come(self, handle: Callable[[int], None], words: Callable[[], str | None] = str) -> None:
        """One more request.

        Args:
            handle: Gives it, with its number, to a thread when its turn comes.
            words: What it says; None while that has not come. Asked only when others wait too.
        """
        with self._lock:
            self._waiting.append(_Request(handle, words))
            self._start()

    def begin(self, number: int) -> None:
        """The calling thread handles the request of that number."""
        self._mine.number = number

    def urgent(self) -> None:
        """The calling thread's message is urgent: nobody else begins until its reply is on its way."""
        number = getattr(self._mine, "number", None)
        if number is not None:
            with self._lock:
                self._begun[number] = (time.monotonic(), self._at_once)

    def past(self) -> None:
        """The calling thread's request is past the rules; saying so again changes nothing."""
        number = getattr(self._mine, "number", None)
        if number is not None:
            self._mine.number = None
            with self._lock:
                del self._begun[number]
                self._start()
                last = not self
            if last:
                self.on_last_past()

    def go_on(self) -> bool:
        """Start others in place of those whose client has stalled; whether any still wait."""
        with self._lock:
            self._start()
            return bool(self._waiting)

    def _start(self) -> None:
        if self._waiting:
            now = time.monotonic()
            busy = sum(places for since, places in self._begun.values() if now - since < STALLED)
            while self._waiting and busy < self._at_once:
                busy += 1
                self._begun[number := next(self._number)] = (now, 1)
                self._next().handle(number)

    def _next(self) -> _Request:
        if len(self._waiting) > 1:
            for place, request in enumerate(itertools.islice(self._waiting, _GLANCES)):
                if request.danger is None and (words := request.words()) is not None:
                    request.danger = self.glance(words)
                if request.danger:
                    del self._waiting[place]
                    return request
        return self._waiting.popleft()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._waiting or self._begun)


ARRIVALS = Arrivals()  # of this process: gunicorn's worker counts, the application's gate asks


class Gate:
    """Lets threads in by rank, then in order of arrival.

    A thread inside must not wait for anything but the processor and the web server's own database.

    Args:
        at_once: Threads inside: more than cores only slow each other down.
        longest_wait: Seconds after which a thread gives up.
        arrivals: Requests that go first.
    """

    def __init__(self, at_once: int = 2, longest_wait: float = LONGEST_WAIT, arrivals: Arrivals | None = None):
        self.arrivals = Arrivals() if arrivals is None else arrivals
        self.arrivals.on_last_past = self._open
        self.long_texts = threading.Semaphore(1)
        self._lock = threading.Lock()
        self._longest_wait = longest_wait
        self._free = at_once
        self._waiting: list[tuple[Rank, int, threading.Lock, float]] = []
        self._number = itertools.count()

    @contextmanager
    def turn(self, rank: Rank) -> Iterator[None]:
        """Wait for a place, hold it, give it on.

        Raises:
            Crowded: after `longest_wait`.
        """
        self._enter(rank)
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._admit()

    def _enter(self, rank: Rank) -> None:
        mine = threading.Lock()
        mine.acquire()
        entry = (rank, next(self._number), mine, time.monotonic() + LONGEST_HOLD)
        with self._lock:
            heapq.heappush(self._waiting, entry)
            self._admit()
        if mine.acquire(timeout=LONGEST_HOLD):
            return
        self._open()
        if not mine.acquire(timeout=self._longest_wait):
            with self._lock:
                if mine.acquire(blocking=False):
                    return  # it was let in at this very moment
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise Crowded

    def _open(self) -> None:
        with self._lock:
            self._admit()

    def _admit(self) -> None:
        """Let in whoever may go now; called with the lock held."""
        while self._waiting and self._free and (not self.arrivals or self._waiting[0][-1] <= time.monotonic()):
            self._free -= 1
            heapq.heappop(self._waiting)[2].release()
