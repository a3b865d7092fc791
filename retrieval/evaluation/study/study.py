"""The workflow of a study: evaluate an index, look behind its numbers, and compare others that are asked the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from retrieval.errors import QueryError
from retrieval.evaluation.evaluate import Direction, DirectionRanks, evaluate
from retrieval.evaluation.evaluate_options import EvaluateKeywords, EvaluateOptions
from retrieval.evaluation.metrics import best_rank
from retrieval.evaluation.report import Report
from retrieval.evaluation.study.by_column import by_column, check_columns
from retrieval.evaluation.study.curves import curve, histogram
from retrieval.evaluation.study.examples import best_and_worst
from retrieval.evaluation.study.pairs import QueryOutcomes, keep, pair
from retrieval.evaluation.study.study_results import Curve, Examples, IndexComparison, Study
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.types import Progress


def study(
    folder: str | Path,
    options: EvaluateOptions | None = None,
    *,
    against: Sequence[str | Path] = (),
    strata: Sequence[str] = (),
    examples: int = 0,
    trec: str | Path | None = None,
    depth: int = 1000,
    progress: Progress | None = None,
    **keywords: Unpack[EvaluateKeywords],
) -> Study:
    """Evaluate an index as `evaluate` does with the same arguments, and keep what stands behind the numbers.

    `strata` are metadata columns of the index, `examples` how many of the best and of the worst queries are shown for
    each direction. The indexes `against` are asked the same, each with its own encoder; queries that only one of two
    indexes has are left out of their comparison.

    Raises QueryError for an unknown column, for an index that shares no query with the first, and for one that has
    other captions for the same figures; else as `evaluate`.
    """
    options = EvaluateOptions.of(options, keywords)
    built = OpenedIndex(folder)
    check_columns(built, tuple(strata))
    for other in against:
        OpenedIndex(other).close()  # one that cannot be opened is refused before the long part
    sampled: dict[str, Any] = {"resamples": options.resamples, "seed": options.seed}
    kept: dict[Direction, QueryOutcomes] = {}
    shown = Examples({}, [], [])

    def each(answers: DirectionRanks) -> None:
        if not answers.ranks.counts.any():
            return
        kept[answers.direction] = keep(answers)
        if examples:
            shown.looked_at[answers.direction], best, worst = best_and_worst(answers, examples, options.seed)
            shown.best.extend(best)
            shown.worst.extend(worst)

    report = evaluate(built, options, trec=trec, depth=depth, progress=progress, each=each)
    own = replace(options, encoder=None)
    return Study(
        report=report,
        seed=options.seed,
        curves=_curves(kept, **sampled),
        histograms={
            direction: histogram(best_rank(its.ranks), its.ranks.counts, its.gallery) for direction, its in kept.items()
        },
        strata=[by_column(built, column, kept, **sampled) for column in strata],
        against=[_compare(report, kept, other, own, progress) for other in against],
        examples=shown if examples else None,
    )


def _compare(
    report: Report,
    first: dict[Direction, QueryOutcomes],
    folder: str | Path,
    options: EvaluateOptions,
    progress: Progress | None,
) -> IndexComparison:
    second: dict[Direction, QueryOutcomes] = {}
    sampled: dict[str, Any] = {"resamples": options.resamples, "seed": options.seed}

    def each(answers: DirectionRanks) -> None:
        if answers.ranks.counts.any():
            second[answers.direction] = keep(answers)

    other = evaluate(folder, options, progress=progress, each=each)
    pairs = {way: pair(first[way], second[way], options.ks, **sampled) for way in first if way in second}
    paired = {way: found for way, found in pairs.items() if found is not None}
    if not paired:
        raise QueryError(f"{folder}: shares no query with {report.index}; compare indexes of the same figures")
    return IndexComparison(other, _curves(second, **sampled), paired)


def _curves(kept: dict[Direction, QueryOutcomes], **sampled: int) -> dict[Direction, Curve]:
    return {
        direction: curve(best_rank(its.ranks), its.ranks.counts, its.gallery, its.clusters, **sampled)
        for direction, its in kept.items()
    }
