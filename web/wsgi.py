"""Entry point of gunicorn: `gunicorn --config web/gunicorn.conf.py web.wsgi:app`."""

from __future__ import annotations

import sys

from web.app import create_app
from web.logs import configure
from web.parts import Parts
from web.settings import settings

# a message found urgent must not wait 5 ms, Python's own interval, for each thread that is busy
sys.setswitchinterval(0.001)
configure(settings().log_level)
_parts = Parts.from_settings(settings())
_parts.sweep_forever()
app = create_app(settings(), _parts)
