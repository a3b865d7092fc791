"""Charts that fill an area: heat maps, pies, well plates."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from retrieval.demo.canvas import Canvas
from retrieval.demo.choices import TERMS
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, GREY, SEQUENCES, WHITE, Colour, mapped, shade


def values_of(pattern: str, rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A matrix (rows, columns) in 0..1 that shows the pattern through noise."""
    r, c = np.mgrid[0:rows, 0:columns]
    u, v = r / max(1, rows - 1), c / max(1, columns - 1)
    shape = {
        "two blocks": 0.15 + 0.7 * ((u < 0.5) == (v < 0.5)),
        "diagonal": np.exp(-(((u - v) / 0.16) ** 2)),
        "left-to-right gradient": v,
        "top-to-bottom gradient": u,
        "one hot row": 0.15 + 0.75 * (r == rows // 3),
        "one hot column": 0.15 + 0.75 * (c == columns // 3),
        "hot centre": np.exp(-((u - 0.5) ** 2 + (v - 0.5) ** 2) / 0.08),
        "random": rng.random((rows, columns)),
        "uniform": np.full((rows, columns), 0.85),
    }[pattern]
    return np.asarray(np.clip(shape + rng.normal(0, 0.06, (rows, columns)), 0, 1))


def heat_map(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    rows, columns, canvas = a["rows"], a["columns"], Canvas(size)
    unit, scheme = canvas.text_size, a["colours"]
    left, top, right, bottom = (
        unit * 3.8,
        unit * (2.8 if a["tree"] == "dendrogram" else 1),
        size[0] - unit * 4.2,
        size[1] - unit * 2,
    )
    colours = mapped(values_of(a["pattern"], rows, columns, rng), scheme)
    wide, high = (right - left) / columns, (bottom - top) / rows
    for r in range(rows):
        for c in range(columns):
            x, y = left + c * wide, top + r * high
            red, green, blue = (int(v) for v in colours[r, c])
            edge: Colour | None = WHITE if rows < 13 else None
            canvas.rectangle(x, y, x + wide, y + high, (red, green, blue), edge, 0.6)
        canvas.text(left - 5, top + (r + 0.5) * high, TERMS["genes"][r % 16], min(unit * 0.85, high * 0.9), "rm")
    for c in range(columns):
        canvas.text(left + (c + 0.5) * wide, bottom + unit * 0.8, f"{c + 1}", min(unit * 0.85, wide * 0.7))
    bar = mapped(np.linspace(1, 0, 40), scheme)
    for i, (red, green, blue) in enumerate(bar.tolist()):
        y = top + (bottom - top) * 0.6 * i / 40
        canvas.rectangle(right + unit, y, right + unit * 1.9, y + (bottom - top) * 0.6 / 40, (red, green, blue))
    canvas.text(right + unit * 2.2, top + 4, "2", unit * 0.85, "lm")
    canvas.text(right + unit * 2.2, top + (bottom - top) * 0.6, "-2", unit * 0.85, "lm")
    if a["tree"] == "dendrogram":
        joins(canvas, [left + (c + 0.5) * wide for c in range(columns)], top - 3, unit * 2.2)
    return canvas.finish()


def joins(canvas: Canvas, xs: list[float], base: float, room: float) -> None:
    """A dendrogram over the columns that joins neighbours in pairs."""
    levels, y = max(1, math.ceil(math.log2(len(xs)))), base
    step = room / levels
    tops = [base] * len(xs)
    while len(xs) > 1:
        y -= step
        joined, heights = [], []
        for i in range(0, len(xs) - 1, 2):
            canvas.line([(xs[i], tops[i]), (xs[i], y), (xs[i + 1], y), (xs[i + 1], tops[i + 1])], BLACK, 1)
            joined.append((xs[i] + xs[i + 1]) / 2)
            heights.append(y)
        if len(xs) % 2:
            joined.append(xs[-1])
            heights.append(tops[-1])
        xs, tops = joined, heights


def pie(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas, number = Canvas(size), a["slices"]
    names = SEQUENCES[a["scheme"]]
    big = {"one large": 3.2, "equal": 1.0}[a["shares"]]
    parts = np.asarray(
        [big * (number - 1) * 0.5 if i == 0 and big > 1 else 1.0 + 0.2 * rng.random() for i in range(number)]
    )
    parts /= parts.sum()
    r, cx, cy = min(size[1] * 0.42, size[0] * 0.3), size[0] * 0.34, size[1] / 2
    start = -90.0
    for i, part in enumerate(parts.tolist()):
        canvas.sector(cx, cy, r, start, start + 360 * part, COLOURS[names[i]])
        middle = math.radians(start + 180 * part)
        share = 0.76 if a["form"] == "donut" else 0.65
        canvas.text(
            cx + share * r * math.cos(middle),
            cy + share * r * math.sin(middle),
            f"{round(100 * part)}%",
            canvas.text_size * 0.85,
            colour=WHITE,
        )
        start += 360 * part
    if a["form"] == "donut":
        canvas.ellipse(cx, cy, r * 0.52, fill=WHITE)
    for i, name in enumerate(TERMS["slices"][a["topic"]][:number]):
        y = cy + (i - (number - 1) / 2) * canvas.text_size * 1.6
        canvas.rectangle(size[0] * 0.68, y - 5, size[0] * 0.68 + 10, y + 5, COLOURS[names[i]])
        canvas.text(size[0] * 0.68 + 15, y, name, canvas.text_size * 0.85, "lm")
    return canvas.finish()


def plate(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas = Canvas(size)
    rows, columns = {96: (8, 12), 24: (4, 6), 48: (6, 8)}[a["wells"]]
    unit, colour = canvas.text_size, COLOURS[a["colour"]]
    canvas.rectangle(4, 4, size[0] - 4, size[1] - 4, (246, 246, 248), GREY, 1.5, 10)
    step = min((size[0] - unit * 3) / columns, (size[1] - unit * 3) / rows)
    left, top = (size[0] - step * columns) / 2 + unit * 0.5, (size[1] - step * rows) / 2 + unit * 0.5
    amounts = values_of(a["pattern"], rows, columns, rng)
    for r in range(rows):
        canvas.text(left - unit * 0.8, top + (r + 0.5) * step, "ABCDEFGH"[r], unit * 0.9)
        for c in range(columns):
            fill = shade(WHITE, colour, float(amounts[r, c]))
            canvas.ellipse(
                left + (c + 0.5) * step, top + (r + 0.5) * step, step * 0.42, fill=fill, outline=GREY, width=1
            )
    for c in range(columns):
        canvas.text(left + (c + 0.5) * step, top - unit * 0.7, str(c + 1), unit * 0.9)
    return canvas.finish()
