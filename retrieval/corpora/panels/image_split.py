"""A compound figure's image to the boxes of its panels, by the empty bands between them. In doubt it is not cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.bool_]
LONG_SIDE = 512  # pixels of the copy that is looked at
NOISE = 36  # JPEG at quality 80 rings this far from paper white beside a photograph, in the worst channel
BLUR = 110  # a band of one or two pixels between photographs is this far from its colour once the figure is reduced
GREY = 24  # a ground's channels differ by less
PAPER = 215  # every channel of white ground is at least this
SMALLEST = 0.14  # of the figure's side, each way: text, colour bars and keys are smaller
ALIKE = 0.22  # the smallest panel of a row over its largest
SLENDER = 8.0  # longer side over shorter: a strip of a blot or of a recording is within
DRAWN = 0.5  # of a panel's width and of its height are covered somewhere, by a frame, an axis or a filled ground
LINE = 0.15  # of them are covered in one stroke, which tells panels from blocks of text
FILLED = 0.75  # how much of a photograph's rim differs from its ground
CROSSED = 0.05  # of a band between two photographs may be covered, by a scale bar or by their blur
REACH = 4  # pixels from such a band to where both are filled


class Box(NamedTuple):
    """A rectangle in pixels of the image; `right` and `bottom` are the first outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """What differs from the ground at all, and what beyond blur (height, width); whether the ground is white."""

    ink: Mask
    solid: Mask
    is_paper: bool

    def within(self, box: Box) -> Sheet:
        window = np.s_[box.top : box.bottom, box.left : box.right]
        return Sheet(self.ink[window], self.solid[window], self.is_paper)

    def turned(self) -> Sheet:
        return Sheet(self.ink.T, self.solid.T, self.is_paper)


def split_panels(image: Image.Image) -> tuple[Box, ...]:
    """The boxes of the panels, in reading order: rows from the top, each from the left; none where there is one panel.

    Boxes are disjoint, lie inside the image, and hold the letters and axis labels that stand beside a panel.
    """
    scale = min(1.0, LONG_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX))
    channels = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.int16)
    for ground in grounds(channels):
        away = np.abs(channels - ground[:, None, None]).max(axis=0)
        boxes = list(cut(Sheet(away > NOISE, away > BLUR, bool(ground.min() >= PAPER)), Box(0, 0, *size)))
        if len(boxes) > 1:
            return tuple(enlarged(box, size, image.size) for box in reading_order(boxes))
    return ()


