"""The three stages: the image tower imitates the teacher, the text tower finds the teacher's vectors, both together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import batches
import bundle
import numpy as np
import torch
from meanings import word_vectors
from numpy.typing import NDArray
from pack import open_rgb
from PIL import Image
from ranks import ranks
from student import Student, contrast, unlike
from together import Team
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one stage is run.

    `whole` is the probability of seeing the whole figure rather than a crop, `hard` the share of figures that come in
    batches of one corpus, `distil` the weight of imitating the teacher against contrast.
    """

    batch: int
    image_rate: float
    text_rate: float
    whole: float
    epochs: int
    minutes: float
    hard: float = 0.0
    distil: float = 0.0


class Stage:
    """What the stages share: the data, the student, and vectors of what is read and seen."""

    def __init__(self, student: Student, packs: list[batches.Packed], skeleton: Path, team: Team, seed: int) -> None:
        self.student, self.packs, self.team = student, packs, team
        self.device = student.scale.device
        self.rng = np.random.default_rng([seed, team.rank])
        self.words = batches.Words(skeleton, drop=0.1)
        self.whole_words = batches.Words(skeleton, drop=0.0)
        self.pool = batches.pool_of(packs, "train", with_text=not isinstance(self, ImageStage))
        self.validation = batches.pool_of(packs[:1], "validation", with_text=True)
        sample = packs[0].teacher[:8000:8, 0].astype(np.float32)
        self.cell = self._spread(sample.reshape(-1, sample.shape[-1]))
        self.mean = self._spread(sample.mean((1, 2)))

    def _spread(self, values: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each feature, none of them tiny."""
        return tuple(torch.from_numpy(part).to(self.device) for part in (values.mean(0), values.std(0) + 0.1))

    def views(self, numbers: NDArray[np.int64], whole: float) -> tuple[Tensor, Tensor]:
        """Boxes and the teacher's maps of random views of the pool's figures, see `batches.choose_views`."""
        boxes, maps = batches.choose_views(self.pool, numbers, self.rng, whole)
        return boxes.to(self.device), maps.to(self.device)

    def pooled_target(self, maps: Tensor) -> Tensor:
        """The teacher's maps (n, 4, 4, 1280) as pooled standardised features (n, 1280)."""
        return (maps.mean((1, 2)) - self.mean[0]) / self.mean[1]

    def read_words(self, numbers: NDArray[np.int64]) -> Tensor:
        tokens = self.words([batches.wording(self.pool.texts(number), self.rng) for number in numbers], self.rng)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return batches.encode_words(self.student.clip.text, tokens)

    def imitation(self, student: Student, maps: Tensor, target: Tensor) -> Tensor:
        """How unlike the image tower's map (n, c, h, w) and the teacher's (n, 4, 4, 1280) are, by cell and pooled."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            guess = student.imitate(maps).float()
        cells = ((target - self.cell[0]) / self.cell[1]).permute(0, 3, 1, 2)
        if cells.shape[2:] != guess.shape[2:]:
            cells = functional.interpolate(cells, size=guess.shape[2:], mode="bilinear", align_corners=False)
        return unlike(guess, cells, dim=1) + unlike(guess.mean((2, 3)), cells.mean((2, 3)))

    def rates(self, student: Student, images: Tensor) -> tuple[float, dict[str, float]]:
        """Minus the mean log2 rank of the validation pairs, both ways (steadier than a hit rate), and what to log."""
        tokens = self.whole_words([self.validation.texts(number)[0] for number in range(len(self.validation))])
        texts = functional.normalize(batches.encode_words(student.clip.text, tokens, 16), dim=-1).cpu().numpy()
        seen = functional.normalize(images, dim=-1).cpu().numpy()
        there, back = ranks(texts, seen), ranks(seen, texts)
        score = -float(np.log2(there).mean() + np.log2(back).mean()) / 2
        facts = {"t2i": float((there <= 10).mean()), "i2t": float((back <= 10).mean()), "log_rank": -score}
        return score, {name: round(value, 4) for name, value in facts.items()}


class ImageStage(Stage):
    """From random weights: the image tower imitates the teacher's maps of whole figures and crops."""

    def begin(self) -> None:
        """Nothing to prepare."""

    def modules(self, recipe: Recipe) -> list[tuple[nn.Module, float]]:
        return [(self.student.clip.visual.trunk, recipe.image_rate), (self.student.imitate, recipe.image_rate)]

    def loss(self, numbers: NDArray[np.int64], recipe: Recipe, progress: float) -> Tensor:
        boxes, target = self.views(numbers, recipe.whole)
        size = 96 if progress < 0.3 else 128 if progress < 0.65 else 160  # small figures first: they cost a third
        pixels = batches.pixels_of(self.pool, numbers, boxes, self.rng, size)
        flipped = torch.from_numpy(self.rng.random(len(numbers)) < 0.5).to(self.device)[:, None, None, None]
        pixels = torch.where(flipped, pixels.flip(3), pixels)
        target = torch.where(flipped, target.flip(2), target)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            maps = self.student.clip.visual.trunk.forward_features(pixels)
        return self.imitation(self.student, maps, target)

    @torch.no_grad()
    def check(self, student: Student) -> tuple[float, dict[str, float]]:
        """Minus the imitation's distance on whole validation figures."""
        packed, rows = self.packs[0], [row for _, row in self.validation.where]
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=self.device).repeat(64, 1)
        total = 0.0
        for start in range(0, len(rows), 64):
            part = rows[start : start + 64]
            numbers = np.arange(start, start + len(part))
            pixels = batches.pixels_of(self.validation, numbers, boxes[: len(part)], None)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                maps = student.clip.visual.trunk.forward_features(pixels)
            target = torch.from_numpy(packed.teacher[part, 0]).to(self.device).float()
            total += float(self.imitation(student, maps, target)) * len(part)
        return -total / len(rows), {"distance": round(total / len(rows), 4)}


