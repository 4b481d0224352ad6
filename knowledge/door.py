"""The shared token that Rasa and the action server ask of whoever calls them, beside listening on the loopback only.

The start makes a new one in a file that only its owner can read; processes are told the file, never the token, because an
environment or a command line can be read by others and ends up in logs.
"""

from __future__ import annotations

import hmac
import inspect
import os
import secrets
from pathlib import Path
from typing import Any

FILE_VARIABLE = "KETAMINE_GUIDE_TOKEN_FILE"
HEADER = "Authorization"


def write_private(path: Path, text: str) -> None:
    """Write a file that is never readable by anybody but its owner, not even while it is written."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def make(path: Path) -> None:
    """Write a new token of 256 random bits."""
    write_private(path, secrets.token_urlsafe(32))


def credentials(path: Path) -> str:
    """What the header must hold.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it holds no token.
    """
    token = path.read_text("utf-8").strip()
    if len(token) < 32:
        raise ValueError(f"{path.name} holds no token")
    return f"Bearer {token}"


def expected() -> str:
    """What callers of this process must send, from the file the environment names.

    Raises:
        RuntimeError: when there is none: a port without a token is never opened.
    """
    name = os.environ.get(FILE_VARIABLE, "")
    try:
        return credentials(Path(name))
    except (OSError, ValueError):
        raise RuntimeError(f"{FILE_VARIABLE} must name the file of the internal token") from None


def close(app: Any, wanted: str) -> None:
    """Make a Sanic application refuse every request, whatever its path, that does not carry the token.

    Args:
        app: The application, before it starts.
        wanted: What the header must hold.
    """
    from sanic.response import text

    async def refuse(request: Any) -> Any:
        sent = request.headers.get(HEADER, "")
        return None if hmac.compare_digest(sent.encode("utf-8", "replace"), wanted.encode()) else text("forbidden", status=403)

    # before all others: the action server's answers preflight requests by itself; Rasa's older Sanic knows no priorities
    first = {"priority": 1000} if "priority" in inspect.signature(app.register_middleware).parameters else {}
    app.register_middleware(refuse, "request", **first)
