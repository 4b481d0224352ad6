"""Slack: direct messages to the app; one address for events and for tapped buttons.

Source: api.slack.com "Verifying requests from Slack", "Events API", "Block Kit".
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx
from slack_sdk.signature import SignatureVerifier

from web.channels import render
from web.channels.base import Ack, Call, Channel, Inbound, Request
from web.channels.errors import BadPayload, BadSignature
from web.channels.meta import inner, number, objects, words
from web.channels.render import Bubble
from web.channels.settings import ChannelSettings, secret
from web.channels.text import clip, divide

SECTION = 3000
BUTTON = 75


class Slack(Channel):
    """A Slack app."""

    name: ClassVar[str] = "slack"
    ack_within: ClassVar[float] = 2.0  # Slack sends again after 3 s

    def __init__(self, settings: ChannelSettings):
        super().__init__(settings)
        self._verifier = SignatureVerifier(secret(settings.slack_signing_secret))
        self._token = secret(settings.slack_bot_token)

    def verify(self, request: Request) -> None:
        """The signature, and a time stamp of the last five minutes."""
        stamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not stamp.isascii() or not stamp.isdigit() or not signature:
            raise BadSignature
        try:
            good = self._verifier.is_valid(request.body, stamp, signature)
        except (TypeError, ValueError):  # a body or a signature that is no text
            good = False
        if not good:
            raise BadSignature

    def greeting(self, request: Request) -> Ack | None:
        """Slack's url_verification, which is signed like everything else."""
        data = _json(request.body) if not _is_form(request) else {}
        if data.get("type") != "url_verification":
            return None
        return Ack(words(data.get("challenge")))

    def parse(self, request: Request) -> list[Inbound]:
        if _is_form(request):
            found = self._tapped(request)
        else:
            data = _json(request.body)
            event = data.get("event")
            found = (
                self._event(data, event) if data.get("type") == "event_callback" and isinstance(event, dict) else None
            )
        return [found] if found else []

    def _event(self, data: dict[str, Any], event: dict[str, Any]) -> Inbound | None:
        subtype = event.get("subtype")
        message = event
        if subtype == "message_changed" and isinstance(event.get("message"), dict):
            message = {**event["message"], "channel": event.get("channel"), "channel_type": event.get("channel_type")}
        elif subtype not in (None, "file_share", "thread_broadcast"):
            return None  # joins, deletions, our own messages
        user = words(message.get("user"))
        if event.get("type") not in ("message", "app_mention") or not user or message.get("bot_id"):
            return None
        channel = words(message.get("channel"))
        direct = message.get("channel_type") == "im" or channel.startswith("D")
        return Inbound(
            channel="slack",
            account=words(data.get("team_id")),
            user=user,
            message_id=words(data.get("event_id")),
            text=_plain(words(message.get("text"))),
            chat=f"{channel}/{words(message.get('thread_ts'))}/{words(message.get('ts'))}",
            media=bool(objects(message.get("files"))),
            group=None if direct else channel,
            edited=subtype == "message_changed",
            sent_at=number(message.get("ts")),
        )

    def _tapped(self, request: Request) -> Inbound | None:
        try:
            data = json.loads(parse_qs(request.body.decode("utf-8"))["payload"][0])
        except (ValueError, KeyError, RecursionError):
            raise BadPayload from None
        actions = objects(inner(data, "actions"))
        tap = render.read_option(words(actions[0].get("value"))) if actions else None
        user, channel = words(inner(data, "user", "id")), words(inner(data, "channel", "id"))
        if inner(data, "type") != "block_actions" or tap is None or not user or not channel.startswith("D"):
            return None
        return Inbound(
            channel="slack",
            account=words(inner(data, "team", "id")),
            user=user,
            message_id=f"{words(inner(data, 'trigger_id'))} {words(actions[0].get('action_ts'))}",
            text=words(inner(actions[0], "text", "text")),
            chat=f"{channel}//{words(inner(data, 'message', 'ts'))}",
            tap=tap,
            sent_at=number(actions[0].get("action_ts")),
        )

    def fits(self, text: str) -> bool:
        return len(text) <= SECTION

    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        channel, thread, stamp = inbound.chat.split("/")
        sections = divide(bubble.text, self.fits)
        blocks: list[dict[str, Any]] = [
            {"type": "section", "text": {"type": "plain_text", "text": part, "emoji": False}} for part in sections
        ]
        if bubble.options:
            buttons = [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": clip(o.label, BUTTON), "emoji": False},
                    "value": o.value,
                    "action_id": f"pick_{n}",
                }
                for n, o in enumerate(bubble.options, 1)
            ]
            blocks.append({"type": "actions", "elements": buttons})
        # plain_text keeps "*" and "_" as they are, but makes no links: mrkdwn off, links written in full stay readable
        data: dict[str, Any] = {
            "channel": channel, "text": bubble.text, "blocks": blocks, "mrkdwn": False, "unfurl_links": False,
            "unfurl_media": False,
        }  # fmt: skip
        if thread or quote or inbound.group:
            data["thread_ts"] = thread or stamp
        return Call(
            f"{self.settings.slack_api}/chat.postMessage", json=data, headers={"Authorization": f"Bearer {self._token}"}
        )

    def problem(self, response: httpx.Response) -> str | None:
        """Slack reports errors with status 200 and ok: false."""
        if not response.is_success:
            return str(response.status_code)
        try:
            answer = response.json()
            return None if answer.get("ok") is True else str(answer.get("error", "unknown"))
        except (ValueError, AttributeError):
            return "unreadable"


def _is_form(request: Request) -> bool:
    return "application/x-www-form-urlencoded" in request.headers.get("content-type", "")


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise BadPayload from None
    if not isinstance(data, dict):
        raise BadPayload
    return data


def _plain(text: str) -> str:
    """Slack escapes three characters."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
