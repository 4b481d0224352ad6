"""Telegram.

Source: core.telegram.org/bots/api (setWebhook, Update, sendMessage, InlineKeyboardButton).
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import httpx

from web.channels import render
from web.channels.base import Call, Channel, Inbound, Request, same
from web.channels.errors import BadPayload, BadSignature
from web.channels.meta import inner, number, objects, words
from web.channels.render import Bubble
from web.channels.settings import ChannelSettings, secret
from web.channels.text import utf16

TEXT = 4096
MEDIA = (
    "photo", "voice", "video", "video_note", "audio", "document", "sticker", "animation", "location", "contact", "dice",
    "poll", "venue", "story", "paid_media",
)  # fmt: skip
GROUPS = ("group", "supergroup", "channel")


class Telegram(Channel):
    """A Telegram bot."""

    name: ClassVar[str] = "telegram"

    def __init__(self, settings: ChannelSettings):
        super().__init__(settings)
        token = secret(settings.telegram_bot_token)
        self._base = f"{settings.telegram_api}/bot{token}"
        self._bot = token.split(":", 1)[0]
        self._secret = secret(settings.telegram_secret_token)

    def verify(self, request: Request) -> None:
        if not same(request.headers.get("x-telegram-bot-api-secret-token"), self._secret):
            raise BadSignature

    def parse(self, request: Request) -> list[Inbound]:
        try:
            update = json.loads(request.body)
        except (ValueError, RecursionError):
            raise BadPayload from None
        if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
            raise BadPayload
        found: Inbound | None
        if isinstance(query := update.get("callback_query"), dict):
            found = self._tapped(update, query)
        else:
            message = update.get("message") or update.get("edited_message")
            found = self._message(update, message) if isinstance(message, dict) else None
        return [found] if found else []

    def _message(self, update: dict[str, Any], message: dict[str, Any]) -> Inbound | None:
        sender = message.get("from")
        chat = inner(message, "chat", "id")
        if not isinstance(sender, dict) or sender.get("is_bot") or chat is None:
            return None
        text = words(message.get("text") or message.get("caption"))
        media = any(kind in message for kind in MEDIA)
        if not text and not media:
            return None  # somebody joined, a title changed …
        grouped = inner(message, "chat", "type") in GROUPS
        return Inbound(
            channel="telegram",
            account=self._bot,
            user=str(sender.get("id")),
            message_id=str(update["update_id"]),
            text=text,
            chat=f"{chat}/{message.get('message_id', '')}",
            media=media,
            group=str(chat) if grouped else None,
            edited="edited_message" in update,
            language=words(sender.get("language_code"))[:2] or None,
            sent_at=number(message.get("date")) + update["update_id"] % 10**6 / 10**6,
        )

    def _tapped(self, update: dict[str, Any], query: dict[str, Any]) -> Inbound | None:
        tap = render.read_option(words(query.get("data")))
        chat, message = inner(query, "message", "chat", "id"), inner(query, "message", "message_id")
        user = inner(query, "from", "id")
        if tap is None or chat is None or user is None or inner(query, "message", "chat", "type") in GROUPS:
            return None
        return Inbound(
            channel="telegram",
            account=self._bot,
            user=str(user),
            message_id=str(update["update_id"]),
            text=_label(query, tap),
            chat=f"{chat}/{message or ''}/{words(query.get('id'))}",
            tap=tap,
            language=words(inner(query, "from", "language_code"))[:2] or None,
        )

    def fits(self, text: str) -> bool:
        return utf16(text) <= TEXT

    def before(self, inbound: Inbound) -> list[Call]:
        """End the waiting sign on a tapped button."""
        if inbound.tap is None:
            return []
        return [Call(f"{self._base}/answerCallbackQuery", json={"callback_query_id": inbound.chat.split("/")[2]})]

    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        chat, message, *_ = inbound.chat.split("/")
        data: dict[str, Any] = {
            "chat_id": int(chat),
            "text": bubble.text,
            "link_preview_options": {"is_disabled": True},
        }
        if (quote or inbound.group) and message.isdigit():
            data["reply_parameters"] = {"message_id": int(message), "allow_sending_without_reply": True}
        if bubble.options:  # one below the other: side by side their words are cut on a phone
            data["reply_markup"] = {
                "inline_keyboard": [[{"text": o.label, "callback_data": o.value}] for o in bubble.options]
            }
        return Call(f"{self._base}/sendMessage", json=data)

    def problem(self, response: httpx.Response) -> str | None:
        try:
            answer = response.json()
            return None if answer["ok"] is True else str(answer.get("error_code", response.status_code))
        except (ValueError, KeyError, TypeError):
            return str(response.status_code)


def _label(query: dict[str, Any], tap: tuple[str, int]) -> str:
    """What the tapped button said, so that it can be asked again although its reply is gone."""
    for row in inner(query, "message", "reply_markup", "inline_keyboard") or ():
        for button in objects(row):
            if render.read_option(words(button.get("callback_data"))) == tap:
                return words(button.get("text"))
    return ""
