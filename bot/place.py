"""Where this process finds the build."""

import os
from pathlib import Path


def build_folder() -> Path:
    """The build that training or this process uses: KETAMINE_GUIDE_BUILD, else build/current."""
    return Path(os.environ.get("KETAMINE_GUIDE_BUILD") or "build/current").resolve()
