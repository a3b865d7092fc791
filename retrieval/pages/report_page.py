"""A study as one page: it opens offline, needs no script, and is readable in the dark, on paper and on a telephone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from retrieval.evaluation.bootstrap import Estimate
from retrieval.evaluation.evaluate import Direction
from retrieval.evaluation.study import study_tables
from retrieval.evaluation.study.study_results import ByColumn, Curve, Example, IndexComparison, Study
from retrieval.evaluation.study.study_tables import DIRECTIONS, Row
from retrieval.files import replacing
from retrieval.pages.report_plots import dot_plot, rank_plot, recall_plot
from retrieval.render.contact_sheet import credit_line
from retrieval.render.html import STYLE, render
from retrieval.types import Hit

BEST: Final = (
    "Queries whose answer came first, those in which it is furthest ahead of everything else by cosine (of {} that "
    "were looked at), one of an article while there are enough."
)
WORST: Final = (
    "Queries whose best answer stands last, with what came instead; one of an article while there are enough."
)

Shown = dict[str, Any]
"""Values of a part of the page, by the names that its template calls them."""


def write_page(study: Study, file: str | Path) -> None:
    """Write the page of a study, whole or not at all."""
    text = report_page(study)
    with replacing(Path(file)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_page(study: Study) -> str:
    """The whole HTML document; the same study gives the same bytes."""
    report = study.report
    names = study_tables.comparison_names(report, study.against)
    return render(
        "pages/report.html",
        styles=[STYLE, "pages/report.css"],
        title=f"How well {names[0]} answers",
        name=names[0],
        subtitle="; ".join(study_tables.pools(report)),
        about=_facts(study),
        measures=[study_tables.heading(report), *study_tables.rows(report)],
        ranking=_ranks(study),
        curves=list(_curves(study, names)),
        strata=[_stratum(found) for found in study.strata],
        comparisons=[_comparison(names[0], name, other) for name, other in zip(names[1:], study.against, strict=True)],
        examples=_examples(study),
    )


def _facts(study: Study) -> dict[str, str]:
    report = study.report
    return {
        "index": report.index,
        "encoder": report.encoder,
        "queries": report.queries,
        "relevant by": report.relevant_by,
        "bootstrap": f"{report.resamples} samples of articles, seed {study.seed}",
    } | {f"captions of the {of}": f"{read} ({read.policy})" for of, read in report.long_captions.items()}


def _curves(study: Study, names: Sequence[str]) -> Iterator[Shown]:
    """One plot with both directions, or, of several indexes, a plot for each direction with all of them."""
    if not study.against:
        yield _recall("Both directions", [(DIRECTIONS[way], curve) for way, curve in study.curves.items()])
        return
    every = [study.curves, *(other.curves for other in study.against)]
    for way in study.curves:
        lines = [(name, its[way]) for name, its in zip(names, every, strict=True) if way in its]
        yield _recall(DIRECTIONS[way], lines)


def _recall(title: str, lines: Sequence[tuple[str, Curve]]) -> Shown:
    rows = study_tables.curve_table(lines)
    described = f"hit_rate@k against k, {title}. {_said(rows)}"
    return {"title": title, "svg": recall_plot(lines, f"recall {title}"), "described": described, "rows": rows}


def _ranks(study: Study) -> Shown:
    rows = study_tables.histogram_table(study.histograms)
    return {
        "title": "Share of queries",
        "svg": rank_plot(study.histograms, "ranks"),
        "described": f"Share of queries by the rank of their best answer. {_said(rows)}",
        "rows": rows,
    }


def _stratum(found: ByColumn) -> Shown:
    dots = [(f"{stratum.name} ({_asked(stratum.hit_rates)})", stratum.hit_rates) for stratum in found.strata]
    measure = f"hit_rate@{found.k}"
    overall = {way: estimate.value for way, estimate in found.overall.items()}
    rows = study_tables.strata_table(found)
    return {
        "title": "",
        "svg": dot_plot(dots, overall, measure, f"strata {found.column}"),
        "described": f"{measure} by {found.column}. {_said(rows)}",
        "rows": rows,
        "column": found.column,
        "measure": measure,
        "alone": any(estimate.clusters == 1 for stratum in found.strata for estimate in stratum.hit_rates.values()),
    }


def _asked(its: Mapping[Direction, Estimate]) -> str:
    return "/".join(dict.fromkeys(str(estimate.queries) for estimate in its.values()))


def _comparison(first: str, second: str, other: IndexComparison) -> Shown:
    tables = {way: study_tables.paired_table(way, its, first, second) for way, its in other.paired.items()}
    notes = [f"{DIRECTIONS[way]}: {study_tables.shared(its, first, second)}" for way, its in other.paired.items()]
    names = [row[0] for row in next(iter(tables.values()))[1:] if row[0].startswith(("hit_rate", "recall", "mrr"))]
    dots = [(name, {way: its.differences[name] for way, its in other.paired.items()}) for name in names]
    return {
        "title": "",
        "svg": dot_plot(dots, dict.fromkeys(other.paired, 0.0), f"{first} − {second}", f"against {second}"),
        "described": f"Differences, {first} minus {second}. " + " ".join(map(_said, tables.values())),
        "name": second,
        "index": other.report.index,
        "encoder": other.report.encoder,
        "tables": list(zip(tables.values(), notes, strict=True)),
    }


def _said(rows: Sequence[Row]) -> str:
    """A table as sentences, for those who hear the page."""
    head, *lines = rows

    def sentences() -> Iterator[str]:
        for line in lines:
            values = (f"{name} {value}" for name, value in zip(head[1:], line[1:], strict=True))
            yield f"{head[0]} {line[0]}: {', '.join(values)}."

    return " ".join(sentences())


def _examples(study: Study) -> list[tuple[str, str, list[Shown]]]:
    """The clearest answers and the worst: a title, a note and the cards of each."""
    found = study.examples
    if found is None:
        return []
    looked_at = ", ".join(f"{number} {DIRECTIONS[way]}" for way, number in found.looked_at.items())
    return [
        ("Clearest answers", BEST.format(looked_at), [_card(example) for example in found.best]),
        ("Worst answers", WORST, [_card(example) for example in found.worst]),
    ]


def _card(example: Example) -> Shown:
    """The query, where its answer stands, and the hits before it."""
    ahead = f"{abs(example.margin):.3f} {'ahead of' if example.rank == 1 else 'behind'} the best other"
    hits = list(zip(example.hits, example.relevant, strict=True))
    if example.rank > len(hits):
        hits.append((example.answer, True))
    return {
        "line": f"{DIRECTIONS[example.direction]} · rank {example.rank} · {ahead}",
        "by_words": example.direction == "t2i",
        "asked": example.asked,
        "credit": credit_line(example.asked.metadata),
        "hits": [_example_hit(example.asked, hit, relevant) for hit, relevant in hits],
    }


def _example_hit(asked: Hit, hit: Hit, relevant: bool) -> Shown:
    """A hit; a figure that its own caption found does not say that caption again."""
    own = hit.figure_id == asked.figure_id
    return {
        "hit": hit,
        "badge": ("its own" if own else "an answer") if relevant else "",
        "words": "" if own and hit.caption == asked.caption else hit.caption,
        "credit": credit_line(hit.metadata),
    }
