"""Signatures, handshakes and shapes: what may come in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest

from tests.channels.fakes import BASE, Phone, World
from web.channels import meta
from web.channels.base import Request
from web.channels.errors import BadSignature
from web.channels.simulator.platform import Platform
from web.channels.simulator.sender import pretend_settings
from web.channels.slack import Slack
from web.channels.twilio import Twilio

HEADERS = {
    "sms": "X-Twilio-Signature",
    "whatsapp-twilio": "X-Twilio-Signature",
    "whatsapp": "X-Hub-Signature-256",
    "messenger": "X-Hub-Signature-256",
    "telegram": "X-Telegram-Bot-Api-Secret-Token",
    "slack": "X-Slack-Signature",
}


# -- published examples ------------------------------------------------------------------------------------------------


def test_twilio_example() -> None:
    """The example of Twilio's "Security" page (auth token 12345)."""
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    platform = Platform()
    platform.close()
    channel = Twilio(pretend_settings(platform, twilio_auth_token="12345"))
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    channel.verify(Request(url, headers, body, {}))
    for wrong in (url.replace("bar=2", "bar=3"), url.split("?")[0]):
        with pytest.raises(BadSignature):
            channel.verify(Request(wrong, headers, body, {}))


SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    b"803a0bc887a14d10d2c447fce8b6703c"
)


def test_slack_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of Slack's "Verifying requests from Slack"."""
    platform = Platform()
    platform.close()
    channel = Slack(pretend_settings(platform, slack_signing_secret="8f742231b10e8888abcd99yyyzzz85a5"))
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    with pytest.raises(BadSignature):  # years later it is stale
        channel.verify(Request("", headers, SLACK_BODY, {}))
    monkeypatch.setattr(channel._verifier.clock, "now", lambda: 1531420618.0)
    channel.verify(Request("", headers, SLACK_BODY, {}))
    with pytest.raises(BadSignature):
        channel.verify(Request("", headers, SLACK_BODY + b"x", {}))


def test_hub_signature_example() -> None:
    """GitHub publishes an example for the same header and algorithm ("Validating webhook deliveries")."""
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    meta.verify(Request("", headers, b"Hello, World!", {}), "It's a Secret to Everybody")
    with pytest.raises(BadSignature):
        meta.verify(Request("", headers, b"Hello, World?", {}), "It's a Secret to Everybody")


# -- bad signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", ["", "x", "sha256=", "sha256=" + "0" * 64, "v0=" + "0" * 64, "é", None])
def test_a_bad_signature_gets_403_and_touches_nothing(phone: Phone, signature: str | None) -> None:
    hook = phone.sender.text("I want to kill myself")
    headers = dict(hook.headers)
    del headers[HEADERS[phone.name]]
    if signature is not None:
        headers[HEADERS[phone.name]] = signature
    before = phone.world.rows()
    response = phone.world.client.post(hook.path, data=hook.body, headers=headers)
    assert response.status_code == 403
    assert response.data == b""
    assert phone.world.rows() == before
    assert phone.world.platform.tries == 0
    assert phone.world.script.asked == []


def test_an_altered_body_gets_403(phone: Phone) -> None:
    if phone.name == "telegram":
        pytest.skip("Telegram's token does not cover the body")
    hook = phone.sender.text("Does ketamine help CRPS?")
    body = hook.body.replace(b"CRPS", b"CRXX")
    assert body != hook.body
    response = phone.world.client.post(hook.path, data=body, headers=hook.headers)
    assert response.status_code == 403


def test_stale_timestamp_is_refused(world: World) -> None:
    sender = world.phone("slack").sender
    body = b'{"type": "url_verification", "challenge": "c"}'
    assert world.post(sender.signed(body, at=time.time() - 299)).status_code == 200
    assert world.post(sender.signed(body, at=time.time() - 301)).status_code == 403
    assert world.post(sender.signed(body, at=time.time() + 400)).status_code == 403
    assert world.rows()["channel_seen"] == 0


