"""Our application in this process, with the pretend platform as its platform; or a server that runs already."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
import xml.etree.ElementTree as ET  # noqa: S405 - reads only what this process wrote
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from werkzeug.serving import make_server

from web.channels.settings import REQUIRED, ChannelSettings
from web.channels.simulator.platform import Platform, Shown
from web.channels.simulator.sender import PHONES, Hook, Sender, pretend_settings


class Line:
    """A phone, the platform it is on, and the server behind it."""

    def __init__(self, name: str, settings: ChannelSettings, platform: Platform, base: str, user: str | None = None):
        self.name = name
        self.sms = name == "sms"
        self.platform = platform
        self._settings, self._base = settings, base
        self.sender: Sender
        self.renew(user)
        self._client = httpx.Client(base_url=base, timeout=60.0, trust_env=False)

    def renew(self, user: str | None = None) -> None:
        """Another person's phone; a made-up one unless given."""
        if user is None:
            digits = f"{secrets.randbelow(10**7):07d}"
            user = f"U{digits}" if self.name == "slack" else f"1555{digits}"
        phone = PHONES[self.name]
        self.sender = phone(self._settings, self._settings.public_url or self._base, user)

    def post(self, hook: Hook) -> list[Shown]:
        """Send a webhook and return what the phone then shows.

        Raises:
            RuntimeError: when the server refuses it.

        """
        before = len(self.platform.messages(self.sender.address))
        response = self._client.post(hook.path, content=hook.body, headers=hook.headers)
        if response.status_code != 200:
            raise RuntimeError(f"the server answered {response.status_code}")
        if response.headers["content-type"].startswith("text/xml"):
            root = ET.fromstring(response.content)  # noqa: S314
            return [Shown(m.text or "") for m in root.iter("Message")]
        return self.platform.messages(self.sender.address)[before:]


@contextmanager
def in_process(name: str) -> Iterator[Line]:
    """The whole application here, on the knowledge build and the dialogue that are running, with its own database."""
    from web.app import create_app
    from web.channels.views import close, register
    from web.parts import Parts
    from web.settings import settings
    from web.store import metadata

    with tempfile.TemporaryDirectory(prefix="guide-simulator-") as folder:
        port = _free_port()
        base = f"http://127.0.0.1:{port}"
        platform = Platform()
        channels = pretend_settings(platform, base)
        off: dict[str, Any] = {field: None for needed in REQUIRED.values() for field in needed}
        database = f"sqlite:///{Path(folder) / 'simulator.db'}"
        base_settings = settings().model_copy(update={**off, "database_url": database, "rate_limits": "off"})
        parts = Parts.from_settings(base_settings)
        app = create_app(base_settings, parts)
        doors = register(app, channels, parts.guide)
        metadata.create_all(parts.guide.store.engine)
        server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Line(name, channels, platform, base)
        finally:
            server.shutdown()
            close(doors, 2.0)
            platform.close()


@contextmanager
def running(name: str, base: str) -> Iterator[Line]:
    """A server that runs already, with its own settings in the environment.

    Its platform address (for example KETAMINE_GUIDE_TELEGRAM_API) must be on the loopback; this process listens there.
    """
    values = ChannelSettings()
    channel = PHONES[name].channel
    if channel not in values.channels:
        raise SystemExit(f"The channel {channel} is not on: set {', '.join(REQUIRED[channel])} (see docs/channels/).")
    address = {"twilio": values.twilio_api, "telegram": values.telegram_api, "slack": values.slack_api}.get(
        channel, values.meta_api
    )
    url = httpx.URL(address)
    if url.host not in ("127.0.0.1", "localhost") or not url.port:
        raise SystemExit("With --server, the platform's address in the settings must be a port on 127.0.0.1.")
    platform = Platform(port=url.port)
    try:
        yield Line(name, values, platform, base)
    finally:
        platform.close()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
