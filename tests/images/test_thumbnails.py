"""Thumbnails: small, never enlarged, and what Pillow's own resizing would show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from retrieval.images.thumbnails import thumbnail

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8))


def made(image: Image.Image, size: int) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail(image, size)))


@pytest.mark.parametrize(
    ("before", "size", "after"),
    [
        ((300, 200), 128, (128, 85)),
        ((30, 20), 128, (30, 20)),
        ((128, 128), 128, (128, 128)),
        ((1, 5000), 256, (1, 256)),
        ((5000, 1), 256, (256, 1)),
        ((5000, 3), 256, (256, 1)),
        ((1, 1), 256, (1, 1)),
    ],
)
def test_a_thumbnail_is_a_small_jpeg(before: tuple[int, int], size: int, after: tuple[int, int]) -> None:
    small = made(NOISE.resize(before), size)
    assert (small.format, small.mode, small.size) == ("JPEG", "RGB", after)


@pytest.mark.parametrize("before", [(193, 180), (260, 240), (700, 500), (1200, 900), (1200, 100)])
def test_it_shows_what_pillow_would_show(before: tuple[int, int]) -> None:
    image = NOISE.resize(before)
    small = made(image, 192)
    pillow = io.BytesIO()
    image.resize(small.size, Image.Resampling.BILINEAR, reducing_gap=2.0).save(pillow, "JPEG", quality=80)
    difference = np.asarray(small, np.int64) - np.asarray(Image.open(pillow), np.int64)
    assert abs(difference).mean() < 1
    assert abs(difference).max() <= 16  # a level before JPEG turns over a coefficient here and there


def test_other_modes_come_out_as_rgb() -> None:
    assert made(NOISE.convert("L"), 64).mode == "RGB"
