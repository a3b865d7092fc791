"""Where word vectors start: words that stand in the same texts begin close together."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHRINK = 5  # pairs seen v times count v / (v + 5): chance meetings say little


def word_vectors(texts: list[NDArray[np.int64]], size: int, dim: int, length: float, seed: int = 0) -> Tensor:
    """(size, dim): vectors of the given length from the positive pointwise mutual information of word pieces.

    Two pieces meet where one text holds both. The vectors are the leading singular vectors of the PPMI matrix times
    the square roots of their singular values (Levy and Goldberg 2014); pieces that are never met get random ones.
    """
    counts = np.zeros(size, np.float32)
    pairs = np.zeros(size * size, np.float32)
    for ids in texts:
        pieces = np.unique(ids)
        counts[pieces] += 1
        pairs[(pieces[:, None] * size + pieces).ravel()] += 1  # no pair stands twice here
    met = torch.from_numpy(pairs).view(size, size).fill_diagonal_(0)
    often = torch.from_numpy(counts)
    chance = often[:, None] * often[None, :] / len(texts)
    information = torch.log(met * met / ((met + SHRINK) * chance.clamp(min=1e-9)))
    information = torch.nan_to_num(information, nan=0.0, neginf=0.0).clamp_(min=0)
    torch.manual_seed(seed)
    left, values, _ = torch.svd_lowrank(information, q=dim, niter=4)
    vectors = left * values.sqrt()
    alone = vectors.norm(dim=1) < 1e-6
    vectors[alone] = torch.randn(int(alone.sum()), dim)
    return length * torch.nn.functional.normalize(vectors, dim=1)
