"""Charts of categories: bars, grouped bars with error bars, box plots."""

from __future__ import annotations

import numpy as np
from PIL import Image

from retrieval.demo.canvas import Canvas
from retrieval.demo.choices import GROUPS, QUANTITIES
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, SEQUENCES, WHITE, shade
from retrieval.demo.plot import Plot


def levels(trend: str, number: int, rng: np.random.Generator) -> list[float]:
    """`number` heights between 8 and 100 that show the trend plainly."""
    t = np.linspace(0, 1, number)
    shape = {
        "rising": 20 + 70 * t,
        "falling": 90 - 70 * t,
        "peaked": 25 + 65 * np.sin(np.pi * t),
        "dipping": 90 - 65 * np.sin(np.pi * t),
        "level": np.full(number, 65.0),
    }[trend]
    return [float(v) for v in shape + rng.uniform(-4, 4, number)]


def bar_chart(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number, colour = a["bars"], COLOURS[a["colour"]]
    values = levels(a["trend"], number, rng)
    canvas = Canvas(size)
    if a["orientation"] == "horizontal":
        return horizontal(canvas, a, values)
    plot = Plot(canvas, (0, number), (0, 112), a["style"])
    wide = rng.uniform(0.28, 0.4)
    for i, value in enumerate(values):
        canvas.rectangle(
            plot.x(i + 0.5 - wide),
            plot.y(value),
            plot.x(i + 0.5 + wide),
            plot.bottom,
            colour,
            shade(colour, BLACK, 0.5),
        )
        if a["errors"] == "error bars":
            whisker(plot, i + 0.5, value, 3 + 5 * float(rng.random()))
    return plot.finish(QUANTITIES[a["quantity"]], a["groups"].capitalize(), GROUPS[a["groups"]][:number])


def horizontal(canvas: Canvas, a: Attributes, values: list[float]) -> Image.Image:
    colour, unit = COLOURS[a["colour"]], canvas.text_size
    plot = Plot(canvas, (0, 112), (0, len(values)))
    for i, value in enumerate(values):
        y = len(values) - 1 - i + 0.5
        canvas.rectangle(
            plot.left, plot.y(y - 0.34), plot.x(value), plot.y(y + 0.34), colour, shade(colour, BLACK, 0.5)
        )
        canvas.text(plot.left - 6, plot.y(y), GROUPS[a["groups"]][i], unit * 0.85, "rm")
        if a["errors"] == "error bars":
            canvas.line([(plot.x(value - 5), plot.y(y)), (plot.x(value + 5), plot.y(y))], BLACK, 1.2)
            for x in (plot.x(value - 5), plot.x(value + 5)):
                canvas.line([(x, plot.y(y) - 3), (x, plot.y(y) + 3)], BLACK, 1.2)
    plot.x_axis(QUANTITIES[a["quantity"]])
    return canvas.finish()


def whisker(plot: Plot, x: float, value: float, error: float, cap: float = 4) -> None:
    c, middle = plot.canvas, plot.x(x)
    c.line([(middle, plot.y(value - error)), (middle, plot.y(value + error))], BLACK, 1.2)
    for y in (plot.y(value - error), plot.y(value + error)):
        c.line([(middle - cap, y), (middle + cap, y)], BLACK, 1.2)


def grouped_bars(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    groups, series = a["groups_shown"], a["series"]
    colours = [COLOURS[a["first"]], COLOURS[a["second"]], COLOURS["grey"]][:series]
    names = [["Vehicle", "Drug", "Both"], ["Male", "Female", "All"], ["Day 1", "Day 7", "Day 14"]][rng.integers(3)]
    canvas = Canvas(size)
    plot = Plot(canvas, (0, groups), (0, 150 if a["stars"] == "asterisks" else 125))
    wide = 0.8 / series
    for g in range(groups):
        for s in range(series):
            high = a["higher"] == ("first" if s == 0 else "second")
            value = float(rng.uniform(68, 95) if high else rng.uniform(20, 50))
            x = g + 0.1 + s * wide
            canvas.rectangle(plot.x(x), plot.y(value), plot.x(x + wide * 0.94), plot.bottom, colours[s], BLACK, 0.8)
            whisker(plot, x + wide * 0.47, value, float(rng.uniform(3, 8)), 3)
        if a["stars"] == "asterisks":
            top = plot.y(106)
            canvas.line([(plot.x(g + 0.2), top), (plot.x(g + 0.8), top)], BLACK, 1)
            canvas.text(plot.x(g + 0.5), top - 1, "*" if g % 2 else "**", canvas.text_size * 1.2, "mm")
    plot.y_axis(QUANTITIES[a["quantity"]])
    plot.categories(GROUPS[a["groups"]][:groups])
    plot.legend(list(zip(names, colours, strict=False)), "right" if a["stars"] != "asterisks" else "left")
    return canvas.finish()


def box_plot(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number = a["boxes"]
    middles = [m * 0.8 + 10 for m in levels(a["trend"], number, rng)]
    canvas = Canvas(size)
    plot = Plot(canvas, (0, number), (0, 112), a["style"])
    for i, middle in enumerate(middles):
        name = a["colour"] if a["colour"] != "mixed" else SEQUENCES["blue"][i]
        colour = shade(COLOURS[str(name)], WHITE, 0.35)
        points = rng.normal(middle, 9, 24)
        low, q1, median, q3, high = np.percentile(points, [3, 25, 50, 75, 97])
        x0, x1, xm = plot.x(i + 0.22), plot.x(i + 0.78), plot.x(i + 0.5)
        for end, box in ((low, q1), (high, q3)):
            canvas.line([(xm, plot.y(end)), (xm, plot.y(box))], BLACK, 1.2)
            canvas.line([(xm - 6, plot.y(end)), (xm + 6, plot.y(end))], BLACK, 1.2)
        canvas.rectangle(x0, plot.y(q1), x1, plot.y(q3), colour, BLACK, 1.2)
        canvas.line([(x0, plot.y(median)), (x1, plot.y(median))], BLACK, 2.2)
        if a["points"] == "individual points":
            for x, value in zip(rng.uniform(x0 + 3, x1 - 3, 24), points, strict=True):
                canvas.ellipse(float(x), plot.y(float(value)), 2, fill=BLACK)
    return plot.finish(QUANTITIES[a["quantity"]], a["groups"].capitalize(), GROUPS[a["groups"]][:number])
