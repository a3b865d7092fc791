"""Grey-value pictures: grids, smooth noise, soft ellipses, blur, scale bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from retrieval.demo.canvas import font
from retrieval.demo.kind import Size
from retrieval.demo.palette import Colour

Grey = NDArray[np.float32]
"""(height, width), 0 black to 1 white."""


def grid(size: Size) -> tuple[Grey, Grey]:
    """x and y of every pixel from -1 to 1 along the shorter side, as a row and a column that broadcast."""
    width, height = size
    short = min(size)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / (short / 2)
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / (short / 2)
    return x[None, :], y[:, None]


def smooth_noise(rng: np.random.Generator, size: Size, grain: float) -> Grey:
    """Noise from 0 to 1 whose blobs are about `grain` pixels wide."""
    width, height = size
    small = (max(2, round(width / grain)) + 1, max(2, round(height / grain)) + 1)
    coarse = Image.fromarray(rng.random((small[1], small[0]), dtype=np.float32))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))


def ellipse(x: Grey, y: Grey, cx: float, cy: float, rx: float, ry: float, turn: float = 0, edge: float = 0.02) -> Grey:
    """1 inside, 0 outside, soft over about `edge`."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(cx), y - np.float32(cy)
    u, v = (dx * cos + dy * sin) / np.float32(rx), (dy * cos - dx * sin) / np.float32(ry)
    distance = (np.sqrt(u * u + v * v) - 1) * np.float32(min(rx, ry) / edge)
    return np.asarray(np.clip(0.5 - distance, 0, 1), dtype=np.float32)


def blend(picture: Grey, mask: Grey, value: float | Grey) -> None:
    """Paint `value` over `picture` where `mask` says, in place."""
    picture += mask * (value - picture)


def blurred(picture: Grey, radius: float) -> Grey:
    soft = Image.fromarray(as_bytes(picture)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(soft, dtype=np.float32) / np.float32(255)


def as_bytes(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, dtype=np.uint8)


def grey_image(picture: Grey) -> Image.Image:
    return Image.fromarray(as_bytes(picture)).convert("RGB")


def scale_bar(image: Image.Image, label: str, colour: Colour, share: float = 0.18) -> None:
    """A bar with its length in the lower right corner, in place."""
    pen = ImageDraw.Draw(image)
    width, height = image.size
    margin, length = round(width * 0.04) + 4, round(width * share)
    y = height - margin
    thick = max(3, height // 110)
    pen.rectangle([width - margin - length, y - thick, width - margin, y], fill=colour)
    size = max(10, min(16, height // 26))
    halo = (255, 255, 255) if sum(colour) < 382 else (0, 0, 0)
    pen.text(
        (width - margin - length / 2, y - thick - 3), label, colour, font(size), "mb", stroke_width=1, stroke_fill=halo
    )


def corner_text(image: Image.Image, text: str, colour: Colour, corner: str = "left") -> None:
    """A few letters in an upper corner, in place."""
    size = max(11, min(20, image.height // 20))
    x = 8 if corner == "left" else image.width - 8
    ImageDraw.Draw(image).text((x, 8), text, colour, font(size), "la" if corner == "left" else "ra")
