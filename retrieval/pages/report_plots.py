"""The plots of a study, as SVG that stands in a page: text stays text, and colours are those of the page's style."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import log2
from typing import Any, Final

from retrieval.evaluation.bootstrap import Estimate
from retrieval.evaluation.evaluate import Direction
from retrieval.evaluation.study.study_results import Curve, Histogram
from retrieval.evaluation.study.study_tables import DIRECTIONS
from retrieval.render.html import shorten

WIDTH: Final = 4.6
"""Inches of a plot: a point of it is about a pixel of a telephone."""
NAME: Final = 24
"""Characters of a name beside a plot; the whole stands in the table."""
MARKED: Final = (1, 2, 5, 10, 20, 50, 100)
MARKERS, DASHES = "os^DvP", ((), (5, 2), (1.5, 1.5), (7, 2, 1.5, 2), (3, 1), (9, 3))
LABELS: Final = 11
"""Labels of ranks that fit below a plot."""

# colours that the page's style replaces: they mean something else in the light and in the dark
INK, MUTED, RULE = "#010101", "#020202", "#030303"
SERIES: Final = ("#040401", "#040402", "#040403", "#040404", "#040405", "#040406")
_VARIABLES: Final = {INK: "ink", MUTED: "soft", RULE: "line"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)
}
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
}


def recall_plot(lines: Sequence[tuple[str, Curve]], name: str) -> str:
    """hit_rate@k against k, a line each, with its interval, and what chance would reach."""

    def draw(axes: Any) -> None:
        deepest = max(curve.ks[-1] for _, curve in lines)
        for number, (label, curve) in enumerate(lines):
            values, low, high = _bounds(curve.hit_rates)
            colour = SERIES[number % len(SERIES)]
            marks = [k - 1 for k in MARKED if k in curve.ks]
            axes.fill_between(curve.ks, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(
                curve.ks,
                values,
                color=colour,
                label=_label(label, NAME),
                linewidth=1.6,
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                markevery=marks,
                dashes=DASHES[number % len(DASHES)],
            )
        longest = max((curve for _, curve in lines), key=lambda curve: curve.ks[-1])
        axes.plot(longest.ks, longest.chance, color=MUTED, linewidth=1, dashes=(1, 2), label="chance")
        axes.set_xscale("log")
        ticks = [k for k in MARKED if k <= deepest]
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.set_xticks([], minor=True)
        highest = max(max(*_bounds(curve.hit_rates)[2], *curve.chance) for _, curve in lines)
        axes.set_xlim(0.88, max(2, deepest) ** 1.04)
        axes.set_ylim(0, min(1.0, 1.06 * highest))
        axes.set_xlabel("k")
        axes.set_ylabel("hit_rate@k")
        _legend(axes, 3 if len(lines) < 3 else 2)

    return _svg(draw, 3.3, name)


def rank_plot(found: Mapping[Direction, Histogram], name: str) -> str:
    """The share of queries by the rank of their best answer, in bins that double, and where chance would put them."""

    def draw(axes: Any) -> None:
        longest = max(found.values(), key=lambda its: len(its.first))
        wide = 0.86 / len(found)
        for number, (way, its) in enumerate(found.items()):
            colour, asked = SERIES[number], sum(its.queries)
            left = [bar + 0.07 + number * wide for bar in range(len(its.queries))]
            label = f"{DIRECTIONS[way]}, median {its.median:g}"
            style = {"facecolor": colour if number == 0 else "none", "hatch": None if number == 0 else "//////"}
            shares = [queries / asked for queries in its.queries]
            axes.bar(left, shares, wide, align="edge", edgecolor=colour, linewidth=1, label=label, **style)
            mark = {"markersize": (5, 9)[number], "markerfacecolor": colour if number == 0 else "none"}
            axes.plot(
                log2(its.median), 1.03, "v", color=colour, transform=axes.get_xaxis_transform(), clip_on=False, **mark
            )
        expected = [share / sum(longest.queries) for share in longest.chance]
        axes.stairs(
            expected, range(len(longest.first)), color=INK, linewidth=1, linestyle=(0, (1, 1.5)), label="chance"
        )
        bars = range(0, len(longest.queries), -(-len(longest.queries) // LABELS))
        axes.set_xticks(list(bars), [_short(longest.first[bar]) for bar in bars])
        axes.grid(axis="x", visible=False)
        axes.set_xlim(-0.1, len(longest.queries) + 0.1)
        axes.set_xlabel("rank of the best answer, each bar from one rank to before the next")
        _legend(axes, 2, above=1.07)

    return _svg(draw, 3.3, name)


def dot_plot(
    rows: Sequence[tuple[str, Mapping[Direction, Estimate]]],
    lines: Mapping[Direction, float | None],
    across: str,
    name: str,
) -> str:
    """A row each, with the estimate and interval of every direction; `lines` are drawn through all of them."""

    def draw(axes: Any) -> None:
        for number, (way, line) in enumerate(lines.items()):
            colour, offset = SERIES[number], (number - (len(lines) - 1) / 2) * 0.3
            if line is not None:
                axes.axvline(
                    line, color=colour if line else MUTED, linewidth=0.8, dashes=(1, 2) if line else (None, None)
                )
            known = [(place, its[way]) for place, (_, its) in enumerate(rows) if its[way].value is not None]
            if not known:
                continue
            places = [place + offset for place, _ in known]
            values, low, high = _bounds([estimate for _, estimate in known])
            axes.hlines(places, low, high, color=colour, linewidth=1.6, linestyle=["-", (0, (4, 1.5))][number])
            face = colour if number == 0 else "none"
            style = {"markersize": 5, "markeredgecolor": colour, "markerfacecolor": face, "linestyle": "none"}
            axes.plot(values, places, marker=MARKERS[number], label=DIRECTIONS[way], **style)
        axes.set_yticks(range(len(rows)), [_label(label, NAME + 12) for label, _ in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(_label(across, 2 * NAME))
        _legend(axes, len(lines), side="right")

    return _svg(draw, 1.05 + 0.32 * len(rows), name)


def _bounds(estimates: Sequence[Estimate]) -> tuple[list[float], list[float], list[float]]:
    """Values and both ends of the intervals, where there is none the value itself."""
    values = [0.0 if its.value is None else its.value for its in estimates]
    ends = [its.interval or (value, value) for its, value in zip(estimates, values, strict=True)]
    return values, [low for low, _ in ends], [high for _, high in ends]


def _short(number: int) -> str:
    """1024, 16k, 1.05M."""
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.3g}M"


def _label(text: str, limit: int) -> str:
    """A name as a plot can hold it: short, of characters that are drawn, and with quotes that `_inline` passes over."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return shorten(printable, limit).replace("'", "’").replace('"', "”")


def _legend(axes: Any, columns: int, above: float = 1.0, side: str = "left") -> None:
    entries = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda entry: entry[1] == "chance")
    if not entries:
        return
    place = {"loc": f"lower {side}", "bbox_to_anchor": (-0.08 if side == "left" else 1.02, above)}
    axes.legend(
        *zip(*entries, strict=True), **place, ncols=columns, borderaxespad=0.2, handlelength=2.4, columnspacing=1.4
    )


def _svg(draw: Callable[[Any], None], height: float, name: str) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    with rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # text stays text: the reader's fonts draw it
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inline(written.getvalue())


def _inline(document: str) -> str:
    """The SVG element alone, in the page's fonts and colours, without ids that several plots would share."""
    drawn = document[document.index("<svg") :]
    drawn = re.sub(r"<(metadata|style)\b.*?</\1>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'<svg [^>]*(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', drawn, count=1)
    drawn = re.sub(r'(<g) id="[^"]*"', r"\1", drawn).replace("xlink:href", "href")
    drawn = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", drawn)
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, f"var(--{variable})")
    return drawn.strip()
