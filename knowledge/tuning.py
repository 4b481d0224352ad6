"""Teaching the encoder our questions: `python -m knowledge tune-encoder`.

The last layers of the official model are trained so that phrasings of one statement lie together, and so that topics, what lies out of scope, requests for
advice and messages of danger come apart. The result is committed as half-precision weights beside this file: a build adds them to
the official weights and needs no training, and a new statement does not change the encoder. Training reads the curators' files only, never `evals/`.

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
FROM_LAYER = 4  # of six; what lies below is left as published, and its output is computed once
SEED, BATCH, EPOCHS = 7, 32, 1
TEMPERATURE, SCALE = 0.05, 4.0
RATE, HEAD_RATE = 1e-4, 3e-3
MAX_TOKENS = 24
BESIDE = 8  # examples a batch of each further task


def apply(model: Any) -> None:
    """Put the tuned weights into a SentenceTransformer's transformer, in place.

    Raises:
        OSError, KeyError: when the file is missing or belongs to another model.
    """
    import torch

    own = model[0].auto_model.encoder.state_dict()
    with np.load(TUNED, allow_pickle=False) as tuned:
        for name in tuned.files:
            own[name].copy_(torch.from_numpy(tuned[name].astype(np.float32)))


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
    """Train the last layers and write them.

    Args:
        model: The official model as a SentenceTransformer, on the CPU.
        content: Checked content.
        out: The .npz to write.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    torch.manual_seed(SEED)
    rng = random.Random(SEED)  # noqa: S311  (no secret)
    network, layers = model[0].auto_model.eval(), model[0].auto_model.encoder.layer[FROM_LAYER:]
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
    hidden = _below(network, model.tokenizer, texts)

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
    optimizer = torch.optim.AdamW([{"params": weights, "lr": RATE}, {"params": of_heads, "lr": HEAD_RATE}], weight_decay=0.01)
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
        beside = [rng.sample(r, BESIDE) for r in (outside, *ranges[1:])]
        vectors = encode(asked + other + [i for rows in beside for i in rows])
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
    tuned = {n: p for n, p in network.encoder.state_dict().items() if int(n.split(".")[1]) >= FROM_LAYER}
    np.savez(out, **{n: p.numpy().astype(np.float16) for n, p in tuned.items()})


def _below(network: Any, tokenizer: Any, texts: list[str]) -> list[torch.Tensor]:
    """Output of the layers left alone, (tokens, 384) a text."""
    import torch

    hidden: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    kept, network.encoder.layer = network.encoder.layer, network.encoder.layer[:FROM_LAYER]
    with torch.no_grad():
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            batch = tokenizer([texts[i] for i in rows], padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            states = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
            for place, i in enumerate(rows):
                hidden[i] = states[place, : int(batch["attention_mask"][place].sum())].clone()
    network.encoder.layer = kept
    return hidden
