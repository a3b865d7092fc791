"""What learns: the model with its training heads, the average of its weights, and the contrastive loss."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import bundle
import torch
from together import Team
from torch import Tensor, nn
from torch.nn import functional

EMA = 0.995


class Student(nn.Module):
    """The model and the two heads that only training needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clip = bundle.build(folder)
        self.clip.visual.trunk.to(memory_format=torch.channels_last)
        self.imitate = nn.Linear(self.clip.visual.trunk.num_features, 1280)
        self.read_teacher = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, bundle.DIM, bias=False))
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))


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
    right = torch.arange(len(images)) + team.rank * len(images)
    one = functional.cross_entropy(warmth * images @ team.gather(texts).T, right, label_smoothing=0.05)
    other = functional.cross_entropy(warmth * texts @ team.gather(images).T, right, label_smoothing=0.05)
    return (one + other) / 2
