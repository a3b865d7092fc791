"""Gels and blots: lanes, bands and a ladder."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from retrieval.demo.bars import levels
from retrieval.demo.canvas import font
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, WHITE
from retrieval.demo.texture import Grey, as_bytes, blurred, smooth_noise

LADDERS = {"protein": (250, 150, 100, 75, 50, 37, 25, 15), "DNA": (3000, 2000, 1500, 1000, 750, 500, 250, 100)}


def band(picture: Grey, x: float, y: float, wide: float, thick: float, dark: float) -> None:
    """Add one soft band, smiling a little, in place."""
    height, width = picture.shape
    low, high = max(0, int(y - 4 * thick - 3)), min(height, int(y + 4 * thick + 5))
    left, right = max(0, int(x - wide)), min(width, int(x + wide) + 1)
    u = ((np.arange(left, right, dtype=np.float32) - x) / (wide * 0.8))[None, :]
    v = (np.arange(low, high, dtype=np.float32) - y)[:, None] - thick * 0.6 * u * u
    picture[low:high, left:right] += dark * np.exp(-((v / thick) ** 2)) / (1 + u**12)


def gel(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    """A whole gel with a ladder in the first lane."""
    width, height = size
    lanes, unit = a["lanes"], max(9, height // 30)
    left, top = unit * 3.6, unit * 2.0
    step = (width - left - unit * 0.6) / (lanes + 1)
    load = np.zeros((height, width), dtype=np.float32)
    ladder = LADDERS["DNA" if a["gel"] == "agarose" else "protein"]
    places = [top + unit * 1.4 + (height - top - unit * 3) * (i / len(ladder)) ** 0.9 for i in range(len(ladder))]
    for y in places:
        band(load, left + step * 0.5, y, step * 0.4, 2.2, 0.7)
    main = places[{"high": 1, "middle": 3, "low": 6}[a["position"]]] + float(rng.uniform(2, 10))
    amounts = levels(a["trend"], lanes, rng)
    for i in range(lanes):
        x = left + step * (i + 1.5)
        band(load, x, main, step * 0.42, 4.0, 0.012 * amounts[i])
        for _ in range({"clean": 0, "many bands": 9}[a["background"]]):
            band(load, x, float(rng.uniform(top + 20, height - 24)), step * 0.4, 2.0, float(rng.uniform(0.1, 0.35)))
    load = np.clip(load + 0.05 * smooth_noise(rng, size, 40) + rng.normal(0, 0.012, load.shape), 0, 1)
    back, ink = {
        "agarose": ((26, 26, 30), (250, 250, 250)),
        "Coomassie": ((222, 232, 246), (28, 50, 130)),
        "silver": ((240, 226, 190), (60, 38, 22)),
    }[a["gel"]]
    low, high = np.asarray(back, dtype=np.float32), np.asarray(ink, dtype=np.float32)
    image = Image.fromarray((low + load[..., None] * (high - low)).astype(np.uint8))
    pen, face = ImageDraw.Draw(image), font(unit)
    pen.rectangle([0, 0, width, int(top) - 2], fill=WHITE)
    pen.rectangle([0, 0, int(left) - 2, height], fill=WHITE)
    for y, mass in zip(places, ladder, strict=True):
        pen.text((left - 6, y), str(mass), BLACK, face, "rm")
    pen.text((left + step * 0.5, top / 2), "M", BLACK, face, "mm")
    for i in range(lanes):
        pen.text((left + step * (i + 1.5), top / 2), str(i + 1), BLACK, face, "mm")
    pen.text((left - 6, top / 2), "bp" if a["gel"] == "agarose" else "kDa", BLACK, face, "rm")
    return image


def blot(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    """Strips of a western blot, the loading control last."""
    width, height = size
    lanes, rows, unit = a["lanes"], a["rows"], max(10, height // 22)
    image = Image.new("RGB", size, WHITE)
    pen, face = ImageDraw.Draw(image), font(unit)
    left, right, top = unit * 5.4, width - unit * 3.6, unit * 2.2
    high = (height - top - unit * 0.6) / rows
    step = (right - left) / lanes
    names = [*[a["protein"], "p-ERK", "AKT"][: rows - 1], a["control"]]
    masses = [*["72", "44", "60"][: rows - 1], "37"]
    for r, name in enumerate(names):
        strip = np.zeros((int(high - 8), int(right - left)), dtype=np.float32)
        amounts = levels(a["trend"] if r == 0 else "level", lanes, rng)
        for i in range(lanes):
            band(
                strip,
                step * (i + 0.5),
                strip.shape[0] / 2,
                step * 0.42,
                max(2.5, strip.shape[0] * 0.12),
                0.0115 * amounts[i] - (0.12 if r == 0 else 0),
            )
        picture = blurred(0.86 - np.clip(strip, 0, 0.85) + rng.normal(0, 0.02, strip.shape).astype(np.float32), 0.7)
        y = round(top + r * high)
        image.paste(Image.fromarray(as_bytes(picture)), (round(left), y))
        pen.rectangle([round(left), y, round(left) + strip.shape[1], y + strip.shape[0]], outline=BLACK)
        pen.text((left - 6, y + strip.shape[0] / 2), name, BLACK, face, "rm")
        pen.text((right + 6, y + strip.shape[0] / 2), f"{masses[r]} kDa", BLACK, font(unit - 2), "lm")
    for i in range(lanes):
        sign = {"dose": str(i), "sign": "+" if i % 2 else "-"}[a["header"]]
        pen.text((left + step * (i + 0.5), top / 2), sign, BLACK, face, "mm")
    return image
