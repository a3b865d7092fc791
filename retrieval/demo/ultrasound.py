"""Ultrasound: a fan of speckle with cysts or masses."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from retrieval.demo.kind import Attributes, Size
from retrieval.demo.texture import blend, blurred, ellipse, grey_image, smooth_noise


def scan(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    width, height = size
    x = ((np.arange(width, dtype=np.float32) - width / 2) / height)[None, :]
    y = (np.arange(height, dtype=np.float32) / height)[:, None]
    tissue = np.full((height, width), 0.42, dtype=np.float32) + 0.25 * (smooth_noise(rng, size, 60) - 0.5)
    for depth in rng.uniform(0.2, 0.95, 5):
        tissue += 0.16 * np.exp(-(((y - depth - 0.03 * np.sin(6 * x + depth * 9)) / 0.012) ** 2)).astype(np.float32)
    across = {"left": -0.2, "centre": 0.0, "right": 0.2}[a["place"]]
    radius = {"small": 0.07, "medium": 0.11, "large": 0.16}[a["size"]]
    number = a["lesions"]
    for i in range(number):
        cx = across + (i - (number - 1) / 2) * radius * 2.3
        cy = 0.52 + float(rng.uniform(-0.05, 0.05))
        finding(tissue, x, y, cx, cy, radius * (0.8 if number > 1 else 1.0), a["finding"], rng, size)
    speckle = rng.rayleigh(0.8, (height, width)).astype(np.float32)
    picture = blurred(np.clip(tissue * (0.25 + 0.75 * speckle) * (1.15 - 0.45 * y), 0, 1), 0.9)
    picture = picture * fan(a["probe"], x, y)
    image = grey_image(np.clip(picture * 1.15, 0, 1))
    pen = ImageDraw.Draw(image)
    for i in range(1, 8):
        pen.line([(width - 10, height * i // 8), (width - (4 if i % 2 else 2), height * i // 8)], fill=(200, 200, 200))
    for i in range(48):
        pen.line([(6, 20 + i * 2), (13, 20 + i * 2)], fill=(250 - i * 5,) * 3, width=2)
    return image


def fan(probe: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 where the probe sees."""
    if probe == "linear":
        return np.asarray((np.abs(x) < 0.48) & (y > 0.05) & (y < 0.95), dtype=np.float32)
    apex = -0.28 if probe == "curved" else 0.02
    distance = np.sqrt(x * x + (y - apex) ** 2)
    near = 0.36 if probe == "curved" else 0.02
    angle, widest = np.abs(np.arctan2(x, y - apex)), 0.62 if probe == "curved" else 0.7
    return np.asarray((angle < widest) & (distance > near) & (distance < 0.97 - apex), dtype=np.float32)


def finding(
    tissue: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    cx: float,
    cy: float,
    r: float,
    name: str,
    rng: np.random.Generator,
    size: Size,
) -> None:
    below = np.clip((y - cy - r * 0.5) / 0.05, 0, 1) * np.clip((r * 0.75 - np.abs(x - cx)) / 0.02, 0, 1)
    if name == "simple cyst":
        tissue += below * 0.3
        blend(tissue, ellipse(x, y, cx, cy, r * 1.06, r, 0, 0.01), 0.85)
        blend(tissue, ellipse(x, y, cx, cy, r, r * 0.94, 0, 0.01), 0.02)
    elif name == "solid mass":
        rough = r * (1 + 0.35 * (smooth_noise(rng, size, 26) - 0.5))
        inside = np.clip((rough - np.sqrt((x - cx) ** 2 + ((y - cy) * 1.25) ** 2)) / 0.015, 0, 1)
        blend(tissue, inside, 0.14 + 0.1 * smooth_noise(rng, size, 10))
    elif name == "echogenic mass":
        blend(tissue, ellipse(x, y, cx, cy, r * 1.1, r * 0.9, 0, 0.03), 0.95)
    elif name == "stone":
        tissue *= 1 - 0.95 * np.clip((y - cy) / 0.02, 0, 1) * np.clip((r * 0.7 - np.abs(x - cx)) / 0.01, 0, 1)
        blend(tissue, ellipse(x, y, cx, cy, r * 0.7, r * 0.38, 0, 0.015), 1.5)
    else:
        blend(tissue, ellipse(x, y, cx, cy, r, r * 0.9, 0, 0.01), 0.03)
        for t in np.linspace(-0.5, 0.5, 3):
            blend(
                tissue,
                ellipse(x, y, cx + t * r, cy, r * 0.05, r * 0.85, 0.35, 0.01) * ellipse(x, y, cx, cy, r, r * 0.9),
                0.8,
            )
