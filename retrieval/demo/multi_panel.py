"""Multi-panel figures: several figures on one sheet, lettered, with a caption that describes each panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from retrieval.demo.canvas import font
from retrieval.demo.kind import Attributes, FigureKind, FigurePlan, Size, Words, choose_attributes, is_heldout
from retrieval.demo.palette import BLACK
from retrieval.demo.wording import WORDS_AT_MOST, as_sentence, caption_texts, expand, pick

THEMES: dict[str, tuple[str, ...]] = {
    "charts": ("bar chart", "line chart", "scatter plot", "box plot", "histogram", "pie chart", "grouped bar chart"),
    "radiology": ("head CT", "chest CT", "abdominal CT", "chest radiograph", "ultrasound"),
    "microscopy": ("fluorescence micrograph", "stained section", "Gram stain", "electron micrograph", "blood film"),
    "molecular biology": ("western blot", "gel", "bar chart", "volcano plot", "heat map", "fluorescence micrograph"),
    "clinical study": ("flow chart", "survival curve", "box plot", "ECG", "histogram", "chest radiograph"),
    "microbiology": ("Gram stain", "tree", "well plate", "line chart", "gel", "electron micrograph"),
    "systems biology": ("pathway", "Venn diagram", "heat map", "volcano plot", "cycle diagram", "tree"),
}
INTRODUCTIONS = (
    "{theme_said} [in {panels} panels|({panels:panel})|]",
    "[Overview|Summary] of {theme_said}",
    "{panels} panels [arranged |]{layout_said}",
)
WORDS: Words = {
    "theme_said": {
        "charts": "[quantitative results|measurements|statistics]",
        "radiology": "[imaging findings|radiological findings]",
        "microscopy": "[microscopy|morphology|microscopic findings]",
        "molecular biology": "[molecular analysis|expression analysis]",
        "clinical study": "[clinical findings|the clinical study]",
        "microbiology": "[characterisation of the isolates|microbiological findings]",
        "systems biology": "[systems analysis|network analysis]",
    },
    "layout_said": {"row": "side by side", "column": "one above the other", "grid": "in a grid"},
}
MARKS = ("({})", "({})", "{}:", "{},", "Panel {}:")
GAP = 8


def unused(attributes: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    raise TypeError("a multi-panel figure is drawn from its parts: see draw_panels")


PANELS = FigureKind(
    name="multi-panel figure",
    modality="multi-panel",
    options={
        "theme": tuple(THEMES),
        "layout": ("row", "column", "grid"),
        "panels": (2, 3, 4),
        "letters": ("upper", "upper", "lower"),
    },
    principal=("theme", "layout", "panels"),
    draw=unused,
    leads=INTRODUCTIONS,
    words=WORDS,
    derive=lambda a: {"panels": {"row": min(3, a["panels"]), "column": min(3, a["panels"]), "grid": 4}[a["layout"]]},
    weight=5.0,
)


def plan_panels(kinds: Mapping[str, FigureKind], rng: np.random.Generator) -> FigurePlan:
    """A figure of several plans. A held-out figure has held-out parts only, a training figure none."""
    attributes = dict(choose_attributes(PANELS, rng))
    heldout = is_heldout(PANELS, attributes)
    names = THEMES[attributes["theme"]]
    chosen = [names[i] for i in rng.permutation(len(names))[: attributes["panels"]]]
    parts = tuple(plan_part(kinds[name], heldout, rng) for name in chosen)
    attributes |= {f"panel_{letter}": name for letter, name in zip("abcd", chosen, strict=False)}
    return FigurePlan(PANELS.name, attributes, heldout, parts)


def plan_part(kind: FigureKind, heldout: bool, rng: np.random.Generator) -> FigurePlan:
    while True:  # every kind has both, so this ends: after some six turns where held out is asked for
        attributes = choose_attributes(kind, rng)
        if is_heldout(kind, attributes) == heldout:
            return FigurePlan(kind.name, attributes, heldout)


def letters_of(plan: FigurePlan) -> str:
    return "ABCD" if plan.attributes["letters"] == "upper" else "abcd"


def cell_size(layout: str, panels: int) -> tuple[int, int, Size]:
    """Columns, rows and the size of one panel: the sheet's long side stays within 640 pixels."""
    if layout == "row":
        return panels, 1, {2: (304, 240), 3: (200, 200)}[panels]
    if layout == "column":
        return 1, panels, {2: (380, 260), 3: (300, 184)}[panels]
    return 2, 2, (300, 220)


def draw_panels(plan: FigurePlan, kinds: Mapping[str, FigureKind], rng: np.random.Generator) -> Image.Image:
    columns, rows, (width, height) = cell_size(str(plan.attributes["layout"]), len(plan.parts))
    strip = 20
    sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + strip) + GAP), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for i, (part, letter) in enumerate(zip(plan.parts, letters_of(plan), strict=False)):
        x, y = GAP + (i % columns) * (width + GAP), (i // columns) * (height + strip)
        image = kinds[part.kind].draw(part.attributes, rng, (width, height))
        image.thumbnail((width, height))
        sheet.paste(image, (x + (width - image.width) // 2, y + strip + (height - image.height) // 2))
        pen.text((x, y + strip / 2), letter, BLACK, font(16), "lm", stroke_width=0.5, stroke_fill=BLACK)
    return sheet


def describe_panels(plan: FigurePlan, kinds: Mapping[str, FigureKind], rng: np.random.Generator) -> tuple[str, ...]:
    """One caption of all panels, in at most WORDS_AT_MOST words; a panel that says too much is said more briefly."""
    mark = MARKS[rng.integers(len(MARKS))]
    said = [candidates(part, kinds[part.kind], rng) for part in plan.parts]
    texts = [pick(readings, rng) for readings in said]
    attributes = {**plan.attributes, "theme_said": plan.attributes["theme"], "layout_said": plan.attributes["layout"]}
    opening = as_sentence(expand(pick(list(INTRODUCTIONS), rng), attributes, WORDS, rng)) if rng.random() < 0.6 else ""
    caption = lettered(opening, mark, letters_of(plan), texts)
    if len(caption.split()) > WORDS_AT_MOST:
        caption = lettered("", mark, letters_of(plan), [min(readings, key=len) for readings in said])
    return (caption,)


def candidates(part: FigurePlan, kind: FigureKind, rng: np.random.Generator) -> list[str]:
    brief = replace(kind, leads=tuple(sorted(kind.leads, key=len)[:2]))
    return [
        caption_texts(kind, part.attributes, rng, clauses=0),
        *(caption_texts(brief, part.attributes, rng, clauses=0) for _ in range(4)),
    ]


def lettered(opening: str, mark: str, letters: str, texts: Sequence[str]) -> str:
    return " ".join(
        [opening, *(f"{mark.format(letter)} {text}" for letter, text in zip(letters, texts, strict=False))]
    ).strip()
