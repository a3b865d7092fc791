"""Which mode of search answers best, and the weight that is tuned on one half and reported on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import QueryError
from retrieval.evaluation.compare_modes import (
    ModesReport,
    Rankings,
    best_weight,
    compare_modes,
    halves,
    measures,
    rank_texts,
)
from retrieval.files import read_json
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.rank import FUSION, Ranker, Ranking
from retrieval.search.searcher import Searcher
from tests.listed import ListedCorpus, PlainEncoder, figure

COLOURS = np.random.default_rng(0).integers(1, 255, (40, 3)).tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions share two of three numbers with the texts that ask for them; their images have the same colour."""
    folder = tmp_path_factory.mktemp("modes")
    figures = [
        figure(f"f{n}", tuple(colour), f"{colour[0]} {colour[1]} 1", article_id=f"P{n // 2}")  # type: ignore[arg-type]
        for n, colour in enumerate(COLOURS)
    ]
    encode(ListedCorpus(figures), folder, PlainEncoder(), thumbnail=0)
    build(folder)
    return folder


@pytest.fixture(scope="module")
def texts() -> ListedCorpus:
    return ListedCorpus(
        [figure(f"f{n}", None, "{} {} {}".format(*colour), article_id=f"P{n // 2}") for n, colour in enumerate(COLOURS)]
    )


def values(report: ModesReport, direction: str, mode: str) -> dict[str, float | None]:
    return {name: estimate.value for name, estimate in report.modes[direction][mode].items()}


def test_every_mode_has_the_measures_that_search_itself_gives(folder: Path, texts: ListedCorpus) -> None:
    report = compare_modes(folder, queries=texts, encoder=PlainEncoder(), resamples=0)
    searcher = Searcher(folder, PlainEncoder())
    for direction, target in (("t2i", "images"), ("t2t", "captions")):
        for mode in ("dense", "lexical", "hybrid"):
            first = []
            for asked in texts.figures:
                hits = searcher.search(asked.captions[0], target=target, mode=mode, k=100)  # type: ignore[union-attr, arg-type]
                found = [hit for hit in hits if hit.figure_id == asked.figure_id]
                others = [hit for hit in hits if found and hit.score >= found[0].score and hit not in found]
                first.append(1 + len(others) if found else np.inf)
            expected = {name: its.mean() for name, its in measures(np.array(first)).items()}
            assert values(report, direction, mode) == pytest.approx(expected), (direction, mode)
    assert report.asked == {"t2i": 40, "t2t": 40}
    assert "t2i, 40 queries, mrr: " in repr(report)
    assert report.tuned_on == 0


def test_the_weight_is_chosen_on_half_of_the_articles_reported_on_the_other_and_kept_by_the_index(
    folder: Path, texts: ListedCorpus
) -> None:
    built = OpenedIndex(folder)
    rankings = rank_texts(built, Ranker(built), texts, encoder=PlainEncoder())
    report = compare_modes(folder, queries=texts, tune=True, encoder=PlainEncoder(), resamples=50)
    first, second = halves(rankings["t2i"].clusters, 0)
    assert not set(rankings["t2i"].clusters[first]) & set(rankings["t2i"].clusters[second])
    assert sorted([*first, *second]) == list(range(40))
    assert (report.tuned_on, report.asked["t2i"]) == (len(first), len(second))
    assert report.dense_weight == best_weight(rankings, first)
    stored = read_json(folder / FUSION)
    assert (stored["dense_weight"], stored["tuned_on"]) == (report.dense_weight, len(first))
    with OpenedIndex(folder) as built:
        assert Ranker(built).dense_weight == report.dense_weight
    for direction in ("t2i", "t2t"):
        gain = report.gain[direction]["mrr"]
        hybrid, dense = (report.modes[direction][mode]["mrr"].value for mode in ("hybrid", "dense"))
        assert gain.value == pytest.approx((hybrid or 0) - (dense or 0))
        assert gain.interval is not None
    (folder / FUSION).unlink()


def test_ties_count_against_us_and_what_is_not_ranked_is_not_found() -> None:
    rows, gallery = np.arange(3), np.array([7, 8, 9, 10])
    ranking = Ranking(rows, np.array([0.5, 0.5, 0.2]), False)
    empty = Ranking(np.empty(0, np.int64), np.empty(0), True)
    codes = np.array([7, 8, 9, 10, 11])
    ranked = Rankings([ranking] * 5, [empty] * 5, codes, codes, gallery)
    np.testing.assert_array_equal(ranked.first_ranks("dense", 0.5), [2, 2, 3, np.inf, np.nan])
    np.testing.assert_array_equal(ranked.first_ranks("lexical", 0.5), [np.inf] * 4 + [np.nan])
    np.testing.assert_array_equal(ranked.first_ranks("hybrid", 0.5), [1, 2, 3, np.inf, np.nan])
    found = measures(np.array([2, np.inf, np.nan]), ks=(1, 2))
    np.testing.assert_array_equal(found["hit_rate@2"], [1, 0, np.nan])
    np.testing.assert_array_equal(found["mrr"], [0.5, 0, np.nan])


def test_captions_of_the_index_itself_are_no_test_of_words(folder: Path) -> None:
    with pytest.raises(QueryError, match="captions of the index hold their own words; give a corpus of other texts"):
        compare_modes(folder, queries="width>0", encoder=PlainEncoder())
    strangers = ListedCorpus([figure("nobody", None, "1 2 3")])
    with pytest.raises(QueryError, match=r"no query of .* has an answer in the index"):
        compare_modes(folder, queries=strangers, encoder=PlainEncoder())
    with pytest.raises(QueryError, match="half of the articles hold no query"):
        compare_modes(folder, queries=strangers, tune=True, encoder=PlainEncoder())
    assert not (folder / FUSION).exists()
