"""Alembic's environment: the URL comes from our settings."""

from __future__ import annotations

from alembic import context

import web.channels.state  # noqa: F401  (its tables are in the same metadata)
from web.settings import settings
from web.store import engine_for, metadata

engine = engine_for(context.get_x_argument(as_dictionary=True).get("url") or settings().web_database)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
