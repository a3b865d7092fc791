"""Charts of numbers against numbers: lines, scatter with fit, histogram, survival steps, volcano."""

from __future__ import annotations

import numpy as np
from PIL import Image

from retrieval.demo.canvas import Canvas, Point
from retrieval.demo.choices import QUANTITIES
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, GREY, SEQUENCES, WHITE, Colour, shade
from retrieval.demo.plot import Plot

AXES = {
    "time": "Time (h)",
    "dose": "Dose (mg/kg)",
    "depth": "Depth (mm)",
    "age": "Age (years)",
    "score": "Clinical score",
}


def marker(canvas: Canvas, at: Point, mark: str, colour: Colour, r: float = 4, filled: bool = True) -> None:
    x, y = at
    fill = colour if filled else WHITE
    if mark == "circles":
        canvas.ellipse(x, y, r, fill=fill, outline=colour, width=1.3)
    elif mark == "squares":
        canvas.rectangle(x - r * 0.88, y - r * 0.88, x + r * 0.88, y + r * 0.88, fill, colour, 1.3)
    else:
        canvas.polygon([(x, y - r * 1.2), (x - r * 1.1, y + r * 0.8), (x + r * 1.1, y + r * 0.8)], fill, colour, 1.3)


def draw_curve(shape: str, t: np.ndarray, strength: float) -> np.ndarray:
    """Heights 0..100 of a named shape; `strength` 0..1 says how pronounced it is."""
    s = 0.35 + 0.65 * strength
    return {
        "linear rise": 8 + 82 * s * t,
        "linear fall": 94 - 84 * s * t,
        "saturation": 6 + 88 * s * (1 - np.exp(-4.5 * t)),
        "decay": 5 + 90 * np.exp(-(1 + 5 * s) * t),
        "sigmoid": 5 + 88 * s / (1 + np.exp(-13 * (t - 0.45))),
        "peak": 8 + 85 * s * np.exp(-(((t - 0.45) / 0.17) ** 2)),
        "oscillation": 50 + 42 * s * np.sin(2 * np.pi * 2.5 * t),
    }[shape]


