"""SMS and WhatsApp by Twilio. The answer goes into the response (TwiML) while it is in time, else through the REST API.

Source: Twilio's "Security" page (X-Twilio-Signature), "TwiML for Programmable Messaging", "Messages resource".
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qsl

import httpx
from twilio.base.exceptions import TwilioException
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from knowledge.answer import Reply
from web.channels import render
from web.channels.base import Ack, Call, Channel, Inbound, Request
from web.channels.errors import BadPayload, BadSignature
from web.channels.render import Bubble, View
from web.channels.settings import ChannelSettings, secret
from web.channels.text import divide, segments, to_gsm

BODY = 1600  # characters that Twilio takes in one Body
WHATSAPP = "whatsapp:"
KEYWORDS = ("STOP", "START", "HELP")


class Twilio(Channel):
    """Twilio Programmable Messaging."""

    name: ClassVar[str] = "twilio"
    ack_within: ClassVar[float] = 10.0  # Twilio hangs up after 15 s
    inline: ClassVar[bool] = True

    def __init__(self, settings: ChannelSettings):
        super().__init__(settings)
        self._token = secret(settings.twilio_auth_token)
        self._sid = settings.twilio_account_sid or ""
        self._validator = RequestValidator(self._token)

    def verify(self, request: Request) -> None:
        signature = request.headers.get("x-twilio-signature")
        if not signature:
            raise BadSignature
        try:
            good = self._validator.validate(request.url, _fields(request), signature)
        except (TwilioException, ValueError, TypeError):
            good = False
        if not good:
            raise BadSignature

    def parse(self, request: Request) -> list[Inbound]:
        fields = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if fields.get("AccountSid") != self._sid:
            raise BadPayload
        sender, sid = fields.get("From", ""), fields.get("MessageSid") or fields.get("SmsSid") or ""
        if not sender or not sid:
            return []  # a status callback
        if fields.get("MessageStatus") or fields.get("SmsStatus", "received") != "received":
            return []
        keyword = fields.get("OptOutType", "").upper()
        payload = render.read_option(fields.get("ButtonPayload", ""))
        inbound = Inbound(
            channel="whatsapp" if sender.startswith(WHATSAPP) else "sms",
            account=fields.get("To", ""),
            user=sender,
            message_id=sid,
            text=fields.get("Body", ""),
            chat=sender,
            media=fields.get("NumMedia", "0") not in ("", "0") or "Latitude" in fields,
            tap=payload,
            handled=keyword if keyword in KEYWORDS else None,  # type: ignore[arg-type]
        )
        return [inbound]

    def pages(self, view: View, reply: Reply, channel: str) -> list[list[Bubble]]:
        if channel == "sms":
            return render.sms(view, reply)
        return [render.rich(view, reply, self.fits, number=True)]

    def fits(self, text: str) -> bool:
        return len(text) <= BODY

    def line(self, view: View, text: str, channel: str) -> list[Bubble]:
        if channel == "sms":
            text = to_gsm(text, view.fold)
            return [Bubble(part) for part in divide(text, lambda t: segments(t) <= render.MORE_SEGMENTS)]
        return [Bubble(text)]

    def call(self, bubble: Bubble, inbound: Inbound, quote: bool = False) -> Call:
        url = f"{self.settings.twilio_api}/2010-04-01/Accounts/{self._sid}/Messages.json"
        form = {"To": inbound.chat, "From": inbound.account, "Body": bubble.text}
        return Call(url, form=form, auth=(self._sid, self._token))

    def problem(self, response: httpx.Response) -> str | None:
        if response.is_success:
            return None
        try:
            return str(response.json()["code"])  # 21610: the person has sent STOP
        except (ValueError, KeyError, TypeError):
            return str(response.status_code)

    def ack(self, bubbles: list[Bubble] | None) -> Ack:
        """TwiML; empty means that nothing is said now."""
        answer = MessagingResponse()
        for bubble in bubbles or ():
            answer.message(bubble.text)
        return Ack(str(answer), content_type="text/xml; charset=utf-8")


def _fields(request: Request) -> dict[str, str | list[str]]:
    """Form fields as the validator wants them: all values of a name."""
    fields: dict[str, str | list[str]] = {}
    if "application/x-www-form-urlencoded" not in request.headers.get("content-type", ""):
        raise BadSignature
    try:
        pairs = parse_qsl(request.body.decode("utf-8"), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        raise BadSignature from None
    for name, value in pairs:
        known = fields.setdefault(name, value)
        if known is not value:
            fields[name] = [*(known if isinstance(known, list) else [known]), value]
    return fields
