"""A chart's frame: axes, ticks, labels and legend around a plotting area in data coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from retrieval.demo.canvas import Canvas
from retrieval.demo.palette import BLACK, PALE, Colour

Range = tuple[float, float]


class Plot:
    """The plotting area of a chart. `x` and `y` turn data into pixels."""

    def __init__(self, canvas: Canvas, x_range: Range, y_range: Range, style: str = "open") -> None:
        unit = canvas.text_size
        self.canvas, self.x_range, self.y_range = canvas, x_range, y_range
        self.left, self.right = unit * 4.3, canvas.width - unit * 1.2
        self.top, self.bottom = unit * 1.4, canvas.height - unit * 3.6
        self.draw_frame(style)

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def draw_frame(self, style: str) -> None:
        """Axis lines; `style` is open, boxed or grid."""
        c = self.canvas
        if style == "grid":
            for tick in ticks(self.y_range):
                c.line([(self.left, self.y(tick)), (self.right, self.y(tick))], PALE, 0.8)
        if style == "boxed":
            c.rectangle(self.left, self.top, self.right, self.bottom, outline=BLACK, width=1)
        else:
            c.line([(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)], BLACK, 1.2)

    def finish(self, y_label: str, x_label: str, categories: Sequence[str] = ()) -> Image.Image:
        """The image, its axes labelled: with `categories` below the x axis, or else with numbers."""
        self.y_axis(y_label)
        if categories:
            self.categories(categories)
            self.x_label(x_label)
        else:
            self.x_axis(x_label)
        return self.canvas.finish()

    def y_axis(self, label: str) -> None:
        c, unit = self.canvas, self.canvas.text_size
        for tick in ticks(self.y_range):
            c.line([(self.left - 4, self.y(tick)), (self.left, self.y(tick))], BLACK, 1)
            c.text(self.left - 6, self.y(tick), f"{tick:g}", unit * 0.85, "rm")
        c.upright(unit * 0.9, (self.top + self.bottom) / 2, fitting(c, label, self.bottom - self.top + 3 * unit))

    def x_axis(self, label: str) -> None:
        c, unit = self.canvas, self.canvas.text_size
        for tick in ticks(self.x_range):
            c.line([(self.x(tick), self.bottom), (self.x(tick), self.bottom + 4)], BLACK, 1)
            c.text(self.x(tick), self.bottom + unit * 0.95, f"{tick:g}", unit * 0.85)
        self.x_label(label)

    def x_label(self, label: str) -> None:
        c = self.canvas
        c.text(
            (self.left + self.right) / 2, c.height - c.text_size * 1.0, fitting(c, label, self.right - self.left + 40)
        )

    def categories(self, names: Sequence[str]) -> None:
        """Names below the axis at 0.5, 1.5, ..., smaller where they are crowded."""
        c, unit = self.canvas, self.canvas.text_size
        room = self.x(1) - self.x(0)
        size = unit * 0.9
        while size > 6 and max(c.text_width(name, size) for name in names) > room * 0.98:
            size -= 0.5
        for i, name in enumerate(names):
            c.line([(self.x(i + 0.5), self.bottom), (self.x(i + 0.5), self.bottom + 3)], BLACK, 1)
            c.text(self.x(i + 0.5), self.bottom + unit, name, size)

    def legend(self, entries: Sequence[tuple[str, Colour]], corner: str = "right", line: bool = False) -> None:
        """Colours with names in a corner: right, left, or outside to the right of the area."""
        c, unit = self.canvas, self.canvas.text_size
        size = unit * 0.85
        wide = max(c.text_width(name, size) for name, _ in entries) + unit * 1.6
        x = {
            "right": self.right - wide - unit * 0.4,
            "left": self.left + unit * 0.8,
            "outside": self.right + unit * 0.5,
        }[corner]
        for i, (name, colour) in enumerate(entries):
            y = self.top + unit * 0.9 + i * unit * 1.25
            if line:
                c.line([(x, y), (x + unit, y)], colour, 2)
            else:
                c.rectangle(x, y - size * 0.4, x + unit * 0.9, y + size * 0.4, colour)
            c.text(x + unit * 1.3, y, name, size, "lm")


def ticks(span: Range, about: int = 5) -> list[float]:
    """Round numbers inside `span`, some `about` of them."""
    low, high = span
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def fitting(canvas: Canvas, text: str, room: float) -> str:
    """`text`, without its unit where it is too long for `room` pixels."""
    return text if canvas.text_width(text) <= room else text.split(" (")[0]
