"""Teaching the encoder our questions: `python -m knowledge tune-encoder`.

The layers of the official model are trained, the upper ones fastest, so that phrasings of one statement lie together, and so that topics, what lies out of
scope, requests for advice and messages of danger come apart. What training changed is committed beside this file, a byte a weight: a build adds it to the
official weights and needs no training, and a new statement does not change the encoder. Training reads the curators' files only, never `evals/`.

Source of the contrastive loss: A. van den Oord et al., Representation learning with contrastive predictive coding (2018), in both directions over a batch,
with other phrasings of the same statement left out of the negatives.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.content import CONTENT, Content, read_yaml

if TYPE_CHECKING:
    import torch

TUNED = Path(__file__).with_name("encoder_tuned.npz")
SEED, BATCH, EPOCHS = 7, 32, 2
TEMPERATURE, SCALE = 0.05, 4.0
RATE, HEAD_RATE = 1e-4, 3e-3
SLOWER = 0.7  # times the rate of the layer above
MAX_TOKENS = 40
BESIDE = (8, 8, 24)  # examples a batch out of scope, of intents, of danger
STEPS = 63  # each way; with these no vector moved further than to a cosine of 0.999998; finer ones weigh more


def apply(model: Any) -> None:
    """Add what training changed to a SentenceTransformer's transformer, in place.

    Raises:
        OSError, KeyError: when the file is missing or belongs to another model.
    """
    import torch

    own = model[0].auto_model.encoder.state_dict()
    with np.load(TUNED, allow_pickle=False) as tuned:
        for name, weights in own.items():
            weights += torch.from_numpy(tuned[f"{name}:step"] * tuned[name])


def save(official: dict[str, np.ndarray], trained: dict[str, np.ndarray], out: Path) -> None:
    """Write what training changed: a byte a weight, and for each row the size of a step."""
    parts = {}
    for name, weights in trained.items():
        change = weights - official[name]
        step = (np.abs(change).max(axis=-1, keepdims=True) / STEPS).astype(np.float32)
        parts[name] = np.round(change / np.maximum(step, 1e-12)).astype(np.int8)
        parts[f"{name}:step"] = step
    np.savez_compressed(out, **parts)


def tasks(content: Content, source: Path = CONTENT) -> list[tuple[list[str], list[str]]]:
    """What is told apart, each as texts and their labels: statements' topics and scope, intents, danger."""
    intents = read_yaml(source / "dialogue" / "examples.yml", source)
    outside = [t for name, by in intents.items() if name.startswith("out_of_scope") for t in by["en"]]
    topics = [(p, s.topic) for s in content.statements.values() for p in s.phrasings["en"]] + [(t, "outside") for t in outside]
    asked = [(t, name) for name, by in intents.items() for texts in by.values() for t in texts]
    danger = []
    for language in ("en", "es"):
        examples = read_yaml(source / "safety" / f"examples_{language}.yml", source)
        danger += [(str(e["text"] if isinstance(e, dict) else e), name) for name, es in examples.items() if name != "word_groups" for e in es]
    return [([t for t, _ in task], [label for _, label in task]) for task in (topics, asked, danger)]


def train(model: Any, content: Content, out: Path = TUNED) -> None:
    """Train the layers and write what that changed.

    Args:
        model: The official model as a SentenceTransformer, on the CPU; it is changed.
        content: Checked content.
        out: The .npz to write.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    torch.manual_seed(SEED)
    rng = random.Random(SEED)  # noqa: S311  (no secret)
    network, layers = model[0].auto_model.eval(), model[0].auto_model.encoder.layer
    official = {n: p.numpy().copy() for n, p in network.encoder.state_dict().items()}
    texts: list[str] = []
    labels: list[int] = []
    ranges: list[range] = []
    for of_task, named in tasks(content):
        names = sorted(set(named))
        ranges.append(range(len(texts), len(texts) + len(of_task)))
        texts += of_task
        labels += [names.index(n) for n in named]
    owner = [s.id for s in content.statements.values() for _ in s.phrasings["en"]]
    siblings: dict[str, list[int]] = {}
    for i, statement in enumerate(owner):
        siblings.setdefault(statement, []).append(i)
    hidden = _embedded(network, model.tokenizer, texts)

    def encode(rows: list[int]) -> torch.Tensor:
        length = max(len(hidden[i]) for i in rows)
        states, mask = torch.zeros(len(rows), length, hidden[0].shape[1]), torch.zeros(len(rows), length)
        for place, i in enumerate(rows):
            states[place, : len(hidden[i])], mask[place, : len(hidden[i])] = hidden[i], 1
        blocked = (1 - mask)[:, None, None, :] * -1e9
        for layer in layers:
            result = layer(states, blocked)
            states = result[0] if isinstance(result, tuple) else result
        return normalize((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True), dim=1)

    heads = [torch.nn.Linear(hidden[0].shape[1], max(labels[i] for i in r) + 1) for r in ranges]
    weights = [p for layer in layers for p in layer.parameters()]
    of_heads = [p for head in heads for p in head.parameters()]
    rates = [{"params": list(layer.parameters()), "lr": RATE * SLOWER**depth} for depth, layer in enumerate(reversed(layers))]
    optimizer = torch.optim.AdamW([*rates, {"params": of_heads, "lr": HEAD_RATE}], weight_decay=0.01)
    steps = EPOCHS * len(owner) // BATCH
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1, (s + 1) / (0.1 * steps)) * (steps - s) / steps)
    outside = range(len(owner), ranges[0].stop)
    deck: list[int] = []
    started = time.time()
    for step in range(steps):
        if len(deck) < BATCH:
            deck = rng.sample(range(len(owner)), len(owner))
        asked = [deck.pop() for _ in range(BATCH)]
        other = [rng.choice([j for j in siblings[owner[i]] if j != i] or [i]) for i in asked]
        beside = [rng.sample(r, n) for r, n in zip((outside, *ranges[1:]), BESIDE, strict=True)]
        vectors = torch.cat([encode(asked + other), encode([i for rows in beside for i in rows])])  # the latter are longer
        likeness = vectors[:BATCH] @ vectors[BATCH : 2 * BATCH].T / TEMPERATURE
        same = torch.tensor([[owner[i] == owner[j] for j in asked] for i in asked]) & ~torch.eye(BATCH, dtype=torch.bool)
        likeness, target = likeness.masked_fill(same, -1e9), torch.arange(BATCH)
        loss = (cross_entropy(likeness, target) + cross_entropy(likeness.T, target)) / 2
        at = 2 * BATCH
        for number, (head, rows) in enumerate(zip(heads, beside, strict=True)):
            start, of = (0, asked + other + rows) if number == 0 else (at, rows)
            at += len(rows)
            loss = loss + cross_entropy(head(vectors[start:at]) * SCALE, torch.tensor([labels[i] for i in of]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            print(f"  step {step} of {steps}, loss {float(loss.detach()):.2f}, {time.time() - started:.0f} s", flush=True)
    save(official, {n: p.numpy() for n, p in network.encoder.state_dict().items()}, out)


def _embedded(network: Any, tokenizer: Any, texts: list[str]) -> list[torch.Tensor]:
    """What goes into the first layer, (tokens, 384) a text; the embeddings are left as published."""
    import torch

    out = []
    with torch.no_grad():
        for text in texts:
            ids = tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")["input_ids"]
            out.append(network.embeddings(input_ids=ids)[0])
    return out
