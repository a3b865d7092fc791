"""Stained sections and smears in bright field: tissue with nuclei, glands, blood, bacteria."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from retrieval.demo.cells import blob, scatter_points
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, Colour, shade
from retrieval.demo.texture import scale_bar, smooth_noise

STAINS: dict[str, tuple[Colour, Colour, Colour]] = {
    "H&E": ((236, 178, 204), (88, 54, 140), (250, 240, 246)),
    "trichrome": ((122, 158, 212), (150, 38, 60), (246, 248, 252)),
    "PAS": ((232, 190, 216), (176, 30, 110), (252, 246, 250)),
    "DAB": ((226, 214, 200), (120, 70, 30), (250, 248, 246)),
    "silver": ((226, 214, 170), (42, 34, 30), (250, 246, 230)),
    "toluidine blue": ((176, 200, 232), (30, 50, 140), (244, 248, 254)),
}
"""Stain → colours of stroma, nuclei, empty space."""
NUCLEI = {"sparse": 45, "moderate": 150, "dense": 380}


def section(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    stroma, nucleus, empty = STAINS[a["stain"]]
    image = ground(stroma, empty, a["architecture"], rng, size)
    pen = ImageDraw.Draw(image)
    unit = min(size) / 100
    keep = glands(pen, a, rng, size) if a["architecture"] in ("glands", "vessel") else []
    number = int(NUCLEI[a["nuclei"]] * size[0] * size[1] / 160_000)
    turn = float(rng.uniform(0, 3.14))
    for x, y in (rng.random((number, 2)) * np.asarray(size)).tolist():
        if any((x - cx) ** 2 + (y - cy) ** 2 < r * r for cx, cy, r in keep):
            continue
        spindle = a["architecture"] == "fibres"
        r = unit * float(rng.uniform(1.0, 1.6))
        shape = blob(
            (x, y),
            r * (2.2 if spindle else 1.1),
            r * (0.6 if spindle else 0.95),
            turn if spindle else float(rng.uniform(0, 3)),
            0.06,
            rng,
        )
        pen.polygon(shape, fill=shade(nucleus, stroma, float(rng.uniform(0, 0.35))))
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    if a["bar"] != "none":
        scale_bar(image, a["bar"].replace("µ", "u"), BLACK)
    return image


def ground(stroma: Colour, empty: Colour, architecture: str, rng: np.random.Generator, size: Size) -> Image.Image:
    """Uneven stroma; waves for fibres, holes for fat."""
    tone = 0.6 * smooth_noise(rng, size, 30) + 0.4 * smooth_noise(rng, size, 6)
    if architecture == "fibres":
        x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        bend = 16 * smooth_noise(rng, size, 90)
        turn = rng.uniform(0, 3.14)
        tone = 0.4 * tone + 0.6 * (0.5 + 0.5 * np.sin((x * np.cos(turn) + y * np.sin(turn)) * 0.35 + bend))
    low, high = np.asarray(shade(stroma, BLACK, 0.12)), np.asarray(shade(stroma, empty, 0.65))
    picture = low + np.clip(tone, 0, 1)[..., None] * (high - low)
    image = Image.fromarray(picture.astype(np.uint8))
    if architecture == "fat":
        pen = ImageDraw.Draw(image)
        r = min(size) * 0.085
        for centre in scatter_points(60, size, r * 2.0, rng):
            pen.polygon(blob(centre, r, r * 0.9, float(rng.uniform(0, 3)), 0.07, rng), fill=empty)
    return image


def glands(
    pen: ImageDraw.ImageDraw, a: Attributes, rng: np.random.Generator, size: Size
) -> list[tuple[float, float, float]]:
    """Rings of nuclei around a lumen, or one thick-walled vessel; gives the places where nothing else belongs."""
    stroma, nucleus, empty = STAINS[a["stain"]]
    vessel = a["architecture"] == "vessel"
    r = min(size) * (0.26 if vessel else 0.13)
    places = (
        [(size[0] * rng.uniform(0.4, 0.6), size[1] * rng.uniform(0.4, 0.6))]
        if vessel
        else scatter_points(9, size, r * 2.5, rng)
    )
    for centre in places:
        turn = float(rng.uniform(0, 3))
        wall = blob(centre, r * 1.1, r * 0.95, turn, 0.07, rng)
        pen.polygon(wall, fill=shade(stroma, nucleus, 0.25))
        pen.polygon(
            blob(centre, r * (0.72 if vessel else 0.48), r * (0.6 if vessel else 0.4), turn, 0.06, rng), fill=empty
        )
        for i in range(44 if vessel else 20):
            t = 2 * np.pi * i / (44 if vessel else 20)
            at = (centre[0] + r * 0.83 * np.cos(t), centre[1] + r * 0.76 * np.sin(t))
            pen.polygon(blob(at, min(size) * 0.017, min(size) * 0.012, t, 0.05, rng), fill=nucleus)
        if vessel:
            for x, y in (rng.normal(0, r * 0.22, (30, 2)) + np.asarray(centre)).tolist():
                s = min(size) * 0.014
                pen.ellipse([x - s, y - s, x + s, y + s], fill=(206, 60, 70))
    return [(x, y, r * 1.15) for x, y in places]


def smear(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    """A blood film."""
    back = np.asarray([244, 238, 236]) + 10 * (smooth_noise(rng, size, 50)[..., None] - 0.5)
    image = Image.fromarray(np.clip(back, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    r = min(size) * 0.048
    white = scatter_points(a["white_cells"], size, r * 5, rng)
    for x, y in scatter_points({"few": 30, "many": 85}[a["red_cells"]], size, r * 1.9, rng):
        if all((x - u) ** 2 + (y - v) ** 2 > (r * 3.1) ** 2 for u, v in white):
            red_cell(pen, (x, y), r, a["shape"], rng)
    for x, y in white:
        pen.polygon(blob((x, y), r * 2.0, r * 1.9, 0, 0.05, rng), fill=(206, 192, 226))
        purple = (96, 50, 140)
        if a["white_type"] == "neutrophil":
            for t in rng.uniform(0, 2) + np.arange(3) * 2.1:
                pen.polygon(
                    blob((x + r * 0.8 * np.cos(t), y + r * 0.8 * np.sin(t)), r * 0.75, r * 0.6, float(t), 0.06, rng),
                    fill=purple,
                )
        else:
            pen.polygon(blob((x, y), r * 1.6, r * 1.5, 0, 0.04, rng), fill=purple)
    return image.filter(ImageFilter.GaussianBlur(0.7))


def red_cell(pen: ImageDraw.ImageDraw, at: tuple[float, float], r: float, shape: str, rng: np.random.Generator) -> None:
    x, y = at
    turn = float(rng.uniform(0, 3.14))
    colour = (222, 132, 128)
    if shape == "sickle" and rng.random() < 0.6:
        pen.polygon(blob(at, r * 1.5, r * 0.33, turn, 0.03, rng), fill=colour)
    elif shape == "target":
        pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)
        pen.ellipse([x - r * 0.7, y - r * 0.7, x + r * 0.7, y + r * 0.7], fill=(244, 214, 208))
        pen.ellipse([x - r * 0.35, y - r * 0.35, x + r * 0.35, y + r * 0.35], fill=colour)
    else:
        pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)
        if shape != "spherocytes":
            pen.ellipse([x - r * 0.42, y - r * 0.42, x + r * 0.42, y + r * 0.42], fill=(240, 184, 178))
