"""Conversations in the database: order, idempotence, deletion, expiry."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

import web.channels.state  # noqa: F401  (its tables are in the same metadata)
from tools.postgres import Postgres
from web import store as module
from web.problems import refusal_of
from web.store import ConversationGone, Store, StoreError, engine_for, key_of, metadata, rasa_events

REPLY = {"reply_id": "r_1", "text": "hello"}


def migrations(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    config.cmd_opts = type("Options", (), {"x": [f"url={url}"]})()
    return config


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Of the web server's tables and of Rasa's: two files on SQLite, one database on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/guide.db", f"sqlite:///{tmp_path}/rasa.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url, server.url


@pytest.fixture
def store(urls: tuple[str, str]) -> Iterator[Store]:
    made = Store(*urls, expire_after=100)
    metadata.create_all(made.engine)
    rasa_events.metadata.create_all(made.rasa)
    yield made
    made.engine.dispose()


def test_ids_are_long_and_only_their_hash_is_kept(store: Store) -> None:
    conversation_id = store.create("en", "US", "web", REPLY)
    assert len(conversation_id) >= 22
    with store.engine.connect() as db:
        dump = "\n".join(str(row) for table in metadata.sorted_tables for row in db.execute(sa.select(table)))
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
    assert not any(b"planted zebra" in p.read_bytes() for p in tmp_path.iterdir())  # SQLite's files, where it is SQLite


def test_an_expired_conversation_is_gone_on_read(store: Store) -> None:
    store.expire_after = -1
    assert store.get(store.create("en", "US", "web", REPLY)) is None


def test_a_number_is_seen_by_the_next_message(store: Store) -> None:
    """Of messages that arrive together exactly one waits for nobody, whatever process they came to."""
    conversation = store.get(store.create("en", "US", "web", REPLY))
    assert conversation
    stores = [store, Store(store.engine.url.render_as_string(hide_password=False), store.rasa.url.render_as_string(hide_password=False), 100)]
    together = threading.Barrier(8)

    def arrive(n: int) -> bool:
        together.wait()
        turn = stores[n % 2].arrive(conversation, str(n), None)
        assert turn
        return turn.waits

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            with store.engine.begin() as db:
                db.execute(sa.delete(metadata.tables["messages"]))
            assert sorted(pool.map(arrive, range(8))) == [False] + [True] * 7
    stores[1].engine.dispose()


def test_a_message_to_a_conversation_deleted_since_is_not_a_failure_of_the_database(store: Store) -> None:
    conversation_id = store.create("en", "US", "web", REPLY)
    conversation = store.get(conversation_id)
    assert conversation
    store.delete(conversation_id)
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(ConversationGone):
            store.arrive(conversation, "q", None)
    else:
        assert store.arrive(conversation, "q", "m1") is None
        with pytest.raises(ConversationGone):
            store.again(conversation, "m1")


@pytest.mark.parametrize("jump", [-7200.0, 30.0])
def test_a_clock_that_jumps_holds_nobody_up_for_long(store: Store, jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation_id = store.create("en", "US", "web", REPLY)
    conversation = store.get(conversation_id)
    assert conversation
    assert store.arrive(conversation, "never answered", "m1")
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + jump)
    monkeypatch.setattr(module, "OPEN_FOR", 0.3)
    turn = store.arrive(conversation, "after the jump", "m2")
    assert turn
    started = time.monotonic()
    store.wait_in_order(conversation, turn)
    assert time.monotonic() - started < 2
    assert store.answer(conversation, turn, {"reply_id": "r_2", "text": "a"}, None)
    found = store.get(conversation_id)
    assert found and [m["text"] for m in store.transcript(found) if m["role"] == "patient"] == ["never answered", "after the jump"]


def test_a_database_that_was_restarted_is_used_again(postgres: Postgres) -> None:
    store = Store(postgres.url, postgres.url, expire_after=100)
    metadata.create_all(store.engine)
    conversation_id = store.create("en", "US", "web", REPLY)
    postgres.stop("immediate")
    with pytest.raises(StoreError):
        store.get(conversation_id)
    postgres.start()
    assert store.get(conversation_id), "what was acknowledged outlives a crash"
    store.engine.dispose()


def test_a_read_only_database_reads_and_refuses(postgres: Postgres) -> None:
    store = Store(postgres.url, postgres.url, expire_after=100)
    metadata.create_all(store.engine)
    conversation_id = store.create("en", "US", "web", REPLY)
    postgres.execute("ALTER DATABASE guide SET default_transaction_read_only = on")
    store.engine.dispose()
    conversation = store.get(conversation_id)
    assert conversation
    with pytest.raises(StoreError):
        store.arrive(conversation, "q", None)
    store.engine.dispose()


def test_nothing_deleted_is_left_in_postgresql(postgres: Postgres) -> None:
    """In no row at once; in no heap file once VACUUM FULL has written the tables anew (docs/privacy.md says what VACUUM alone leaves).

    ANALYZE, which PostgreSQL runs by itself, copies values into its statistics unless a column is kept out of them.
    """
    needle = "zebra5f0c2b"
    command.upgrade(migrations(postgres.url), "head")
    store = Store(postgres.url, postgres.url, expire_after=100)
    postgres.execute("CREATE TABLE events (id SERIAL PRIMARY KEY, sender_id VARCHAR, timestamp FLOAT, data TEXT)")
    postgres.execute("ALTER TABLE events ALTER COLUMN data SET STATISTICS 0")  # as bot.store does

    def talk(text: str) -> str:
        conversation_id = store.create("en", "US", "web", {**REPLY, "text": text})
        conversation = store.get(conversation_id)
        assert conversation
        turn = store.arrive(conversation, text, None)
        assert turn and store.answer(conversation, turn, {"reply_id": "r_2", "text": text}, {"why": text})
        store.add_feedback(conversation, {"reply_id": "r_2", "helpful": False, "build": "0" * 12, "comment": text})
        store.add_unanswered(conversation, text, "0" * 12)
        with store.rasa.begin() as db:
            db.execute(sa.text("INSERT INTO events (sender_id, timestamp, data) VALUES (:s, 1, :d)"), {"s": conversation.sender, "d": text})
        return conversation_id

    def rows() -> set[str]:
        tables = [*metadata.tables, "events"]
        return {t for t in tables if postgres.execute(f"SELECT count(*) FROM {t} AS t WHERE t::text LIKE '%{needle}%'") != "0"}

    def files() -> int:
        postgres.execute("CHECKPOINT")
        return sum(needle.encode() in p.read_bytes() for p in (postgres.folder / "data" / "base").rglob("*") if p.is_file())

    talk("another patient's words")
    deleted, expired = talk(f"{needle} one"), talk(f"{needle} two")
    kept = talk("the words of a third")
    assert rows() == {"conversations", "messages", "feedback", "unanswered", "events"} and files() >= 5
    postgres.execute("ANALYZE")
    store.delete(deleted)
    postgres.execute(f"UPDATE conversations SET expires_at = 1 WHERE key = '{key_of(expired)}'")
    postgres.execute(f"UPDATE feedback SET at = 1 WHERE conversation = '{key_of(expired)}'")  # kept by the clinic's leave until its own end
    postgres.execute(f"UPDATE unanswered SET at = 1 WHERE conversation = '{key_of(expired)}'")
    assert store.sweep() == 1
    assert rows() == set()
    postgres.execute("VACUUM FULL")
    assert files() == 0
    found = store.get(kept)
    assert found and len(store.transcript(found)) == 3
    assert needle not in (postgres.folder / "log").read_text("utf-8", "replace")
    store.engine.dispose()


def test_any_failure_of_the_database_is_503_with_a_time_to_come_back() -> None:
    refusal = refusal_of(OperationalError("SELECT", None, Exception("gone")))
    assert refusal.status == 503 and refusal.retry_after


def test_a_full_disk_refuses_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    """SQLite's own limit of pages fails as a full disk does (SQLITE_FULL)."""
    store = Store(f"sqlite:///{tmp_path}/guide.db", f"sqlite:///{tmp_path}/rasa.db", expire_after=100)
    metadata.create_all(store.engine)
    conversation = store.get(conversation_id := store.create("en", "US", "web", REPLY))
    assert conversation

    @sa.event.listens_for(store.engine, "checkout")
    def _full(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 30")

    kept = 0

    def fill() -> None:
        nonlocal kept
        for n in range(1000):
            turn = store.arrive(conversation, "x" * 900, f"m{n}")
            assert turn and store.answer(conversation, turn, {"reply_id": f"r_{n}", "text": "a"}, None)
            kept += 1

    with pytest.raises(StoreError):
        fill()
    assert kept
    found = store.get(conversation_id)
    assert found and len([m for m in store.transcript(found) if m["reply"]]) == kept + 1


def test_migrations_make_the_tables_of_the_code_and_take_them_away(urls: tuple[str, str]) -> None:
    url = urls[0]
    config = migrations(url)
    command.upgrade(config, "head")
    engine = engine_for(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    command.downgrade(config, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    command.upgrade(config, "head")
    assert set(metadata.tables) <= set(sa.inspect(engine).get_table_names())
    engine.dispose()
