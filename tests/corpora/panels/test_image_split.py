"""Panels by the empty bands between them: sheets with known boxes, what must stay whole, what changes nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from retrieval.corpora.panels.image_split import LONG_SIDE, Box, split_panels
from retrieval.demo.figure import draw_figure, plan_figure
from retrieval.demo.multi_panel import PANELS

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
SLACK = 3  # pixels that reducing to LONG_SIDE may move an edge
RINGING = 8  # pixels that JPEG may: its blocks, and those of colour are twice as large


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Neither white, black nor one colour anywhere."""
    coarse = np.random.default_rng(seed).integers((60, 40, 90), (200, 90, 180), (7, 7, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def plot(width: int, height: int) -> Image.Image:
    """Axes with a curve, tick labels, a title and a key, on white."""
    sheet = Image.new("RGB", (width, height), WHITE)
    pen = ImageDraw.Draw(sheet)
    pen.line((30, 20, 30, height - 30, width - 10, height - 30), BLACK, 2)
    pen.line([(30 + x, height - 40 - abs(x % 60 - 30)) for x in range(0, width - 50, 5)], (200, 30, 30), 2)
    pen.text((width // 2, 2), "growth", BLACK)
    for step in range(4):
        pen.text((8, 25 + step * (height - 70) // 3), str(step), BLACK)
        pen.text((40 + step * (width - 70) // 3, height - 22), str(step), BLACK)
    pen.rectangle((width - 60, 24, width - 50, 34), (30, 30, 200))
    pen.text((width - 45, 22), "mice", BLACK)
    return sheet


def grid(
    widths: list[int], heights: list[int], *, gutter: int = 10, ground: tuple[int, int, int] = WHITE
) -> tuple[Image.Image, list[Box]]:
    """A sheet of photographs, row by row, and their boxes."""
    size = (sum(widths) + gutter * (len(widths) + 1), sum(heights) + gutter * (len(heights) + 1))
    sheet, boxes = Image.new("RGB", size, ground), []
    for row, height in enumerate(heights):
        for column, width in enumerate(widths):
            left, top = (gutter * (i + 1) + sum(s[:i]) for i, s in ((column, widths), (row, heights)))
            boxes.append(Box(left, top, left + width, top + height))
            sheet.paste(photograph(width, height, seed=len(boxes)), (left, top))
    return sheet, boxes


def as_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(buffer)


def close(found: tuple[Box, ...], expected: list[Box], slack: int = SLACK) -> bool:
    return len(found) == len(expected) and all(
        abs(a - b) <= slack for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("ground", [WHITE, BLACK, GREY])
@pytest.mark.parametrize(("widths", "heights"), [([150, 150], [140]), ([180], [90, 120]), ([110, 140, 90], [100, 80])])
def test_photographs_on_any_ground_are_cut_exactly(widths, heights, ground):
    sheet, boxes = grid(widths, heights, ground=ground)
    assert split_panels(sheet) == tuple(boxes)


def test_panels_come_in_rows_from_the_top_and_each_row_from_the_left():
    sheet = Image.new("RGB", (420, 320), WHITE)
    for seed, (left, top, width, height) in enumerate([(10, 10, 190, 300), (220, 10, 190, 140), (220, 170, 190, 140)]):
        sheet.paste(photograph(width, height, seed), (left, top))
    assert split_panels(sheet) == (Box(10, 10, 200, 310), Box(220, 10, 410, 150), Box(220, 170, 410, 310))


def test_a_hairline_between_photographs_is_enough():
    sheet, boxes = grid([200, 200], [180], gutter=2)
    assert close(split_panels(as_jpeg(sheet)), boxes)


def test_letters_and_titles_belong_to_the_panel_they_are_nearest_to():
    sheet = Image.new("RGB", (420, 240), WHITE)
    pen = ImageDraw.Draw(sheet)
    for left, letter in ((10, "A"), (220, "B")):
        sheet.paste(photograph(190, 190, left), (left, 40))
        pen.text((left, 20), letter, BLACK)
    first, second = split_panels(sheet)
    assert first.top < 40
    assert (first.bottom, second.bottom) == (230, 230)
    assert (first.left, first.right, second.left, second.right) == (10, 200, 220, 410)


def test_plots_beside_each_other_are_cut_between_and_nowhere_else():
    sheet = Image.new("RGB", (520, 200), WHITE)
    sheet.paste(plot(240, 190), (5, 5))
    sheet.paste(plot(240, 190), (270, 5))
    first, second = split_panels(sheet)
    assert first.right <= 250
    assert second.left >= 270
    assert min(first.bottom - first.top, second.bottom - second.top) > 170


def radiograph() -> Image.Image:
    """A bright round body with two dark lungs, a black border around it."""
    sheet = Image.new("RGB", (300, 260), BLACK)
    pen = ImageDraw.Draw(sheet)
    pen.ellipse((20, 40, 280, 220), (140, 140, 140))
    for left in (60, 170):
        pen.ellipse((left, 80, left + 70, 180), (25, 25, 25))
    return sheet


def two_legs() -> Image.Image:
    sheet = Image.new("RGB", (300, 300), BLACK)
    pen = ImageDraw.Draw(sheet)
    for left in (30, 170):
        pen.ellipse((left, 10, left + 100, 290), (150, 150, 150))
    return sheet


def bars() -> Image.Image:
    sheet = Image.new("RGB", (300, 220), WHITE)
    pen = ImageDraw.Draw(sheet)
    pen.line((30, 10, 30, 190, 290, 190), BLACK, 2)
    for left in (60, 140, 220):
        pen.rectangle((left, 60, left + 40, 190), (40, 90, 200))
        pen.text((left, 200), "mice", BLACK)
    return sheet


def text() -> Image.Image:
    sheet = Image.new("RGB", (300, 220), WHITE)
    for line in range(16):
        ImageDraw.Draw(sheet).text((5 + 150 * (line % 2), 6 + 12 * line), "words of a table", BLACK)
    return sheet


@pytest.mark.parametrize(
    "whole",
    [
        lambda: photograph(300, 200),
        lambda: plot(300, 240),
        radiograph,
        two_legs,
        bars,
        text,
        lambda: Image.new("RGB", (200, 200), WHITE),
        lambda: Image.new("RGB", (1, 1), BLACK),
        lambda: Image.new("L", (3, 400), 90),
    ],
)
def test_a_figure_of_one_panel_is_not_cut(whole):
    assert split_panels(whole()) == ()
    assert split_panels(as_jpeg(whole().convert("RGB"))) == ()


sides = st.integers(80, 160)


@settings(max_examples=25, deadline=None)
@given(st.lists(sides, min_size=1, max_size=3), st.lists(sides, min_size=1, max_size=2), st.integers(5, 16))
def test_boxes_are_disjoint_inside_and_stay_where_they_are(widths, heights, gutter):
    sheet, boxes = grid(widths, heights, gutter=gutter)
    boxes = boxes if len(boxes) > 1 else []
    padded = Image.new("RGB", (sheet.width + 40, sheet.height + 20), WHITE)
    padded.paste(sheet, (25, 8))
    moved = [Box(box.left + 25, box.top + 8, box.right + 25, box.bottom + 8) for box in boxes]
    for image, expected in ((sheet, boxes), (padded, moved)):
        found = split_panels(image)
        assert close(found, expected, slack=0 if max(image.size) <= LONG_SIDE else SLACK)
        covered = np.zeros((image.height, image.width), dtype=int)
        for left, top, right, bottom in found:
            assert 0 <= left < right <= image.width
            assert 0 <= top < bottom <= image.height
            covered[top:bottom, left:right] += 1
        assert covered.max() <= 1
    doubled = [Box(*(2 * side for side in box)) for box in boxes]
    assert close(split_panels(sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST)), doubled)
    assert close(split_panels(as_jpeg(sheet)), boxes, slack=RINGING)


@pytest.mark.slow
def test_most_of_the_demos_multi_panel_figures_come_apart_into_their_panels():
    """What does not: a drawing that reaches across no axis, such as a Venn diagram, stays with its neighbour."""
    plans = [(number, plan_figure(number)) for number in range(800)]
    compound = [(number, plan) for number, plan in plans if plan.kind == PANELS.name][:20]
    counts = [(len(split_panels(draw_figure(number).image)), len(plan.parts)) for number, plan in compound]
    assert len(counts) == 20
    assert sum(found == drawn for found, drawn in counts) >= 9
    assert sum(found > drawn for found, drawn in counts) <= 2
