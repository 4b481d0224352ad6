"""The platforms' webhooks, in their real shapes and signed by their own algorithms.

The signatures are computed here from the platforms' descriptions, not with the code that checks them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from web.channels.settings import ChannelSettings, secret
from web.channels.simulator.platform import Platform

BOT = "123456789:AAE-pretended-token-000000000000000"
SID = "AC" + "0" * 31 + "1"
_numbers = itertools.count(int(time.time()) % 10**6 * 1000)


def pretend_settings(platform: Platform, public_url: str | None = None, **more: Any) -> ChannelSettings:
    """Settings with every channel on, all of them pretended."""
    values: dict[str, Any] = {
        "channel_secret": secrets.token_hex(32),
        "public_url": public_url,
        "twilio_account_sid": SID,
        "twilio_auth_token": "12345",
        "whatsapp_app_secret": "pretended-app-secret",
        "whatsapp_verify_token": "pretended-verify-token",
        "whatsapp_access_token": "pretended-access-token",
        "whatsapp_phone_number_id": "106540352242922",
        "telegram_bot_token": BOT,
        "telegram_secret_token": "pretended_secret_token",
        "messenger_app_secret": "pretended-app-secret",
        "messenger_verify_token": "pretended-verify-token",
        "messenger_page_token": "pretended-page-token",
        "messenger_page_id": "1067280970047460",
        "slack_signing_secret": "8f742231b10e8888abcd99yyyzzz85a5",
        "slack_bot_token": "xoxb-pretended",
        **platform.settings(),
        **more,
    }
    return ChannelSettings(_env_file=None, **values)


@dataclass(frozen=True)
class Hook:
    """A webhook request."""

    path: str
    body: bytes
    headers: dict[str, str]


class Sender(ABC):
    """One person's phone on one platform.

    Args:
        settings: The channels' settings, whose secrets sign.
        base: Address of the server, as the platform calls it.
        user: The person's id or number.

    """

    channel: str
    user_id: str = ""

    def __init__(self, settings: ChannelSettings, base: str, user: str | None = None):
        self.settings, self.base = settings, base
        self.user = user or self.user_id

    @property
    def address(self) -> str:
        """Where messages to this person go, as the platform gets it."""
        return self.user

    @abstractmethod
    def text(self, text: str, message_id: str | None = None, at: float | None = None) -> Hook:
        """The person writes."""

    @abstractmethod
    def media(self, caption: str = "") -> Hook:
        """The person sends an image."""

    def tap(self, label: str, value: str) -> Hook:
        """The person taps a button."""
        raise NotImplementedError

    def group(self, text: str) -> Hook:
        """The person writes in a group."""
        raise NotImplementedError

    def _json(self, path: str, data: dict[str, Any], headers: dict[str, str]) -> Hook:
        body = json.dumps(data).encode()
        return Hook(path, body, {"Content-Type": "application/json", **headers})


def fresh() -> str:
    """A new id part."""
    return f"{next(_numbers)}{secrets.token_hex(4)}"


class TwilioSms(Sender):
    """SMS by Twilio."""

    channel, user_id, prefix = "twilio", "+15005550006", ""

    def text(self, text: str, message_id: str | None = None, at: float | None = None, **fields: str) -> Hook:
        sid = message_id or "SM" + secrets.token_hex(16)
        number = self.prefix + self.user
        data = {
            "ToCountry": "US", "SmsMessageSid": sid, "NumMedia": "0", "SmsSid": sid, "SmsStatus": "received",
            "Body": text, "To": self.prefix + "+15005550001", "NumSegments": "1", "MessageSid": sid,
            "AccountSid": self.settings.twilio_account_sid or "", "From": number, "ApiVersion": "2010-04-01", **fields,
        }  # fmt: skip
        path = "/channels/twilio"
        signed = self.base + path + "".join(k + v for k, v in sorted(data.items()))
        token = secret(self.settings.twilio_auth_token).encode()
        signature = base64.b64encode(hmac.new(token, signed.encode(), hashlib.sha1).digest()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        return Hook(path, urlencode(data).encode(), headers)

    @property
    def address(self) -> str:
        return self.prefix + self.user

    def media(self, caption: str = "") -> Hook:
        return self.text(caption, NumMedia="1", MediaUrl0="https://api.twilio.com/x", MediaContentType0="image/jpeg")


class TwilioWhatsApp(TwilioSms):
    """WhatsApp by Twilio."""

    prefix = "whatsapp:"


class Meta(Sender):
    """What WhatsApp and Messenger share."""

    def _signed(self, data: dict[str, Any], app_secret: str) -> Hook:
        body = json.dumps(data, ensure_ascii=True).encode()
        signature = "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
        return Hook(
            f"/channels/{self.channel}", body, {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
        )


class WhatsApp(Meta):
    """WhatsApp, Cloud API."""

    channel, user_id = "whatsapp", "16505551234"

    def message(self, *messages: dict[str, Any]) -> Hook:
        """A webhook with any messages."""
        number = self.settings.whatsapp_phone_number_id
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
            "contacts": [{"profile": {"name": "A Person"}, "wa_id": self.user}],
            "messages": list(messages),
        }
        entry = {"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}
        data = {"object": "whatsapp_business_account", "entry": [entry]}
        return self._signed(data, secret(self.settings.whatsapp_app_secret))

    def raw(self, kind: str, message_id: str | None = None, at: float | None = None, **content: Any) -> dict[str, Any]:
        """One message object."""
        stamp = str(int(at or time.time()))
        return {"from": self.user, "id": message_id or f"wamid.{fresh()}", "timestamp": stamp, "type": kind, **content}

    def text(self, text: str, message_id: str | None = None, at: float | None = None) -> Hook:
        return self.message(self.raw("text", message_id, at, text={"body": text}))

    def media(self, caption: str = "") -> Hook:
        image = {"mime_type": "image/jpeg", "sha256": "x", "id": "1", **({"caption": caption} if caption else {})}
        return self.message(self.raw("image", image=image))

    def tap(self, label: str, value: str) -> Hook:
        return self.message(
            self.raw("interactive", interactive={"type": "button_reply", "button_reply": {"id": value, "title": label}})
        )

    def group(self, text: str) -> Hook:
        return self.message(self.raw("text", text={"body": text}) | {"group_id": "Y2FwaV9ncm91cA"})


class Telegram(Sender):
    """Telegram."""

    channel, user_id = "telegram", "4455667788"

    def update(self, **content: Any) -> Hook:
        """A webhook with any update."""
        data = {"update_id": next(_numbers), **content}
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret(self.settings.telegram_secret_token)}
        return self._json("/channels/telegram", data, headers)

    def _person(self) -> dict[str, Any]:
        return {"id": int(self.user), "is_bot": False, "first_name": "A", "language_code": "en"}

    def message(self, at: float | None = None, chat: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
        """One message object."""
        private = {"id": int(self.user), "first_name": "A", "type": "private"}
        stamp = int(at or time.time())
        return {"message_id": next(_numbers), "from": self._person(), "chat": chat or private, "date": stamp, **content}

    def text(self, text: str, message_id: str | None = None, at: float | None = None) -> Hook:
        content: dict[str, Any] = {"update_id": int(message_id)} if message_id else {}
        return self.update(message=self.message(at, text=text), **content)

    def media(self, caption: str = "") -> Hook:
        photo = [{"file_id": "x", "file_unique_id": "y", "width": 90, "height": 51, "file_size": 1101}]
        content: dict[str, Any] = {"photo": photo} | ({"caption": caption} if caption else {})
        return self.update(message=self.message(**content))

    def tap(self, label: str, value: str) -> Hook:
        keyboard = {"inline_keyboard": [[{"text": label, "callback_data": value}]]}
        message = self.message(text="…", reply_markup=keyboard)
        query = {"id": fresh(), "from": self._person(), "message": message, "chat_instance": "1", "data": value}
        return self.update(callback_query=query)

    def group(self, text: str) -> Hook:
        chat = {"id": -1001234567890, "title": "Pain group", "type": "supergroup"}
        return self.update(message=self.message(chat=chat, text=text))


class Messenger(Meta):
    """Facebook Messenger."""

    channel, user_id = "messenger", "7004321098765432"

    def event(self, **content: Any) -> Hook:
        """A webhook with any event."""
        page = self.settings.messenger_page_id
        event = {
            "sender": {"id": self.user},
            "recipient": {"id": page},
            "timestamp": int(time.time() * 1000),
            **content,
        }
        data = {"object": "page", "entry": [{"id": page, "time": int(time.time() * 1000), "messaging": [event]}]}
        return self._signed(data, secret(self.settings.messenger_app_secret))

    def text(self, text: str, message_id: str | None = None, at: float | None = None) -> Hook:
        stamp = {"timestamp": int(at * 1000)} if at else {}
        return self.event(message={"mid": message_id or f"m_{fresh()}", "text": text}, **stamp)

    def media(self, caption: str = "") -> Hook:
        attachment = {"type": "image", "payload": {"url": "https://x"}}
        return self.event(
            message={"mid": f"m_{fresh()}", "attachments": [attachment], **({"text": caption} if caption else {})}
        )

    def tap(self, label: str, value: str) -> Hook:
        return self.event(message={"mid": f"m_{fresh()}", "text": label, "quick_reply": {"payload": value}})


class Slack(Sender):
    """Slack."""

    channel, user_id = "slack", "U2CERLKJA"

    @property
    def address(self) -> str:
        return f"D{self.user[1:]}"

    def signed(self, body: bytes, content_type: str = "application/json", at: float | None = None) -> Hook:
        """Any body, signed at a time."""
        stamp = str(int(at or time.time()))
        key = secret(self.settings.slack_signing_secret).encode()
        signature = "v0=" + hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": content_type, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        return Hook("/channels/slack", body, headers)

    def event(self, message_id: str | None = None, **event: Any) -> Hook:
        """A webhook with any event."""
        data = {
            "token": "x", "team_id": "T1DC2JH3J", "api_app_id": "A1", "type": "event_callback",
            "event_id": message_id or f"Ev{fresh()}", "event_time": int(time.time()), "event": event,
        }  # fmt: skip
        return self.signed(json.dumps(data).encode())

    def _message(self, text: str, at: float | None = None, **more: Any) -> dict[str, Any]:
        stamp = f"{at or time.time():.6f}"
        return {
            "type": "message", "channel": self.address, "user": self.user, "text": text, "ts": stamp, "event_ts": stamp,
            "channel_type": "im", **more,
        }  # fmt: skip

    def text(self, text: str, message_id: str | None = None, at: float | None = None) -> Hook:
        return self.event(message_id, **self._message(text, at))

    def media(self, caption: str = "") -> Hook:
        return self.event(**self._message(caption, subtype="file_share", files=[{"id": "F1", "mimetype": "image/png"}]))

    def tap(self, label: str, value: str) -> Hook:
        action = {
            "type": "button",
            "action_id": "pick_1",
            "value": value,
            "text": {"type": "plain_text", "text": label},
        }
        data = {
            "type": "block_actions", "team": {"id": "T1DC2JH3J"}, "user": {"id": self.user}, "trigger_id": fresh(),
            "channel": {"id": self.address}, "message": {"ts": f"{time.time():.6f}"},
            "actions": [{**action, "action_ts": f"{time.time():.6f}"}],
        }  # fmt: skip
        return self.signed(urlencode({"payload": json.dumps(data)}).encode(), "application/x-www-form-urlencoded")

    def group(self, text: str) -> Hook:
        return self.event(**self._message(text, channel="C0123456", channel_type="channel"))


# What the command line calls them.
PHONES: dict[str, type[Sender]] = {
    "sms": TwilioSms,
    "whatsapp-twilio": TwilioWhatsApp,
    "whatsapp": WhatsApp,
    "telegram": Telegram,
    "messenger": Messenger,
    "slack": Slack,
}
