"""Alembic's environment: the URL comes from our settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

import web.channels.state  # noqa: F401  (its tables are in the same metadata)
from web.settings import settings
from web.store import engine_for, metadata

engine = engine_for(context.get_x_argument(as_dictionary=True).get("url") or settings().web_database)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        if engine.dialect.name == "postgresql":
            # machines that start together take turns; a migration may take longer than an answer
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236501)"))
        context.run_migrations()
