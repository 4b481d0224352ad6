"""Conversations, messages, feedback.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("sender", sa.String(40), nullable=False, unique=True),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("region", sa.String(2), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False, index=True),
        sa.Column("watch", sa.Text),
    )
    op.create_table(
        "messages",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
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
    op.create_table(
        "feedback",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("conversation", sa.String(64), index=True),
        sa.Column("reply_id", sa.String(40), nullable=False),
        sa.Column("statement_id", sa.String(80)),
        sa.Column("helpful", sa.Boolean, nullable=False),
        sa.Column("problem", sa.String(20)),
        sa.Column("build", sa.String(12), nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("feedback", "messages", "conversations"):
        op.drop_table(table)
