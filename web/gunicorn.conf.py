"""gunicorn's settings. Threads, not processes, wait for the dialogue; half of them never do (web.dialogue)."""

import os

from prometheus_client.multiprocess import mark_process_dead

from web.metrics import SHARED
from web.settings import settings
from web.worker import listen_later

_settings = settings()
bind = f"{_settings.host}:{_settings.port}"
worker_class = "web.worker.Worker"
workers = _settings.workers
threads = _settings.threads
timeout = 30
graceful_timeout = 10
keepalive = 15
worker_connections = 1000
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
accesslog = None  # the application logs what is needed; a path would carry a conversation's id
errorlog = "-"
loglevel = "warning"
forwarded_allow_ips = "127.0.0.1" if _settings.proxies else ""
proc_name = "ketamine-guide-web"


def on_starting(server: object) -> None:
    """Before the port is bound."""
    listen_later()


def child_exit(server: object, worker: object) -> None:
    """A worker that is gone no longer counts among the living ones."""
    if SHARED in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[attr-defined]