class TextStage(Stage):
    """The text tower learns to find the frozen teacher's features of a figure."""

    @torch.no_grad()
    def begin(self) -> None:
        """Word vectors from which words stand together in the texts: worth three epochs (log.md)."""
        words = self.student.clip.text.transformer.embeddings.word_embeddings.weight
        texts = [text for number in range(len(self.pool)) for text in self.pool.texts(number)]
        length = float(words.norm(dim=1).mean())
        words.copy_(word_vectors(self.whole_words(texts), *words.shape, length))
        words[0] = 0  # padding

    def modules(self, recipe: Recipe) -> list[tuple[nn.Module, float]]:
        return [(self.student.clip.text, recipe.text_rate), (self.student.read_teacher, recipe.text_rate)]

    def loss(self, numbers: NDArray[np.int64], recipe: Recipe, progress: float) -> Tensor:
        _, target = self.views(numbers, recipe.whole)
        images = self.student.read_teacher(self.pooled_target(target))
        return contrast(images, self.read_words(numbers), self.student.scale, self.team)

    @torch.no_grad()
    def check(self, student: Student) -> tuple[float, dict[str, float]]:
        held = self.packs[0].teacher[[row for _, row in self.validation.where], 0]
        target = self.pooled_target(torch.from_numpy(held).to(self.device).float())
        return self.rates(student, student.read_teacher(target))


class JointStage(Stage):
    """Both towers learn together, the image tower still held near the teacher."""

    def __init__(self, *arguments: Any, data: Path) -> None:
        super().__init__(*arguments)
        self.held = self._held_pixels(data)

    def modules(self, recipe: Recipe) -> list[tuple[nn.Module, float]]:
        images = [self.student.clip.visual, self.student.imitate]
        texts = [self.student.clip.text, self.student.read_teacher]
        return [(m, recipe.image_rate) for m in images] + [(m, recipe.text_rate) for m in texts]

    @torch.no_grad()
    def begin(self) -> None:
        """The image tower's last layer from its pooled maps of 4,096 figures and the vectors the text tower knows."""
        self.student.eval()
        numbers = np.random.default_rng(0).permutation(len(self.pool))[:4096]
        pooled, wanted = [], []
        for start in range(0, len(numbers), 64):
            boxes, target = self.views(numbers[start : start + 64], 1.0)
            pixels = batches.pixels_of(self.pool, numbers[start : start + 64], boxes, None)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                pooled.append(self.student.clip.visual.trunk(pixels).float())
            wanted.append(functional.normalize(self.student.read_teacher(self.pooled_target(target)), dim=-1))
        self.student.start_head(torch.cat(pooled), torch.cat(wanted))
        self.student.scale.data.clamp_(max=math.log(40))

    def loss(self, numbers: NDArray[np.int64], recipe: Recipe, progress: float) -> Tensor:
        student = self.student
        boxes, target = self.views(numbers, recipe.whole)
        pixels = batches.pixels_of(self.pool, numbers, boxes, self.rng, 160 if progress < 0.5 else bundle.SIZE)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            maps = student.clip.visual.trunk.forward_features(pixels)
            images = student.clip.visual.head(student.clip.visual.trunk.forward_head(maps)).float()
        texts = self.read_words(numbers)
        read = student.read_teacher(self.pooled_target(target))
        value = contrast(images, texts, student.scale, self.team)
        value = value + 0.5 * contrast(read, texts, student.scale, self.team)
        return value + recipe.distil * (unlike(images, read.detach()) + 0.5 * self.imitation(student, maps, target))

    @torch.no_grad()
    def check(self, student: Student) -> tuple[float, dict[str, float]]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            images = torch.cat([student.clip.visual(part) for part in self.held.to(self.device).split(128)]).float()
        return self.rates(student, images)

    def _held_pixels(self, data: Path) -> Tensor:
        """Validation figures as the bundle's transform gives them."""
        rows = []
        for pack, row in self.validation.where:
            image = open_rgb(data / self.validation.packs[pack].rows[row]["image"])
            small = image.resize((bundle.SIZE, bundle.SIZE), Image.Resampling.BICUBIC)
            rows.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
        return torch.stack(rows).float().div_(127.5).sub_(1)
