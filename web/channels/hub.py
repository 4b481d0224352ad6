"""A channel's message in, bubbles out: screening first, then manners, then the guide."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog

from knowledge.answer import COUNTRIES, Reply
from web.channels import commands
from web.channels.base import Channel, Identity, Inbound
from web.channels.commands import TWILIO_STOP, Command
from web.channels.delivery import TRIES, URGENT_TRIES, Delivery
from web.channels.errors import Undeliverable
from web.channels.render import Bubble, View, Words, compact
from web.channels.settings import ChannelSettings
from web.channels.state import State, User
from web.errors import Refusal
from web.guide import Guide, Incoming
from web.store import StoreError

GROUP_QUIET = 30 * 60.0  # seconds in which one person in one group gets the number once
LINE_QUIET = {"media": 60.0, "too_many": 600.0}  # seconds in which such a line is said once
SURE = 0.55  # share of the evidence; four words or more of it change the language of the answers
_WORD = re.compile(r"[^\W\d_]{2,}")
log = structlog.get_logger()
# A message that is not for the guide still passes its screen: with a refusal it answers only what is urgent.
_SCREEN_ONLY = Refusal("bad-request")


@dataclass(frozen=True)
class Answer:
    """What to send for one message."""

    bubbles: tuple[Bubble, ...] = ()

    @property
    def urgent(self) -> bool:
        """Whether somebody may be in danger: then we try longer to deliver it."""
        return any(b.urgent for b in self.bubbles)


class Quiet:
    """Remembers keys for a while, in memory: which lines were said lately, which messages came lately."""

    def __init__(self, limit: int = 10_000):
        self._limit = limit
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def first(self, key: str, seconds: float) -> bool:
        """Whether this is the first time within `seconds`."""
        now = time.monotonic()
        with self._lock:
            if self._until.get(key, 0.0) > now:
                return False
            if len(self._until) >= self._limit:
                self._until = {k: t for k, t in self._until.items() if t > now}
            if len(self._until) < self._limit:
                self._until[key] = now + seconds
            return True

    def forget(self, key: str) -> None:
        """As if it had never been said."""
        with self._lock:
            self._until.pop(key, None)


class Hub:
    """Answers the messages of all channels.

    Args:
        guide: The pipeline of `web.guide`.
        settings: The channels' settings.

    """

    def __init__(self, guide: Guide, settings: ChannelSettings):
        if settings.channel_secret is None:
            raise ValueError("channel_secret is needed")
        self.guide = guide
        self.settings = settings
        self.secret = settings.channel_secret.get_secret_value().encode()
        self.words = Words(guide.answerer.say)
        self.state = State(guide.store.engine, guide.store.expire_after, settings.channel_seen_days * 86400)
        self.delivery = Delivery(settings.channel_retry_seconds)
        self._quiet = Quiet()
        self._claims = Quiet(100_000)

    # -- ids ---------------------------------------------------------------------------------------------------------

    def identity(self, inbound: Inbound) -> Identity:
        """The keyed hashes of a message."""
        return Identity.of(self.secret, inbound)

    def claim(self, identity: Identity) -> bool:
        """Whether the message is new.

        This process's own memory is asked before the database, so that a failure of the database between two copies of
        a message cannot let both through.
        """
        if not self._claims.first(identity.message, 3600.0):
            return False
        try:
            return self.state.claim(identity.message)
        except StoreError:
            self._failed("claim")
            return True

    def finish(self, identity: Identity) -> None:
        """The message is answered."""
        try:
            self.state.finish(identity.message)
        except StoreError:
            self._failed("finish")

    def release(self, identity: Identity) -> None:
        """The message could not be taken; the platform will send it again."""
        self._claims.forget(identity.message)
        try:
            self.state.release(identity.message)
        except StoreError:
            self._failed("release")

    # -- answering ---------------------------------------------------------------------------------------------------

    def answer(self, channel: Channel, inbound: Inbound, identity: Identity) -> Answer:
        """The answer to a message. Never raises: a fault becomes `unavailable` with contacts."""
        try:
            return Answer(tuple(self._answer(channel, inbound, identity)))
        except Exception as error:  # a patient must not be met with silence
            self._failed("answer", error)
            try:
                return self.busy(channel, inbound, identity)
            except Exception as second:
                self._failed("answer", second)
                return Answer()

    def urgent_only(self, channel: Channel, inbound: Inbound, identity: Identity) -> Answer:
        """The answer of a server that is too busy: urgent messages only."""
        try:
            user = self._user(inbound, identity)
            return Answer(tuple(self._screened(channel, inbound, identity, user) or ()))
        except Exception as error:
            self._failed("answer", error)
            return Answer()

    def busy(self, channel: Channel, inbound: Inbound, identity: Identity) -> Answer:
        """What is said when nothing else can be: `unavailable`, with contacts, asking no store."""
        user = User(identity.user, inbound.channel, identity.conversation, language=self._guess(inbound.text))
        return Answer(tuple(self._unavailable(channel, inbound, self._view(user, None), user)))

    def deliver(self, channel: Channel, inbound: Inbound, answer: Answer, quote: bool = False) -> int:
        """Send an answer; returns how many bubbles were taken."""
        for call in channel.before(inbound):
            try:
                self.delivery.send(call, channel.problem, 1)
            except Undeliverable:
                self._failed("before")
        sent = 0
        for number, bubble in enumerate(answer.bubbles):
            call = channel.call(bubble, inbound, quote and number == 0)
            try:
                self.delivery.send(call, channel.problem, URGENT_TRIES if bubble.urgent else TRIES)
                sent += 1
            except Undeliverable as error:
                self._failed("send")
                log.error("channel.undeliverable", channel=inbound.channel, reason=error.reason, urgent=bubble.urgent)
                break  # what follows would stand without its beginning
        return sent

    # -- one message -------------------------------------------------------------------------------------------------

    def _answer(self, channel: Channel, inbound: Inbound, identity: Identity) -> list[Bubble]:
        if inbound.group is not None:
            return self._in_group(channel, inbound, identity)
        user = self._user(inbound, identity)
        command = commands.read(inbound.text) if inbound.tap is None else None
        text = inbound.text
        if inbound.tap is not None or (command is not None and command.name == "number"):
            picked = self._picked(user, inbound, command)
            text, command = picked or text, None
        if command is not None and not self._applies(command, user, channel):
            command = None
        aside = command is not None or user.stopped or inbound.edited or inbound.handled is not None or not text.strip()
        if aside:
            urgent = None if self._plain_help(command, identity) else self._screened(channel, inbound, identity, user)
            if command is not None or inbound.handled is not None or inbound.begin:
                said = self._command(channel, inbound, identity, user, command, bool(urgent))
                return [*(urgent or ()), *said]
            if urgent is not None:
                return urgent
            if user.stopped or inbound.edited:
                return []
            return self._media(channel, inbound, identity, user)
        return self._turn(channel, inbound, identity, user, text)

    def _turn(self, channel: Channel, inbound: Inbound, identity: Identity, user: User, text: str) -> list[Bubble]:
        """A message for the guide."""
        user = self._listen(inbound, user, text)
        self._open(inbound, identity, user)
        incoming = self._incoming(inbound, identity, text, None)
        try:
            try:
                reply = self.guide.message(incoming)
            except Refusal as refusal:
                if refusal.slug != "no-such-conversation":
                    raise
                self._open(inbound, identity, user)  # it expired or was deleted in between
                reply = self.guide.message(incoming)
        except Refusal as refusal:
            return self._refused(channel, inbound, identity, user, refusal)
        bubbles = self._show(channel, inbound, user, reply)
        if inbound.media:
            bubbles += self._media(channel, inbound, identity, user)
        return bubbles

    def _show(self, channel: Channel, inbound: Inbound, user: User, reply: Reply) -> list[Bubble]:
        """Render a reply, with the introduction beside the first one, and remember what numbers and MORE refer to."""
        view = self._view(user, reply)
        shown = channel.pages(view, reply, inbound.channel)[0]
        introduced = user.introduced
        if not introduced and reply["kind"] != "urgent":  # an emergency number stands alone
            greeted = reply["lead"] == self.words.reply("greeting", reply["language"])  # it says what this is itself
            intro = self._intro(channel, inbound, user, greeted)
            shown = [*shown, *intro] if greeted else [*intro, *shown]
            introduced = True
        if not user.stopped:
            self._save(replace(user, introduced=introduced, reply_id=reply["reply_id"], page=1))
        return shown

    def _screened(self, channel: Channel, inbound: Inbound, identity: Identity, user: User) -> list[Bubble] | None:
        """The urgent answer to a message that is otherwise not for the guide, or None."""
        if not inbound.text.strip():
            return None
        try:
            reply = self.guide.message(self._incoming(inbound, identity, inbound.text, _SCREEN_ONLY))
        except Refusal:
            return None
        return self._show(channel, inbound, user, reply)

    def _in_group(self, channel: Channel, inbound: Inbound, identity: Identity) -> list[Bubble]:
        """Groups are left alone but for somebody in danger, and then get the numbers once."""
        if not inbound.text.strip():
            return []
        user = User(identity.user, inbound.channel, identity.conversation)
        try:
            reply = self.guide.message(self._incoming(inbound, identity, inbound.text, _SCREEN_ONLY))
        except Refusal:
            return []
        try:
            first = self.state.claim(f"{identity.user[:60]}.grp", GROUP_QUIET)
        except StoreError:
            first = True
        return channel.pages(self._view(user, reply), reply, inbound.channel)[0] if first else []

    # -- commands ----------------------------------------------------------------------------------------------------

    def _applies(self, command: Command, user: User, channel: Channel) -> bool:
        """Whether a word is a command now, or something the person says to the guide."""
        if command.name == "yes":
            return user.stopped  # Twilio takes YES for START then; otherwise it is an answer
        if command.name == "more":
            return self._more(channel, user) is not None
        return True

    def _plain_help(self, command: Command | None, identity: Identity) -> bool:
        """Whether HELP is the carriers' keyword and no more: the screen takes the bare word for a call for help.

        Our help begins with the emergency numbers, so nobody loses them. While danger told before lasts, and when we
        cannot know, the word is screened like any other.
        """
        if command is None or command.name != "help":
            return False
        try:
            conversation = self.guide.store.get(identity.conversation_id)
        except StoreError:
            return False
        return conversation is None or conversation.watch is None

    def _command(
        self, channel: Channel, inbound: Inbound, identity: Identity, user: User, command: Command | None, urgent: bool
    ) -> list[Bubble]:
        """Do what a command says. What was urgent has been answered already, and is not followed by small print."""
        name = (inbound.handled or "").lower() or (command.name if command else "start")
        view = self._view(user, None)
        if name == "stop":
            self._save(replace(user, stopped=True))
            word = commands.folded(inbound.text)
            if inbound.handled or (inbound.channel == "sms" and word in TWILIO_STOP):
                return []  # Twilio has answered, and takes nothing more from us
            return self._line(channel, inbound, view, "stopped", user)
        if name in ("start", "yes"):
            user = replace(user, stopped=False, introduced=False)
            self._save(user)
            return [] if inbound.handled or urgent else self._begin(channel, inbound, identity, user)
        if inbound.handled or (urgent and name in ("help", "more")):
            return []
        if name == "help":
            return self._line(channel, inbound, view, "help", user)
        if name == "delete":
            return self._delete(channel, inbound, identity, user, view)
        if name == "more":
            return self._more(channel, user, inbound, turn=True) or []
        if name == "language" and command is not None:
            return self._set(channel, inbound, replace(user, language=command.value), "language_set")
        if name == "country" and command is not None:
            chosen = replace(user, region=command.value) if command.value else user
            return self._set(channel, inbound, chosen, "country_set" if command.value else "country_ask")
        return []

    def _begin(self, channel: Channel, inbound: Inbound, identity: Identity, user: User) -> list[Bubble]:
        """The greeting, with what this is and how to stop."""
        user = self._listen(inbound, user, "")
        setting = self._setting(user)
        reply = self.guide.answerer.greeting(setting)
        self._open(inbound, identity, user, reply)
        return self._show(channel, inbound, user, reply)

    def _delete(self, channel: Channel, inbound: Inbound, identity: Identity, user: User, view: View) -> list[Bubble]:
        try:
            self.guide.store.delete(identity.conversation_id)
            self.state.forget(identity.user)
        except StoreError:
            self._failed("delete")
            return self._unavailable(channel, inbound, view)
        return self._line(channel, inbound, view, "deleted", user)

    def _more(
        self, channel: Channel, user: User, inbound: Inbound | None = None, turn: bool = False
    ) -> list[Bubble] | None:
        """The next page of the last reply, or None when there is none."""
        try:
            reply = self.state.reply(user, user.reply_id)
        except StoreError:
            return None
        if reply is None:
            return None
        pages = channel.pages(self._view(user, reply), reply, user.channel)
        if user.page >= len(pages):
            return None
        if turn:
            self._save(replace(user, page=user.page + 1))
        return pages[user.page]

    def _set(self, channel: Channel, inbound: Inbound, user: User, key: str) -> list[Bubble]:
        self._save(user)
        setting = self._setting(user)
        try:
            self.state.set_conversation(user, setting.language, setting.region)
        except StoreError:
            self._failed("set")
        view = self._view(user, None)
        return self._line(channel, inbound, view, key, user, country=COUNTRIES[setting.region][setting.language])

    def _picked(self, user: User, inbound: Inbound, command: Command | None) -> str | None:
        """The suggestion that a tap or a number stands for, or None."""
        reply_id, number = inbound.tap or (user.reply_id or "", int(command.value) if command else 0)
        try:
            reply = self.state.reply(user, reply_id)
        except StoreError:
            return None
        if reply is None or not 1 <= number <= len(reply["suggestions"]):
            return None
        picked: str = reply["suggestions"][number - 1]
        return picked

    # -- lines -------------------------------------------------------------------------------------------------------

    def _intro(self, channel: Channel, inbound: Inbound, user: User, said_what: bool) -> list[Bubble]:
        view = self._view(user, None)
        private = self.guide.answerer.notice("not_private", view.language)["text"]
        what = "" if said_what else self.words("intro", view.language)
        return channel.line(
            view, " ".join(filter(None, [what, private, self.words("intro_stop", view.language)])), inbound.channel
        )

    def _line(
        self, channel: Channel, inbound: Inbound, view: View, key: str, user: User | None, **values: str
    ) -> list[Bubble]:
        setting = self._setting(user)
        contacts = compact(self.guide.answerer.contacts.general(setting.region, setting.language)).rstrip(".") + "."
        text = self.words(key, view.language, contacts=contacts, **values)
        return channel.line(view, text, inbound.channel)

    def _media(self, channel: Channel, inbound: Inbound, identity: Identity, user: User) -> list[Bubble]:
        if not inbound.media or not self._quiet.first(f"media {identity.user}", LINE_QUIET["media"]):
            return []  # an album is many messages
        return self._line(channel, inbound, self._view(user, None), "media", user)

    def _refused(
        self, channel: Channel, inbound: Inbound, identity: Identity, user: User, refusal: Refusal
    ) -> list[Bubble]:
        view = self._view(user, None)
        if refusal.slug == "too-many-requests":
            if self._quiet.first(f"many {identity.user}", LINE_QUIET["too_many"]):
                return self._line(channel, inbound, view, "too_many", user)
            return []
        if refusal.slug == "text-too-long":
            return self._line(channel, inbound, view, "too_long", user)
        if refusal.slug == "empty-text":
            return []
        return self._unavailable(channel, inbound, view, user)

    def _unavailable(self, channel: Channel, inbound: Inbound, view: View, user: User | None = None) -> list[Bubble]:
        reply = self.guide.answerer.unavailable("down", self._setting(user))
        return channel.pages(view, reply, inbound.channel)[0]

    # -- the person --------------------------------------------------------------------------------------------------

    def _user(self, inbound: Inbound, identity: Identity) -> User:
        blank = User(identity.user, inbound.channel, identity.conversation)
        try:
            return self.state.user(identity.user) or blank
        except StoreError:
            self._failed("user")
            return blank

    def _save(self, user: User) -> None:
        try:
            self.state.save(user)
        except StoreError:
            self._failed("save")

    def _listen(self, inbound: Inbound, user: User, text: str) -> User:
        """Follow the language the person writes in, once that is clear."""
        guess: Any = self.guide.screen.guess_language(text) if text else None
        sure = (
            guess is not None
            and guess.language in ("en", "es")
            and guess.confidence >= SURE
            and len(_WORD.findall(text)) >= 4
        )
        if user.language is None:
            hint = inbound.language if inbound.language in ("en", "es") else None
            return replace(user, language=self._guess(text) or hint)
        if sure and guess.language != user.language:
            user = replace(user, language=guess.language)
            setting = self._setting(user)
            try:
                self.state.set_conversation(user, setting.language, setting.region)
            except StoreError:
                self._failed("set")
        return user

    def _guess(self, text: str) -> Literal["en", "es"] | None:
        """The language of a text, or None where that cannot be told."""
        language = self.guide.screen.guess_language(text).language if text else None
        return language if language in ("en", "es") else None  # type: ignore[return-value]

    def _open(self, inbound: Inbound, identity: Identity, user: User, reply: Reply | None = None) -> None:
        """Make the conversation unless it is there. A failure is left to the guide, which screens first."""
        try:
            if self.guide.store.get(identity.conversation_id) is None:
                setting = self._setting(user)
                self.guide.store.create(
                    setting.language, setting.region, inbound.channel, reply, conversation_id=identity.conversation_id
                )
        except StoreError:
            self._failed("open")

    def _incoming(self, inbound: Inbound, identity: Identity, text: str, refusal: Refusal | None) -> Incoming:
        # every message of a platform comes from the platform's address, so the limits count the person instead
        return Incoming(
            text, identity.conversation_id, f"ch_{identity.message[:40]}", f"ch_{identity.user[:32]}", "", refusal
        )

    def _setting(self, user: User | None) -> Any:
        default = self.guide.default
        if user is None:
            return default
        return replace(default, language=user.language or default.language, region=user.region or default.region)

    def _view(self, user: User | None, reply: Reply | None) -> View:
        language = reply["language"] if reply else self._setting(user).language
        return View(self.words, language, self.settings.sms_accents == "fold")

    def _failed(self, where: str, error: Exception | None = None) -> None:
        log.error("channel.failed", where=where, error=type(error).__name__ if error else None)
        self.guide.count("error", stage=f"channel_{where}")
