"""The numbers of reports and studies as rows of text, for the command line and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.evaluation.bootstrap import Estimate, PairedDifference
    from retrieval.evaluation.evaluate import Direction
    from retrieval.evaluation.report import Report
    from retrieval.evaluation.study.study_results import ByColumn, Curve, Histogram, IndexComparison, Paired

Row = tuple[str, ...]
DIRECTIONS = {"t2i": "text → image", "i2t": "image → text", "t2t": "text → text"}
MARKED_KS = (1, 2, 5, 10, 20, 50, 100)
"""Of a curve of a hundred, those in a table."""


def cell(estimate: Estimate, name: str) -> str:
    """The value, then its interval where there is one."""
    digits = 1 if name.endswith("_rank") else 3
    if estimate.value is None:
        return "-"
    value = f"{estimate.value:.{digits}f}"
    if estimate.interval is None:
        return value
    return f"{value} [{estimate.interval[0]:.{digits}f}, {estimate.interval[1]:.{digits}f}]"


def heading(report: Report) -> Row:
    return ("measure", *(DIRECTIONS[direction] for direction in report.directions))


def rows(report: Report) -> list[Row]:
    """A line for each measure: its name, then the value and interval of each direction."""
    directions = report.directions.values()
    return [
        (name, *(cell(direction.measures[name], name) for direction in directions))
        for name in _telling([direction.measures for direction in directions])
    ]


def pools(report: Report) -> list[str]:
    """How many were asked of how many, a sentence a direction."""
    return [
        f"{DIRECTIONS[name]}: {direction.answerable} queries, pool of {direction.gallery}"
        + (
            f" ({direction.queries - direction.answerable} more have no answer in it)"
            * (direction.answerable < direction.queries)
        )
        for name, direction in report.directions.items()
    ]


def strata_table(found: ByColumn) -> list[Row]:
    """A heading, then a line for each stratum: how many were asked, and hit_rate@k, in each direction."""
    ways = list(found.overall)
    head = (found.column, *(text for way in ways for text in ("queries", f"{DIRECTIONS[way]}, hit_rate@{found.k}")))
    named = [*((stratum.name, stratum.hit_rates) for stratum in found.strata), ("all", found.overall)]
    return [
        head,
        *(
            (name, *(text for way in ways for text in (str(its[way].queries), cell(its[way], "hit_rate"))))
            for name, its in named
        ),
    ]


def paired_table(way: Direction, its: Paired, first: str, second: str) -> list[Row]:
    """A heading, then a line for each measure: both indexes, their difference, and its p-value."""
    return [
        (DIRECTIONS[way], first, second, "difference", "p"),
        *(
            (name, _value(its.first[name], name), _value(its.second[name], name), *_difference(its, name))
            for name in _telling([its.first, its.second])
        ),
    ]


def shared(its: Paired, first: str, second: str) -> str:
    """Which queries the comparison is about, and whether the pools are alike."""
    alone = ((its.only_first, first), (its.only_second, second))
    left_out = " and ".join(f"{number} only in {name}" for number, name in alone if number)
    queries = f"{its.queries} queries that both hold" + (f" ({left_out} left out)" if left_out else "")
    if its.galleries[0] == its.galleries[1]:
        return f"{queries}, pool of {its.galleries[0]}"
    return f"{queries}; pools differ, {its.galleries[0]} and {its.galleries[1]}: a larger one is harder"


def curve_table(lines: Sequence[tuple[str, Curve]]) -> list[Row]:
    """A heading, then a line for each of some ks, ending with chance."""
    chance = lines[0][1]
    head = ("k", *(name for name, _ in lines), "chance")
    ks = [k for k in MARKED_KS if all(k in curve.ks for _, curve in lines)]
    return [
        head,
        *((str(k), *(cell(its.hit_rates[k - 1], "") for _, its in lines), f"{chance.chance[k - 1]:.3f}") for k in ks),
    ]


def histogram_table(found: dict[Direction, Histogram]) -> list[Row]:
    """A heading, then a line for each bin: how many queries, and how many by chance, in each direction."""
    longest = max(found.values(), key=lambda its: len(its.first)).first
    head = ("rank", *(text for way in found for text in (DIRECTIONS[way], "by chance")))
    return [head, *((bin_name(longest, number), *_counts(found, number)) for number in range(len(longest) - 1))]


def bin_name(first: Sequence[int], number: int) -> str:
    low, high = first[number], first[number + 1] - 1
    return str(low) if low == high else f"{low}–{high}"


def short_names(folders: Sequence[str]) -> list[str]:
    """The folders' own names where these differ, else their whole paths."""
    names = [Path(folder).name for folder in folders]
    return names if len(set(names)) == len(names) else list(folders)


def comparison_names(report: Report, against: Sequence[IndexComparison]) -> list[str]:
    """What the indexes of a study are called, the first one's name first."""
    return short_names([report.index, *(other.report.index for other in against)])


def aligned(lines: Sequence[Row]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _counts(found: dict[Direction, Histogram], number: int) -> list[str]:
    return [
        text
        for its in found.values()
        for text in (
            (str(its.queries[number]), f"{its.chance[number]:.1f}") if number < len(its.queries) else ("-", "-")
        )
    ]


def _value(estimate: Estimate, name: str) -> str:
    return "-" if estimate.value is None else f"{estimate.value:.{1 if name.endswith('_rank') else 3}f}"


def _difference(its: Paired, name: str) -> tuple[str, str]:
    found: PairedDifference = its.differences[name]
    if found.value is None:
        return "-", "-"
    digits = 1 if name.endswith("_rank") else 3
    value, *ends = (_signed(number, digits) for number in (found.value, *(found.interval or ())))
    interval = f" [{', '.join(ends)}]" if ends else ""
    return value + interval, "-" if found.p_value is None else f"{found.p_value:.3f}"


def _signed(number: float, digits: int) -> str:
    """With its sign, but for what rounds to zero."""
    text = f"{number:+.{digits}f}"
    return text if float(text) else text[1:]


def _telling(measured: Sequence[Mapping[str, Estimate]]) -> list[str]:
    """The measures; recall only where it says what hit_rate does not, as where a query has several answers."""
    names = list(measured[0])
    several = any(
        its[name].value != its[name.replace("recall", "hit_rate")].value
        for its in measured
        for name in names
        if name.startswith("recall")
    )
    return [name for name in names if several or not name.startswith("recall@")]