def grounds(channels: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    """The colours (3,) of the bands across a figure (3, height, width): its white, then its grey or black, if any."""
    colours = []
    for lines in (channels, np.ascontiguousarray(channels.transpose(0, 2, 1))):
        middle = np.median(lines[:, :, ::4], axis=2)  # every fourth pixel: the median of all takes half of the time
        near = np.abs(lines - middle.astype(np.int16)[:, :, None]).max(axis=0) <= NOISE
        colours.append(middle[:, (near.mean(axis=1) >= 1 - CROSSED) & (np.ptp(middle, axis=0) < GREY)])
    found = np.concatenate(colours, axis=1)
    is_light = found.min(axis=0) >= PAPER
    for own in (found[:, is_light], found[:, ~is_light]):
        if own.size:
            yield np.median(own, axis=1).astype(np.int16)


def cut(sheet: Sheet, box: Box) -> Iterator[Box]:
    """The panels inside a box: cut across or down, whichever leaves the wider gutters, and then inside each piece."""
    box = trimmed(sheet, box)
    (down, gap_down), (across, gap_across) = (pieces(sheet, box, vertical=vertical) for vertical in (False, True))
    found = down if gap_down >= gap_across else across
    if len(found) == 1:
        yield box
        return
    for piece in found:
        yield from cut(sheet, piece)


def trimmed(sheet: Sheet, box: Box) -> Box:
    """The least box around the ink in a box; the box itself where it is empty."""
    ink = sheet.within(box).ink
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return box
    left, top = box.left + int(columns[0]), box.top + int(rows[0])
    return Box(left, top, box.left + int(columns[-1]) + 1, box.top + int(rows[-1]) + 1)


def pieces(sheet: Sheet, box: Box, *, vertical: bool) -> tuple[list[Box], int]:
    """The panels or rows of panels that gutters of one direction leave of a box, and the narrowest gutter's width.

    What cannot be a panel (a letter, a title, a key) joins the neighbour it is nearest to.
    """
    part = sheet.within(box)
    found = [
        Box(box.left + start, box.top, box.left + stop, box.bottom)
        if vertical
        else Box(box.left, box.top + start, box.right, box.top + stop)
        for start, stop in runs(~empty_lines(part.turned() if vertical else part))
    ]
    are_panels = [is_panel(sheet, piece) for piece in found]
    while len(found) > 1 and not all(are_panels):
        gaps = [
            gap(found[i], found[i + 1]) if not (are_panels[i] and are_panels[i + 1]) else max(box)
            for i in range(len(found) - 1)
        ]
        i = int(np.argmin(gaps))
        found[i : i + 2] = [join_boxes(found[i], found[i + 1])]
        are_panels[i : i + 2] = [is_panel(sheet, found[i])]
    lengths = [piece.right - piece.left if vertical else piece.bottom - piece.top for piece in found]
    if len(found) < 2 or min(lengths) < ALIKE * max(lengths):
        return [box], 0
    return found, min(gap(first, second) for first, second in pairwise(found))


def empty_lines(part: Sheet) -> Mask:
    """Which rows hold no ink, or hardly any between two photographs, whose straight edges no plot or drawing has."""
    filled: Mask = np.pad(part.solid.mean(axis=1) >= FILLED, REACH)
    near: Mask = np.lib.stride_tricks.sliding_window_view(filled, REACH).max(axis=1)
    height = len(part.ink)
    empty: Mask = ~part.ink.any(axis=1) | ((part.solid.mean(axis=1) <= CROSSED) & near[:height] & near[-height:])
    return empty


def runs(filled: Mask) -> list[tuple[int, int]]:
    """Start and stop of the stretches of true values."""
    edges = np.flatnonzero(np.diff(np.pad(filled.astype(np.int8), 1)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def gap(first: Box, second: Box) -> int:
    """How far a box that stands right of or below the first is from it."""
    return max(second.left - first.right, second.top - first.bottom)


def join_boxes(first: Box, second: Box) -> Box:
    return Box(
        min(first.left, second.left),
        min(first.top, second.top),
        max(first.right, second.right),
        max(first.bottom, second.bottom),
    )


def is_panel(sheet: Sheet, piece: Box) -> bool:
    """Whether a piece is as large as a panel, no strip, and drawn like one: with a frame, axes or a filled ground."""
    box = trimmed(sheet, piece)
    width, height = box.right - box.left, box.bottom - box.top
    if height < SMALLEST * sheet.ink.shape[0] or width < SMALLEST * sheet.ink.shape[1]:
        return False
    if max(width, height) > SLENDER * min(width, height):
        return False
    ink = sheet.within(box).ink
    if sheet.is_paper:
        return reaches_across(ink) and reaches_across(ink.T)
    rims = (ink[:REACH].any(axis=0), ink[-REACH:].any(axis=0), ink[:, :REACH].any(axis=1), ink[:, -REACH:].any(axis=1))
    return all(rim.mean() >= FILLED for rim in rims)


def reaches_across(ink: Mask) -> bool:
    """Whether some row is covered far enough, and some row in one stroke."""
    stroke = max(1, round(LINE * ink.shape[1]))
    sums = np.cumsum(np.pad(ink, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    return bool(sums[:, -1].max() >= DRAWN * ink.shape[1] and (sums[:, stroke:] - sums[:, :-stroke]).max() == stroke)


def reading_order(boxes: list[Box]) -> list[Box]:
    """Rows from the top, each from the left; a box is of a row if its middle lies above the lower end of the first."""
    rest = sorted(boxes, key=lambda box: (box.top, box.left))
    ordered: list[Box] = []
    while rest:
        row = [box for box in rest if (box.top + box.bottom) / 2 < rest[0].bottom]
        ordered += sorted(row, key=lambda box: box.left)
        rest = [box for box in rest if box not in row]
    return ordered


def enlarged(box: Box, size: tuple[int, int], full: tuple[int, int]) -> Box:
    """A box of the copy in pixels of the image."""
    across, down = full[0] / size[0], full[1] / size[1]
    return Box(round(box.left * across), round(box.top * down), round(box.right * across), round(box.bottom * down))
