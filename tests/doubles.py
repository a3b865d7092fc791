"""A small encoder without a model, so that tests of everything else start at once.

Words and colours meet in one space: an image's vector is its mean colour, a text's the colours it names. So
"a red square" finds the red picture, and a test can say what must come first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from retrieval.types import Pixels, Tokens, Vectors

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
CONTEXT = 16
COLOUR_ENCODER = "tests.doubles:ColourEncoder"
"""The name of ColourEncoder, under which every command finds it."""


class ColourEncoder:
    """Implements retrieval.types.Encoder; `version` changes the fingerprint and nothing else."""

    dim = 8
    reads_images = True

    def __init__(self, version: int = 1) -> None:
        self.name = "colours"
        self.fingerprint = f"{version:064x}"

    def prepare(self, image: Image.Image) -> Pixels:
        small = np.asarray(image.resize((4, 4)), dtype=np.float32).transpose(2, 0, 1)
        return np.ascontiguousarray(small / 255)

    def encode_images(self, pixels: Pixels) -> Vectors:
        return _unit(pixels.mean(axis=(2, 3)) - 0.5)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        words = [text.lower().split() for text in texts]
        ids = np.zeros((len(texts), CONTEXT), dtype=np.int64)
        for row, some in enumerate(words):
            numbers = [1 + list(COLOURS).index(word) if word in COLOURS else 99 for word in some]
            ids[row, : len(numbers)] = numbers[:CONTEXT]
        lengths = np.array([min(len(some), CONTEXT) for some in words], dtype=np.int64)
        return Tokens(ids, lengths, np.array([len(some) > CONTEXT for some in words], dtype=bool))

    def encode_texts(self, tokens: Tokens) -> Vectors:
        palette = np.array(list(COLOURS.values()), dtype=np.float32) / 255 - 0.5
        means = [
            palette[[i - 1 for i in row if 0 < i < 99]].mean(axis=0) if np.any((row > 0) & (row < 99)) else np.zeros(3)
            for row in tokens.ids
        ]
        return _unit(np.array(means, dtype=np.float32).reshape(-1, 3))


def _unit(rows: np.ndarray) -> Vectors:
    """(n, 3) to (n, 8): the rest of each vector says how far it is from grey, so that shades differ too."""
    padded = np.zeros((len(rows), ColourEncoder.dim), dtype=np.float32)
    padded[:, :3] = rows
    padded[:, 3] = 0.1
    padded[:, 4] = np.abs(rows).sum(axis=1) / 10
    return padded / np.linalg.norm(padded, axis=1, keepdims=True)
