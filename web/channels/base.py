"""What every channel is: it verifies a request, reads messages from it, and shows bubbles.

A channel module holds no state and does no I/O, so that plain bytes can test it; `hub` and `delivery` do the rest.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import httpx

from knowledge.answer import Reply
from web.channels import render
from web.channels.errors import BadSignature
from web.channels.render import Bubble, View
from web.channels.settings import ChannelSettings
from web.store import key_of

MAX_BODY = 3 * 1024 * 1024  # Meta's webhooks go up to 3 MB; they come in batches
Keyword = Literal["STOP", "START", "HELP"]


@dataclass(frozen=True)
class Request:
    """A webhook request, free of any framework.

    Attributes:
        url: As the platform called it, with the query string.
        headers: With lower-case names.
        body: As sent.
        query: Parameters of the query string.

    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]


@dataclass(frozen=True)
class Inbound:
    """A message as a channel read it. Ids are in clear here, so nothing of it may be logged or stored.

    Attributes:
        channel: What the conversation is counted under: sms, whatsapp, telegram, messenger, slack.
        account: The clinic's side: number, bot or page.
        user: The person's id on the platform.
        message_id: The platform's id of the message, unique within channel and account.
        text: Its text or caption; the label for a tapped button.
        chat: Where the answer goes.
        media: An image, a voice message, a sticker …, with or without a caption.
        group: Id of the group it was written in, or None.
        edited: An earlier message, changed.
        begin: The person opened the chat without writing (Telegram's /start, Messenger's Get Started).
        tap: Reply id and number of a tapped suggestion, or None.
        language: The platform's guess, or None.
        handled: The platform has answered this keyword itself and wants no answer from us.
        sent_at: Platform's time stamp in seconds, to order what arrives out of order.

    """

    channel: str
    account: str = field(repr=False)
    user: str = field(repr=False)
    message_id: str = field(repr=False)
    text: str = field(default="", repr=False)
    chat: str = field(default="", repr=False)
    media: bool = False
    group: str | None = field(default=None, repr=False)
    edited: bool = False
    begin: bool = False
    tap: tuple[str, int] | None = None
    language: str | None = None
    handled: Keyword | None = None
    sent_at: float = 0.0


@dataclass(frozen=True)
class Identity:
    """The names under which a person's things are kept; none of them leads back without the secret.

    Attributes:
        user: Key of the user's row.
        conversation_id: Id of the conversation (256 bits of a keyed hash); stored nowhere, derived each time.
        conversation: Key of the conversation in `web.store`.
        message: Key of the message id.

    """

    user: str
    conversation_id: str
    conversation: str
    message: str

    @classmethod
    def of(cls, secret: bytes, inbound: Inbound) -> Identity:
        """The identity of a message's writer."""
        user = keyed(secret, "user", inbound.channel, inbound.account, inbound.user, inbound.group or "")
        raw = hmac.new(secret, b"conversation\0" + user.encode(), hashlib.sha256).digest()
        conversation_id = "ch_" + urlsafe_b64encode(raw).rstrip(b"=").decode()
        message = keyed(secret, "message", inbound.channel, inbound.account, inbound.message_id)
        return cls(user, conversation_id, key_of(conversation_id), message)


def keyed(secret: bytes, *parts: str) -> str:
    """HMAC-SHA-256 of the parts, in hex. Their lengths go in, so that no two lists of parts are the same bytes."""
    text = "".join(f"{len(p)}:{p}" for p in parts)
    return hmac.new(secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Call:
    """A request to the platform's API."""

    url: str = field(repr=False)
    json: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ack:
    """What the platform gets as the answer to its webhook."""

    body: str = ""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


class Channel(ABC):
    """One platform.

    Attributes:
        name: Its place under /channels/ and in the settings.
        ack_within: Seconds after which the webhook is acknowledged, answered or not.
        inline: The answer may go into the response to the webhook.

    """

    name: ClassVar[str]
    ack_within: ClassVar[float] = 8.0
    inline: ClassVar[bool] = False

    def __init__(self, settings: ChannelSettings):
        self.settings = settings

    # -- in ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def verify(self, request: Request) -> None:
        """Raise BadSignature unless the platform signed the request."""

    @abstractmethod
    def parse(self, request: Request) -> list[Inbound]:
        """The messages of a verified request; other events give none.

        Raises:
            BadPayload: when the body cannot be read.

        """

    def challenge(self, query: Mapping[str, str]) -> str:
        """The answer to a GET handshake.

        Raises:
            BadSignature: when there is no handshake or its token is wrong.

        """
        raise BadSignature

    def greeting(self, request: Request) -> Ack | None:
        """The answer to a handshake by POST, or None when the request is no handshake."""
        return None

    # -- out ---------------------------------------------------------------------------------------------------------

    def pages(self, view: View, reply: Reply, channel: str) -> list[list[Bubble]]:
        """A reply as pages; the first is sent, the others on MORE. Most channels have one page."""
        return [render.rich(view, reply, self.fits)]

    def fits(self, text: str) -> bool:
        """Whether a text is short enough for one message."""
        raise NotImplementedError

    def line(self, view: View, text: str, channel: str) -> list[Bubble]:
        """A line of the channel's own."""
        return [Bubble(text)]

    def before(self, inbound: Inbound) -> list[Call]:
        """Calls before the answer, for example to end a button's waiting sign; their failure does not matter."""
        return []

    @abstractmethod
    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        """The request that sends a bubble to where the message came from.

        Args:
            bubble: What to send.
            inbound: What it answers.
            quote: Show which message is answered, where the platform can: used when several were waiting.

        """

    def problem(self, response: httpx.Response) -> str | None:
        """The platform's error in a response, or None; some platforms report errors with status 200."""
        return None if response.is_success else str(response.status_code)

    def ack(self, bubbles: list[Bubble] | None) -> Ack:
        """The response to the webhook, with the answer in it where the platform takes it."""
        return Ack()


def same(given: str | None, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), expected.encode("utf-8"))
