"""Conversations in the database: order, idempotence, deletion, expiry."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from web.store import ConversationGone, Store, key_of, metadata, rasa_events

REPLY = {"reply_id": "r_1", "text": "hello"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(f"sqlite:///{tmp_path}/guide.db", f"sqlite:///{tmp_path}/rasa.db", expire_after=100)
    metadata.create_all(made.engine)
    rasa_events.metadata.create_all(made.rasa)
    return made


def test_ids_are_long_and_only_their_hash_is_kept(store: Store) -> None:
    conversation_id = store.create("en", "US", "web", REPLY)
    assert len(conversation_id) >= 22
    with store.engine.connect() as db:
        dump = "\n".join(db.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert conversation_id not in dump and key_of(conversation_id) in dump


def test_a_message_id_sent_again_waits_for_the_first_reply(store: Store) -> None:
    conversation = store.get(store.create("en", "US", "web", REPLY))
    assert conversation
    turn = store.arrive(conversation, "q", "m1")
    assert turn and not turn.waits
    again: list = []
    assert store.arrive(conversation, "q", "m1") is None
    thread = threading.Thread(target=lambda: again.append(store.again(conversation, "m1")))
    thread.start()
    time.sleep(0.1)
    assert store.answer(conversation, turn, {"reply_id": "r_2", "text": "a"}, None)
    thread.join(timeout=5)
    assert again[0].reply == {"reply_id": "r_2", "text": "a"} and again[0].number == turn.number


def test_turns_wait_for_earlier_ones(store: Store) -> None:
    conversation = store.get(store.create("en", "US", "web", REPLY))
    assert conversation
    first, second = store.arrive(conversation, "1", None), store.arrive(conversation, "2", None)
    assert first and second and second.waits and not first.waits
    order: list[str] = []

    def later() -> None:
        store.wait_in_order(conversation, second)
        order.append("second")

    thread = threading.Thread(target=later)
    thread.start()
    time.sleep(0.1)
    order.append("first")
    store.answer(conversation, first, {"reply_id": "r_3", "text": "a"}, None)
    thread.join(timeout=5)
    assert order == ["first", "second"]


def test_deletion_wins_over_a_turn_in_flight(store: Store) -> None:
    conversation_id = store.create("en", "US", "web", REPLY)
    conversation = store.get(conversation_id)
    assert conversation
    turn = store.arrive(conversation, "planted zebra", "m1")
    assert turn
    with store.rasa.begin() as db:
        db.execute(rasa_events.insert().values(sender_id=conversation.sender, timestamp=time.time()))
    store.delete(conversation_id)
    assert store.answer(conversation, turn, REPLY, None) is False
    assert store.get(conversation_id) is None
    with pytest.raises(ConversationGone):
        store.again(conversation, "m1")
    with store.rasa.connect() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(rasa_events)).scalar_one() == 0


def test_the_sweep_removes_expired_conversations_and_orphaned_events(store: Store, tmp_path: Path) -> None:
    store.expire_after = -1
    conversation_id = store.create("en", "US", "web", {**REPLY, "text": "planted zebra"})
    with store.rasa.begin() as db:
        db.execute(rasa_events.insert().values(sender_id="c_gone", timestamp=time.time() - 60))
    assert store.sweep() == 1
    assert store.get(conversation_id) is None
    with store.rasa.connect() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(rasa_events)).scalar_one() == 0
    assert not any(b"planted zebra" in p.read_bytes() for p in tmp_path.iterdir())


def test_an_expired_conversation_is_gone_on_read(store: Store) -> None:
    store.expire_after = -1
    assert store.get(store.create("en", "US", "web", REPLY)) is None


def test_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext

    import web.channels.state  # noqa: F401

    url = f"sqlite:///{tmp_path}/m.db"
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[2] / "web" / "migrations"))
    config.cmd_opts = type("Options", (), {"x": [f"url={url}"]})()
    command.upgrade(config, "head")
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    command.downgrade(config, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
