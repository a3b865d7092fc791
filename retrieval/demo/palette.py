"""The named colours of charts and stains, and colour maps for grey values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

BLACK: Colour = (25, 25, 28)
GREY: Colour = (128, 128, 132)
PALE: Colour = (222, 222, 226)
WHITE: Colour = (255, 255, 255)

COLOURS: dict[str, Colour] = {
    "blue": (38, 104, 178),
    "orange": (238, 134, 36),
    "green": (48, 150, 72),
    "red": (206, 44, 48),
    "purple": (126, 76, 170),
    "teal": (26, 158, 158),
    "pink": (228, 112, 166),
    "grey": (122, 124, 130),
    "yellow": (228, 188, 32),
    "brown": (134, 88, 54),
    "black": (34, 34, 38),
}
SEQUENCES: dict[str, tuple[str, ...]] = {
    "blue": ("blue", "orange", "green", "red", "purple", "brown", "teal", "pink"),
    "warm": ("red", "orange", "yellow", "brown", "pink", "purple", "grey", "black"),
    "cool": ("blue", "teal", "green", "purple", "grey", "black", "pink", "orange"),
}
MAPS: dict[str, tuple[Colour, ...]] = {
    "viridis": ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    "blue-white-red": ((33, 76, 160), (140, 178, 220), (247, 247, 247), (236, 150, 120), (178, 24, 43)),
    "inferno": ((4, 3, 16), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)),
    "greens": ((247, 252, 245), (199, 233, 192), (116, 196, 118), (35, 139, 69), (0, 60, 24)),
    "grey": ((0, 0, 0), (255, 255, 255)),
}


def colour_words(names: Sequence[str]) -> str:
    """'blue', 'blue and red', 'blue, red and green'."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def shade(colour: Colour, towards: Colour, share: float) -> Colour:
    """`colour` mixed with `share` of another."""
    mixed = [round(a + (b - a) * share) for a, b in zip(colour, towards, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def mapped(values: NDArray[np.floating], name: str) -> NDArray[np.uint8]:
    """Values in 0..1 of any shape as colours (..., 3)."""
    stops = np.asarray(MAPS[name], dtype=np.float32)
    table = np.stack(
        [np.interp(np.linspace(0, len(stops) - 1, 256), np.arange(len(stops)), c) for c in stops.T], axis=1
    )
    rows = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(table.round()[rows], dtype=np.uint8)
