"""Every kind of figure that the collection draws."""

from __future__ import annotations

from retrieval.demo import (
    bar_kinds,
    cells,
    curve_kinds,
    diagram_kinds,
    gels,
    matrix_kinds,
    microbes,
    radiograph,
    tissue_kinds,
    tomography_kinds,
    trace_kinds,
    trees,
    ultrasound,
)
from retrieval.demo.kind import FigureKind

FAMILIES = (
    bar_kinds,
    cells,
    curve_kinds,
    diagram_kinds,
    gels,
    matrix_kinds,
    microbes,
    radiograph,
    tissue_kinds,
    tomography_kinds,
    trace_kinds,
    trees,
    ultrasound,
)
KINDS: tuple[FigureKind, ...] = tuple(kind for family in FAMILIES for kind in family.KINDS)
