"""WhatsApp by Meta's Cloud API.

Source: Meta's "Cloud API: messages", "interactive reply buttons" and "webhooks reference".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from knowledge.answer import Reply
from web.channels import meta, render
from web.channels.base import Call, Channel, Inbound, Request
from web.channels.render import Bubble, Option, View
from web.channels.settings import ChannelSettings, secret
from web.channels.text import clip, utf16

TEXT = 4096
BODY = 1024  # of an interactive message
BUTTONS, BUTTON = 3, 20
ROWS, ROW, DESCRIPTION = 10, 24, 72
# system messages, reactions and the like ask for nothing
MEDIA = frozenset({"image", "audio", "video", "document", "sticker", "location", "contacts", "unsupported", "order"})


class WhatsApp(Channel):
    """WhatsApp Business, Cloud API."""

    name: ClassVar[str] = "whatsapp"

    def __init__(self, settings: ChannelSettings):
        super().__init__(settings)
        self._secret = secret(settings.whatsapp_app_secret)
        self._verify_token = secret(settings.whatsapp_verify_token)
        self._token = secret(settings.whatsapp_access_token)

    def challenge(self, query: Mapping[str, str]) -> str:
        return meta.challenge(query, self._verify_token)

    def verify(self, request: Request) -> None:
        meta.verify(request, self._secret)

    def parse(self, request: Request) -> list[Inbound]:
        found = []
        for entry in meta.objects(meta.document(request, "whatsapp_business_account").get("entry")):
            for change in meta.objects(entry.get("changes")):
                value = change.get("value")
                number = meta.words(meta.inner(value, "metadata", "phone_number_id"))
                if change.get("field") != "messages" or number != self.settings.whatsapp_phone_number_id:
                    continue
                found += [m for m in map(self._inbound, meta.objects(meta.inner(value, "messages"))) if m]
        return found

    def _inbound(self, message: dict[str, Any]) -> Inbound | None:
        kind = message.get("type")
        reply = meta.inner(message, "interactive", "button_reply") or meta.inner(message, "interactive", "list_reply")
        text = meta.words(
            meta.inner(message, "text", "body")
            or meta.inner(message, str(kind), "caption")
            or meta.inner(reply, "title")
            or meta.inner(message, "button", "text")
        )
        sender, message_id = meta.words(message.get("from")), meta.words(message.get("id"))
        if not sender or not message_id or not (text or kind in MEDIA):
            return None
        return Inbound(
            channel="whatsapp",
            account=self.settings.whatsapp_phone_number_id or "",
            user=sender,
            message_id=message_id,
            text=text,
            chat=sender,
            media=kind in MEDIA,
            group=meta.words(message.get("group_id")) or None,
            tap=render.read_option(meta.words(meta.inner(reply, "id"))),
            sent_at=meta.number(message.get("timestamp")),
        )

    def fits(self, text: str) -> bool:
        return utf16(text) <= TEXT

    def pages(self, view: View, reply: Reply, channel: str) -> list[list[Bubble]]:
        """A text, then the suggestions as buttons or a list; in one message when the body allows it."""
        choices = reply["suggestions"]
        if not choices:
            return [render.rich(view, reply, self.fits)]
        short = all(len(c) <= BUTTON for c in choices) and len(choices) <= BUTTONS
        number = not short and len(choices) <= BUTTONS
        whole = render.rich(view, reply, self.fits, number=number)
        if len(whole) == 1 and utf16(whole[0].text) <= BODY:
            return [whole]
        return [render.rich(view, reply, self.fits, number=number, apart=True)]

    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        data: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": inbound.chat}
        if inbound.group:
            data |= {"recipient_type": "group", "to": inbound.group}
        if quote or inbound.group:
            data["context"] = {"message_id": inbound.message_id}
        if bubble.options:
            data |= {"type": "interactive", "interactive": interactive(bubble)}
        else:
            data |= {"type": "text", "text": {"body": bubble.text, "preview_url": False}}
        url = f"{self.settings.meta_api}/{self.settings.whatsapp_phone_number_id}/messages"
        return Call(url, json=data, headers={"Authorization": f"Bearer {self._token}"})

    def problem(self, response: httpx.Response) -> str | None:
        return meta.problem(response)


def interactive(bubble: Bubble) -> dict[str, Any]:
    """Buttons for up to three suggestions, a list for more.

    A label that is too long for a button is in the text under its number, and the button shows the number.
    """
    options = bubble.options[:ROWS]
    body = {"text": bubble.text}
    if len(options) <= BUTTONS:
        short = all(len(o.label) <= BUTTON for o in options)
        buttons = [
            {"type": "reply", "reply": {"id": o.value, "title": o.label if short else str(n)}}
            for n, o in enumerate(options, 1)
        ]
        return {"type": "button", "body": body, "action": {"buttons": buttons}}
    rows = [_row(n, o) for n, o in enumerate(options, 1)]
    return {"type": "list", "body": body, "action": {"button": bubble.menu, "sections": [{"rows": rows}]}}


def _row(number: int, option: Option) -> dict[str, str]:
    if len(option.label) <= ROW:
        return {"id": option.value, "title": option.label}
    return {
        "id": option.value,
        "title": clip(f"{number}. {option.label}", ROW),
        "description": clip(option.label, DESCRIPTION),
    }
