"""Conversations, messages and feedback in the web server's own tables, and deletion from Rasa's.

The conversation id is the only key to a conversation; tables hold its hash. A row of `messages` is one turn: what the
patient wrote and the reply. Rows are numbered on arrival, and a turn starts when the conversation has no earlier open one,
so that messages are answered in order of arrival by any number of workers. Numbers come from a sequence, and PostgreSQL gives
those out before it shows the row: there the conversation's row is locked while its next message gets a number.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

metadata = sa.MetaData()
conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("sender", sa.String(40), nullable=False, unique=True),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("region", sa.String(2), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
    sa.Column("watch", sa.Text),
)
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("conversation", sa.String(64), sa.ForeignKey("conversations.key", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("message_id", sa.String(64)),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("answered_at", sa.Float),
    sa.Column("text", sa.Text),
    sa.Column("reply", sa.Text),
    sa.Column("reply_id", sa.String(40), index=True),
    sa.UniqueConstraint("conversation", "message_id"),
    sqlite_autoincrement=True,
)
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("conversation", sa.String(64), index=True),
    sa.Column("reply_id", sa.String(40), nullable=False),
    sa.Column("statement_id", sa.String(80)),
    sa.Column("helpful", sa.Boolean, nullable=False),
    sa.Column("problem", sa.String(20)),
    sa.Column("build", sa.String(12), nullable=False),
    sa.Column("comment", sa.Text),
)
unanswered = sa.Table(
    "unanswered",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("conversation", sa.String(64), index=True),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("build", sa.String(12), nullable=False),
)
# Rasa's tracker store (rasa.core.tracker_store.SQLTrackerStore) keeps one row an event
_rasa = sa.MetaData()
rasa_events = sa.Table("events", _rasa, sa.Column("id", sa.Integer, primary_key=True), sa.Column("sender_id", sa.String), sa.Column("timestamp", sa.Float))

# built once: putting a statement together costs more than running it
_BY_KEY = sa.select(conversations).where(conversations.c.key == sa.bindparam("key"))
_NEWEST = (
    sa.select(messages.c.text)
    .where(messages.c.conversation == sa.bindparam("key"), messages.c.text.is_not(None), messages.c.at > sa.bindparam("after"))
    .order_by(messages.c.number.desc())
    .limit(sa.bindparam("limit"))
)
_LOCK = sa.select(conversations.c.key).where(conversations.c.key == sa.bindparam("key")).with_for_update(key_share=True)
_ARRIVE = messages.insert().returning(messages.c.number)
_EARLIER = sa.select(sa.func.count()).where(
    messages.c.conversation == sa.bindparam("key"), messages.c.number < sa.bindparam("before"),
    messages.c.reply.is_(None), messages.c.at > sa.bindparam("after"),
)  # fmt: skip
_TOUCH = conversations.update().where(conversations.c.key == sa.bindparam("of"))
_ANSWER = messages.update().where(messages.c.number == sa.bindparam("of"))

DAY = 24 * 3600.0
OPEN_FOR = 10.0  # seconds after which a turn without a reply no longer holds up the next
POLL = 0.02
StoreError = SQLAlchemyError


@dataclass(frozen=True)
class Conversation:
    """A live conversation.

    Attributes:
        key: Hash of its id.
        sender: What Rasa knows it by.
        language: Language of its replies.
        region: Region of its contacts.
        channel: Where it takes place.
        watch: Danger told before, as `knowledge.safety.watch` keeps it.
        recent: The newest patient messages asked for, oldest first.
    """

    key: str
    sender: str
    language: str
    region: str
    channel: str
    watch: dict[str, Any] | None
    recent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turn:
    """One message of a conversation.

    Attributes:
        number: Its place in the order of arrival.
        reply: There when it was answered before (a message id sent again).
        waits: Earlier messages of the conversation had no reply yet when it arrived.
    """

    number: int
    reply: dict[str, Any] | None = None
    waits: bool = True


def key_of(conversation_id: str) -> str:
    """What the tables hold instead of the id."""
    return hashlib.sha256(conversation_id.encode("utf-8", "replace")).hexdigest()


def engine_for(url: str) -> sa.Engine:
    """An engine whose SQLite files survive a crash (WAL, full sync) and forget what is deleted (secure_delete).

    On PostgreSQL, with the driver psycopg, a query ends after 3 s and a wait for a lock after 2 s.
    """
    if not url.startswith("sqlite"):
        place = sa.engine.make_url(url.replace("postgres://", "postgresql://", 1))
        network: dict[str, Any] = {}
        if place.get_backend_name() == "postgresql":
            place = place.set(drivername="postgresql+psycopg")  # `postgresql://` and libpq's `postgres://` mean other drivers by version
            # a server that hangs is a failure like one that is gone: milliseconds in its option, seconds in ours;
            # tcp_user_timeout ends the wait for a machine that no longer answers at all
            network = {"connect_timeout": 3, "tcp_user_timeout": 4000, "options": "-c statement_timeout=3000 -c lock_timeout=2000"}
        return sa.create_engine(place, pool_pre_ping=True, pool_size=10, max_overflow=20, pool_timeout=3, connect_args=network)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=2000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


class Store:
    """Reads and writes conversations.

    Args:
        url: SQLAlchemy URL of the web server's tables.
        rasa_url: SQLAlchemy URL of Rasa's tracker store.
        expire_after: Seconds after its last message at which a conversation goes.
        keep_for: Seconds for which comments and unanswered questions are kept, where they are kept at all.
    """

    def __init__(self, url: str, rasa_url: str, expire_after: float, keep_for: float = 90 * DAY):
        self.engine = engine_for(url)
        self.rasa = self.engine if rasa_url == url else engine_for(rasa_url)
        self.expire_after = expire_after
        self.keep_for = keep_for
        self._purge_again: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._locks = self.engine.dialect.name != "sqlite"  # where one writer at a time is not the rule

    # -- conversations -----------------------------------------------------------------------------------------------

    def create(self, language: str, region: str, channel: str, reply: dict[str, Any] | None, conversation_id: str | None = None) -> str:
        """A new conversation with its first reply; returns its id (192 bits of randomness, unless one is given).

        A messaging channel gives the id, derived from a keyed hash of the user, and shows no first reply.

        Raises:
            StoreError: also when the given id exists.
        """
        conversation_id = conversation_id or secrets.token_urlsafe(24)
        now = time.time()
        with self.engine.begin() as db:
            db.execute(
                conversations.insert().values(
                    key=key_of(conversation_id), sender=f"c_{secrets.token_hex(16)}", language=language, region=region,
                    channel=channel, created_at=now, expires_at=now + self.expire_after, watch=None,
                )
            )  # fmt: skip
            if reply is not None:
                values = {"conversation": key_of(conversation_id), "at": now, "answered_at": now}
                db.execute(messages.insert().values(**values, reply=json.dumps(reply), reply_id=reply["reply_id"]))
        return conversation_id

    def get(self, conversation_id: str, recent_seconds: float = 0.0, recent: int = 0) -> Conversation | None:
        """A conversation that exists and has not expired, or None.

        Args:
            conversation_id: As its owner knows it.
            recent_seconds: How far back messages of the patient are read along …
            recent: … and how many at most.
        """
        key, now = key_of(conversation_id), time.time()
        with self.engine.connect() as db:
            row = db.execute(_BY_KEY, {"key": key}).one_or_none()
            newest = db.execute(_NEWEST, {"key": key, "after": now - recent_seconds, "limit": recent}).all() if row and recent else ()
        if row is None:
            return None
        if row.expires_at <= now:
            self._delete_key(row.key, row.sender)
            return None
        watch = json.loads(row.watch) if row.watch else None
        return Conversation(row.key, row.sender, row.language, row.region, row.channel, watch, tuple(r.text for r in reversed(newest)))

    def transcript(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The contract's messages, oldest first."""
        with self.engine.connect() as db:
            rows = db.execute(sa.select(messages).where(messages.c.conversation == conversation.key).order_by(messages.c.number)).all()
        entries: list[dict[str, Any]] = []
        for row in rows:
            if row.text is not None:
                entries.append({"role": "patient", "at": rfc3339(row.at), "text": row.text, "reply": None})
            if row.reply is not None:
                reply = json.loads(row.reply)
                entries.append({"role": "guide", "at": rfc3339(row.answered_at), "text": reply["text"], "reply": reply})
        return entries

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation from every store, and what its patient left to be kept; nothing happens when there is none."""
        key = key_of(conversation_id)
        with self.engine.connect() as db:
            sender = db.execute(sa.select(conversations.c.sender).where(conversations.c.key == key)).scalar_one_or_none()
        if sender is not None:
            with self.engine.begin() as db:
                db.execute(feedback.update().where(feedback.c.conversation == key).values(comment=None))
                db.execute(unanswered.delete().where(unanswered.c.conversation == key))
            self._delete_key(key, sender)

    def _delete_key(self, key: str, sender: str) -> None:
        with self.engine.begin() as db:
            db.execute(unanswered.update().where(unanswered.c.conversation == key).values(conversation=None))
            db.execute(messages.delete().where(messages.c.conversation == key))
            db.execute(feedback.update().where(feedback.c.conversation == key).values(conversation=None))
            db.execute(conversations.delete().where(conversations.c.key == key))
        self._forget(self.engine)
        self.purge_sender(sender)
        with self._lock:
            # a turn in flight may still write its events: look again when it must have ended
            self._purge_again.append((time.time() + OPEN_FOR, sender))

    def purge_sender(self, sender: str) -> None:
        """Remove a conversation's events from Rasa's tracker store."""
        if not sa.inspect(self.rasa).has_table("events"):
            return
        with self.rasa.begin() as db:
            db.execute(rasa_events.delete().where(rasa_events.c.sender_id == sender))
        self._forget(self.rasa)

    @staticmethod
    def _forget(engine: sa.Engine) -> None:
        """Move deleted bytes out of SQLite's write-ahead log; a busy reader only puts it off to the next sweep.

        PostgreSQL has no such command: its deleted bytes go when their page and log file are used again (docs/privacy.md).
        """
        if engine.dialect.name == "sqlite":
            with engine.connect() as db:
                db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def sweep(self) -> int:
        """Delete what has expired, in both stores, and events of conversations that are gone; returns how many."""
        now = time.time()
        with self.engine.connect() as db:
            expired = db.execute(sa.select(conversations.c.key, conversations.c.sender).where(conversations.c.expires_at <= now)).all()
        for row in expired:
            self._delete_key(row.key, row.sender)
        with self._lock:
            due = [s for at, s in self._purge_again if at <= now]
            self._purge_again = [(at, s) for at, s in self._purge_again if at > now]
        for sender in due:
            self.purge_sender(sender)
        self._purge_orphans(now)
        with self.engine.begin() as db:
            db.execute(feedback.update().where(feedback.c.comment.is_not(None), feedback.c.at <= now - self.keep_for).values(comment=None))
            db.execute(unanswered.delete().where(unanswered.c.at <= now - self.keep_for))
        self._forget(self.engine)
        return len(expired)

    def _purge_orphans(self, now: float) -> None:
        """Events whose conversation is gone, whatever process deleted it."""
        if not sa.inspect(self.rasa).has_table("events"):
            return
        with self.rasa.connect() as db:
            query = sa.select(rasa_events.c.sender_id).group_by(rasa_events.c.sender_id).having(sa.func.max(rasa_events.c.timestamp) < now - OPEN_FOR)
            senders = {row.sender_id for row in db.execute(query)}
        if not senders:
            return
        with self.engine.connect() as db:
            alive = {row.sender for row in db.execute(sa.select(conversations.c.sender))}
        for sender in senders - alive:
            self.purge_sender(sender)

    # -- turns -------------------------------------------------------------------------------------------------------

    def arrive(self, conversation: Conversation, text: str, message_id: str | None) -> Turn | None:
        """Number a message on arrival; None when its id was seen before (see `again`).

        Raises:
            ConversationGone: when it was deleted since it was looked up.
        """
        try:
            with self.engine.begin() as db:
                if self._locks and db.execute(_LOCK, {"key": conversation.key}).one_or_none() is None:
                    raise ConversationGone
                now = time.time()
                values = {"conversation": conversation.key, "message_id": message_id, "at": now, "text": text}
                number = db.execute(_ARRIVE, values).scalar_one()
                return Turn(number, waits=bool(db.execute(_EARLIER, {"key": conversation.key, "before": number, "after": now - OPEN_FOR}).scalar_one()))
        except IntegrityError:
            if message_id is None:
                raise
        return None

    def again(self, conversation: Conversation, message_id: str) -> Turn:
        """The turn of a message id sent before, waiting for its reply while that is being made."""
        query = sa.select(messages.c.number, messages.c.reply).where(messages.c.conversation == conversation.key, messages.c.message_id == message_id)
        deadline = time.monotonic() + OPEN_FOR
        while True:
            with self.engine.connect() as db:
                row = db.execute(query).one_or_none()
            if row is None:
                raise ConversationGone
            if row.reply is not None:
                return Turn(row.number, json.loads(row.reply))
            if time.monotonic() > deadline:
                return Turn(row.number)
            time.sleep(POLL)

    def wait_in_order(self, conversation: Conversation, turn: Turn) -> None:
        """Wait until every earlier message of the conversation has its reply (or has waited too long)."""
        deadline = time.monotonic() + OPEN_FOR
        while turn.waits and time.monotonic() < deadline:
            with self.engine.connect() as db:
                if not db.execute(_EARLIER, {"key": conversation.key, "before": turn.number, "after": time.time() - OPEN_FOR}).scalar_one():
                    break
            time.sleep(POLL)

    def answer(self, conversation: Conversation, turn: Turn, reply: dict[str, Any], watch: dict[str, Any] | None) -> bool:
        """Store a reply; False when the conversation was deleted meanwhile, and then nothing of it is left."""
        now = time.time()
        with self.engine.begin() as db:
            touched = {"of": conversation.key, "expires_at": now + self.expire_after, "watch": json.dumps(watch) if watch else None}
            alive = db.execute(_TOUCH, touched).rowcount
            if alive:
                db.execute(_ANSWER, {"of": turn.number, "reply": json.dumps(reply), "reply_id": reply["reply_id"], "answered_at": now})
        if not alive:
            self.purge_sender(conversation.sender)
        return bool(alive)

    # -- feedback ----------------------------------------------------------------------------------------------------

    def reply_of(self, conversation: Conversation, reply_id: str) -> dict[str, Any] | None:
        """A reply of this conversation, or None."""
        with self.engine.connect() as db:
            query = sa.select(messages.c.reply).where(messages.c.conversation == conversation.key, messages.c.reply_id == reply_id)
            row = db.execute(query).first()
        return json.loads(row.reply) if row else None

    def add_feedback(self, conversation: Conversation, values: dict[str, Any]) -> None:
        """Keep feedback; the only text in it is a scrubbed comment, where the clinic keeps comments."""
        with self.engine.begin() as db:
            db.execute(feedback.insert().values(at=time.time(), conversation=conversation.key, **values))

    def add_unanswered(self, conversation: Conversation, text: str, build: str) -> None:
        """Keep a scrubbed question that no statement answers. It holds the day, not the time."""
        day = time.time() // DAY * DAY
        with self.engine.begin() as db:
            db.execute(unanswered.insert().values(at=day, conversation=conversation.key, language=conversation.language, text=text, build=build))

    def ping(self) -> None:
        """Raise StoreError when the database cannot be read."""
        with self.engine.connect() as db:
            db.execute(sa.select(sa.func.count()).select_from(conversations))


class ConversationGone(Exception):
    """Raised when a conversation was deleted while its message waited."""


def rfc3339(at: float) -> str:
    """UTC time stamp."""
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
