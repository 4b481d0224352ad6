"""gunicorn's threaded worker with all its threads there from the start."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]
    """Starts its threads before it accepts anybody.

    A pool starts a thread when a request finds none idle, and the thread that hands out requests waits until the new one
    runs: the last of 65 messages that came together waited a second for that on a busy machine.
    """

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """The pool, every thread of it running and idle."""
        pool = ThreadPoolExecutor(max_workers=self.cfg.threads, thread_name_prefix="request")
        started = threading.Barrier(self.cfg.threads + 1)
        for _ in range(self.cfg.threads):
            pool.submit(started.wait)
        started.wait()
        return pool
