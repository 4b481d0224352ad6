"""A small, valid content folder in a temporary place, and broken files to lay over it.

A broken file (`broken/*.yml`) says in its first lines where it goes and what `check` must find in it:

    # to: statements/broken.yml                      write it there
    # append: sources.yml                            or put it at the end of that file
    # insert: lexicon.yml after conditions:          or below the first line that reads so
    # drop: topics.yml id: alternatives              first take that entry out of that file
    # twins: 0.95                                    texts that hold the word "twin" get vectors this close
    # expect: file | line | field | part of the message | part of the mend

`HERE` as the line means the line that ends in `# HERE`. REVIEWED, DUE, LONGAGO, YESTERDAY and TOMORROW become dates.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from knowledge.check import Checker, Report
from knowledge.content import CONTENT, Content
from knowledge.errors import ContentError, Problem
from knowledge.schema import TOPICS

REPOSITORY = Path(__file__).resolve().parents[2]
BROKEN = Path(__file__).parent / "broken"
UNTOUCHED = ("crisis", "safety", "dialogue")
GRADED_TEXTS = {
    "high": "Ketamine lowers pain for a day.",
    "moderate": "Ketamine probably lowers pain for a day.",
    "low": "Ketamine may lower pain for a day.",
    "very_low": "We do not know if ketamine lowers pain for a day.",
}
Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Expected:
    """A problem that `check` must report; `message` and `mend` are parts of the real ones."""

    file: str
    line: int
    field: str
    message: str
    mend: str

    def matches(self, problem: Problem) -> bool:
        """Whether this is the problem meant."""
        same_place = (problem.file, problem.line, problem.field) == (self.file, self.line, self.field)
        return same_place and self.message in problem.message and self.mend in problem.mend


@dataclass(frozen=True)
class Broken:
    """One broken file: its text as it stands, and the directives of its first lines."""

    name: str
    raw: bytes
    directives: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Broken:
        """Read a broken file; its body need be neither YAML nor UTF-8."""
        raw = path.read_bytes()
        directives = []
        for line in raw.decode("latin-1").splitlines():
            name, colon, value = line.removeprefix("# ").partition(": ")
            if not line.startswith("# ") or not colon:
                break
            directives.append((name, value.strip()))
        return cls(path.stem, raw, tuple(directives))

    def all(self, name: str) -> list[str]:
        """Values of one directive."""
        return [v for n, v in self.directives if n == name]

    @property
    def twins(self) -> float | None:
        """Cosine of the texts that hold the word "twin"; None when the file needs no vectors."""
        values = self.all("twins")
        return float(values[0]) if values else None


@dataclass
class Folder:
    """A content folder that keeps every rule, until something broken is laid over it."""

    root: Path
    now: dt.date
    expected: list[Expected] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.root / name

    def write(self, name: str, data: Any) -> None:
        """Write one file: bytes and text as they are, anything else as YAML."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(data, (bytes, str)):
            data = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def read(self, name: str) -> Any:
        """Parse one file."""
        return yaml.safe_load(self.path(name).read_text("utf-8"))

    def dates(self) -> dict[str, dt.date]:
        """Review dates that hold today."""
        return {"last_reviewed": self.now - dt.timedelta(days=30), "review_by": self.now + dt.timedelta(days=335)}

    def statement(self, name: str, text: str = "Nobody looked at this yet.", **changes: Any) -> dict[str, Any]:
        """One valid statement entry, with changes."""
        entry = {
            "id": name,
            "kind": "fact",
            "text": {"en": text},
            "facts": ["base-fact"],
            "sources": [{"id": "base-source", "locator": "Results"}],
            "phrasings": {"en": [f"{name} {word}" for word in ("alpha", "beta", "gamma", "delta")]},
        }
        return entry | changes

    def add(self, *entries: dict[str, Any], topic: str = "efficacy.crps", file: str = "statements/extra.yml") -> None:
        """Write a file of statements."""
        self.write(file, {"topic": topic, **self.dates(), "statements": list(entries)})

    def lay(self, broken: Broken, tag: str = "one") -> list[Expected]:
        """Lay a broken file over the folder.

        Args:
            broken: The file.
            tag: Takes the place of "one" in its ids, phrasings and file name, so that several can be laid.

        Returns:
            What `check` must find because of it.
        """
        days = {"LONGAGO": -400, "REVIEWED": -30, "YESTERDAY": -1, "TOMORROW": 1, "DUE": 335}

        def filled(text: str) -> str:
            for word, offset in days.items():
                text = text.replace(word, str(self.now + dt.timedelta(days=offset)))
            text = text.replace("broken-one", f"broken-{tag}").replace("broken one", f"broken {tag}")
            return text if tag == "one" else text.replace("statements/broken.yml", f"statements/broken-{tag}.yml")

        body = filled(broken.raw.decode("latin-1"))
        body_lines = body.splitlines()
        for value in broken.all("drop"):
            name, _, entry = value.partition(" ")
            self._drop(name, entry)
        offset = 0
        if broken.all("to"):
            self.write(filled(broken.all("to")[0]), body.encode("latin-1"))
        elif broken.all("append"):
            path = self.path(broken.all("append")[0])
            before = path.read_text("utf-8") if path.exists() else ""
            offset = len(before.splitlines())
            path.write_text(before + body.encode("latin-1").decode("utf-8"), "utf-8")
        elif broken.all("insert"):
            name, _, line = broken.all("insert")[0].partition(" after ")
            lines = self.path(name).read_text("utf-8").splitlines()
            offset = lines.index(line) + 1
            lines[offset:offset] = body.encode("latin-1").decode("utf-8").splitlines()
            self.path(name).write_text("\n".join(lines) + "\n", "utf-8")
        here = next((i for i, line in enumerate(body_lines, 1) if line.endswith("# HERE")), None)
        found = []
        for value in broken.all("expect"):
            file, line, part, message, mend = (filled(v) for v in value.split(" | "))
            if line == "HERE":
                assert here is not None, f"{broken.name}: no line ends in # HERE"
            number = offset + (here or 0) if line == "HERE" else int(line)
            found.append(Expected(file, number, part, message, mend))
        self.expected += found
        return found

    def _drop(self, name: str, entry: str) -> None:
        lines = self.path(name).read_text("utf-8").splitlines()
        start = lines.index(f"- {entry}")
        end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("- ")), len(lines))
        self.path(name).write_text("\n".join(lines[:start] + lines[end:]) + "\n", "utf-8")

    def report(self, embed: Embed | None = None) -> Report:
        """Load and check, the safety room's own rules left out (its tests are its own).

        Raises:
            ContentError: when entries cannot be read.
        """
        return _WithoutSafety(Content.load(self.root), self.root, embed, self.now).run()

    def problems(self, embed: Embed | None = None) -> list[Problem]:
        """Every problem, whether found while loading or by a rule."""
        try:
            return self.report(embed).problems
        except ContentError as error:
            return list(error.problems)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m knowledge --content FOLDER …` in a process of its own."""
        command = [sys.executable, "-W", "ignore", "-m", "knowledge", "--content", str(self.root), *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)


class _WithoutSafety(Checker):
    """A checker that holds only the statements' side to its rules."""

    def safety(self) -> Iterator[Problem]:
        """Nothing."""
        return iter(())


def twin_vectors(cosine: float) -> Embed:
    """A stand-in for the encoder: every text points its own way, those with the word "twin" at this cosine."""

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = np.eye(len(texts), dtype=np.float32)
        twins = [i for i, text in enumerate(texts) if "twin" in text.lower()]
        for other in twins[1:]:
            vectors[other] = 0
            vectors[other, twins[0]] = cosine
            vectors[other, other] = (1 - cosine**2) ** 0.5
        return vectors

    return embed


def _letters(number: int) -> str:
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)


def _base(root: Path, now: dt.date) -> Folder:
    """Write the smallest content that keeps every rule: every topic with its bottom line, one statement a level."""
    folder = Folder(root, now)
    for name in ("wording", *UNTOUCHED):
        shutil.copytree(CONTENT / name, root / name)
    source = {
        "title": "A small trial", "authors": "A. Author", "publisher": "A Journal", "year": 2019, "kind": "rct",
        "url": "https://example.org/trial", "doi": "10.1234/abc", "scope": "Adults.", "read_as": "abstract",
        "read_at": "https://example.org/trial",
    }  # fmt: skip
    folder.write("sources.yml", [{"id": "base-source", **source}, {"id": "other-source", **source}])
    fact: dict[str, Any] = {
        "topic": "any", "display": "core", "claim": "One trial of 60 people ran for 12 weeks.",
        "certainty": "not_graded", "sources": ["base-source"],
    }  # fmt: skip
    graded = [
        {"id": f"fact-{level.replace('_', '-')}", **fact, "certainty": level, "certainty_by": "base rater"}
        for level in GRADED_TEXTS
    ]
    facts = [
        {"id": "base-fact", **fact},
        {"id": "us-fact", **fact, "region": "US-NY"},
        {"id": "other-fact", **fact, "sources": [{"id": "other-source", "read_as": "secondary", "read_at": "A page"}]},
        {"id": "hold-fact", **fact, "display": "hold"},
        {"id": "seed-fact", **fact, "display": "seed_claim"},
        *graded,
    ]
    folder.write("evidence/base.yml", {"facts": facts})
    line = {"en": "Ask your clinician. It depends on you.", "es": "Pregunte a su médico. Depende de usted."}
    topics = []
    for number, topic in enumerate(TOPICS):
        topics.append({"id": topic, "title": line, "clinician": line, "clinician_decline": line, "suggestion": line})
        text = f"Nobody looked at part {_letters(number)} yet."
        entries = [folder.statement(f"base-{topic.replace('.', '-')}", text, bottom_line=True)]
        if topic == "efficacy.general":
            entries += [
                folder.statement(
                    f"base-{level.replace('_', '-')}", words, kind="effect", certainty=level, certainty_by="base rater",
                    facts=[f"fact-{level.replace('_', '-')}"],
                )
                for level, words in GRADED_TEXTS.items()
            ]  # fmt: skip
            two = [{"id": source, "locator": "Results"} for source in ("base-source", "other-source")]
            entries.append(
                folder.statement(
                    "base-numbers", "In New York, 1 trial had 60 people.", regions=["US"], facts=["us-fact"]
                )
            )
            entries.append(
                folder.statement(
                    "base-two", "One trial ran for 12 weeks.", facts=["base-fact", "other-fact"], sources=two
                )
            )
        folder.add(*entries, topic=topic, file=f"statements/{topic}.yml")
    folder.write("topics.yml", topics)
    names = {"conditions": "crps", "medicines": "ketamine", "routes": "drip", "aspects": "benefit"}
    folder.write(
        "lexicon.yml", {kind: [{"id": name, "names": {"en": [name, f"the {name}"]}}] for kind, name in names.items()}
    )
    folder.write("terms.yml", [{"term": {"en": "ketamine"}, "plain": {"en": "A medicine.", "es": "Una medicina."}}])
    sides = [
        {
            "claim": {"en": f"The {name} review saw {what}."},
            "facts": [fact],
            "sources": [{"id": "base-source", "locator": "Results"}],
        }
        for name, what, fact in (("first", "a gain", "base-fact"), ("second", "no gain", "seed-fact"))
    ]
    base_disagreement = {
        "id": "base-disagreement", "summary": {"en": "Two reviews differ."}, "positions": sides,
        "why": {"en": "One is older."}, "statements": ["base-mechanism"], **folder.dates(),
    }  # fmt: skip
    folder.write("disagreements.yml", [base_disagreement])
    return folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The base content, made once; tests copy it."""
    root = tmp_path_factory.mktemp("base") / "content"
    root.mkdir()
    return _base(root, dt.date.today())


@pytest.fixture
def make_folder(base_folder: Folder, tmp_path: Path) -> Callable[..., Folder]:
    """A factory of valid content folders."""

    def make(name: str = "content") -> Folder:
        root = Path(shutil.copytree(base_folder.root, tmp_path / name, ignore=shutil.ignore_patterns(*UNTOUCHED)))
        for untouched in UNTOUCHED:
            (root / untouched).symlink_to(base_folder.root / untouched)
        return Folder(root, base_folder.now)

    return make


@pytest.fixture
def folder(make_folder: Callable[..., Folder]) -> Folder:
    """One valid content folder."""
    return make_folder()


@pytest.fixture
def twins() -> Callable[[float], Embed]:
    """Maker of stand-in encoders, see `twin_vectors`."""
    return twin_vectors


@pytest.fixture
def broken() -> Callable[[str], Broken]:
    """Reader of broken files by name."""
    return lambda name: Broken.read(BROKEN / f"{name}.yml")


@pytest.fixture
def safety_room(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a stand-in in the place of `knowledge.safety`: it finds these problems, or cannot be imported from (None)."""

    def stand_in(problems: Sequence[Problem] | None = ()) -> None:
        room = ModuleType("knowledge.safety")
        if problems is not None:
            room.content_problems = lambda root, now: iter(problems)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "knowledge.safety", room)

    return stand_in


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that take `broken_file` run once for each broken file."""
    if "broken_file" in metafunc.fixturenames:
        files = [Broken.read(path) for path in sorted(BROKEN.glob("*.yml"))]
        metafunc.parametrize("broken_file", files, ids=[f.name for f in files])
