"""Phylogenetic trees and dendrograms: leaves, orientation, a coloured clade."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from retrieval.demo.canvas import Canvas, Point
from retrieval.demo.choices import TERMS
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, Colour


@dataclass(slots=True)
class Node:
    """A leaf has no children. `place` is along the leaves, `depth` 0 at the root to 1 at the tips."""

    children: list[Node] = field(default_factory=list)
    place: float = 0.0
    depth: float = 1.0
    marked: bool = False


def grow(number: int, depth: float, shape: str, rng: np.random.Generator, ultrametric: bool) -> Node:
    if number == 1:
        return Node(depth=1.0 if ultrametric else min(1.0, depth + float(rng.uniform(0.08, 0.25))))
    share = 1 if shape == "ladder" else max(1, min(number - 1, round(number * float(rng.uniform(0.35, 0.65)))))
    levels = math.log2(number) + 1 if shape != "ladder" else number
    below = depth + (1 - depth) / levels * float(rng.uniform(0.8, 1.1))
    return Node(
        [grow(share, below, shape, rng, ultrametric), grow(number - share, below, shape, rng, ultrametric)], depth=depth
    )


def settle_leaves(node: Node, first: int) -> int:
    """Give places to leaves in order; gives the next free place."""
    if not node.children:
        node.place = first
        return first + 1
    for child in node.children:
        first = settle_leaves(child, first)
    node.place = sum(child.place for child in node.children) / 2
    return first


def mark(node: Node) -> None:
    node.marked = True
    for child in node.children:
        mark(child)


def tree(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number = a["leaves"]
    root = grow(number, 0.0, a["shape"], rng, a["tree"] == "dendrogram")
    settle_leaves(root, 0)
    mark(root.children[1] if a["shape"] != "ladder" else root.children[1].children[1])
    canvas = Canvas(size)
    names, colour = TERMS["genera"][a["taxa"]], COLOURS[a["colour"]]
    draw_branches(canvas, root, TreeLayout(canvas, a["orientation"], number), names, colour)
    if a["tree"] == "phylogenetic" and a["orientation"] != "circular":
        canvas.line([(14, canvas.height - 12), (64, canvas.height - 12)], BLACK, 1.5)
        canvas.text(39, canvas.height - 20, "0.05", canvas.text_size * 0.8)
    return canvas.finish()


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """Turns place and depth into pixels for an orientation."""

    canvas: Canvas
    orientation: str
    leaves: int

    def at(self, place: float, depth: float) -> Point:
        c, unit = self.canvas, self.canvas.text_size
        share = (place + 0.5) / self.leaves
        if self.orientation == "horizontal":
            return 12 + depth * (c.width - 20 - unit * 6), 8 + share * (c.height - 36)
        if self.orientation == "vertical":
            return 8 + share * (c.width - 16), 12 + depth * (c.height - 24 - unit * 5.5)
        angle, radius = 2 * math.pi * share, (0.06 + 0.94 * depth) * (min(c.width, c.height) / 2 - unit * 4.6)
        return c.width / 2 + radius * math.cos(angle), c.height / 2 + radius * math.sin(angle)


def draw_branches(canvas: Canvas, node: Node, layout: TreeLayout, names: list[str], colour: Colour) -> None:
    ink = colour if node.marked else BLACK
    for child in node.children:
        steps = np.linspace(node.place, child.place, 14 if layout.orientation == "circular" else 2)
        elbow = [layout.at(float(p), node.depth) for p in steps]
        canvas.line([*elbow, layout.at(child.place, child.depth)], colour if child.marked else BLACK, 1.8)
        draw_branches(canvas, child, layout, names, colour)
    if not node.children:
        name, (x, y) = names[round(node.place)], layout.at(node.place, node.depth)
        if layout.orientation == "horizontal":
            canvas.text(x + 5, y, name, min(canvas.text_size, canvas.height / layout.leaves * 0.8), "lm", ink)
        elif layout.orientation == "vertical":
            size = min(canvas.text_size, canvas.width / layout.leaves * 0.8)
            canvas.upright(x, y + 5 + canvas.text_width(name, size) / 2, name, size, ink)
        else:
            cx, cy = canvas.width / 2, canvas.height / 2
            out = 1 + (canvas.text_size * 2.4) / math.dist((x, y), (cx, cy))
            canvas.text(cx + (x - cx) * out, cy + (y - cy) * out, name, canvas.text_size * 0.8, "mm", ink)
