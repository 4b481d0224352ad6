"""The curated content, read from YAML into typed models with the file and line of every entry kept for messages."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from knowledge.errors import ContentError, Problem
from knowledge.schema import Disagreement, Fact, Lexicon, LexiconEntry, Signature, Source, Statement, Term, TopicEntry

CONTENT = Path(__file__).parent / "content"
M = TypeVar("M", bound=BaseModel)


class _LineLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that remembers the line on which each mapping starts, and refuses repeated keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """What a node stands for; a value that cannot be (30 February) is a YAML error with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key is a list or a mapping", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    data = _Mapping(loader.construct_pairs(node, deep=True))
    data.line = node.start_mark.line + 1
    return data


class _Mapping(dict):  # type: ignore[type-arg]
    line: int = 0


_LineLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, root: Path) -> Any:
    """Parse one YAML file; mappings carry `.line`.

    Raises:
        ContentError: with file and line when the file is not readable UTF-8 YAML.

    """
    name = str(path.relative_to(root))
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LineLoader)  # noqa: S506  (a SafeLoader subclass)
    except UnicodeDecodeError as error:
        raise ContentError([Problem(name, 0, "file", "not valid UTF-8", f"save it as UTF-8 ({error.reason})")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        what = error.problem or "not valid YAML"
        raise ContentError([Problem(name, line, "file", what, "correct the YAML on this line")]) from error
    except (yaml.YAMLError, OSError) as error:
        raise ContentError([Problem(name, 0, "file", str(error).splitlines()[0], "make it a readable YAML file")]) from error


def read_model(kind: type[M], name: str, root: Path) -> M:
    """Read a file that holds a single model.

    Raises:
        ContentError: with every field that breaks the model.

    """
    reader = _Reader(root)
    entry = reader.model(kind, read_yaml(root / name, root), name, kind.__name__.lower())
    if entry is None:
        raise ContentError(reader.problems)
    return entry


@dataclass
class Content:
    """All curated content. Dictionaries are keyed by id and keep file order."""

    statements: dict[str, Statement]
    sources: dict[str, Source]
    facts: dict[str, Fact]
    topics: dict[str, TopicEntry]
    terms: list[Term]
    lexicon: Lexicon
    disagreements: dict[str, Disagreement]
    signatures: list[Signature]
    unused_facts: dict[str, str]
    where: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path = CONTENT) -> Content:
        """Read a content folder.

        Raises:
            ContentError: with every unreadable file and every entry that breaks its model, in one go.

        """
        content, problems = cls.read(root)
        if problems:
            raise ContentError(problems)
        return content

    @classmethod
    def read(cls, root: Path = CONTENT) -> tuple[Content, list[Problem]]:
        """Read what can be read of a content folder, and what is wrong with the rest."""
        reader = _Reader(root)
        content = cls(
            sources=reader.keyed("sources.yml", Source, "source"),
            facts=reader.facts(),
            statements=reader.statements(),
            topics=reader.keyed("topics.yml", TopicEntry, "topic"),
            terms=reader.entries("terms.yml", Term),
            lexicon=reader.lexicon(),
            disagreements=reader.keyed("disagreements.yml", Disagreement, "disagreement"),
            signatures=reader.entries("signatures.yml", Signature),
            unused_facts=reader.unused(),
            where=reader.where,
        )
        return content, sorted(reader.problems)

    def to_json(self) -> str:
        """Serialise for the build; the same content gives the same bytes."""
        data = {
            name: [m.model_dump(mode="json") for m in getattr(self, name).values()]
            for name in ("statements", "sources", "facts", "topics", "disagreements")
        }
        data["terms"] = [t.model_dump(mode="json") for t in self.terms]
        data["signatures"] = [s.model_dump(mode="json") for s in self.signatures]
        data["lexicon"] = self.lexicon.model_dump(mode="json")  # type: ignore[assignment]
        data["unused_facts"] = self.unused_facts  # type: ignore[assignment]
        return json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Content:
        """Read what `to_json` wrote (already checked, so model errors are bugs and propagate)."""
        data = json.loads(text)
        return cls(
            statements={d["id"]: Statement(**d) for d in data["statements"]},
            sources={d["id"]: Source(**d) for d in data["sources"]},
            facts={d["id"]: Fact(**d) for d in data["facts"]},
            topics={d["id"]: TopicEntry(**d) for d in data["topics"]},
            terms=[Term(**d) for d in data["terms"]],
            lexicon=Lexicon(**data["lexicon"]),
            disagreements={d["id"]: Disagreement(**d) for d in data["disagreements"]},
            signatures=[Signature(**d) for d in data["signatures"]],
            unused_facts=data["unused_facts"],
        )


class _Reader:
    """Collects every problem instead of stopping at the first."""

    def __init__(self, root: Path):
        self.root = root
        self.problems: list[Problem] = []
        self.where: dict[str, tuple[str, int]] = {}

    def yaml(self, path: Path) -> Any:
        if not path.exists():
            return None
        try:
            return read_yaml(path, self.root)
        except ContentError as error:
            self.problems += error.problems
            return None

    def model(self, kind: type[M], data: Any, name: str, label: str, prefix: str = "") -> M | None:
        line = getattr(data, "line", 0)
        if not isinstance(data, dict):
            self.problems.append(Problem(name, line, label, "an entry is not a mapping", "write it as `- id: …` with fields"))
            return None
        try:
            return kind(**data)
        except ValidationError as error:
            for e in error.errors():
                place = ".".join(str(p) for p in (f"{prefix}{data.get('id', label)}", *e["loc"]))
                what = e["msg"].removeprefix("Value error, ")
                self.problems.append(Problem(name, line, place, what, _mend(e["type"])))
        except TypeError:
            self.problems.append(Problem(name, line, label, "a field name is not text", "quote the field name"))
        return None

    def rows(self, name: str, data: Any) -> list[Any]:
        """The entries of a list; a problem when it is none."""
        if isinstance(data, list):
            return data
        self.problems.append(Problem(name, 1, "file", "expected a list of entries", "start each entry with `- `"))
        return []

    def file(self, name: str) -> list[Any]:
        """The entries of a file; none when it is missing, empty or unreadable."""
        data = self.yaml(self.root / name)
        return [] if data is None else self.rows(name, data)

    def entries(self, name: str, kind: type[M]) -> list[M]:
        read = (self.model(kind, item, name, kind.__name__.lower()) for item in self.file(name))
        return [entry for entry in read if entry is not None]

    def keyed(self, name: str, kind: type[M], label: str) -> dict[str, M]:
        return self._collect({}, name, kind, label, self.file(name))

    def _collect(self, into: dict[str, M], name: str, kind: type[M], label: str, rows: list[Any], prefix: str = "") -> dict[str, M]:
        for item in rows:
            entry = self.model(kind, item, name, label, prefix)
            if entry is None:
                continue
            key, line = f"{prefix}{entry.id}", getattr(item, "line", 0)  # type: ignore[attr-defined]
            if key in into:
                first = self.where[f"{label}:{key}"]
                message = f"the {label} id stands twice (first in {first[0]}:{first[1]})"
                self.problems.append(Problem(name, line, key, message, "give one of them another id"))
                continue
            into[key] = entry
            self.where[f"{label}:{key}"] = (name, line)
        return into

    def facts(self) -> dict[str, Fact]:
        facts: dict[str, Fact] = {}
        for path in sorted((self.root / "evidence").glob("*.yml")):
            data = self.yaml(path)
            if data is not None:
                name = str(path.relative_to(self.root))
                rows = self.rows(name, data.get("facts") if isinstance(data, dict) else data)
                self._collect(facts, name, Fact, "fact", rows)
        return facts

    def statements(self) -> dict[str, Statement]:
        statements: dict[str, Statement] = {}
        for path in sorted((self.root / "statements").glob("*.yml")):
            data = self.yaml(path)
            if data is None:
                continue
            name = str(path.relative_to(self.root))
            if not isinstance(data, dict) or not isinstance(data.get("statements"), list):
                message = "expected `topic:`, dates and a list `statements:`"
                self.problems.append(Problem(name, 1, "file", message, "follow any other file of this folder"))
                continue
            shared = {k: v for k, v in data.items() if k != "statements"}
            whole = []
            for item in data["statements"]:
                merged = _Mapping({**shared, **item}) if isinstance(item, dict) else item
                if isinstance(item, dict):
                    merged.line = item.line  # type: ignore[attr-defined]
                whole.append(merged)
            self._collect(statements, name, Statement, "statement", whole)
        return statements

    def lexicon(self) -> Lexicon:
        name = "lexicon.yml"
        data = self.yaml(self.root / name)
        entries: dict[str, list[LexiconEntry]] = {kind: [] for kind in Lexicon.model_fields}
        # entry by entry, so that each has its line; a kind that is missing is left to the model
        for kind in set(entries) & set(data if isinstance(data, dict) else ()):
            rows = self.rows(name, data[kind])
            data[kind] = entries[kind] = list(self._collect({}, name, LexiconEntry, "lexicon", rows, f"{kind}.").values())
        lexicon = self.model(Lexicon, data, name, "lexicon") if data is not None else None
        return lexicon or Lexicon(**entries)

    def unused(self) -> dict[str, str]:
        name = "unused_facts.yml"
        unused: dict[str, str] = {}
        for item in self.file(name):
            line = getattr(item, "line", 0)
            if not isinstance(item, dict) or not all(isinstance(item.get(k), str) for k in ("id", "why")):
                self.problems.append(Problem(name, line, "entry", "needs id and why", "write {id: …, why: …}"))
                continue
            unused[item["id"]] = item["why"]
            self.where[f"unused:{item['id']}"] = (name, line)
        return unused


def _mend(kind: str) -> str:
    """One short instruction for a model error."""
    if kind == "missing":
        return "add this field"
    if kind == "extra_forbidden":
        return "remove it or correct its spelling"
    if kind == "literal_error":
        return "use one of the listed values"
    if "date" in kind:
        return "write dates as 2026-01-31"
    return "correct the value"


def today() -> dt.date:
    """The current day; one place, so that tests can hold the clock."""
    return dt.date.today()
