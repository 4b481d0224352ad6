"""`python -m web.kept comments|unanswered`: what patients wrote that the clinic chose to keep, scrubbed, newest first.

One line each, tab-separated: day, language or statement, text. Curators read it to see what is missing.
"""

from __future__ import annotations

import argparse
import sys

import sqlalchemy as sa

from web.settings import SettingsError, settings
from web.store import StoreError, engine_for, feedback, rfc3339, unanswered


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m web.kept", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("comments", "unanswered"))
    parser.add_argument("--limit", type=int, default=200, help="lines at most")
    chosen = parser.parse_args(arguments)
    if chosen.what == "comments":
        of = feedback.c
        query = sa.select(of.at, of.statement_id, of.comment).where(of.comment.is_not(None)).order_by(of.number.desc())
    else:
        query = sa.select(unanswered.c.at, unanswered.c.language, unanswered.c.text).order_by(unanswered.c.number.desc())
    try:
        with engine_for(settings().web_database).connect() as db:
            for at, about, text in db.execute(query.limit(chosen.limit)):
                print(rfc3339(at)[:10], about or "-", " ".join(text.split()), sep="\t")
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except StoreError as error:
        print(f"error: the database cannot be read ({type(error).__name__}); was the guide ever started?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
