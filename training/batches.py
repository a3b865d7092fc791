"""Training batches: random views of packed figures and random wordings of their texts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bundle import CONTEXT, SIZE
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

SENTENCE = re.compile(r"(?<=[.;!?])\s+")


@dataclass(frozen=True, slots=True)
class Packed:
    """A folder that pack.py or draw.py wrote: images (n, 224, 224, 3), boxes (n, v, 4), teacher (n, v, 4, 4, 1280)."""

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    teacher: NDArray[np.float16]
    rows: list[dict[str, Any]]


def open_packed(folder: Path) -> Packed:
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    images, teacher = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "teacher"))
    return Packed(images, np.load(folder / "boxes.npy"), teacher, rows)


@dataclass(slots=True)
class Pool:
    """The rows of one or more packs that are trained on together, addressed by one number."""

    packs: list[Packed]
    where: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.where)

    def texts(self, number: int) -> list[str]:
        pack, row = self.where[number]
        texts: list[str] = self.packs[pack].rows[row]["texts"]
        return texts


def pool_of(packs: list[Packed], split: str, *, with_text: bool) -> Pool:
    where = [
        (number, row)
        for number, pack in enumerate(packs)
        for row, facts in enumerate(pack.rows)
        if facts["split"] == split and (facts["texts"] or not with_text)
    ]
    return Pool(packs, where)


def groups_of(pool: Pool) -> list[NDArray[np.int64]]:
    """The figures of each corpus (of each kind, for generated ones), as numbers of the pool."""
    groups: dict[str, list[int]] = {}
    for number, (pack, row) in enumerate(pool.where):
        facts = pool.packs[pack].rows[row]
        groups.setdefault(facts["corpus"] + facts.get("kind", ""), []).append(number)
    return [np.array(numbers) for _, numbers in sorted(groups.items())]


def epoch_of(
    groups: list[NDArray[np.int64]], batch: int, hard: float, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The batches of one epoch, each figure at most once.

    The share `hard` of every group's figures comes in batches of that group alone, where telling the corpora apart
    does not help; groups smaller than a batch, and what is left over, are mixed.
    """
    chosen, rest = [], []
    for group in groups:
        order = rng.permutation(group)
        alone = int(len(order) * hard) // batch * batch
        chosen += [order[start : start + batch] for start in range(0, alone, batch)]
        rest.append(order[alone:])
    mixed = rng.permutation(np.concatenate(rest))
    chosen += [mixed[start : start + batch] for start in range(0, len(mixed) - batch + 1, batch)]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def wording(texts: list[str], rng: np.random.Generator) -> str:
    """One of the texts, as a whole or as a run of its sentences."""
    text = texts[0] if len(texts) == 1 or rng.random() < 0.6 else texts[int(rng.integers(1, len(texts)))]
    if rng.random() < 0.4:
        return text
    sentences = SENTENCE.split(text)
    length = int(rng.integers(1, len(sentences) + 1))
    start = int(rng.integers(0, len(sentences) - length + 1))
    return " ".join(sentences[start : start + length])


class Words:
    """Texts to token ids, losing each word piece with probability `drop`."""

    def __init__(self, folder: Path, drop: float) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(CONTEXT)
        self.drop = drop

    def __call__(self, texts: list[str], rng: np.random.Generator | None = None) -> list[NDArray[np.int64]]:
        found = []
        for encoding in self.tokenizer.encode_batch([" ".join(text.split()) for text in texts]):
            ids = np.array(encoding.ids, np.int64)
            if rng is not None and self.drop:
                keep = rng.random(len(ids)) >= self.drop
                keep[[0, -1]] = True
                ids = ids[keep]
            found.append(ids)
        return found


def encode_words(text_tower: Any, tokens: list[NDArray[np.int64]], parts: int = 4) -> Tensor:
    """Text vectors (n, dim), run in `parts` groups of like length so that little padding is computed."""
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    outputs, device = [], next(text_tower.parameters()).device
    for group in np.array_split(order, parts):
        ids = torch.zeros(len(group), max(len(tokens[i]) for i in group), dtype=torch.long)
        for row, i in enumerate(group):
            ids[row, : len(tokens[i])] = torch.from_numpy(tokens[i])
        outputs.append(text_tower(ids.to(device)).float())
    return torch.cat(outputs)[torch.from_numpy(np.argsort(order, kind="stable")).to(device)]


def choose_views(
    pool: Pool, numbers: NDArray[np.int64], rng: np.random.Generator, whole: float
) -> tuple[Tensor, Tensor]:
    """Boxes (n, 4) and the teacher's maps of them (n, 4, 4, 1280); the whole figure with probability `whole`."""
    boxes, features = [], []
    for number in numbers:
        pack, row = pool.where[number]
        packed = pool.packs[pack]
        views = packed.boxes.shape[1]
        view = 0 if views == 1 or rng.random() < whole else int(rng.integers(1, views))
        box = packed.boxes[row, view]
        if view == 0:  # a little less than everything, close enough to the same features
            shares, at = rng.uniform(0.88, 1.0, 2), rng.uniform(0, 1, 2)
            start = (1 - shares) * at
            box = np.concatenate([start, start + shares])
        boxes.append(box)
        features.append(packed.teacher[row, view])
    return torch.from_numpy(np.stack(boxes).astype(np.float32)), torch.from_numpy(np.stack(features)).float()


def pixels_of(
    pool: Pool, numbers: NDArray[np.int64], boxes: Tensor, rng: np.random.Generator | None, size: int = SIZE
) -> Tensor:
    """Crops (n, 3, size, size) in -1..1; with an `rng`, brightness, contrast and colour are changed a little."""
    stored = np.stack([pool.packs[pack].images[row] for pack, row in (pool.where[number] for number in numbers)])
    # first with antialiasing to somewhat more than the crop needs, as sampling a grid alone would skip pixels
    side = min(stored.shape[1], round(size * 1.375))
    whole = torch.from_numpy(stored).to(boxes.device).permute(0, 3, 1, 2)
    if whole.is_cuda:
        whole = whole.float()  # only CPUs resize bytes
    smaller = torch.nn.functional.interpolate(whole, size=(side, side), mode="bilinear", antialias=True)
    images = smaller.float().div_(127.5).sub_(1)
    left, top, right, bottom = boxes.unbind(1)
    theta = torch.zeros(len(boxes), 2, 3, device=boxes.device)
    theta[:, 0, 0], theta[:, 0, 2] = right - left, right + left - 1
    theta[:, 1, 1], theta[:, 1, 2] = bottom - top, bottom + top - 1
    grid = torch.nn.functional.affine_grid(theta, [len(boxes), 3, size, size], align_corners=False)
    crops = torch.nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if rng is not None:
        crops = recoloured(crops, rng)
    return crops.contiguous(memory_format=torch.channels_last)


def recoloured(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and colour changed a little, one in ten without colour."""
    count = len(images)
    scale = rng.uniform(0.75, 1.25, (count, 1, 1, 1)) * rng.uniform(0.93, 1.07, (count, 3, 1, 1))
    shift = rng.uniform(-0.12, 0.12, (count, 1, 1, 1)) + rng.uniform(-0.04, 0.04, (count, 3, 1, 1))
    grey = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.1).to(images.device)
    images = torch.where(grey, images.mean(1, keepdim=True).expand_as(images), images)
    factor, offset = (torch.from_numpy(change).float().to(images.device) for change in (scale, shift))
    return (images * factor + offset).clamp_(-1, 1)
