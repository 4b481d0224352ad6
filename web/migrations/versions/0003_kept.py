"""Comments with feedback and unanswered questions, where the clinic keeps them.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("comment", sa.Text))
    op.create_table(
        "unanswered",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("conversation", sa.String(64), index=True),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("build", sa.String(12), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("unanswered")
    with op.batch_alter_table("feedback", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.drop_column("comment")
