"""Messaging channels: users by keyed hash, message ids seen.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "channel_users",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("conversation", sa.String(64), nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("introduced", sa.Boolean, nullable=False),
        sa.Column("language", sa.String(2)),
        sa.Column("region", sa.String(2)),
        sa.Column("reply_id", sa.String(40)),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, index=True),
    )
    op.create_table(
        "channel_seen",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("claimed_at", sa.Float, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False, index=True),
    )


def downgrade() -> None:
    for table in ("channel_seen", "channel_users"):
        op.drop_table(table)
