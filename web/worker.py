"""gunicorn's threaded worker: no port open before it can serve, and nobody in danger behind sixty others (web.gate)."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import unquote_plus

from gunicorn.sock import BaseSocket
from gunicorn.workers.gthread import TConn, ThreadWorker

from web.gate import ARRIVALS, STALLED

FIRST_BYTES = 0.02  # seconds for which a new connection without a request keeps its place
_PEEK = 8192  # bytes: headers, and as much of a message as a glance is for


def sent(sock: socket.socket) -> str | None:
    """The words a request holds, without taking it from its connection; None while they have not come, "" when they are not plain."""
    try:
        head, _, body = sock.recv(_PEEK, socket.MSG_PEEK | socket.MSG_DONTWAIT).partition(b"\r\n\r\n")
    except BlockingIOError:
        return None
    except (OSError, ValueError):  # gone, or under TLS
        return ""
    if not head.startswith(b"POST "):
        return ""
    if not body:
        return None
    text = body.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["text"])
    except (ValueError, LookupError, TypeError):
        return unquote_plus(text)  # a form; of half a message the half


def listen_later() -> None:
    """Have gunicorn bind its port without listening: the first worker listens, when it has loaded.

    Otherwise a proxy hands half of all messages to a web server that starts, and they wait until it has loaded. gunicorn leaves
    the call to `listen` out for a socket that listens already, as systemd's do.
    """
    BaseSocket._is_listening = staticmethod(lambda sock: True)


class Worker(ThreadWorker):  # type: ignore[misc]
    """A request gets a thread when it may go towards the rules, not when it comes."""

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread in its turn."""

        def handle(number: int) -> None:
            conn.arrival = number
            super(Worker, self).enqueue_req(conn)

        ARRIVALS.come(handle, lambda: sent(conn.sock))

    def handle(self, conn: TConn) -> Any:
        """Handle the next request of a connection, in a thread."""
        ARRIVALS.begin(conn.arrival)
        try:
            if not conn.initialized and not conn.wait_for_data(FIRST_BYTES):
                ARRIVALS.past()  # a browser opens connections ahead of its requests
            return super().handle(conn)
        finally:
            ARRIVALS.past()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One round of the dispatching thread; a short one while requests wait behind stalled ones."""
        super().wait_for_and_dispatch_events(STALLED if ARRIVALS.go_on() else timeout)

    def run(self) -> None:
        """Open the port, unless another worker has, and serve."""
        for sock in self.sockets:
            sock.listen(self.cfg.backlog)
        super().run()
