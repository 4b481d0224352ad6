"""What the channels remember: who stopped, and which messages were answered. Keyed hashes only, never an id in clear.

The conversation itself is in `web.store`, under an id that is derived from the user's keyed hash (`web.channels.base`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from web.store import conversations, messages, metadata

users = sa.Table(
    "channel_users",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("conversation", sa.String(64), nullable=False),
    sa.Column("stopped", sa.Boolean, nullable=False),
    sa.Column("introduced", sa.Boolean, nullable=False),
    sa.Column("language", sa.String(2)),
    sa.Column("region", sa.String(2)),
    sa.Column("reply_id", sa.String(40)),
    sa.Column("page", sa.Integer, nullable=False),
    # null: kept until START or until the person has their data deleted; a STOP must not expire
    sa.Column("expires_at", sa.Float, index=True),
)
seen = sa.Table(
    "channel_seen",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("claimed_at", sa.Float, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
)
LEASE = 120.0  # seconds after which a message that was begun and never finished (a crash) may be taken over by a retry


@dataclass(frozen=True)
class User:
    """A person on a channel.

    Attributes:
        key: Keyed hash of the platform's id.
        channel: Name of the channel.
        conversation: Key of the conversation in `web.store` (a hash of its id).
        stopped: Sent STOP; only urgent messages are answered.
        introduced: Has been told what this is, that it is not private and how to stop.
        language: Chosen or guessed, or None.
        region: Chosen, or None for the clinic's.
        reply_id: The reply that numbers and MORE refer to.
        page: Pages of it that were sent.

    """

    key: str
    channel: str
    conversation: str
    stopped: bool = False
    introduced: bool = False
    language: str | None = None
    region: str | None = None
    reply_id: str | None = None
    page: int = 0


class State:
    """Reads and writes both tables.

    Args:
        engine: The engine of `web.store.Store`.
        keep_for: Seconds after the last message at which a user's row goes, as the conversation does.
        seen_for: Seconds for which the hash of a message id is kept.

    """

    def __init__(self, engine: sa.Engine, keep_for: float, seen_for: float):
        self.engine = engine
        self.keep_for = keep_for
        self.seen_for = seen_for
        self._lock = threading.Lock()

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """A transaction. One thread at a time: SQLite's own queue is unfair, and a burst would starve some of them."""
        with self._lock, self.engine.begin() as db:
            yield db

    # -- message ids -------------------------------------------------------------------------------------------------

    def claim(self, key: str, keep_for: float | None = None) -> bool:
        """Whether this process may answer the message; False when it was answered, or is being answered."""
        now = time.time()
        values = {"key": key, "claimed_at": now, "done": False, "expires_at": now + (keep_for or self.seen_for)}
        try:
            with self._write() as db:
                db.execute(seen.insert().values(**values))
            return True
        except IntegrityError:
            pass
        free = sa.or_(seen.c.expires_at <= now, sa.and_(seen.c.done.is_(False), seen.c.claimed_at < now - LEASE))
        with self._write() as db:
            return db.execute(seen.update().where(seen.c.key == key, free).values(**values)).rowcount == 1

    def finish(self, key: str) -> None:
        """The message is answered; retries of it are ignored from now on."""
        with self._write() as db:
            db.execute(seen.update().where(seen.c.key == key).values(done=True))

    def release(self, key: str) -> None:
        """The message was not answered; a retry may have it."""
        with self._write() as db:
            db.execute(seen.delete().where(seen.c.key == key, seen.c.done.is_(False)))

    # -- users -------------------------------------------------------------------------------------------------------

    def user(self, key: str) -> User | None:
        """The user of that keyed hash, or None when unknown or expired."""
        with self.engine.connect() as db:
            row = db.execute(sa.select(users).where(users.c.key == key)).one_or_none()
        if row is None or (row.expires_at is not None and row.expires_at <= time.time()):
            return None
        values = dict(row._mapping)
        del values["expires_at"]
        return User(**values)

    def save(self, user: User) -> None:
        """Write a user's row. A stopped one holds no more than that, and does not expire."""
        values: dict[str, Any] = asdict(user) | {"expires_at": time.time() + self.keep_for}
        if user.stopped:
            values |= {"expires_at": None, "reply_id": None, "page": 0, "introduced": False}
        with self._write() as db:
            if db.execute(users.update().where(users.c.key == user.key).values(**values)).rowcount:
                return
        try:
            with self._write() as db:
                db.execute(users.insert().values(**values))
        except IntegrityError:  # another worker was first
            with self._write() as db:
                db.execute(users.update().where(users.c.key == user.key).values(**values))

    def forget(self, key: str) -> None:
        """Delete a user's row."""
        with self._write() as db:
            db.execute(users.delete().where(users.c.key == key))

    # -- the conversation's own rows ---------------------------------------------------------------------------------

    def reply(self, user: User, reply_id: str | None) -> dict[str, Any] | None:
        """A reply of the user's conversation, or None."""
        if not reply_id:
            return None
        query = sa.select(messages.c.reply).where(
            messages.c.conversation == user.conversation, messages.c.reply_id == reply_id
        )
        with self.engine.connect() as db:
            found = db.execute(query).scalar()
        return json.loads(found) if found else None

    def set_conversation(self, user: User, language: str, region: str) -> None:
        """Change the language and region in which the conversation is answered."""
        with self._write() as db:
            db.execute(
                conversations.update()
                .where(conversations.c.key == user.conversation)
                .values(language=language, region=region)
            )

    def sweep(self) -> None:
        """Delete what has expired."""
        now = time.time()
        with self._write() as db:
            db.execute(users.delete().where(users.c.expires_at <= now))
            db.execute(seen.delete().where(seen.c.expires_at <= now))
