"""Shell and Python blocks of the documents: what a reader types, and what is shown as its output."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image, ImageDraw

from retrieval.cli import main

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HIT = re.compile(r"\s*\d+\s+\d\.\d{1,3}\s")
TINTS = {"red": (200, 60, 60), "green": (70, 170, 80), "blue": (60, 80, 190), "grey": (130, 130, 130)}
SHAPES = ("disc", "square", "stripe")


def draw_collection(folder: Path, count: int = 36, first: int = 0) -> None:
    """Draw pictures of shapes with a table of captions: a collection that is not the demo's.

    The first picture, which is held out, is the second one too: a leak to be found.
    """
    (folder / "pictures").mkdir(parents=True)
    rows = ["file,legend,year,licence,split"]
    for number in range(first, first + count):
        tint, shape = list(TINTS)[number % 4], SHAPES[number % 3]
        picture = Image.new("RGB", (160 + number, 120), (245, 245, 240))
        box = (20 + number, 20, 80 + number, 80)
        draw = ImageDraw.Draw(picture)
        {"disc": draw.ellipse, "square": draw.rectangle, "stripe": draw.rectangle}[shape](
            (0, 50, 200, 60) if shape == "stripe" else box, fill=TINTS[tint]
        )
        picture.save(folder / "pictures" / f"p{number:02d}.png")
        split = "train" if number % 3 else "heldout"
        licence = "cc-by" if number % 2 else "cc-by-nc"
        caption = f"A {tint} {shape} on a plain field; plate {number}."
        rows.append(f"pictures/p{number:02d}.png,{caption},{2000 + number % 20},{licence},{split}")
    (folder / "pictures" / f"p{first:02d}.png").write_bytes(
        (folder / "pictures" / f"p{first + 1:02d}.png").read_bytes()
    )
    (folder / "legends.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def blocks(document: Path, language: str) -> list[str]:
    """Every fenced block of one language, in order."""
    return [body for name, body in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Every `$ command` of a console block with the lines that are shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        while command.endswith("\\"):
            command = command[:-1] + shown.pop(0)
        yield command, shown


def run(command: str) -> str:
    """Run a `retrieval` command here, in a terminal of 120 columns; return what it printed. Raises AssertionError where
    it fails."""
    name, *argv = shlex.split(command, comments=True)
    assert name == "retrieval", command
    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), patch.dict(os.environ, COLUMNS="120"):
        code = main([*argv, "--no-progress"])
    assert code == 0, f"{command}: {printed.getvalue()}"
    return printed.getvalue()


def run_python(block: str, names: dict[str, Any]) -> str:
    """Run a Python block with the names that earlier blocks left; return what it printed."""
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(block, "a document", "exec"), names)
    return printed.getvalue()


def output_in_comments(block: str) -> list[str]:
    """The lines that a Python block shows as its output: comments that begin a line."""
    return re.findall(r"^# (.*)$", block, re.MULTILINE)


def shape(line: str) -> str:
    """A line without its digits, its widths and, where it is a hit, whatever was found."""
    if HIT.match(line):
        return "a hit"
    return re.sub(r"[\d,.]*\d", "0", " ".join(line.split()))


def missing(shown: list[str], printed: str) -> list[str]:
    """The lines that a document shows and the program did not print, by their shape and in order; `...` is anything."""
    left = iter(shape(line) for line in printed.splitlines())
    return [line for line in shown if line.strip() not in ("", "...") and shape(line) not in left]
