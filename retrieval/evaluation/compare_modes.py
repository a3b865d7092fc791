"""Vectors, words or both: how well each mode of search answers, and the weight with which both together do best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Estimate, Values, estimates, paired
from retrieval.evaluation.evaluate_options import KS, EvaluateKeywords, EvaluateOptions, RelevantBy
from retrieval.evaluation.queries import asking
from retrieval.evaluation.relevance import Relevance
from retrieval.files import write_json
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.rank import FUSED, FUSION, Ranker, Ranking, fused_ranking
from retrieval.search.search_options import MODES, Mode
from retrieval.shards.filters import Filter
from retrieval.types import Corpus, Encoder, Modality

SEARCHED: dict[str, Modality] = {"t2i": "image", "t2t": "text"}
WEIGHTS = tuple(round(0.05 * step, 2) for step in range(1, 20))
TUNED_BY = "mrr"
FORMAT = 1


@dataclass(frozen=True)
class Rankings:
    """How the index ranks the texts of some queries, with words and with vectors, and what is relevant to each.

    `codes` and `clusters` are those of the queries (n,), `gallery` the codes of the ranked table's rows.
    """

    dense: list[Ranking]
    lexical: list[Ranking]
    codes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    gallery: NDArray[np.int64]

    def first_ranks(self, mode: Mode, dense_weight: float) -> Values:
        """(n,) The rank of the best relevant row, ties against us; inf where it is not among the first `FUSED` of a
        mode's rankings, NaN for a query that the index has no answer to."""
        known = np.isin(self.codes, self.gallery)
        ranks = np.full(len(self.codes), np.nan)
        for query in np.flatnonzero(known):
            dense, lexical = self.dense[query], self.lexical[query]
            ranking = {"dense": dense, "lexical": lexical}.get(mode) or fused_ranking(dense, lexical, dense_weight)
            ranks[query] = _first_rank(ranking, self.gallery[ranking.rows] == self.codes[query])
        return ranks


@dataclass(frozen=True, repr=False)
class ModesReport:
    """The measures of each mode by direction, text to image and text to text, and what hybrid gains on dense.

    `dense_weight` is that of mode hybrid; `tuned_on` queries chose it, none of which is among those reported.
    """

    index: str
    encoder: str
    queries: str
    relevant_by: str
    dense_weight: float
    tuned_on: int
    resamples: int
    asked: Mapping[str, int]
    modes: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    gain: Mapping[str, Mapping[str, Estimate]]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = [f"{self.index}, encoder {self.encoder}, queries: {self.queries}, dense weight {self.dense_weight:g}"]
        for name, modes in self.modes.items():
            mrr = {mode: its["mrr"].value for mode, its in modes.items()}
            told = ", ".join(f"{mode} {'-' if value is None else f'{value:.3f}'}" for mode, value in mrr.items())
            lines.append(f"{name}, {self.asked[name]} queries, mrr: {told}")
        return "\n".join(lines)


def compare_modes(
    folder: str | Path,
    options: EvaluateOptions | None = None,
    *,
    tune: bool = False,
    **keywords: Unpack[EvaluateKeywords],
) -> ModesReport:
    """Ask an index with the texts of another corpus, `queries`, in every mode, for images and for captions.

    With `tune` half of the articles choose the dense weight, by the mean of both directions' MRR, and the other half is
    reported; the weight is stored with the index, and search takes it from then on. Raises QueryError where the texts
    are captions of the index, which hold their own words, or none has an answer.
    """
    options = EvaluateOptions.of(options, keywords)
    queries, relevant_by, seed = options.queries, options.relevant_by, options.seed
    built = OpenedIndex(folder)
    ranker = Ranker(built)
    rankings = rank_texts(built, ranker, queries, relevant_by=relevant_by, encoder=options.encoder)
    weight, tuned_on = ranker.dense_weight, 0
    asked = {name: np.arange(len(ranked.codes)) for name, ranked in rankings.items()}
    if tune:
        first, second = halves(next(iter(rankings.values())).clusters, seed)
        weight, tuned_on = best_weight(rankings, first), len(first)
        asked = {name: second for name in rankings}
        measured = {"format": FORMAT, "queries": str(queries), "tuned_on": tuned_on, "tuned_by": TUNED_BY, "seed": seed}
        write_json(built.folder / FUSION, measured | {"digest": built.shards.digest, "dense_weight": weight})
    counts: dict[str, int] = {}
    modes: dict[str, dict[str, dict[str, Estimate]]] = {}
    gain: dict[str, dict[str, Estimate]] = {}
    sampled: dict[str, Any] = {"resamples": options.resamples, "seed": seed}
    for name, ranked in rankings.items():
        some = asked[name]
        clusters = ranked.clusters[some]
        values = {mode: measures(ranked.first_ranks(mode, weight)[some], options.ks) for mode in MODES}
        counts[name] = int(np.count_nonzero(~np.isnan(values["dense"]["mrr"])))
        modes[name] = {mode: estimates(its, clusters, **sampled) for mode, its in values.items()}
        gain[name] = paired(values["hybrid"], values["dense"], clusters, **sampled)
    if not any(counts.values()):
        raise QueryError(f"{folder}: no query of {queries} has an answer in the index; choose other queries")
    about = (str(folder), built.plan.encoder, str(queries), relevant_by, weight, tuned_on, options.resamples)
    return ModesReport(*about, counts, modes, gain)


