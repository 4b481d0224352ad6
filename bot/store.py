"""Rasa's SQL tracker store with fewer trips to the database; Rasa loads it by the name in its endpoints file.

The tables are Rasa's own. Measured on SQLite, Rasa's store costs more than everything else in a turn: it opens and closes a
connection three times (closing the last one empties the write-ahead log), saves the empty tracker of a new conversation,
counts the events it has just read, puts each query together anew and inserts event by event.
"""

import json
from typing import Any, Dict, Optional, Text

import sqlalchemy as sa
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.events import SessionStarted
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

_EVENTS = SQLTrackerStore.SQLEvent.__table__
_LAST_SESSION = (
    sa.select(sa.func.max(_EVENTS.c.timestamp))
    .where(_EVENTS.c.sender_id == sa.bindparam("sender"), _EVENTS.c.type_name == SessionStarted.type_name)
    .scalar_subquery()
)
_NEWEST = (
    sa.select(_EVENTS.c.data)
    .where(_EVENTS.c.sender_id == sa.bindparam("sender"), _EVENTS.c.timestamp >= sa.func.coalesce(_LAST_SESSION, 0.0))
    .order_by(_EVENTS.c.id)
)


class TrackerStore(SQLTrackerStore):
    """Keeps its connections, and writes what a turn adds in one insert and one commit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except IntegrityError:  # another Rasa made the table at the same instant
            super().__init__(*args, **kwargs)
        url = self.engine.url
        self.engine.dispose()
        if self.engine.dialect.name == "sqlite":
            self.engine = sa.create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False})
        else:
            # a kept connection may be one that a restarted database has closed; one that hangs must not hang Rasa
            network = {"connect_timeout": 2, "options": "-c statement_timeout=2000"} if self.engine.dialect.name == "postgresql" else {}
            self.engine = sa.create_engine(url, pool_pre_ping=True, connect_args=network)
        self.sessionmaker = sessionmaker(bind=self.engine)
        if self.engine.dialect.name == "postgresql":
            # ANALYZE would copy patients' words into PostgreSQL's statistics, where they outlive their rows
            with self.engine.begin() as db:
                db.execute(sa.text("ALTER TABLE events ALTER COLUMN data SET STATISTICS 0"))

    async def retrieve(self, sender_id: Text) -> Optional[DialogueStateTracker]:
        """The tracker of the latest session, as Rasa's own store gives it; None when there is none."""
        with self.engine.connect() as db:
            rows = db.execute(_NEWEST, {"sender": sender_id}).all()
        if not rows:
            return None
        tracker = DialogueStateTracker.from_dict(sender_id, [json.loads(row.data) for row in rows], self.domain.slots)
        tracker.stored = len(rows)
        return tracker

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Write the events that were added since the tracker was read."""
        await self.stream_events(tracker)
        stored = getattr(tracker, "stored", None)
        if stored is None and tracker.events:
            with self.session_scope() as session:
                stored = self._event_query(session, tracker.sender_id, fetch_events_from_all_sessions=False).count()
        rows = [self._row(tracker.sender_id, event.as_dict()) for event in list(tracker.events)[stored or 0 :]]
        if rows:
            with self.engine.begin() as db:
                db.execute(_EVENTS.insert(), rows)
        tracker.stored = len(tracker.events)

    @staticmethod
    def _row(sender_id: Text, event: Dict[Text, Any]) -> Dict[Text, Any]:
        return {
            "sender_id": sender_id,
            "type_name": event["event"],
            "timestamp": event.get("timestamp"),
            "intent_name": event.get("parse_data", {}).get("intent", {}).get("name"),
            "action_name": event.get("name"),
            "data": json.dumps(event),
        }
