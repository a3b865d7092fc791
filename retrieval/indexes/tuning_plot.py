"""Recall against time: what each depth of search costs, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retrieval.errors import QueryError
from retrieval.files import replacing

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # of Okabe and Ito's palette, told apart by every eye
SUFFIXES = (".png", ".svg", ".pdf")


def draw(facts: dict[str, Any], file: str | Path) -> None:
    """Draw the tuning curves that index.json holds, one panel for each approximate index, as PNG, SVG or PDF.

    Raises QueryError where both indexes are exact, or for another kind of file.
    """
    from matplotlib.figure import Figure

    path = drawable(file)
    kinds = [kind for kind in ("image", "text") if facts[kind].get("tuning")]
    if not kinds:
        raise QueryError("both indexes are exact, so there is no curve to draw; leave --plot out")
    figure = Figure(figsize=(5.2 * len(kinds), 4.2), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        _panel(axes, kind, facts[kind])
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)


def drawable(file: str | Path) -> Path:
    """The path of a picture that can be drawn. Raises QueryError for another kind of file."""
    path = Path(file)
    if path.suffix not in SUFFIXES:
        raise QueryError(f"{path}: cannot be drawn; name a file that ends in {', '.join(SUFFIXES)}")
    return path


def _panel(axes: Any, kind: str, about: dict[str, Any]) -> None:
    recall = about["recall"]
    deepest = max(about["tuning"], key=lambda point: point["recall"])["parameters"]["k_factor"]
    curve = [point for point in about["tuning"] if point["parameters"]["k_factor"] == deepest]
    curve.sort(key=lambda point: tuple(point["parameters"].values()))
    times = [point["single_ms"] for point in curve]
    across = [point["recall"] for point in curve]
    axes.plot(times, across, "o-", color=BLUE, label=f"{recall['queries_of']} queries")
    if all(point["within"] is not None for point in curve):
        axes.plot(times, [point["within"] for point in curve], "s--", color=ORANGE, label=f"{kind} queries")
    axes.axhline(recall["target"], color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate("target", (0.01, recall["target"]), xycoords=("axes fraction", "data"), va="bottom", color=GREY)
    chosen = next((point for point in about["tuning"] if point["parameters"] == about["parameters"]), None)
    if chosen is not None:
        axes.plot(chosen["single_ms"], chosen["recall"], "*", ms=14, color=BLUE, label="chosen")
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds a query, one at a time")
    axes.set_ylabel(f"share of the exact {recall['k']} nearest found")
    axes.set_title(f"{kind} index: {about['rows']:,} vectors, {about['factory']}", fontsize=10)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
