"""Chest radiographs: lungs, ribs, heart, with findings and devices."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import WHITE
from retrieval.demo.texture import as_bytes, blend, corner_text, ellipse, grid, smooth_noise


def radiograph(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    x, y = grid(size)
    body = ellipse(x, y, 0, 0.35, 1.02, 1.5, 0, 0.12)
    picture = np.asarray(0.1 + 0.55 * body + 0 * x * y, dtype=np.float32)
    blend(picture, ellipse(x, y, 0, -0.95, 0.26, 0.4, 0, 0.15), 0.6)
    finding, sign = a["finding"], -1 if a["side"] == "right" else 1
    lungs = {s: ellipse(x, y, s * 0.45, 0.0, 0.36, 0.74, s * -0.1, 0.1) for s in (-1, 1)}
    for lung in lungs.values():
        blend(picture, lung, 0.2 + 0.06 * smooth_noise(rng, size, 20))
    picture += 0.15 * ellipse(x, y, 0, 0.1, 0.1, 1.2, 0, 0.06)
    for s in (-1, 1):
        for i in range(8):
            d = np.abs(np.sqrt((x - s * 0.4) ** 2 + ((y - (-0.62 + 0.2 * i)) * 1.5) ** 2) - 0.45)
            upper = np.clip((-(y - (-0.55 + 0.2 * i)) + 0.05 * s * x) / 0.1, 0, 1)
            picture += 0.1 * np.clip(1 - d / 0.035, 0, 1) * upper * body
        picture += 0.14 * ellipse(x, y, s * 0.42, -0.72, 0.42, 0.03, s * -0.18, 0.03)
        blend(picture, ellipse(x, y, s * 0.5, 0.92, 0.52, 0.28, 0, 0.05), 0.66)
    wide = 0.42 if finding == "cardiomegaly" else 0.25
    blend(picture, ellipse(x, y, 0.1 + (wide - 0.25) * 0.4, 0.38, wide, 0.32, 0.45, 0.06), 0.72)
    lung = lungs[sign]
    if finding == "nodule":
        blend(
            picture,
            ellipse(
                x, y, sign * float(rng.uniform(0.38, 0.56)), float(rng.uniform(-0.35, 0.15)), 0.085, 0.085, 0, 0.04
            ),
            0.78,
        )
    elif finding == "mass":
        blend(picture, ellipse(x, y, sign * 0.48, float(rng.uniform(-0.3, 0.1)), 0.2, 0.18, 0.5, 0.05), 0.76)
    elif finding == "consolidation":
        cloud = np.clip(smooth_noise(rng, size, 24) * 1.6 - 0.3, 0, 1) * ellipse(
            x, y, sign * 0.47, 0.3, 0.34, 0.36, 0, 0.2
        )
        blend(picture, np.asarray(cloud * lung, dtype=np.float32), 0.75)
    elif finding == "effusion":
        blend(
            picture,
            np.asarray(
                np.clip((y - 0.28 + 0.22 * (x * sign - 0.45)) / 0.06, 0, 1) * ellipse(x, y, sign * 0.5, 0.3, 0.46, 0.6),
                dtype=np.float32,
            ),
            0.76,
        )
    elif finding == "pneumothorax":
        inner = ellipse(x, y, sign * 0.36, 0.12, 0.26, 0.56, sign * -0.1, 0.01)
        blend(picture, np.asarray(lung * (1 - inner), dtype=np.float32), 0.05)
        rim = ellipse(x, y, sign * 0.36, 0.12, 0.27, 0.57, sign * -0.1, 0.01) - inner
        picture += 0.25 * rim * lung
    picture += 0.05 * (smooth_noise(rng, size, 5) - 0.5) + rng.normal(0, 0.015, picture.shape).astype(np.float32)
    image = Image.fromarray(as_bytes(picture)).filter(ImageFilter.GaussianBlur(0.8)).convert("RGB")
    device(image, a["device"], size)
    corner_text(image, "R", WHITE)
    return image


def device(image: Image.Image, name: str, size: Size) -> None:
    """Wires and tubes, in place."""
    pen, (w, h) = ImageDraw.Draw(image), size
    bright = (245, 245, 245)
    if name == "pacemaker":
        pen.rounded_rectangle([w * 0.72, h * 0.2, w * 0.82, h * 0.28], 8, fill=bright)
        pen.line(
            [(w * 0.74, h * 0.2), (w * 0.64, h * 0.17), (w * 0.52, h * 0.3), (w * 0.5, h * 0.5), (w * 0.57, h * 0.68)],
            fill=bright,
            width=2,
            joint="curve",
        )
    elif name == "endotracheal tube":
        for dx in (-4, 4):
            pen.line([(w * 0.5 + dx, 0), (w * 0.5 + dx, h * 0.36)], fill=(225, 225, 225), width=2)
    elif name == "sternal wires":
        for i in range(5):
            y = h * (0.3 + 0.09 * i)
            pen.ellipse([w * 0.5 - 8, y - 5, w * 0.5 + 8, y + 5], outline=(255, 255, 255), width=3)
