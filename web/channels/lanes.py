"""One user's messages in order, different users side by side, and a bound on how many may wait."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from web.channels.errors import Busy


class Lanes:
    """A small pool of threads. Jobs of one lane never run at the same time.

    Within a lane the job with the smallest `order` (the platform's time stamp) runs first, so that messages that arrive
    out of order while others wait are put right.

    Args:
        name: For the threads.
        workers: How many lanes may move at once.
        limit: How many jobs may wait or run.

    """

    def __init__(self, name: str, workers: int, limit: int):
        self._name, self._workers, self._limit = name, workers, limit
        self._lock = threading.Condition()
        self._waiting: dict[str, list[tuple[float, int, Callable[[], Any], Future[Any]]]] = {}
        self._ready: deque[str] = deque()
        self._moving: set[str] = set()
        self._count = 0
        self._number = itertools.count()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, lane: str, order: float, job: Callable[[], Any]) -> Future[Any]:
        """Queue a job.

        Raises:
            Busy: when too many wait.

        """
        future: Future[Any] = Future()
        with self._lock:
            if self._closed or self._count >= self._limit:
                raise Busy
            self._count += 1
            heapq.heappush(self._waiting.setdefault(lane, []), (order, next(self._number), job, future))
            if lane not in self._moving and lane not in self._ready:
                self._ready.append(lane)
            # threads start with the first job: a pool made before gunicorn forks would not live in its workers
            if len(self._threads) < self._workers and len(self._ready) > 0:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._lock.notify()
        return future

    def waiting(self, lane: str) -> int:
        """How many jobs of a lane wait behind the one that runs."""
        with self._lock:
            return len(self._waiting.get(lane, ()))

    def close(self, timeout: float) -> bool:
        """Take no more jobs and wait for those that are there; whether all ended in time."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
            while self._count and (left := deadline - time.monotonic()) > 0:
                self._lock.wait(min(left, 0.1))
            self._lock.notify_all()
            return self._count == 0

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._ready:
                    if self._closed:
                        return
                    self._lock.wait()
                lane = self._ready.popleft()
                self._moving.add(lane)
                _, _, job, future = heapq.heappop(self._waiting[lane])
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: B036 - a job's fault must not end the thread; whoever waits gets it
                future.set_exception(error)
            with self._lock:
                self._moving.discard(lane)
                self._count -= 1
                if self._waiting[lane]:
                    self._ready.append(lane)
                else:
                    del self._waiting[lane]
                self._lock.notify()
