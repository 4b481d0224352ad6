"""Loading a build's parts in a serving process."""

from __future__ import annotations

import os
from pathlib import Path

from knowledge.build import current, verify
from knowledge.decide import Decider
from knowledge.encoder import Encoder
from knowledge.multilingual import MultilingualEncoder
from knowledge.safety.decline import DeclineRules
from knowledge.search import Search


def build_folder() -> Path:
    """The build to serve from: KETAMINE_GUIDE_BUILD, else build/current.

    Raises:
        BuildMissing: when there is none.
    """
    named = os.environ.get("KETAMINE_GUIDE_BUILD")
    return Path(named).resolve() if named else current(Path("build"))


def load_decider(folder: Path | None = None, require_signed: bool | None = None) -> Decider:
    """A decider over a verified build, with its encoders.

    Args:
        folder: The build; found when not given.
        require_signed: Show only what is signed; KETAMINE_GUIDE_REQUIRE_SIGNED when not given.

    Raises:
        BuildMissing: when there is no build.
        BuildCorrupt: when a file of it was altered.
    """
    folder = folder or build_folder()
    verify(folder)
    encoder = Encoder.load(folder / "encoder")
    if require_signed is None:
        require_signed = os.environ.get("KETAMINE_GUIDE_REQUIRE_SIGNED", "").lower() in ("1", "true", "yes", "on")
    search = Search.load(folder, encoder, MultilingualEncoder.load(), require_signed)
    return Decider(search, DeclineRules.load(folder / "content" / "safety"))
