"""Small things: bacteria in Gram stain, particles and organelles in the electron microscope."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from retrieval.demo.cells import scatter_points
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, WHITE
from retrieval.demo.texture import Grey, as_bytes, blend, ellipse, grid, scale_bar, smooth_noise

GROUP = {"few": 8, "many": 26}


def bacteria(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    back = np.asarray([248, 240, 244]) + 8 * (smooth_noise(rng, size, 60)[..., None] - 0.5)
    image = Image.fromarray(np.clip(back, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    colour = {"purple": (88, 42, 150), "pink": (222, 84, 134)}[a["gram"]]
    r = min(size) * 0.014
    alone = a["arrangement"] == "single"
    number = GROUP[a["density"]] * (3 if alone else 1)
    for centre in scatter_points(number, size, r * (5 if alone else 8), rng):
        turn = float(rng.uniform(0, 2 * math.pi))
        for x, y, lean in group(a["arrangement"], a["shape"], centre, turn, r, rng):
            microbe(pen, a["shape"], x, y, lean, r, colour)
    return image.filter(ImageFilter.GaussianBlur(0.6))


def group(
    arrangement: str, shape: str, centre: tuple[float, float], turn: float, r: float, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Where the members of one group lie: x, y and the angle of each."""
    x, y = centre
    step = r * (2.1 if shape == "cocci" else 5.4)
    if arrangement == "single":
        return [(x, y, turn)]
    if arrangement == "pairs":
        return [(x + s * step / 2 * math.cos(turn), y + s * step / 2 * math.sin(turn), turn) for s in (-1, 1)]
    if arrangement == "chains":
        places = []
        for _ in range(int(rng.integers(5, 9)) if shape == "cocci" else 4):
            places.append((x, y, turn))
            turn += float(rng.normal(0, 0.25))
            x, y = x + step * math.cos(turn), y + step * math.sin(turn)
        return places
    spots = rng.normal(0, r * 2.4, (12, 2)).tolist()
    return [(x + dx, y + dy, float(rng.uniform(0, 3.14))) for dx, dy in spots]


def microbe(
    pen: ImageDraw.ImageDraw, shape: str, x: float, y: float, turn: float, r: float, colour: tuple[int, int, int]
) -> None:
    if shape == "cocci":
        pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)
    elif shape == "rods":
        dx, dy = 1.9 * r * math.cos(turn), 1.9 * r * math.sin(turn)
        w = r * 0.75
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=colour, width=max(2, round(2 * w)))
        for s in (-1, 1):
            pen.ellipse([x + s * dx - w, y + s * dy - w, x + s * dx + w, y + s * dy + w], fill=colour)
    else:
        t = np.linspace(-1, 1, 24)
        along, aside = t * 3.6 * r, np.sin(t * 9) * r * 0.8
        xs, ys = (
            x + along * math.cos(turn) - aside * math.sin(turn),
            y + along * math.sin(turn) + aside * math.cos(turn),
        )
        pen.line(
            list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=colour, width=max(2, round(r * 0.6)), joint="curve"
        )


def electron(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    x, y = grid(size)
    picture: Grey = 0.62 + 0.16 * (smooth_noise(rng, size, 50) - 0.5) + 0.12 * (smooth_noise(rng, size, 5) - 0.5)
    number, objects = {"few": 4, "several": 12, "many": 32}[a["number"]], a["objects"]
    radius = {"few": 0.2, "several": 0.13, "many": 0.085}[a["number"]]
    short = min(size)
    for px, py in scatter_points(number, size, radius * short * 1.15, rng):
        cx, cy = (px - size[0] / 2) / (short / 2), (py - size[1] / 2) / (short / 2)
        particle(picture, x, y, cx, cy, radius, objects, rng)
    picture += rng.normal(0, 0.05, picture.shape).astype(np.float32)
    image = Image.fromarray(as_bytes(picture)).filter(ImageFilter.GaussianBlur(0.7)).convert("RGB")
    scale_bar(image, a["bar"], BLACK if objects != "pollen" else WHITE)
    return image


def particle(
    picture: Grey, x: Grey, y: Grey, cx: float, cy: float, r: float, objects: str, rng: np.random.Generator
) -> None:
    """One object at (cx, cy), painted only near it."""
    turn = float(rng.uniform(0, 3.14))
    near_x = np.flatnonzero(np.abs(x[0] - cx) < r * 1.6)
    near_y = np.flatnonzero(np.abs(y[:, 0] - cy) < r * 1.6)
    if not near_x.size or not near_y.size:
        return
    rows, columns = slice(near_y[0], near_y[-1] + 1), slice(near_x[0], near_x[-1] + 1)
    p, u, v = picture[rows, columns], x[:, columns], y[rows]
    if objects == "nanoparticles":
        blend(p, ellipse(u, v, cx, cy, r * 0.55, r * 0.55), 0.1)
    elif objects == "nanorods":
        blend(p, ellipse(u, v, cx, cy, r * 0.95, r * 0.24, turn), 0.12)
    elif objects == "virus particles":
        blend(p, ellipse(u, v, cx, cy, r * 0.72, r * 0.72), 0.3)
        blend(p, ellipse(u, v, cx, cy, r * 0.56, r * 0.56), 0.68)
        blend(p, ellipse(u, v, cx, cy, r * 0.36, r * 0.36), 0.22)
        for t in np.linspace(0, 2 * math.pi, 14, endpoint=False):
            blend(p, ellipse(u, v, cx + r * 0.84 * math.cos(t), cy + r * 0.84 * math.sin(t), r * 0.09, r * 0.09), 0.25)
    elif objects == "vesicles":
        blend(p, ellipse(u, v, cx, cy, r * 0.8, r * 0.74, turn), 0.22)
        blend(p, ellipse(u, v, cx, cy, r * 0.68, r * 0.62, turn), 0.84)
    else:
        body = ellipse(u, v, cx, cy, r * 1.1, r * 0.62, turn)
        blend(p, body, 0.16)
        inner = ellipse(u, v, cx, cy, r * 1.0, r * 0.52, turn)
        blend(p, inner, 0.5)
        along = (u - cx) * math.cos(turn) + (v - cy) * math.sin(turn)
        cristae = (np.sin(along * 24 / r / 1.2) > 0.45).astype(np.float32)
        blend(p, inner * cristae * ellipse(u, v, cx, cy, r * 0.95, r * 0.46, turn), 0.2)
