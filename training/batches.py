"""Training batches: random views of packed figures and random wordings of their texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
    """A folder that pack.py or draw.py wrote: images (n, 160, 160, 3), boxes (n, v, 4), teacher (n, v, 1280), rows."""

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


def epochs(count: int, batch: int, rng: np.random.Generator) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(epoch, numbers of one batch), forever; the last short batch of an epoch is dropped."""
    epoch = 0
    while True:
        order = rng.permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield epoch, order[start : start + batch]
        epoch += 1


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
    outputs = []
    for group in np.array_split(order, parts):
        ids = torch.zeros(len(group), max(len(tokens[i]) for i in group), dtype=torch.long)
        for row, i in enumerate(group):
            ids[row, : len(tokens[i])] = torch.from_numpy(tokens[i])
        outputs.append(text_tower(ids).float())
    return torch.cat(outputs)[torch.from_numpy(np.argsort(order, kind="stable"))]


def choose_views(
    pool: Pool, numbers: NDArray[np.int64], rng: np.random.Generator, whole: float
) -> tuple[Tensor, Tensor]:
    """Boxes (n, 4) and the teacher's features of them (n, 1280); the whole figure with probability `whole`."""
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
    pool: Pool, numbers: NDArray[np.int64], boxes: Tensor, rng: np.random.Generator, size: int = SIZE
) -> Tensor:
    """Crops (n, 3, size, size) in -1..1, brightness, contrast and colour changed a little."""
    stored = np.stack([pool.packs[pack].images[row] for pack, row in (pool.where[number] for number in numbers)])
    images = torch.from_numpy(stored).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    left, top, right, bottom = boxes.unbind(1)
    theta = torch.zeros(len(boxes), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = right - left, right + left - 1
    theta[:, 1, 1], theta[:, 1, 2] = bottom - top, bottom + top - 1
    grid = torch.nn.functional.affine_grid(theta, [len(boxes), 3, size, size], align_corners=False)
    crops = torch.nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    count = len(boxes)
    scale = torch.from_numpy(
        rng.uniform(0.75, 1.25, (count, 1, 1, 1)) * rng.uniform(0.93, 1.07, (count, 3, 1, 1))
    ).float()
    shift = torch.from_numpy(
        rng.uniform(-0.12, 0.12, (count, 1, 1, 1)) + rng.uniform(-0.04, 0.04, (count, 3, 1, 1))
    ).float()
    grey = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.1)
    crops = torch.where(grey, crops.mean(1, keepdim=True).expand_as(crops), crops)
    return (crops * scale + shift).clamp_(-1, 1).contiguous(memory_format=torch.channels_last)
