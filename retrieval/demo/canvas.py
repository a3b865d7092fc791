"""Line art with smooth edges: drawn at twice the size, halved at the end. Coordinates are final pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from retrieval.demo.kind import Size
from retrieval.demo.palette import BLACK, WHITE, Colour

SCALE = 2
Point = tuple[float, float]


@lru_cache(maxsize=64)
def font(pixels: int) -> ImageFont.FreeTypeFont:
    loaded = ImageFont.load_default(pixels)
    assert isinstance(loaded, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return loaded


class Canvas:
    """A sheet to draw on; `finish` gives the image."""

    def __init__(self, size: Size, background: Colour = WHITE) -> None:
        self.width, self.height = size
        self.image = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), background)
        self.pen = ImageDraw.Draw(self.image)
        self.text_size = min(max(min(size) / 24, 9.0), 15.0)

    def finish(self) -> Image.Image:
        return self.image.reduce(SCALE)

    def paste(self, picture: Image.Image) -> None:
        """Cover the sheet with a picture of the final size."""
        self.image.paste(picture.resize(self.image.size, Image.Resampling.BILINEAR))

    def line(self, points: Sequence[Point], colour: Colour = BLACK, width: float = 1.5) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self.pen.line(scaled, fill=colour, width=max(1, round(width * SCALE)), joint="curve")

    def dashes(self, start: Point, end: Point, colour: Colour = BLACK, width: float = 1.0, dash: float = 4) -> None:
        length = math.dist(start, end)
        steps = max(1, int(length / (2 * dash)))
        for i in range(steps):
            a, b = i / steps, (i + 0.5) / steps
            self.line([between(start, end, a), between(start, end, b)], colour, width)

    def polygon(
        self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None, width: float = 1
    ) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self.pen.polygon(scaled, fill=fill, outline=outline, width=max(1, round(width * SCALE)))

    def rectangle(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width: float = 1,
        radius: float = 0,
    ) -> None:
        box = [min(x0, x1) * SCALE, min(y0, y1) * SCALE, max(x0, x1) * SCALE, max(y0, y1) * SCALE]
        line = max(1, round(width * SCALE)) if outline else 0
        if radius:
            self.pen.rounded_rectangle(box, radius * SCALE, fill=fill, outline=outline, width=line)
        else:
            self.pen.rectangle(box, fill=fill, outline=outline, width=line)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width: float = 1,
    ) -> None:
        ry = rx if ry is None else ry
        box = [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]
        self.pen.ellipse(box, fill=fill, outline=outline, width=max(1, round(width * SCALE)) if outline else 0)

    def sector(self, x: float, y: float, r: float, start: float, end: float, fill: Colour) -> None:
        """A slice of a pie, degrees clockwise from three o'clock."""
        box = [(x - r) * SCALE, (y - r) * SCALE, (x + r) * SCALE, (y + r) * SCALE]
        self.pen.pieslice(box, start, end, fill=fill, outline=WHITE, width=SCALE)

    def arrow(self, start: Point, end: Point, colour: Colour = BLACK, width: float = 1.6, head: float = 7) -> None:
        self.line([start, between(end, start, min(1.0, head / max(1e-6, math.dist(start, end))))], colour, width)
        self.arrowhead(start, end, colour, head)

    def arrowhead(self, start: Point, end: Point, colour: Colour = BLACK, head: float = 7) -> None:
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        wings = [(end[0] - head * math.cos(angle + s), end[1] - head * math.sin(angle + s)) for s in (-0.45, 0.45)]
        self.polygon([end, *wings], colour)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float | None = None,
        anchor: str = "mm",
        colour: Colour = BLACK,
        bold: bool = False,
    ) -> None:
        face = font(round((size or self.text_size) * SCALE))
        self.pen.text(
            (x * SCALE, y * SCALE), text, colour, face, anchor, stroke_width=1 if bold else 0, stroke_fill=colour
        )

    def upright(self, x: float, y: float, text: str, size: float | None = None, colour: Colour = BLACK) -> None:
        """Text that reads upwards, centred at (x, y)."""
        face = font(round((size or self.text_size) * SCALE))
        left, top, right, bottom = face.getbbox(text)
        mask = Image.new("L", (math.ceil(right - left) + 2, math.ceil(bottom - top) + 2), 0)
        ImageDraw.Draw(mask).text((1 - left, 1 - top), text, 255, face)
        mask = mask.transpose(Image.Transpose.ROTATE_90)
        self.image.paste(colour, (round(x * SCALE - mask.width / 2), round(y * SCALE - mask.height / 2)), mask)

    def text_width(self, text: str, size: float | None = None) -> float:
        return font(round((size or self.text_size) * SCALE)).getlength(text) / SCALE


def between(a: Point, b: Point, share: float) -> Point:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
