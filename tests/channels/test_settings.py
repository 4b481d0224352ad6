"""A channel is on only when all its settings are there."""

from __future__ import annotations

import pytest
from flask import Flask
from pydantic import ValidationError

from tests.channels.fakes import World
from web.channels.settings import REQUIRED, ChannelSettings
from web.channels.views import register


def made(**values: object) -> ChannelSettings:
    return ChannelSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


def test_without_settings_there_is_no_door(world: World) -> None:
    app = Flask("bare")
    assert register(app, made(), world.guide) == {}
    assert app.test_client().post("/channels/telegram").status_code == 404
    assert "channels" not in app.blueprints


def test_only_the_channels_that_are_set_are_open(world: World) -> None:
    app = Flask("one")
    values = {"telegram_bot_token": "1:x", "telegram_secret_token": "s" * 16, "channel_secret": "k" * 32}
    register(app, made(**values), world.guide)
    assert app.test_client().post("/channels/telegram").status_code == 403
    assert app.test_client().post("/channels/slack").status_code == 404


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_half_a_channel_is_one_clear_error(name: str) -> None:
    field = REQUIRED[name][-1]
    with pytest.raises(ValidationError) as error:
        made(channel_secret="k" * 32, **{field: "1234567890123456"})
    assert f"the channel {name} also needs KETAMINE_GUIDE_" in str(error.value)


def test_a_channel_needs_the_secret() -> None:
    with pytest.raises(ValidationError, match="CHANNEL_SECRET"):
        made(telegram_bot_token="1:x", telegram_secret_token="s" * 16)
    with pytest.raises(ValidationError):
        made(channel_secret="short")


@pytest.mark.parametrize("url", ["http://api.telegram.org", "ftp://x", "x", "http://127.0.0.1.evil.example"])
def test_platforms_are_reached_by_tls(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        made(telegram_api=url)
    assert made(telegram_api="http://127.0.0.1:9000").channels == ()


def test_secrets_are_not_printed() -> None:
    values = made(channel_secret="k" * 32, telegram_bot_token="1:plain", telegram_secret_token="s" * 16)
    assert "plain" not in repr(values)
    assert "k" * 32 not in repr(values)


def test_every_setting_is_described() -> None:
    for name, field in ChannelSettings.model_fields.items():
        assert field.description, name


def test_docs_name_every_setting() -> None:
    from pathlib import Path

    docs = "\n".join(p.read_text("utf-8") for p in (Path(__file__).parents[2] / "docs" / "channels").glob("*.md"))
    for name in ChannelSettings.model_fields:
        assert f"KETAMINE_GUIDE_{name.upper()}" in docs, name
