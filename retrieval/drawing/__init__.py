"""The project's own demo collection: scientific-looking figures with captions, drawn from numbers.

It stands in for real figures in the first command, in tests and in the training of the starter encoder: `draw_figure`
gives one figure, `draw_collection` writes a folder of them. Nothing is downloaded and nothing is copied from anywhere.
"""

from __future__ import annotations

from retrieval.drawing.collection import draw_collection
from retrieval.drawing.figure import draw_figure, plan_figure
from retrieval.drawing.kind import Drawn, Plan

__all__ = ["Drawn", "Plan", "draw_collection", "draw_figure", "plan_figure"]
