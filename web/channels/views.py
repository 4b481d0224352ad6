"""The channels' doors: one address a channel, /channels/<name>. Verify, claim, queue, acknowledge in time."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import structlog
from flask import Blueprint, Flask, Response, copy_current_request_context, request

from web.channels.base import MAX_BODY, Ack, Channel, Identity, Inbound, Request
from web.channels.errors import BadPayload, BadSignature, Busy
from web.channels.hub import Answer, Hub
from web.channels.lanes import Lanes
from web.channels.messenger import Messenger
from web.channels.settings import ChannelSettings
from web.channels.slack import Slack
from web.channels.telegram import Telegram
from web.channels.twilio import Twilio
from web.channels.whatsapp import WhatsApp
from web.guide import Guide
from web.store import StoreError

KINDS: dict[str, type[Channel]] = {c.name: c for c in (Twilio, WhatsApp, Telegram, Messenger, Slack)}
Job = Callable[[], None]
SWEEP_EVERY = 60.0  # seconds
DRAIN = 8.0  # seconds that answers under way get when the process ends; gunicorn's graceful_timeout is 10
log = structlog.get_logger()


class Slip:
    """Who delivers an answer: the response to the webhook while it is open, the platform's API afterwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._late = False
        self.answer: Answer | None = None

    def offer(self, answer: Answer) -> bool:
        """Give the answer to the waiting request; False when it waits no more."""
        with self._lock:
            if self._late:
                return False
            self.answer = answer
            self._ready.set()
            return True

    def take(self, timeout: float) -> Answer | None:
        """Wait for the answer; None means that it will be sent later."""
        self._ready.wait(timeout)
        with self._lock:
            self._late = self.answer is None
            return self.answer


@dataclass
class Door:
    """One channel as it runs: its module, its lanes, and the hub that they all share."""

    channel: Channel
    hub: Hub
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        settings = self.hub.settings
        self.lanes = Lanes(f"channel-{self.channel.name}", settings.channel_workers, settings.channel_queue)

    def receive(self, incoming: Request, carry: Callable[[Job], Job] = lambda job: job) -> Ack:
        """Answer a webhook.

        Args:
            incoming: The request.
            carry: Makes a job fit to run in another thread.

        Raises:
            BadSignature: when it is not the platform's; nothing was touched then.
            BadPayload: when it cannot be read.

        """
        self.channel.verify(incoming)
        handshake = self.channel.greeting(incoming)
        if handshake is not None:
            return handshake
        deadline = time.monotonic() + self.channel.ack_within
        slips: list[Slip] = []
        futures: list[Future[None]] = []
        busy = False
        for inbound in self.channel.parse(incoming):
            identity = self.hub.identity(inbound)
            if not self.hub.claim(identity):
                continue
            slip = Slip()
            try:
                futures.append(
                    self.lanes.submit(
                        identity.user, inbound.sent_at or time.time(), carry(self._job(inbound, identity, slip))
                    )
                )
                slips.append(slip)
            except Busy:
                busy = True
                slips += self._overflow(inbound, identity)
        if self.channel.inline:
            answers = [slip.take(max(0.0, deadline - time.monotonic())) for slip in slips]
            bubbles = [b for a in answers if a is not None for b in a.bubbles]
            return self.channel.ack(bubbles)
        for future in futures:
            try:
                future.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                break  # acknowledged now, sent later
        return Ack("busy", 503) if busy else self.channel.ack(None)

    def _job(self, inbound: Inbound, identity: Identity, slip: Slip) -> Job:
        def run() -> None:
            # several waiting: the answer says which message it is for, where the platform can show it
            quote = self.lanes.waiting(identity.user) > 0
            try:
                answer = self.hub.answer(self.channel, inbound, identity)
                if not (self.channel.inline and slip.offer(answer)):
                    self.hub.deliver(self.channel, inbound, answer, quote)
            except Exception as error:  # a fault in one message must not reach the platform as a failed webhook
                log.error("channel.failed", where="deliver", error=type(error).__name__)
            self.hub.finish(identity)

        return run

    def _overflow(self, inbound: Inbound, identity: Identity) -> list[Slip]:
        """The queue is full: urgent messages are answered all the same, the platform sends the others again."""
        answer = self.hub.urgent_only(self.channel, inbound, identity)
        slip = Slip()
        if answer.bubbles and not self.channel.inline:
            self.hub.deliver(self.channel, inbound, answer)
        if answer.bubbles:
            self.hub.finish(identity)
            slip.offer(answer)
        elif self.channel.inline:  # this platform does not send again
            busy = self.hub.busy(self.channel, inbound, identity)
            self.hub.finish(identity)
            slip.offer(busy)
        else:
            self.hub.release(identity)
        return [slip]


def register(app: Flask, settings: ChannelSettings, guide: Guide) -> dict[str, Door]:
    """Open a door for each channel whose settings are there; none without."""
    if not settings.channels:
        return {}
    hub = Hub(guide, settings)
    doors = {name: Door(KINDS[name](settings), hub) for name in settings.channels}
    app.register_blueprint(blueprint(doors, settings))
    app.extensions["channels"] = doors
    _sweep(hub)
    atexit.register(close, doors)
    return doors


def close(doors: dict[str, Door], timeout: float = DRAIN) -> bool:
    """Let answers under way go out; whether all did."""
    deadline = time.monotonic() + timeout
    ended = [door.lanes.close(max(0.0, deadline - time.monotonic())) for door in doors.values()]
    return all(ended)


def blueprint(doors: dict[str, Door], settings: ChannelSettings) -> Blueprint:
    """The routes. Answers are bare: nobody but a platform reads them."""
    routes = Blueprint("channels", __name__)

    @routes.get("/channels/<name>")
    def handshake(name: str) -> Response:
        if name not in doors:
            return _plain("", 404)
        try:
            return _plain(doors[name].channel.challenge(request.args.to_dict()), 200)
        except BadSignature:
            return _plain("", 403)

    @routes.post("/channels/<name>")
    def webhook(name: str) -> Response:
        if name not in doors:
            return _plain("", 404)
        body = request.stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            return _plain("", 413)
        headers = {k.lower(): v for k, v in request.headers.items()}
        incoming = Request(_url(settings), headers, body, request.args.to_dict())
        try:
            # the guide's rate limits ask Flask for its application, also in the threads that answer
            ack = doors[name].receive(incoming, copy_current_request_context)
        except BadSignature:
            log.warning("channel.refused", channel=name)
            return _plain("", 403)
        except BadPayload:
            log.warning("channel.unreadable", channel=name)
            return _plain("", 400)
        response = Response(ack.body, ack.status, content_type=ack.content_type)
        if ack.status == 503:
            response.headers["Retry-After"] = "5"
        return response

    return routes


def _url(settings: ChannelSettings) -> str:
    """The address the platform called: behind a proxy only the setting knows it for sure."""
    base = settings.public_url or f"{request.scheme}://{request.host}"
    query = request.query_string.decode("latin-1")
    return f"{base}{request.path}{'?' + query if query else ''}"


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


def _sweep(hub: Hub) -> None:
    """Delete what has expired, in a thread of its own."""

    def run() -> None:
        while True:
            time.sleep(SWEEP_EVERY)
            try:
                hub.state.sweep()
            except StoreError as error:
                log.error("sweep.failed", error=type(error).__name__)

    threading.Thread(target=run, name="channels-sweep", daemon=True).start()


__all__ = ["Door", "KINDS", "blueprint", "close", "register"]
