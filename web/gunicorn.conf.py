"""gunicorn's settings. Threads, not processes, wait for the dialogue; half of them never do (web.dialogue)."""

from web.settings import settings

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
