"""What learns: the model with its training heads, the average of its weights, and the losses."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import bundle
import torch
from together import Team
from torch import Tensor, nn
from torch.nn import functional

EMA = 0.998
FEATURES = 1280  # of the distillation teacher


class Student(nn.Module):
    """The model and the two heads that only training needs.

    `imitate` guesses the teacher's map from the image tower's; `read_teacher` reads the teacher's pooled features as
    an image vector, which is what the text tower first learns to find.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clip = bundle.build(folder)
        self.clip.visual.trunk.to(memory_format=torch.channels_last)
        self.imitate = nn.Conv2d(self.clip.visual.trunk.num_features, FEATURES, 1)
        self.read_teacher = nn.Sequential(nn.Dropout(0.2), nn.Linear(FEATURES, bundle.DIM, bias=False))
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @torch.no_grad()
    def start_head(self, pooled: Tensor, wanted: Tensor) -> None:
        """Set the image tower's last layer by ridge regression from pooled maps (n, c) to image vectors (n, dim)."""
        gram = pooled.T @ pooled
        gram += 1e-3 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
        self.clip.visual.head.proj.weight.copy_(torch.linalg.solve(gram, pooled.T @ wanted).T)


class Averaged:
    """Exponential moving average of a module's weights; buffers are copied."""

    def __init__(self, module: nn.Module) -> None:
        self.module = copy.deepcopy(module).eval()
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.steps += 1
        keep = min(EMA, (1 + self.steps) / (10 + self.steps))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - keep)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)


def contrast(images: Tensor, texts: Tensor, scale: Tensor, team: Team) -> Tensor:
    """Symmetric cross-entropy against everybody's rows, smoothed a little since some captions fit several figures."""
    images, texts = functional.normalize(images, dim=-1), functional.normalize(texts, dim=-1)
    warmth = scale.exp().clamp(max=60)
    right = torch.arange(len(images), device=images.device) + team.rank * len(images)
    one = functional.cross_entropy(warmth * images @ team.gather(texts).T, right, label_smoothing=0.05)
    other = functional.cross_entropy(warmth * texts @ team.gather(images).T, right, label_smoothing=0.05)
    return (one + other) / 2


def unlike(guess: Tensor, target: Tensor, dim: int = -1) -> Tensor:
    """One minus the mean cosine."""
    return 1 - functional.cosine_similarity(guess, target, dim=dim).mean()