def test_twilio_behind_a_proxy_and_with_a_query_string(world: World) -> None:
    """Twilio signs the address it called; the request that arrives says http and another host."""
    sender = world.phone("sms").sender
    sender.base = BASE
    hook = sender.text("hello")
    assert (
        world.client.post(hook.path, base_url="http://10.0.0.5:8080", data=hook.body, headers=hook.headers).status_code
        == 200
    )
    # the clinic put a query string into the webhook's address
    fields = {
        "From": "+15005550006",
        "To": "+15005550001",
        "MessageSid": "SM9",
        "Body": "hello",
        "AccountSid": world.settings.twilio_account_sid,
    }
    url = f"{BASE}/channels/twilio?clinic=1&x=%2F"
    signed = url + "".join(k + v for k, v in sorted(fields.items()))
    signature = base64.b64encode(hmac.new(b"12345", signed.encode(), hashlib.sha1).digest()).decode()
    good = world.client.post("/channels/twilio?clinic=1&x=%2F", data=fields, headers={"X-Twilio-Signature": signature})
    assert good.status_code == 200
    bad = world.client.post("/channels/twilio?clinic=2&x=%2F", data=fields, headers={"X-Twilio-Signature": signature})
    assert bad.status_code == 403


def test_twilio_of_another_account_is_refused(world: World) -> None:
    hook = world.phone("sms").sender.text("hello", AccountSid="AC" + "9" * 32)  # type: ignore[call-arg]
    assert world.post(hook).status_code == 400
    assert world.rows()["channel_seen"] == 0


# -- handshakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["whatsapp", "messenger"])
def test_metas_handshake(world: World, name: str) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "pretended-verify-token"}
    good = world.client.get(f"/channels/{name}", query_string=query)
    assert (good.status_code, good.data) == (200, b"1158201444")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "x"}, {"hub.verify_token": ""}):
        assert world.client.get(f"/channels/{name}", query_string={**query, **wrong}).status_code == 403


@pytest.mark.parametrize("name", ["twilio", "telegram", "slack"])
def test_no_handshake_by_get(world: World, name: str) -> None:
    assert world.client.get(f"/channels/{name}").status_code == 403


def test_slacks_handshake(world: World) -> None:
    sender = world.phone("slack").sender
    body = json.dumps({"token": "x", "challenge": "3eZbrw1aB10K", "type": "url_verification"}).encode()
    response = world.post(sender.signed(body))
    assert (response.status_code, response.data) == (200, b"3eZbrw1aB10K")


# -- shapes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff\xfe", b"{" * 5000, b'{"update_id": "x"}'])
def test_signed_nonsense_gets_400(world: World, body: bytes) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": "pretended_secret_token", "Content-Type": "application/json"}
    assert world.client.post("/channels/telegram", data=body, headers=headers).status_code == 400
    sender = world.phone("slack").sender
    assert world.post(sender.signed(body)).status_code in (200, 400, 403)
    assert world.rows()["channel_seen"] == 0


def test_meta_events_without_a_message_are_acknowledged(world: World) -> None:
    sender = world.phone("whatsapp").sender
    values = [
        {},
        {"object": "page"},
        {"object": "whatsapp_business_account", "entry": None},
        {
            "object": "whatsapp_business_account",
            "entry": [None, {"changes": [{"field": "messages", "value": {"statuses": [{}]}}]}],
        },
        {
            "object": "whatsapp_business_account",
            "entry": [{"changes": [{"field": "messages", "value": {"messages": ["x", {}]}}]}],
        },
    ]
    for value in values:
        assert world.post(sender._signed(value, "pretended-app-secret")).status_code == 200
    assert world.rows()["channel_seen"] == 0


