"""Every kind of figure that the collection draws: its drawing, and the attributes that follow from others."""

from __future__ import annotations

from retrieval.demo import (
    bars,
    cells,
    diagrams,
    gels,
    line_charts,
    matrices,
    microbes,
    radiograph,
    tissue,
    tomography,
    traces,
    trees,
    ultrasound,
)
from retrieval.demo.choices import Derive, read_kinds
from retrieval.demo.kind import Attributes, Draw
from retrieval.demo.palette import SEQUENCES, colour_words

DRAWINGS: dict[str, Draw] = {
    "bar chart": bars.bar_chart,
    "grouped bar chart": bars.grouped_bars,
    "box plot": bars.box_plot,
    "fluorescence micrograph": cells.cells,
    "fluorescence channels": cells.channels,
    "line chart": line_charts.line_chart,
    "scatter plot": line_charts.scatter,
    "histogram": line_charts.draw_histogram,
    "survival curve": line_charts.survival,
    "volcano plot": line_charts.volcano,
    "flow chart": diagrams.flow_chart,
    "pathway": diagrams.pathway,
    "cycle diagram": diagrams.cycle,
    "Venn diagram": diagrams.venn,
    "gel": gels.gel,
    "western blot": gels.blot,
    "heat map": matrices.heat_map,
    "pie chart": matrices.pie,
    "well plate": matrices.plate,
    "Gram stain": microbes.bacteria,
    "electron micrograph": microbes.electron,
    "chest radiograph": radiograph.radiograph,
    "stained section": tissue.section,
    "blood film": tissue.smear,
    "head CT": tomography.head,
    "chest CT": tomography.chest,
    "abdominal CT": tomography.abdomen,
    "ECG": traces.ecg,
    "EEG": traces.eeg,
    "spectrum": traces.spectrum,
    "tree": trees.tree,
    "ultrasound": ultrasound.scan,
}
"""In the order that a figure's number chooses from."""


def line_colours(a: Attributes) -> Attributes:
    names = SEQUENCES[a["scheme"]][: a["series"]]
    return {"colour": names[0], "coloured": colour_words(names)}


def slice_colours(a: Attributes) -> Attributes:
    return {"coloured": colour_words(SEQUENCES[a["scheme"]][: a["slices"]])}


def third_circle(a: Attributes) -> Attributes:
    third = {"blue": "green", "green": "grey", "purple": "brown", "teal": "blue"}[a["first"]]
    return {"third": third, "three": a["sets"]}


def gel_sample(a: Attributes) -> Attributes:
    samples = ("PCR products", "plasmid digests") if a["gel"] == "agarose" else ("column fractions", "cell lysates")
    return {"sample": samples[a["lanes"] % 2]}


def side_of_finding(a: Attributes) -> Attributes:
    """A large heart and a normal chest have no side."""
    sided = a["finding"] not in ("cardiomegaly", "normal")
    return {"side": a["side"] if sided else "none", "said": a["finding"]}


DERIVED: dict[str, Derive] = {
    "grouped bar chart": lambda a: {"third": "grey" if a["series"] == 3 else "none"},
    "line chart": line_colours,
    "Venn diagram": third_circle,
    "gel": gel_sample,
    "pie chart": slice_colours,
    "chest radiograph": side_of_finding,
    "blood film": lambda a: {"white_type": a["white_type"] if a["white_cells"] else "none"},
    "tree": lambda a: {"bar": "bar" if a["tree"] == "phylogenetic" and a["orientation"] != "circular" else "none"},
}
KINDS = read_kinds(DRAWINGS, DERIVED)
