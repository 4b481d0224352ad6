"""`python -m tools.backup save FOLDER` and `… restore FOLDER`: the SQLite files of conversations, feedback and dialogue memory.

`save` copies a running guide's files as they are at one moment each (SQLite's own online backup). `restore` wants the guide stopped. A
database server has tools of its own: see docs/deploy.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path

import sqlalchemy as sa

from web.settings import Settings, SettingsError, settings


def files(config: Settings) -> dict[str, Path]:
    """The database files by the names that they have in a backup.

    Raises:
        SettingsError: when the database is a server.
    """
    urls = {"guide.db": config.web_database, "rasa.db": config.rasa_database}
    if not all(url.startswith("sqlite") for url in urls.values()):
        raise SettingsError("KETAMINE_GUIDE_DATABASE_URL names a database server: use its own tools, see docs/deploy")
    return {name: Path(str(sa.engine.make_url(url).database)) for name, url in urls.items()}


def copy(source: Path, target: Path) -> None:
    """Copy a database, one that is written to included; what it becomes is readable by its owner only.

    Raises:
        sqlite3.Error: when the source is no whole database; the target is then as it was.
    """
    making = target.with_name(target.name + ".making")
    making.unlink(missing_ok=True)
    making.touch(0o600)
    reading, writing = sqlite3.connect(f"file:{source}?mode=ro", uri=True), sqlite3.connect(making)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        if writing.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("not whole")
    finally:
        reading.close()
        writing.close()
    for rest in ("-wal", "-shm"):
        target.with_name(target.name + rest).unlink(missing_ok=True)
    making.replace(target)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.backup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        ours = files(settings())
        chosen.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if chosen.what == "restore" and (settings().var / "run" / "supervisor.pid").exists():
            raise SettingsError("the guide is running: stop it first")
        found = [(name, *((path, chosen.folder / name) if chosen.what == "save" else (chosen.folder / name, path))) for name, path in ours.items()]
        if not any(source.is_file() for _, source, _ in found):
            raise SettingsError("there is nothing to copy")
        for name, source, target in found:
            if source.is_file():  # Rasa's file is there only after the first message
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                copy(source, target)
                print(f"{name}: {target.stat().st_size} bytes")
    except (SettingsError, sqlite3.Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
