"""Facebook Messenger.

Source: Meta's "Messenger Platform: webhooks", "Send API" and "quick replies".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from knowledge.answer import Reply
from web.channels import meta, render
from web.channels.base import Ack, Call, Channel, Inbound, Request
from web.channels.render import Bubble, View
from web.channels.settings import ChannelSettings, secret
from web.channels.text import utf16

TEXT = 2000
QUICK, TITLE = 13, 20
GET_STARTED = "GET_STARTED"


class Messenger(Channel):
    """A Facebook page's inbox."""

    name: ClassVar[str] = "messenger"
    ack_within: ClassVar[float] = 4.0  # Meta wants it within 5 s

    def __init__(self, settings: ChannelSettings):
        super().__init__(settings)
        self._secret = secret(settings.messenger_app_secret)
        self._verify_token = secret(settings.messenger_verify_token)
        self._token = secret(settings.messenger_page_token)

    def challenge(self, query: Mapping[str, str]) -> str:
        return meta.challenge(query, self._verify_token)

    def verify(self, request: Request) -> None:
        meta.verify(request, self._secret)

    def parse(self, request: Request) -> list[Inbound]:
        found = []
        for entry in meta.objects(meta.document(request, "page").get("entry")):
            if str(entry.get("id")) != self.settings.messenger_page_id:
                continue
            found += [m for m in map(self._inbound, meta.objects(entry.get("messaging"))) if m]
        return found

    def _inbound(self, event: dict[str, Any]) -> Inbound | None:
        sender = meta.words(meta.inner(event, "sender", "id"))
        message, postback = event.get("message"), event.get("postback")
        if (
            not sender
            or meta.inner(message, "is_echo")
            or not (isinstance(message, dict) or isinstance(postback, dict))
        ):
            return None  # read receipts, our own messages
        stamp = meta.number(event.get("timestamp")) / 1000
        payload = meta.words(meta.inner(message, "quick_reply", "payload") or meta.inner(postback, "payload"))
        text = meta.words(meta.inner(message, "text"))
        attached = bool(meta.inner(message, "attachments"))
        begin = payload == GET_STARTED
        if not (text or attached or begin or render.read_option(payload)):
            return None
        return Inbound(
            channel="messenger",
            account=self.settings.messenger_page_id or "",
            user=sender,
            message_id=meta.words(meta.inner(message, "mid") or meta.inner(postback, "mid"))
            or f"{sender} {stamp} {payload}",
            text="" if begin else text,
            chat=sender,
            media=attached,
            begin=begin,
            tap=render.read_option(payload),
            sent_at=stamp,
        )

    def fits(self, text: str) -> bool:
        return utf16(text) <= TEXT

    def pages(self, view: View, reply: Reply, channel: str) -> list[list[Bubble]]:
        number = any(len(s) > TITLE for s in reply["suggestions"])
        return [render.rich(view, reply, self.fits, number=number)]

    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        message: dict[str, Any] = {"text": bubble.text}
        if bubble.options:
            short = all(len(o.label) <= TITLE for o in bubble.options)
            message["quick_replies"] = [
                {"content_type": "text", "title": o.label if short else str(n), "payload": o.value}
                for n, o in enumerate(bubble.options[:QUICK], 1)
            ]
        data = {"recipient": {"id": inbound.chat}, "messaging_type": "RESPONSE", "message": message}
        url = f"{self.settings.meta_api}/{self.settings.messenger_page_id}/messages"
        return Call(url, json=data, headers={"Authorization": f"Bearer {self._token}"})

    def problem(self, response: httpx.Response) -> str | None:
        return meta.problem(response)

    def ack(self, bubbles: list[Bubble] | None) -> Ack:
        return Ack("EVENT_RECEIVED")
