"""The two tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from web.channels.state import LEASE, State, User, seen, users
from web.store import engine_for, metadata

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    engine = engine_for(f"sqlite:///{tmp_path / 'x.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres").url)
    metadata.create_all(engine)
    yield State(engine, 100.0, 1000.0)
    engine.dispose()


def test_of_many_processes_one_claims_a_message(state: State) -> None:
    """Each process has its own engine; what they share is the database."""
    others = [State(engine_for(state.engine.url.render_as_string(hide_password=False)), 100.0, 1000.0) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for n in range(5):
            assert sorted(pool.map(lambda s, key=f"m{n}": s.claim(key), others)) == [False, False, False, True]
    for other in others:
        other.engine.dispose()


def test_a_message_is_claimed_once(state: State) -> None:
    assert state.claim("a")
    assert not state.claim("a")
    state.finish("a")
    assert not state.claim("a")
    state.release("a")
    assert not state.claim("a"), "what is done is not released"


def test_a_released_message_may_be_claimed_again(state: State) -> None:
    assert state.claim("a")
    state.release("a")
    assert state.claim("a")


def test_a_crashed_claim_may_be_taken_over(state: State) -> None:
    assert state.claim("a")
    with state.engine.begin() as db:
        db.execute(seen.update().values(claimed_at=time.time() - LEASE - 1))
    assert state.claim("a")
    assert not state.claim("a")


def test_users_expire_but_a_stop_does_not(state: State) -> None:
    state.save(User("a", "sms", "c", introduced=True))
    state.save(User("b", "sms", "c", stopped=True, language="es", reply_id="r"))
    assert state.user("a") == User("a", "sms", "c", introduced=True)
    stopped = state.user("b")
    assert stopped is not None
    assert stopped.reply_id is None
    with state.engine.begin() as db:
        db.execute(users.update().where(users.c.expires_at.is_not(None)).values(expires_at=time.time() - 1))
    assert state.user("a") is None
    state.sweep()
    with state.engine.connect() as db:
        assert [r.key for r in db.execute(sa.select(users.c.key))] == ["b"]
    state.forget("b")
    assert state.user("b") is None


def test_seen_ids_expire(state: State) -> None:
    state.claim("a", keep_for=-1.0)
    state.claim("b")
    state.sweep()
    with state.engine.connect() as db:
        assert [r.key for r in db.execute(sa.select(seen.c.key))] == ["b"]


def test_saving_twice_updates(state: State) -> None:
    state.save(User("a", "sms", "c"))
    state.save(User("a", "sms", "c", region="GB", page=2))
    found = state.user("a")
    assert found is not None
    assert (found.region, found.page) == ("GB", 2)


def test_migration_goes_up_and_down_and_matches_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    script = f"""
from alembic import command
from alembic.config import Config
import web.channels.state
c = Config(); c.set_main_option("script_location", "web/migrations")
from argparse import Namespace
c.cmd_opts = Namespace(x=["url={url}"])
command.upgrade(c, "0002")
import sqlalchemy as sa
from web.store import metadata
i = sa.inspect(sa.create_engine("{url}"))
for t in ("channel_users", "channel_seen"):
    have = {{k["name"]: (str(k["type"]), k["nullable"]) for k in i.get_columns(t)}}
    want = {{k.name: (str(k.type.compile(dialect=i.engine.dialect)), k.nullable) for k in metadata.tables[t].columns}}
    assert have == want, (have, want)
    assert len(i.get_indexes(t)) == 1, t
command.downgrade(c, "0001")
i = sa.inspect(sa.create_engine("{url}"))
assert "channel_users" not in i.get_table_names() and "conversations" in i.get_table_names()
command.upgrade(c, "0002")
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert run.returncode == 0, run.stderr[-1500:]
