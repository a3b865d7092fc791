"""A study as one page: it opens offline, needs no script, and is readable in the dark, on paper and on a telephone."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from retrieval.evaluation.bootstrap import Estimate
from retrieval.evaluation.evaluate import Direction
from retrieval.evaluation.study import study_tables
from retrieval.evaluation.study.study_results import ByColumn, Curve, IndexComparison, Study
from retrieval.evaluation.study.study_tables import DIRECTIONS, Row
from retrieval.files import replacing
from retrieval.pages.report_examples import examples_html
from retrieval.pages.report_plots import dot_plot, rank_plot, recall_plot
from retrieval.render.html import Html, document, element, join, optional

_INTERVALS: Final = "95 % intervals over articles; ties count against the index"


def write_page(study: Study, file: str | Path) -> None:
    """Write the page of a study, whole or not at all."""
    text = report_page(study)
    with replacing(Path(file)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_page(study: Study) -> str:
    """The whole HTML document; the same study gives the same bytes."""
    names = study_tables.comparison_names(study.report, study.against)
    sections = [_measures(study), *([_ranks(study), _curves(study, names)][:: 1 if study.against else -1])]
    sections += [_stratum(found) for found in study.strata]
    sections += [_comparison(names[0], name, other) for name, other in zip(names[1:], study.against, strict=True)]
    sections += examples_html(study.examples) if study.examples else []
    main = element("main", join(sections, "\n"))
    return document(f"How well {names[0]} answers", _style(), "retrieval-sheet report", _top(study, names[0]), main)


def _top(study: Study, name: str) -> Html:
    report = study.report
    facts = {
        "index": report.index,
        "encoder": report.encoder,
        "queries": report.queries,
        "relevant by": report.relevant_by,
        "bootstrap": f"{report.resamples} samples of articles, seed {study.seed}",
    } | {f"captions of the {of}": f"{read} ({read.policy})" for of, read in report.long_captions.items()}
    pairs = (element("div", element("dt", key), element("dd", value, dir="auto")) for key, value in facts.items())
    return element(
        "header",
        element("h1", "How well ", element("bdi", name), " answers"),
        element("p", "; ".join(study_tables.pools(report)), class_="retrieval-subtitle"),
        element("dl", *pairs, class_="retrieval-facts"),
    )


def _measures(study: Study) -> Html:
    report = study.report
    return _section(
        "Measures", f"{_INTERVALS}.", _table("", [study_tables.heading(report), *study_tables.rows(report)])
    )


def _curves(study: Study, names: Sequence[str]) -> Html:
    """One plot with both directions, or, of several indexes, a plot for each direction with all of them."""
    note = (
        "hit_rate@k, the share of queries with an answer among the first k hits (the R@k of papers), with 95 % "
        "intervals, and what an order by chance would reach."
    )
    if not study.against:
        lines = [(DIRECTIONS[way], curve) for way, curve in study.curves.items()]
        return _section("Recall against k", note, _recall("Both directions", lines))
    every = [study.curves, *(other.curves for other in study.against)]
    plots = (
        _recall(DIRECTIONS[way], [(name, its[way]) for name, its in zip(names, every, strict=True) if way in its])
        for way in study.curves
    )
    return _section("Recall against k", note, *plots)


def _recall(title: str, lines: Sequence[tuple[str, Curve]]) -> Html:
    found = study_tables.curve_table(lines)
    described = f"hit_rate@k against k, {title}. {_said(found)}"
    return _plot(title, recall_plot(lines, f"recall {title}", described), found)


def _ranks(study: Study) -> Html:
    found = study_tables.histogram_table(study.histograms)
    described = f"Share of queries by the rank of their best answer. {_said(found)}"
    note = "Where the best answer of each query stands; triangles mark the medians, the dotted line an order by chance."
    plot = rank_plot(study.histograms, "ranks", described)
    return _section("Ranks", note, _plot("Share of queries", plot, found))


def _stratum(found: ByColumn) -> Html:
    rows = [(f"{stratum.name} ({_asked(stratum.hit_rates)})", stratum.hit_rates) for stratum in found.strata]
    table = study_tables.strata_table(found)
    across = f"hit_rate@{found.k}"
    described = f"{across} by {found.column}. {_said(table)}"
    lines = {way: estimate.value for way, estimate in found.overall.items()}
    plot = dot_plot(rows, lines, across, f"strata {found.column}", described)
    alone = any(estimate.clusters == 1 for stratum in found.strata for estimate in stratum.hit_rates.values())
    note = (
        f"{across} in each stratum with 95 % intervals; in brackets how many were asked. Dotted lines: all queries."
        + " A stratum of one article has no interval." * alone
    )
    return _section(("By ", element("code", found.column)), note, _plot("", plot, table))


def _asked(its: Mapping[Direction, Estimate]) -> str:
    return "/".join(dict.fromkeys(str(estimate.queries) for estimate in its.values()))


def _comparison(first: str, second: str, other: IndexComparison) -> Html:
    both = {way: study_tables.paired_table(way, its, first, second) for way, its in other.paired.items()}
    notes = [f"{DIRECTIONS[way]}: {study_tables.shared(its, first, second)}" for way, its in other.paired.items()]
    names = [row[0] for row in next(iter(both.values()))[1:] if row[0].startswith(("hit_rate", "recall", "mrr"))]
    rows = [(name, {way: its.differences[name] for way, its in other.paired.items()}) for name in names]
    described = f"Differences, {first} minus {second}. " + " ".join(_said(table) for table in both.values())
    plot = dot_plot(rows, dict.fromkeys(other.paired, 0.0), f"{first} − {second}", f"against {second}", described)
    note = (
        f"The same queries asked of both, differences are {first} minus {second}, with intervals and two-sided "
        "p-values from the same samples of articles. p is not adjusted for how many are compared. "
        f"{second}: {other.report.index}, encoder {other.report.encoder}."
    )
    parts = (_table("", table, notes[place]) for place, table in enumerate(both.values()))
    return _section(
        (element("bdi", first), " against ", element("bdi", second)),
        note,
        _figure("", plot),
        element("div", *parts, class_="report-tables"),
    )


def _section(title: str | Sequence[str], note: str, *parts: Html) -> Html:
    """One part takes half of a wide page, several the whole width."""
    heading = element("h2", *((title,) if isinstance(title, str) else title))
    inside = (heading, optional("p", note, "report-note"), element("div", *parts, class_="report-parts"))
    return element("section", *inside, class_="report-half" if len(parts) == 1 else "report-whole")


def _plot(title: str, plot: Html, rows: Sequence[Row]) -> Html:
    numbers = element("details", element("summary", "the numbers"), _table("", rows))
    return _figure(title, plot, numbers)


def _figure(title: str, plot: Html, *below: Html) -> Html:
    return element("figure", optional("figcaption", title, "report-title"), plot, *below, class_="report-figure")


def _table(title: str, rows: Sequence[Row], note: str = "") -> Html:
    head, *lines = rows
    body = (
        element("tr", element("th", line[0], scope="row", dir="auto"), *(element("td", text) for text in line[1:]))
        for line in lines
    )
    columns = element("thead", element("tr", *(element("th", text, scope="col") for text in head)))
    caption = element("caption", title) if title else Html()
    grid = element("table", caption, columns, element("tbody", *body))
    scroll = element("div", grid, class_="retrieval-scroll", role="region", tabindex="0", aria_label=title or head[0])
    return element("div", scroll, optional("p", note, "retrieval-note"), class_="report-table")


def _said(rows: Sequence[Row]) -> str:
    """A table as sentences, for those who hear the page."""
    head, *lines = rows

    def sentences() -> Iterator[str]:
        for line in lines:
            values = (f"{name} {value}" for name, value in zip(head[1:], line[1:], strict=True))
            yield f"{head[0]} {line[0]}: {', '.join(values)}."

    return " ".join(sentences())


@functools.cache
def _style() -> Html:
    """The contact sheet's style, for what the pages share, and the report's own."""
    sheet = resources.files("retrieval.render").joinpath("sheet.css")
    own = resources.files("retrieval.pages").joinpath("report.css")
    return Html("\n".join(file.read_text(encoding="utf-8") for file in (sheet, own)))
