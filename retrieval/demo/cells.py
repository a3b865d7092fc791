"""Fluorescence micrographs: cells in channel colours on black; nuclei, cytoplasm, filaments, puncta."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import WHITE
from retrieval.demo.texture import corner_text, scale_bar

CHANNELS = {
    "green": (0.1, 1.0, 0.2),
    "red": (1.0, 0.12, 0.1),
    "magenta": (1.0, 0.1, 1.0),
    "cyan": (0.05, 0.95, 1.0),
    "yellow": (1.0, 0.92, 0.1),
    "grey": (1.0, 1.0, 1.0),
}
NUCLEUS = {"blue": (0.15, 0.3, 1.0), "none": (0.0, 0.0, 0.0)}
NUMBERS = {"sparse": 5, "moderate": 14, "crowded": 40}


def scatter_points(number: int, size: Size, gap: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Up to `number` places at least `gap` apart, where that is possible."""
    points: list[tuple[float, float]] = []
    for candidate in rng.uniform(0.04, 0.96, (number * 12, 2)) * np.asarray(size):
        if all((candidate[0] - x) ** 2 + (candidate[1] - y) ** 2 > gap * gap for x, y in points):
            points.append((float(candidate[0]), float(candidate[1])))
        if len(points) == number:
            break
    return points


def blob(
    centre: tuple[float, float], rx: float, ry: float, turn: float, rough: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """A wobbly ellipse as a polygon."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    wobble = 1 + rough * (np.sin(2 * t + rng.uniform(0, 6)) * 0.6 + np.sin(3 * t + rng.uniform(0, 6)) * 0.5)
    u, v = rx * wobble * np.cos(t), ry * wobble * np.sin(t)
    x, y = centre[0] + u * np.cos(turn) - v * np.sin(turn), centre[1] + u * np.sin(turn) + v * np.cos(turn)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def cells(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number = NUMBERS[a["density"]]
    radius = (size[0] * size[1] / number) ** 0.5 * (0.3 if number < 30 else 0.36)
    radius = min(radius, min(size) * 0.17)
    marker, nuclei = Image.new("L", size, 0), Image.new("L", size, 0)
    pen, nucleus_pen = ImageDraw.Draw(marker), ImageDraw.Draw(nuclei)
    for centre in scatter_points(number, size, radius * 1.5, rng):
        turn, bright = float(rng.uniform(0, 3.14)), int(rng.integers(150, 230))
        stain(pen, a["pattern"], centre, radius, turn, bright, rng)
        nucleus_pen.polygon(
            blob(centre, radius * 0.42, radius * 0.34, turn, 0.06, rng), fill=int(rng.integers(150, 255))
        )
    soft = 1.0 if a["pattern"] in ("filaments", "puncta", "membrane") else 1.8
    picture = np.zeros((size[1], size[0], 3), dtype=np.float32)
    for layer, colour, blur in ((marker, CHANNELS[a["colour"]], soft), (nuclei, NUCLEUS[a["nuclei"]], 1.6)):
        light = np.asarray(layer.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32) / 255
        glow = np.asarray(layer.filter(ImageFilter.BoxBlur(9)), dtype=np.float32) / 255
        picture += (light + 0.15 * glow)[..., None] * np.asarray(colour, dtype=np.float32)
    picture += rng.normal(0.015, 0.02, picture.shape[:2]).astype(np.float32)[..., None]
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    if a["bar"] != "none":
        scale_bar(image, a["bar"].replace("µ", "u"), WHITE)
    return image


def stain(
    pen: ImageDraw.ImageDraw,
    pattern: str,
    centre: tuple[float, float],
    r: float,
    turn: float,
    bright: int,
    rng: np.random.Generator,
) -> None:
    """One cell's marker, drawn where that marker sits; an unknown pattern draws nothing."""
    x, y = centre
    rng = np.random.default_rng(rng.integers(2**31))  # so that every pattern leaves the cells in the same places
    body = blob(centre, r * 1.05, r * 0.8, turn, 0.12, rng)
    if pattern == "cytoplasm":
        pen.polygon(body, fill=bright * 2 // 3)
    elif pattern == "membrane":
        pen.line([*body, body[0], body[1]], fill=bright, width=max(2, round(r * 0.1)), joint="curve")
    elif pattern == "nucleus":
        pen.polygon(blob(centre, r * 0.42, r * 0.34, turn, 0.06, rng), fill=bright)
    elif pattern == "puncta":
        for dx, dy in rng.normal(0, 0.42, (26, 2)) * r:
            s = r * float(rng.uniform(0.035, 0.075)) + 0.7
            pen.ellipse([x + dx - s, y + dy - s, x + dx + s, y + dy + s], fill=bright)
    elif pattern == "filaments":
        pen.polygon(body, fill=bright // 6)
        for _ in range(16):
            t = turn + float(rng.normal(0, 0.45))
            ox, oy = rng.normal(0, 0.35, 2) * r
            dx, dy = np.cos(t) * r * 0.8, np.sin(t) * r * 0.8
            pen.line([(x + ox - dx, y + oy - dy), (x + ox + dx, y + oy + dy)], fill=bright, width=1 if r < 40 else 2)


def channels(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    """The same field three times: nuclei, marker, both."""
    width = (size[0] - 8) // 3
    cell = (width, size[1])
    state = int(rng.integers(2**31))
    sheet = Image.new("RGB", (width * 3 + 8, size[1]), WHITE)
    names = ("DAPI", a["marker"], "Merge")
    for i, name in enumerate(names):
        shown = {
            "bar": "none",
            "nuclei": "none" if i == 1 else "blue",
            "pattern": "nothing" if i == 0 else a["pattern"],
        }
        view = cells({**a, **shown}, np.random.default_rng(state), cell)
        corner_text(view, name, WHITE)
        sheet.paste(view, (i * (width + 4), 0))
    return sheet
