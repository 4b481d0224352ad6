"""gunicorn's threaded worker with all its threads there from the start, and no port open before that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from gunicorn.sock import BaseSocket
from gunicorn.workers.gthread import ThreadWorker


def listen_later() -> None:
    """Have gunicorn bind its port without listening: the first worker listens, when it has loaded.

    Otherwise a proxy hands half of all messages to a web server that starts, and they wait until it has loaded. gunicorn leaves
    the call to `listen` out for a socket that listens already, as systemd's do.
    """
    BaseSocket._is_listening = staticmethod(lambda sock: True)


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

    def run(self) -> None:
        """Open the port, unless another worker has, and serve."""
        for sock in self.sockets:
            sock.listen(self.cfg.backlog)
        super().run()
