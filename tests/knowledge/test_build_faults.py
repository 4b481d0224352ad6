"""A build that was damaged or never finished is not served."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knowledge.build import current, verify
from knowledge.errors import BuildCorrupt, BuildMissing
from knowledge.load import load_decider

BUILDS = Path(__file__).resolve().parents[2] / "build"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the build in use, by hard links: a file is replaced, never written into."""
    source = current(BUILDS)
    made = tmp_path / source.name
    for path in source.rglob("*"):
        if path.is_file() and "rasa" not in path.relative_to(source).parts:
            (made / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, made / path.relative_to(source))
    return made


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["index.faiss", "index_es.faiss", "rows.json", "topics.npz", "requests_es.npz", "content.json", "safety.npz"])
@pytest.mark.parametrize("harm", ["a bit", "half", "nothing left", "gone"])
def test_a_damaged_file_stops_the_action_server(folder: Path, name: str, harm: str) -> None:
    content = (folder / name).read_bytes()
    if harm == "a bit":
        middle = len(content) // 2
        replace(folder / name, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif harm == "gone":
        (folder / name).unlink()
    else:
        replace(folder / name, content[: len(content) // 2] if harm == "half" else b"")
    with pytest.raises(BuildCorrupt):
        load_decider(folder)


def test_a_half_written_manifest_is_no_manifest(folder: Path) -> None:
    content = (folder / "manifest.json").read_bytes()
    replace(folder / "manifest.json", content[: len(content) // 2])
    with pytest.raises(BuildCorrupt):
        verify(folder)


def test_a_build_that_was_never_finished_is_not_the_current_one(folder: Path) -> None:
    """The manifest is written last and `current` is switched after it."""
    (folder / "manifest.json").unlink()
    link = folder.parent / "current"
    link.symlink_to(folder.name)
    with pytest.raises(BuildMissing):
        current(folder.parent)


def test_what_lies_beside_the_current_build_does_not_matter(folder: Path) -> None:
    (folder.parent / "current").symlink_to(folder.name)
    (folder.parent / ".making-1").mkdir()
    (folder.parent / "0123456789ab").mkdir()
    assert current(folder.parent) == folder
    assert verify(folder)
