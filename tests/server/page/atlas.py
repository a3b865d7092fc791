"""Two small indexes for the page: coloured fields of many shapes with metadata as figures have it, and a trap."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw

from retrieval.types import Figure
from tests.doubles import COLOURS, ColourEncoder
from tests.listed import index_of

COLUMNS = {
    "figure_label": "string",
    "licence": "string",
    "journal": "string",
    "year": "int64",
    "open": "bool",
    "doi": "string",
}
SIZES = ((160, 120), (120, 160), (200, 90), (130, 130), (300, 60), (60, 240))
JOURNALS = ("Brain", "Cell, Host and Microbe", "Radiology")
HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> a red trap & "quotes"'
HOSTILE_ID = "trap <b>&'\"/?#%"


def make_indexes(folder: Path) -> tuple[dict[str, Path], ColourEncoder]:
    """`atlas` with 49 figures, and `other` with every second of them; both of one encoder."""
    figures = [coloured(number) for number in range(48)]
    figures.append(
        Figure(HOSTILE_ID, picture("red", 7, (150, 100)), (HOSTILE,), "trap.png", metadata={"journal": HOSTILE})
    )
    folders = {"atlas": folder / "atlas", "other": folder / "other"}
    index_of(folders["atlas"], figures, columns=COLUMNS, encoder=ColourEncoder(), shard_size=16, thumbnail=192)
    index_of(folders["other"], figures[::2], columns=COLUMNS, encoder=ColourEncoder(), shard_size=16, thumbnail=192)
    return folders, ColourEncoder()


def coloured(number: int) -> Figure:
    """Figure `number`: its colour goes round the eight of the encoder; three of an article follow each other."""
    colour = list(COLOURS)[number % len(COLOURS)]
    article = number // 3
    metadata = {
        "figure_label": f"Figure {number % 3 + 1}",
        "licence": "CC-BY-4.0" if number % 4 else None,
        "journal": JOURNALS[article % len(JOURNALS)],
        "year": 2000 + article,
        "open": number % 2 == 0,
        "doi": f"10.1000/{article}" if article % 2 else None,
    }
    captions = [f"a {colour} field, number {number}"] + ([f"the {colour} one again"] if number % 5 == 0 else [])
    image = picture(colour, number, SIZES[number % len(SIZES)])
    return Figure(f"f{number:02d}", image, tuple(captions), f"f{number:02d}.png", f"PMC{1000 + article}", metadata)


def picture(colour: str, number: int, size: tuple[int, int]) -> bytes:
    """A field of a colour, a little darker with each number, with a rim by which one sees that nothing is cropped."""
    shade = tuple(max(0, channel - 2 * number) for channel in COLOURS[colour])
    image = Image.new("RGB", size, shade)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=(128, 128, 128), width=3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
