"""Backup, wipe, restore: conversations and feedback as before."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tools import backup
from web.settings import settings
from web.store import Store, feedback, metadata, rasa_events


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KETAMINE_GUIDE_VAR", str(tmp_path / "var"))
    monkeypatch.delenv("KETAMINE_GUIDE_DATABASE_URL", raising=False)
    settings.cache_clear()
    (tmp_path / "var").mkdir()
    yield tmp_path / "var"
    settings.cache_clear()


def opened(var: Path) -> Store:
    store = Store(settings().web_database, settings().rasa_database, 100)
    metadata.create_all(store.engine)
    rasa_events.metadata.create_all(store.rasa)
    return store


def test_what_was_saved_while_running_comes_back_whole(var: Path, tmp_path: Path) -> None:
    store = opened(var)
    conversation_id = store.create("es", "ES", "web", {"reply_id": "r_1", "text": "hola"})
    conversation = store.get(conversation_id)
    assert conversation
    turn = store.arrive(conversation, "¿duele?", "m1")
    assert turn
    store.answer(conversation, turn, {"reply_id": "r_2", "text": "no"}, {"state": 1})
    store.add_feedback(conversation, {"reply_id": "r_2", "helpful": False, "problem": "unclear", "build": "0" * 12})
    with store.rasa.begin() as db:
        db.execute(rasa_events.insert().values(sender_id=conversation.sender, timestamp=1.0))
    before = (store.transcript(conversation), store.get(conversation_id))
    assert backup.main(["save", str(tmp_path / "kept")]) == 0, "while it is open, with all of it still in the write-ahead log"
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "kept").iterdir()} == {0o600}
    store.create("en", "US", "web", None)  # later than the backup
    store.engine.dispose()
    store.rasa.dispose()
    for path in var.iterdir():
        path.unlink()
    assert backup.main(["restore", str(tmp_path / "kept")]) == 0
    store = opened(var)
    again = store.get(conversation_id)
    assert again
    assert (store.transcript(again), again) == before
    with store.engine.connect() as db:
        rows = db.execute(sa.select(feedback)).all()
        assert [(r.reply_id, r.helpful, r.problem, r.conversation) for r in rows] == [("r_2", False, "unclear", again.key)]
        assert db.execute(sa.text("SELECT count(*) FROM conversations")).scalar_one() == 1
    with store.rasa.connect() as db:
        assert db.execute(sa.select(rasa_events.c.sender_id)).scalar_one() == again.sender


def test_a_broken_backup_leaves_what_is_there(var: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(var)
    conversation_id = store.create("en", "US", "web", None)
    store.engine.dispose()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "guide.db").write_bytes(b"no database" * 100)
    assert backup.main(["restore", str(tmp_path / "kept")]) == 1
    assert "error:" in capsys.readouterr().err
    assert opened(var).get(conversation_id) is not None


def test_nothing_is_restored_under_a_running_guide(var: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (var / "run").mkdir()
    (var / "run" / "supervisor.pid").touch()
    assert backup.main(["restore", str(tmp_path / "kept")]) == 1
    assert "stop it first" in capsys.readouterr().err


def test_a_database_server_is_left_to_its_own_tools(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KETAMINE_GUIDE_DATABASE_URL", "postgresql://guide:secret-word@db/guide")
    settings.cache_clear()
    assert backup.main(["save", str(tmp_path / "kept")]) == 1
    said = capsys.readouterr().err
    assert "its own tools" in said and "secret-word" not in said
