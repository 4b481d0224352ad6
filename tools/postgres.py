"""A PostgreSQL of our own, from Debian's packages, in a folder of its own: for tests and for `make serve-cluster`."""

from __future__ import annotations

import glob
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE = "guide"
# a statement that failed would be logged as it was sent, with a patient's words in it; so would the row it failed on
SILENT = ("-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse")


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: PATH's, else the newest of Debian's; None when there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda f: int(f.split("/")[4]))
    return Path(folders[-1]) if folders else None


def account() -> str | None:
    """Whom PostgreSQL runs as: nobody else than who starts it, except that it refuses root."""
    if os.getuid():
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


@dataclass(frozen=True)
class Postgres:
    """A cluster of databases in a folder.

    Attributes:
        folder: Its data; readable by `account()` only.
        port: On the loopback.
        password: Of the user `guide`.
    """

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database."""
        return f"postgresql://guide:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @classmethod
    def create(cls, folder: Path, port: int) -> Postgres:
        """Make the cluster; it does not run yet.

        Raises:
            FileNotFoundError: without PostgreSQL's programs.
            CalledProcessError: when `initdb` fails.
        """
        where = binaries()
        if where is None:
            raise FileNotFoundError("PostgreSQL is not installed (Debian: postgresql)")
        folder.mkdir(mode=0o700)
        if user := account():
            shutil.chown(folder, user)
        password = secrets.token_hex(16)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(password)
            file.flush()
            os.chmod(file.name, 0o600)
            if user:
                shutil.chown(file.name, user)
            data = str(folder / "data")
            _run([where / "initdb", "-D", data, "-U", "guide", "-A", "scram-sha-256", "--pwfile", file.name, "-E", "UTF8", "--locale", "C.UTF-8"])
        return cls(folder, port, password)

    def command(self) -> list[str]:
        """The server in the foreground, on the loopback, its socket file beside its data."""
        return [str(Path(str(binaries())) / "postgres"), "-D", str(self.folder / "data"), *self._options()]

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._ctl("start", "-w", "-l", str(self.folder / "log"), "-o", " ".join(self._options()))

    def empty(self) -> None:
        """Make the database anew; whoever is connected to it is thrown out."""
        for statement in (f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE}"):
            self.execute(statement, "postgres")

    def execute(self, statement: str, database: str = DATABASE) -> str:
        """Run a statement as its owner; returns what psql prints."""
        command = [str(Path(str(binaries())) / "psql"), "-qAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "guide", "-d", database, "-c", statement]
        done = subprocess.run(command, env={**os.environ, "PGPASSWORD": self.password}, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
        return done.stdout.strip()

    def stop(self, how: str = "fast") -> None:
        """Stop; `how` is pg_ctl's mode (`immediate` is a crash)."""
        self._ctl("stop", "-m", how)

    def _options(self) -> list[str]:
        return ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder), *SILENT]

    def _ctl(self, what: str, *more: str) -> None:
        _run([Path(str(binaries())) / "pg_ctl", what, "-D", str(self.folder / "data"), *more])


def _run(command: list[Any]) -> None:
    user = account()
    more: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    # to a file, not a pipe: the server that pg_ctl leaves behind would hold a pipe open
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run([str(c) for c in command], stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd="/", timeout=120, **more)  # noqa: S603
        said.seek(0)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, said.read())


@contextmanager
def running() -> Iterator[Postgres]:
    """A throw-away PostgreSQL on a free port."""
    base = Path(tempfile.mkdtemp(prefix="guide-postgres-"))
    base.chmod(0o711)  # noqa: S103  (its account must get in to the folder that is its own)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    try:
        made = Postgres.create(base / "pg", port)
        made.start()
        made.empty()
        try:
            yield made
        finally:
            with suppress(subprocess.CalledProcessError):  # a test may have stopped it
                made.stop("immediate")
    finally:
        shutil.rmtree(base, ignore_errors=True)
