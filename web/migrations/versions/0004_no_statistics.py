"""PostgreSQL keeps no statistics of columns that hold patients' words.

ANALYZE, which autovacuum runs, copies values of a column into `pg_statistic`, and they outlive the rows they came from.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
WORDS = (("conversations", "watch"), ("messages", "text"), ("messages", "reply"), ("feedback", "comment"), ("unanswered", "text"))


def _alter(statistics: int) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in WORDS:
        # setting a type, even the same one, is what removes what was gathered before
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text, ALTER COLUMN {column} SET STATISTICS {statistics}")


def upgrade() -> None:
    _alter(0)


def downgrade() -> None:
    _alter(-1)