def rank_texts(
    built: OpenedIndex,
    ranker: Ranker,
    queries: str | Path | Filter | pc.Expression | Corpus | None,
    *,
    relevant_by: RelevantBy = "figure_id",
    encoder: str | Encoder | None = None,
) -> dict[str, Rankings]:
    """The rankings of the texts of a corpus by direction, t2i and t2t, as far as the index holds such rows."""
    relevance = Relevance(built, relevant_by)
    with asking(built, relevance, queries, encoder) as (asked, shards):
        if shards is built.shards:
            raise QueryError(
                f"{'everything' if queries is None else queries}: captions of the index hold their own words; "
                "give a corpus of other texts of its figures"
            )
        texts = shards.columns("texts", ["caption"])["caption"].to_pylist()
        vectors = np.asarray(asked["text"].vectors[:])
        if not texts:
            raise QueryError(f"{queries}: holds no texts to ask with; give a corpus with captions")
        return {
            name: Rankings(
                ranker.dense(modality, vectors, FUSED, None),
                [ranker.by_words(modality, [(text, 1.0)], FUSED, None) for text in texts],
                asked["text"].codes,
                asked["text"].clusters,
                relevance.codes(modality),
            )
            for name, modality in SEARCHED.items()
            if built.count(modality)
        }


def halves(clusters: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The queries of half of the clusters, and those of the other half."""
    known = np.random.default_rng(seed).permutation(np.unique(clusters))
    first = np.isin(clusters, known[: len(known) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


def best_weight(rankings: Mapping[str, Rankings], some: NDArray[np.int64]) -> float:
    """The dense weight with the best mean reciprocal rank of `some` queries over all directions. Raises QueryError
    where none of them has an answer."""
    means = {
        weight: [
            float(np.nanmean(1 / ranks))
            for ranked in rankings.values()
            if len(ranks := _answered(ranked, weight, some))
        ]
        for weight in WEIGHTS
    }
    if not all(means.values()):
        raise QueryError("half of the articles hold no query that the index can answer; give more queries")
    return max(WEIGHTS, key=lambda weight: sum(means[weight]))


def measures(first_ranks: Values, ks: Sequence[int] = KS) -> dict[str, Values]:
    """hit_rate@k for each k, and mrr, of each query."""
    unknown = np.isnan(first_ranks)
    hit_rates = {f"hit_rate@{k}": np.where(unknown, np.nan, first_ranks <= k) for k in ks}
    return hit_rates | {"mrr": 1 / first_ranks}


def _answered(ranked: Rankings, weight: float, some: NDArray[np.int64]) -> Values:
    ranks = ranked.first_ranks("hybrid", weight)[some]
    return ranks[~np.isnan(ranks)]


def _first_rank(ranking: Ranking, relevant: NDArray[np.bool_]) -> float:
    """The rank of the first relevant row, behind every other row that scores the same."""
    if not relevant.any():
        return float(np.inf)
    reaching = ranking.scores >= ranking.scores[relevant.argmax()]
    return float(1 + np.count_nonzero(reaching & ~relevant))
