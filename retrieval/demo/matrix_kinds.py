"""How heat maps, pies and plates may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.kind import Attributes, FigureKind
from retrieval.demo.matrices import SLICES, heat_map, pie, plate
from retrieval.demo.palette import MAPS, NAMES, SEQUENCES, colour_words

PATTERNS = {
    "two blocks": "[two diagonal blocks|a checkerboard of four blocks|blockwise high values]",
    "diagonal": "[high values along the diagonal|a bright diagonal|a diagonal band]",
    "left-to-right gradient": "[a gradient from left to right|values rising from left to right]",
    "top-to-bottom gradient": "[a gradient from top to bottom|values rising downwards]",
    "one hot row": "[one row standing out|a single high row]",
    "one hot column": "[one column standing out|a single high column]",
    "hot centre": "[high values in the centre|a hot spot in the middle]",
    "random": "[no visible pattern|random values]",
    "uniform": "[all wells alike|uniformly high signal]",
}


def slice_colours(a: Attributes) -> Attributes:
    return {"coloured": colour_words(SEQUENCES[str(a["scheme"])][: int(a["slices"])])}


KINDS = (
    FigureKind(
        name="heat map",
        modality="chart",
        options={
            "colours": tuple(name for name in MAPS if name != "grey"),
            "pattern": tuple(name for name in PATTERNS if name != "uniform"),
            "rows": (6, 8, 10, 12, 16),
            "columns": (5, 6, 8, 10, 12),
            "tree": ("dendrogram", "none"),
            "shown": ("gene expression", "correlation", "methylation", "metabolite levels"),
        },
        principal=("colours", "pattern", "tree"),
        draw=heat_map,
        leads=(
            "[Heat map|Heatmap] of {shown} ({rows:row} by {columns:column}) with {pattern}, {colours}",
            (
                "{shown} [of|in] {rows} genes [across|in] {columns} samples as a [heat map|heatmap] in "
                "{colours}: {pattern}"
            ),
            "[Clustered matrix|Colour-coded matrix|Heat map], {colours}: {pattern} [in|of] {shown}",
        ),
        clauses=("{tree}", "[The colour scale is|Colours:] {colours}", "[The matrix shows|One sees] {pattern}"),
        words={
            "pattern": PATTERNS,
            "colours": {
                "viridis": "[viridis colours|purple to yellow]",
                "blue-white-red": "[blue-white-red colours|blue (low) to red (high)]",
                "inferno": "[inferno colours|black through orange to yellow]",
                "greens": "[shades of green|white to dark green]",
            },
            "tree": {
                "dendrogram": "[A dendrogram above|The tree on top] [clusters|groups] the columns",
                "none": "[Columns are not clustered|]",
            },
        },
        sizes=((480, 360), (420, 400), (360, 420)),
    ),
    FigureKind(
        name="pie chart",
        modality="chart",
        options={
            "slices": (2, 3, 4, 5, 6, 7),
            "scheme": ("blue", "warm", "cool"),
            "shares": ("one large", "equal"),
            "form": ("pie", "donut"),
            "topic": tuple(SLICES),
        },
        principal=("slices", "scheme", "form"),
        derive=slice_colours,
        draw=pie,
        leads=(
            "{form} of {topic} in {slices:slice}, {shares}; {coloured}",
            "[Composition|Breakdown|Proportions] of {topic} ({form}, {slices:category/categories}, {coloured})",
            "{topic} as a {form} with {slices:segment}: {shares}",
        ),
        clauses=(
            "[Percentages are written in the slices|Numbers are per cent]",
            "[Colours are|Palette:] {coloured}",
            "The chart has {shares}",
        ),
        words={
            "form": {"pie": "[pie chart|pie diagram]", "donut": "[donut chart|ring chart|doughnut chart]"},
            "shares": {
                "one large": "[one dominant share|one share much larger than the rest]",
                "equal": "[nearly equal shares|parts of about the same size]",
            },
        },
        sizes=((480, 320), (420, 300), (520, 340)),
    ),
    FigureKind(
        name="well plate",
        modality="assay plate",
        options={
            "wells": (24, 48, 96, 96),
            "colour": (*NAMES[:7], "yellow"),
            "pattern": (
                "left-to-right gradient",
                "top-to-bottom gradient",
                "one hot row",
                "one hot column",
                "hot centre",
                "random",
                "uniform",
            ),
            "assay": ("ELISA", "MTT assay", "crystal violet assay", "drug screen", "qPCR"),
        },
        principal=("colour", "pattern", "wells"),
        draw=plate,
        leads=(
            "[Plate map|Layout|View] of a {wells}-well plate ({colour} {assay}) with {pattern}",
            "{assay} in a {wells}-well [microplate|plate]: {colour} [signal|wells], {pattern}",
            "{wells}-well plate, {colour}, {pattern}",
        ),
        clauses=(
            "[Wells are coloured|The readout is] {colour}",
            "[Rows are lettered, columns numbered|Darker wells mean more signal]",
            "[The assay was|Readout:] {assay}",
        ),
        words={
            "pattern": {
                **PATTERNS,
                "one hot row": "[one dark row|one row with strong signal]",
                "one hot column": "[one dark column|one column with strong signal]",
            }
        },
        sizes=((480, 330), (420, 290), (540, 370)),
    ),
)
