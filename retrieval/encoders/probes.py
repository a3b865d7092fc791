"""What an encoder is tried on: drawn images and made-up captions, the same on every machine."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

WORDS = (
    *("axial", "coronal", "CT", "MRI", "radiograph", "of", "the", "left", "lung", "liver", "brain", "kidney"),
    *("section", "stained", "with", "haematoxylin", "and", "eosin", "showing", "a", "lesion", "arrow", "tumour"),
    *("cells", "in", "bright", "field", "fluorescence", "survival", "curves", "two", "groups", "western", "blot"),
    *("bar", "chart", "mean", "values", "error", "bars", "schematic", "pathway", "control", "panel", "(A)", "50 µm"),
)
SEED = 20


def images(count: int = 32) -> list[Image.Image]:
    """RGB pictures of several sizes: noise, gradients, and shapes on white or black ground."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for number in range(count):
        width, height = (int(side) for side in rng.integers(120, 480, 2))
        kind = number % 4
        if kind == 0:
            small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            drawn.append(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
            continue
        if kind == 1:
            dark, light = (float(grey) for grey in rng.integers(0, 256, 2))
            ramp = np.linspace(dark, light, width)[None, :] * np.linspace(0.2, 1, height)[:, None]
            drawn.append(Image.fromarray(ramp.astype(np.uint8)).convert("RGB"))
            continue
        picture = Image.new("RGB", (width, height), "white" if kind == 2 else "black")
        pen = ImageDraw.Draw(picture)
        for _ in range(int(rng.integers(3, 25))):
            x, y = rng.integers(0, width), rng.integers(0, height)
            box = [x, y, x + rng.integers(5, width // 2), y + rng.integers(5, height // 2)]
            colour = tuple(int(channel) for channel in rng.integers(0, 256, 3))
            shape = (pen.ellipse, pen.rectangle, pen.line)[int(rng.integers(3))]
            shape([float(place) for place in box], fill=colour)
        drawn.append(picture)
    return drawn


def captions(count: int = 64) -> list[str]:
    """Of 2 to 40 words each, no two the same."""
    rng = np.random.default_rng(SEED)
    return [
        " ".join(WORDS[int(word)] for word in rng.integers(0, len(WORDS), int(rng.integers(2, 41)))) + f" {number}"
        for number in range(count)
    ]
