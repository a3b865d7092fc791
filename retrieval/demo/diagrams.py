"""Diagrams: flow charts, signalling pathways, cycles and Venn diagrams."""

from __future__ import annotations

import itertools
import math

import numpy as np
from PIL import Image

from retrieval.demo.canvas import Canvas, Point, between
from retrieval.demo.choices import TERMS
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, WHITE, Colour, shade


def flow_chart(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number, colour = a["boxes"], COLOURS[a["colour"]]
    canvas = Canvas((size[1], size[0]) if a["direction"] == "downward" and size[0] > size[1] else size)
    down = a["direction"] == "downward"
    length, across = (canvas.height, canvas.width) if down else (canvas.width, canvas.height)
    pitch = (length - 16) / number
    middle = across * (0.38 if a["branch"] == "side box" else 0.5)
    half_long, half_across = pitch * (0.28 if down else 0.38), across * (0.24 if down else 0.13)

    def at(along: float, aside: float) -> Point:
        return (aside, along) if down else (along, aside)

    places = [at(8 + pitch * (i + 0.5), middle) for i in range(number)]
    half_x, half_y = (half_across, half_long) if down else (half_long, half_across)
    half_y = min(half_y, canvas.text_size * 2.2)
    for p, q in itertools.pairwise(places):
        gap = half_y if down else half_x
        share = gap / math.dist(p, q)
        canvas.arrow(between(p, q, share), between(q, p, share), BLACK)
    for (x, y), name in zip(places, TERMS["steps"][a["topic"]], strict=False):
        box(canvas, x, y, half_x, half_y, a["shape"], colour)
        label(canvas, x, y, name, half_x * (1.7 if a["shape"] != "diamonds" else 1.1))
    if a["branch"] == "side box":
        x, y = places[1] if number > 2 else places[0]
        ex, ey = (canvas.width * 0.8, y) if down else (x, canvas.height * 0.8)
        canvas.arrow(
            (x + half_x, y) if down else (x, y + half_y),
            (ex - half_x * 0.7, ey) if down else (ex, ey - half_y * 0.8),
            BLACK,
        )
        canvas.rectangle(ex - half_x * 0.7, ey - half_y * 0.8, ex + half_x * 0.7, ey + half_y * 0.8, WHITE, BLACK, 1.2)
        label(canvas, ex, ey, "Excluded", half_x * 1.3)
    return canvas.finish()


def box(canvas: Canvas, x: float, y: float, rx: float, ry: float, shape: str, colour: Colour) -> None:
    pale = shade(colour, WHITE, 0.6)
    if shape == "ovals":
        canvas.ellipse(x, y, rx, ry, pale, colour, 1.8)
    elif shape == "diamonds":
        canvas.polygon([(x - rx, y), (x, y - ry), (x + rx, y), (x, y + ry)], pale, colour, 1.8)
    else:
        canvas.rectangle(x - rx, y - ry, x + rx, y + ry, pale, colour, 1.8, 7 if shape == "rounded boxes" else 0)


def label(canvas: Canvas, x: float, y: float, text: str, room: float) -> None:
    size = canvas.text_size
    while size > 6 and canvas.text_width(text, size) > room:
        size -= 0.5
    canvas.text(x, y, text, size)


def pathway(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas, colour = Canvas(size), COLOURS[a["colour"]]
    number, arms = a["proteins"], a["arms"]
    names = [TERMS["proteins"][i] for i in rng.permutation(len(TERMS["proteins"]))]
    if a["membrane"] == "membrane":
        for lipid in range(6, size[0], 9):
            for y in (34, 46):
                canvas.ellipse(lipid, y, 4, fill=(232, 196, 120), outline=(170, 130, 60))
    top, bottom = 40.0, size[1] - 34.0
    lengths = [len(part) for part in np.array_split(np.arange(number), arms)]
    unit = canvas.text_size
    for arm, length in enumerate(lengths):
        x = size[0] * (arm + 0.5) / arms
        places = [(x, top + (bottom - 46 - top) * i / max(1, length - 1 + 0.35)) for i in range(length)]
        targets = [*places[1:], (x, bottom - 16)]
        for i, (p, q) in enumerate(zip(places, targets, strict=True)):
            blocked = a["inhibition"] == "inhibition" and arm == arms - 1 and i == 0
            start, end = (p[0], p[1] + unit), (q[0], q[1] - unit * 1.05)
            if blocked:
                red = COLOURS["red"]
                canvas.line([start, end], red, 2)
                canvas.line([(end[0] - 9, end[1]), (end[0] + 9, end[1])], red, 2.4)
            else:
                canvas.arrow(start, end, BLACK)
        for i, (px, py) in enumerate(places):
            canvas.ellipse(px, py, unit * 2.3, unit * 1.05, shade(colour, WHITE, 0.2 + 0.5 * (i % 2)), colour, 1.4)
            canvas.text(px, py, names[arm * 5 % 14 + i] if arm * 5 % 14 + i < 14 else names[i], unit * 0.85)
    canvas.rectangle(
        20, bottom - 16, size[0] - 20, bottom + 14, shade(COLOURS["grey"], WHITE, 0.75), COLOURS["grey"], 1.4, 12
    )
    canvas.text(size[0] / 2, bottom - 1, a["outcome"].capitalize(), unit)
    return canvas.finish()


def cycle(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas, number, colour = Canvas(size), a["stages"], COLOURS[a["colour"]]
    cx, cy, radius = size[0] / 2, size[1] / 2, min(size) * 0.36
    r = min(min(size) * 0.115, radius * math.sin(math.pi / number) * 0.72)
    sign = 1 if a["turn"] == "clockwise" else -1
    for i in range(number):
        start = -math.pi / 2 + sign * 2 * math.pi * i / number
        span = sign * 2 * math.pi / number
        margin = sign * (r * 1.2) / radius
        angles = np.linspace(start + margin, start + span - margin, 9).tolist()
        arc = [(cx + radius * math.cos(t), cy + radius * math.sin(t)) for t in angles]
        canvas.line(arc, BLACK, 2)
        canvas.arrowhead(arc[-2], arc[-1], BLACK, 9)
        x, y = cx + radius * math.cos(start), cy + radius * math.sin(start)
        fill = shade(colour, WHITE, 0.15 + 0.6 * i / number)
        box(
            canvas,
            x,
            y,
            r * 1.15,
            r * (1.15 if a["shape"] == "circles" else 0.75),
            "ovals" if a["shape"] == "circles" else "rounded boxes",
            fill,
        )
        label(canvas, x, y, TERMS["cycles"][a["topic"]][i], r * 2.0)
    return canvas.finish()


def venn(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    colours = [COLOURS[str(a[name])] for name in ("first", "second", "third")][: a["sets"]]
    canvas = Canvas(size)
    reach = min(size) * {"small": 0.29, "large": 0.13}[a["overlap"]]
    r, cx, cy = min(size) * 0.27, size[0] / 2, size[1] / 2
    turns = [math.pi, 0.0] if len(colours) == 2 else [-math.pi * 5 / 6, -math.pi / 6, math.pi / 2]
    stretch = 0.78 if len(colours) == 2 else 0.8
    places = [(cx + reach * stretch * math.cos(t), cy + reach * stretch * math.sin(t)) for t in turns]
    light = np.full((size[1], size[0], 3), 255, dtype=np.float32)
    y, x = np.ogrid[: size[1], : size[0]]
    for (px, py), colour in zip(places, colours, strict=True):
        inside = np.clip(r + 0.5 - np.sqrt((x - px) ** 2 + (y - py) ** 2), 0, 1)[..., None]
        light *= 1 - inside * (1 - (np.asarray(colour) * 0.55 + 255 * 0.45) / 255)
    canvas.paste(Image.fromarray(light.astype(np.uint8)))
    for i, ((px, py), turn) in enumerate(zip(places, turns, strict=True)):
        canvas.ellipse(px, py, r, None, None, colours[i], 1.6)
        canvas.text(
            px + r * 0.5 * math.cos(turn),
            py + r * 0.5 * math.sin(turn),
            str(int(rng.integers(40, 400))),
            canvas.text_size * 1.1,
        )
        canvas.text(
            px + r * 0.2 * math.cos(turn), py + (r + 11) * (1 if turn > 1 and turn < 3 else -1), f"Set {'ABC'[i]}"
        )
    canvas.text(cx, cy, str(int(rng.integers(3, 60))), canvas.text_size * 1.1, bold=True)
    return canvas.finish()