def test_whatsapp_of_another_number_is_left_alone(world: World) -> None:
    sender = world.phone("whatsapp").sender
    hook = sender.text("hello")
    other = json.loads(hook.body)
    other["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "99999999"
    assert world.post(sender._signed(other, "pretended-app-secret")).status_code == 200
    assert world.platform.tries == 0


def test_a_batch_of_messages_is_answered_each(world: World) -> None:
    sender = world.phone("whatsapp").sender
    raws = [sender.raw("text", text={"body": f"Does ketamine help CRPS {n}?"}) for n in range(5)]
    assert world.post(sender.message(*raws, raws[0])).status_code == 200
    assert len(world.script.asked) == 5


def test_bodies_have_a_limit(world: World) -> None:
    response = world.client.post("/channels/whatsapp", data=b"x" * (3 * 1024 * 1024 + 1))
    assert response.status_code == 413


def test_unknown_channels_are_not_there(world: World) -> None:
    assert world.client.post("/channels/fax").status_code == 404
    assert world.client.get("/channels/fax").status_code == 404


def test_slack_ignores_bots_and_deletions(world: World) -> None:
    sender = world.phone("slack").sender
    for more in ({"bot_id": "B1"}, {"subtype": "message_deleted"}, {"subtype": "bot_message"}, {"user": ""}):
        world.post(sender.event(**sender._message("hello", **more)))
    assert world.platform.tries == 0


def test_messenger_ignores_echoes_and_receipts(world: World) -> None:
    sender = world.phone("messenger").sender
    world.post(sender.event(message={"mid": "m1", "text": "x", "is_echo": True}))
    world.post(sender.event(read={"watermark": 1}))
    assert world.platform.tries == 0
    world.post(sender.event(postback={"mid": "m2", "title": "Get Started", "payload": "GET_STARTED"}))
    assert "Ketamine Guide" in world.platform.messages()[0].text


def test_telegram_ignores_bots_and_joins(world: World) -> None:
    sender = world.phone("telegram").sender
    world.post(sender.update(message=sender.message(new_chat_title="x")))
    world.post(sender.update(my_chat_member={"chat": {"id": 1}}))
    robot = sender.message(text="hello")
    robot["from"]["is_bot"] = True
    world.post(sender.update(message=robot))
    assert world.platform.tries == 0


def test_edited_telegram_message_is_screened_only(world: World) -> None:
    sender = world.phone("telegram").sender
    world.post(sender.update(edited_message=sender.message(text="Does ketamine help CRPS?")))
    assert world.platform.messages() == []
    world.post(sender.update(edited_message=sender.message(text="I want to kill myself")))
    assert "988" in world.platform.messages()[0].text


# -- groups ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "to"), [("telegram", "-1001234567890"), ("slack", "C0123456"), ("whatsapp", "Y2FwaV9ncm91cA")]
)
def test_groups_are_left_alone_but_for_danger_once(world: World, name: str, to: str) -> None:
    phone = world.phone(name)
    world.post(phone.sender.group("Does ketamine help CRPS?"))
    world.post(phone.sender.group("STOP"))
    world.post(phone.sender.group("delete my data"))
    assert world.platform.messages() == []
    world.post(phone.sender.group("I want to kill myself"))
    world.post(phone.sender.group("I want to kill myself now"))
    shown = world.platform.messages(to)
    assert len(shown) == 1
    assert "988" in shown[0].text
    assert world.rows()["conversations"] == world.rows()["messages"] == 0


def test_twilio_opt_out_type_is_mirrored(world: World) -> None:
    phone = world.phone("sms")
    phone.say("Does ketamine help CRPS?")
    assert phone.post(phone.sender.text("BASTA", OptOutType="STOP")) == []  # type: ignore[call-arg]
    assert phone.say("Does ketamine help CRPS?") == []
    assert phone.post(phone.sender.text("VOLVER", OptOutType="START")) == []  # type: ignore[call-arg]
    assert phone.say("Does ketamine help CRPS?") != []