def line_chart(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number, count = a["series"], int(rng.integers(7, 12)) + (14 if a["shape"] == "oscillation" else 0)
    colours = [COLOURS[name] for name in SEQUENCES[a["scheme"]]]
    canvas = Canvas(size)
    plot = Plot(canvas, (0, 24), (0, 130), a["style"])
    t = np.linspace(0, 1, count)
    for i in range(number):
        values = draw_curve(a["shape"], t, 1 - i / max(number, 2)) + rng.uniform(-2, 2, count)
        points = [(plot.x(24 * float(p)), plot.y(float(v))) for p, v in zip(t, values, strict=True)]
        canvas.line(points, colours[i], 2)
        for x, y in points:
            if a["errors"] == "error bars":
                canvas.line([(x, y - 8), (x, y + 8)], colours[i], 1)
            if a["marks"] != "none":
                marker(canvas, (x, y), a["marks"], colours[i], 3.6, i % 2 == 0)
    plot.y_axis(QUANTITIES[a["quantity"]])
    plot.x_axis(AXES[a["against"]])
    names = (
        ["Control", "10 nM", "50 nM", "100 nM", "1 uM"]
        if rng.random() < 0.5
        else ["Group 1", "Group 2", "Group 3", "Group 4", "Group 5"]
    )
    if number > 1:
        plot.legend(list(zip(names[:number], colours, strict=False)), "right", line=True)
    return canvas.finish()


def scatter(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number, colour = {"few": 18, "many": 140}[a["density"]], COLOURS[a["colour"]]
    t = rng.uniform(0.04, 0.96, number)
    slope = {"positive": 0.75, "negative": -0.75, "none": 0.0}[a["correlation"]]
    spread = {"positive": 0.08, "negative": 0.08, "none": 0.2}[a["correlation"]]
    values = 0.5 + slope * (t - 0.5) + rng.normal(0, spread, number)
    canvas = Canvas(size)
    plot = Plot(canvas, (0, 100), (0, 100), a["style"])
    r = 4.2 if number < 50 else 3.0
    for x, y in zip(100 * t, 100 * np.clip(values, 0.02, 0.98), strict=True):
        marker(canvas, (plot.x(float(x)), plot.y(float(y))), a["marks"], colour, r, a["fill"] == "filled")
    if a["fit"] == "line":
        b, c = np.polyfit(t, values, 1)
        ends = [(plot.x(100 * p), plot.y(100 * float(np.clip(c + b * p, 0, 1)))) for p in (0.02, 0.98)]
        canvas.line(ends, BLACK, 2)
    return plot.finish(QUANTITIES[a["quantity"]], AXES[a["against"]])


def draw_histogram(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    shape, colour = a["shape"], COLOURS[a["colour"]]
    if shape == "normal":
        data = rng.normal(50, 14, 900)
    elif shape == "bimodal":
        data = np.concatenate([rng.normal(28, 7, 450), rng.normal(72, 8, 450)])
    elif shape == "right-skewed":
        data = 6 + rng.gamma(2.0, 10, 900)
    elif shape == "left-skewed":
        data = 94 - rng.gamma(2.0, 10, 900)
    else:
        data = rng.uniform(4, 96, 900)
    heights, edges = np.histogram(data, bins={"coarse": 11, "fine": 32}[a["bins"]], range=(0, 100))
    canvas = Canvas(size)
    plot = Plot(canvas, (0, 100), (0, float(heights.max()) * 1.12), a["style"])
    for h, low, high in zip(heights.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if h:
            canvas.rectangle(plot.x(low), plot.y(h), plot.x(high), plot.bottom, colour, shade(colour, BLACK, 0.45), 0.8)
    if a["mean"] == "line":
        middle = float(data.mean())
        canvas.dashes((plot.x(middle), plot.top), (plot.x(middle), plot.bottom), BLACK, 1.8)
    return plot.finish("Frequency", QUANTITIES[a["quantity"]])


def survival(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas = Canvas(size)
    plot = Plot(canvas, (0, 60), (0, 105))
    arms = a["arms"]
    better, worse = COLOURS[a["better"]], COLOURS[a["worse"]]
    colours = [better, worse] if arms == 2 else [better, GREY, worse]
    low, middle, high = {"clear": (0.008, 0.02, 0.06), "none": (0.02, 0.0215, 0.023)}[a["gap"]]
    hazards = [low, high] if arms == 2 else [low, middle, high]
    for colour, hazard in zip(colours, hazards, strict=True):
        times = np.sort(rng.exponential(1 / hazard, 34))
        share, points, censored = 100.0, [(plot.x(0), plot.y(100))], []
        for i, time in enumerate(times[times < 58].tolist()):
            points.append((plot.x(time), plot.y(share)))
            share -= 100 / 34
            points.append((plot.x(time), plot.y(share)))
            if i % 4 == 2:
                censored.append((plot.x(time) + 3, plot.y(share)))
        canvas.line([*points, (plot.x(60), plot.y(share))], colour, 2.2)
        for x, y in censored if a["ticks"] == "censor ticks" else []:
            canvas.line([(x, y - 5), (x, y + 5)], colour, 1.4)
    names = ["Low risk", "High risk"] if arms == 2 else ["Low risk", "Medium", "High risk"]
    plot.legend(list(zip(names, colours, strict=True)), "right", line=True)
    canvas.text(plot.left + 10, plot.bottom - 14, "p < 0.001" if a["gap"] == "clear" else "n.s.", anchor="lm")
    return plot.finish("Survival (%)" if a["outcome"] == "overall survival" else "Event-free (%)", "Months")


def volcano(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    canvas = Canvas(size)
    plot = Plot(canvas, (-6, 6), (0, 12), "boxed" if rng.random() < 0.5 else "open")
    up, down = COLOURS[a["up"]], COLOURS[a["down"]]
    more = {"more up": (70, 18), "more down": (18, 70), "balanced": (45, 45)}[a["balance"]]
    for colour, number, sign in ((GREY, 260, 0), (up, more[0], 1), (down, more[1], -1)):
        if sign:
            x, y = sign * (1.2 + rng.gamma(2.2, 0.75, number)), 1.5 + rng.gamma(2.4, 1.5, number)
        else:
            x = rng.normal(0, 0.9, number)
            y = np.abs(x) * 0.7 * rng.random(number) + rng.gamma(1.2, 0.4, number)
        for p, q in zip(x.tolist(), y.tolist(), strict=True):
            canvas.ellipse(plot.x(max(-5.9, min(5.9, p))), plot.y(min(11.8, q)), 2.6, fill=colour)
    for fold in (-1.0, 1.0):
        canvas.dashes((plot.x(fold), plot.top), (plot.x(fold), plot.bottom), GREY, 1.1)
    canvas.dashes((plot.left, plot.y(1.3)), (plot.right, plot.y(1.3)), GREY, 1.1)
    return plot.finish("-log10 p", "log2 fold change")
