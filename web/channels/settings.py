"""The channels' settings. `web.settings.Settings` inherits them, so that there is one list and one prefix."""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What must be set for a channel to be on: all of them, or none.
REQUIRED: dict[str, tuple[str, ...]] = {
    "twilio": ("twilio_account_sid", "twilio_auth_token"),
    "whatsapp": ("whatsapp_app_secret", "whatsapp_verify_token", "whatsapp_access_token", "whatsapp_phone_number_id"),
    "telegram": ("telegram_bot_token", "telegram_secret_token"),
    "messenger": ("messenger_app_secret", "messenger_verify_token", "messenger_page_token", "messenger_page_id"),
    "slack": ("slack_signing_secret", "slack_bot_token"),
}
_PREFIX = "KETAMINE_GUIDE_"


class ChannelSettings(BaseSettings):
    """Settings of the messaging channels."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_file=".env", extra="ignore", frozen=True)

    channel_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key of the hash that stands for a phone number or user id; needed by every channel, 32 "
        "characters or more. A new key forgets everybody, and every STOP.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s]+$",
        description="Address at which the platforms reach this server, without a path: Twilio signs it. Default: as "
        "the request says.",
    )
    channel_workers: int = Field(8, ge=1, le=64, description="Threads that answer messages of one channel.")
    channel_queue: int = Field(
        500,
        ge=1,
        le=100_000,
        description="Messages of one channel that may wait; beyond it the platform is told to send again (urgent "
        "ones are still answered).",
    )
    channel_seen_days: float = Field(
        8.0,
        gt=0,
        le=30,
        description="Days for which the hash of a platform's message id is kept, so that a retry is answered once. "
        "WhatsApp retries for 7.",
    )
    channel_retry_seconds: float = Field(
        0.5,
        ge=0,
        le=10,
        description="First wait before a message is sent again after a failure of the platform; it doubles each time.",
    )
    sms_accents: Literal["fold", "keep"] = Field(
        "fold",
        description="`fold` writes á í ó ú in SMS without accents, which keeps 160 characters a segment; `keep` "
        "costs more than twice the segments in Spanish.",
    )

    twilio_account_sid: str | None = Field(None, pattern=r"^AC[0-9a-fA-F]{32}$", description="Twilio account SID.")
    twilio_auth_token: SecretStr | None = Field(
        None, description="Twilio auth token: signs webhooks, sends late answers."
    )
    twilio_api: str = Field("https://api.twilio.com", description="Twilio's REST API; another address is for tests.")
    whatsapp_app_secret: SecretStr | None = Field(
        None, description="App secret of the Meta app: signs WhatsApp webhooks."
    )
    whatsapp_verify_token: SecretStr | None = Field(
        None, description="Word that you choose; Meta repeats it when the webhook is set up."
    )
    whatsapp_access_token: SecretStr | None = Field(
        None, description="Permanent system-user token with whatsapp_business_messaging."
    )
    whatsapp_phone_number_id: str | None = Field(
        None,
        pattern=r"^[0-9]{5,20}$",
        description="Phone number id (not the number) of the WhatsApp Business number.",
    )
    telegram_bot_token: SecretStr | None = Field(None, description="Token of the bot, from @BotFather.")
    telegram_secret_token: SecretStr | None = Field(
        None,
        min_length=16,
        max_length=256,
        description="secret_token given to setWebhook: 16 to 256 of A-Z a-z 0-9 _ -.",
    )
    telegram_api: str = Field(
        "https://api.telegram.org",
        description="Telegram's Bot API; another address is for tests or an own Bot API server.",
    )
    messenger_app_secret: SecretStr | None = Field(
        None, description="App secret of the Meta app: signs Messenger webhooks."
    )
    messenger_verify_token: SecretStr | None = Field(
        None, description="Word that you choose; Meta repeats it when the webhook is set up."
    )
    messenger_page_token: SecretStr | None = Field(None, description="Page access token with pages_messaging.")
    messenger_page_id: str | None = Field(
        None, pattern=r"^[0-9]{5,20}$", description="Id of the clinic's Facebook page."
    )
    meta_api: str = Field(
        "https://graph.facebook.com/v23.0", description="Meta's Graph API with its version, for WhatsApp and Messenger."
    )
    slack_signing_secret: SecretStr | None = Field(None, description="Signing secret of the Slack app.")
    slack_bot_token: SecretStr | None = Field(None, description="Bot token (xoxb-…) with chat:write and im:history.")
    slack_api: str = Field("https://slack.com/api", description="Slack's Web API; another address is for tests.")

    @model_validator(mode="after")
    def _channels(self) -> ChannelSettings:
        for name, needed in REQUIRED.items():
            missing = [f"{_PREFIX}{field.upper()}" for field in needed if getattr(self, field) is None]
            if missing and len(missing) < len(needed):
                raise ValueError(f"the channel {name} also needs {', '.join(missing)}")
        if self.channels and self.channel_secret is None:
            raise ValueError(
                f"the channels need {_PREFIX}CHANNEL_SECRET, 32 characters or more (from `openssl rand -hex 32`)"
            )
        for field in ("twilio_api", "telegram_api", "meta_api", "slack_api"):
            if not _safe(getattr(self, field)):
                raise ValueError(f"{_PREFIX}{field.upper()} must begin with https://, unless it is on the loopback")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that are on."""
        return tuple(
            name for name, needed in REQUIRED.items() if all(getattr(self, field) is not None for field in needed)
        )


def _safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        return parts.scheme == "http" and (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def secret(value: SecretStr | None) -> str:
    """A secret in clear.

    Raises:
        ValueError: when it is not set; a channel is only made when its settings are there.

    """
    if value is None:
        raise ValueError("a setting of this channel is missing")
    return value.get_secret_value()
