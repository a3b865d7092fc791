"""Synthetic pairs of captions and figures as CLIP encoders make them: two cones, a decaying spectrum, hard and easy.

Cosines are 0.39 ± 0.10 for a pair and 0.14 ± 0.05 for one caption and unrelated figures. Ranks are heavy-tailed, as
those of real encoders are: most captions find their figure among the first, and some not among ten thousand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIM = 512
BLOCK = 8192  # pairs made together: a block is the same whatever comes after it
IMAGE_CONE, TEXT_CONE, CONES = 0.53, 0.40, 0.14  # cosines of two figures, two captions, a figure and a caption
SPREAD = 0.75  # the exponent of the spectrum: variance of coordinate k falls as k^-SPREAD
ALIKE, HOW_MUCH = 0.47, 0.18  # of the residuals of a pair, mean and standard deviation


def write_pairs(size: int, folder: Path, seed: int = 0) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Captions and figures (size, DIM) float16 in the folder, memory-mapped: `make_pairs` without their memory."""
    sides = []
    for name in ("captions", "figures"):
        sides.append(np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, (size, DIM)))
    for start in range(0, size, BLOCK):
        count = min(BLOCK, size - start)
        for side, rows in zip(sides, _block(start, seed), strict=True):
            side[start : start + count] = rows[:count]
    return sides[0], sides[1]


def make_pairs(size: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Captions and figures (size, DIM) of unit length; the first n are those of any smaller size."""
    blocks = [_block(start, seed) for start in range(0, size, BLOCK)]
    captions, figures = (np.concatenate(side)[:size] for side in zip(*blocks, strict=True))
    return captions, figures


def _block(start: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng([seed, start])
    spectrum = np.arange(1, DIM - 1, dtype=np.float32) ** (-SPREAD / 2)
    latent, figure, caption = (
        _unit(rng.standard_normal((BLOCK, DIM - 2), dtype=np.float32) * spectrum) for _ in range(3)
    )
    alike = np.clip(rng.normal(ALIKE, HOW_MUCH, (BLOCK, 1)), 0, 0.98).astype(np.float32)
    figure, caption = (_unit(np.sqrt(alike) * latent + np.sqrt(1 - alike) * private) for private in (figure, caption))
    angle = np.arccos(CONES / np.sqrt(IMAGE_CONE * TEXT_CONE))
    return (
        _coned(caption, TEXT_CONE, np.sqrt(TEXT_CONE) * np.array([np.cos(angle), np.sin(angle)])),
        _coned(figure, IMAGE_CONE, np.sqrt(IMAGE_CONE) * np.array([1.0, 0.0])),
    )


def _coned(rows: NDArray[np.float32], cone: float, mean: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.hstack([np.broadcast_to(mean.astype(np.float32), (len(rows), 2)), np.float32(np.sqrt(1 - cone)) * rows])


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths
