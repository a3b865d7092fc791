"""What a study finds on corpora small enough to check: strata, other indexes, and the queries that it shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Estimate
from retrieval.evaluation.evaluate import evaluate
from retrieval.evaluation.study.examples import spread
from retrieval.evaluation.study.study import study
from retrieval.evaluation.study.study_results import Study
from retrieval.types import Figure, Pixels, Vectors
from tests.listed import ListedCorpus, PlainEncoder, figure, index_of

COLUMNS = {"part": "string", "year": "int64"}


class Swapped(PlainEncoder):
    """Sees red where green is: worse than PlainEncoder, and not everywhere."""

    name = "swapped"
    fingerprint = "5" * 64

    def encode_images(self, pixels: Pixels) -> Vectors:
        return super().encode_images(pixels)[:, [1, 0, 2]]


def colours(count: int, seed: int = 0) -> list[Figure]:
    """Captions that name nearly the colour of their figure; every fifth has two, every ninth none."""
    rng = np.random.default_rng(seed)
    figures = []
    for number in range(count):
        colour = rng.integers(1, 255, 3)
        captions = [
            " ".join(map(str, np.clip(colour + rng.integers(-40, 40, 3), 0, 255)))
            for _ in range(0 if number % 9 == 8 else 1 + (number % 5 == 4))
        ]
        about = {"part": "abc"[number % 3], "year": 2000 + number}
        rgb = tuple(int(channel) for channel in colour)
        figures.append(
            figure(f"f{number}#1", rgb, *captions, article_id=f"P{number // 2}", metadata=about)  # type: ignore[arg-type]
        )
    return figures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes")
    for name, encoder in (("plain", PlainEncoder()), ("swapped", Swapped())):
        index_of(folder / name, colours(60), columns=COLUMNS, shard_size=32, thumbnail=8, encoder=encoder)
    return folder


@pytest.fixture(scope="module")
def studied(folder: Path) -> Study:
    return study(
        folder / "plain", against=[folder / "swapped"], strata=["part", "year"], examples=4, resamples=40, seed=3
    )


def test_the_report_is_that_of_evaluate_and_stands_under_the_same_keys(folder: Path, studied: Study) -> None:
    plain = evaluate(folder / "plain", resamples=40, seed=3)
    assert studied.report == plain
    written = json.loads(json.dumps(studied.to_json()))
    assert plain.to_json().items() <= studied.to_json().items()
    assert set(written) - set(plain.to_json()) == {"seed", "curves", "histograms", "strata", "against", "examples"}
    assert studied.against[0].report == evaluate(folder / "swapped", resamples=40, seed=3)


@pytest.mark.parametrize("relevant_by", ["figure_id", "article_id"])
def test_curve_histogram_and_strata_agree_with_the_measures(folder: Path, relevant_by: str) -> None:
    found = study(folder / "plain", strata=["part"], relevant_by=relevant_by, resamples=30)  # type: ignore[arg-type]
    for way, direction in found.report.directions.items():
        hit_rates = found.curves[way].hit_rates
        for k in (1, 5, 10):
            assert hit_rates[k - 1] == direction.measures[f"hit_rate@{k}"]
        histogram = found.histograms[way]
        assert histogram.median == direction.measures["median_rank"].value
        assert sum(histogram.queries) == direction.answerable
        assert histogram.queries[0] / direction.answerable == direction.measures["hit_rate@1"].value
        (column,) = found.strata
        assert column.overall[way] == direction.measures["hit_rate@10"]
        assert sum(stratum.hit_rates[way].queries for stratum in column.strata) == direction.answerable


def test_a_stratum_is_what_evaluate_says_of_its_figures(folder: Path, studied: Study) -> None:
    by_part, by_year = studied.strata
    assert sorted(stratum.name for stratum in by_part.strata) == ["a", "b", "c"]
    for stratum in by_part.strata:
        alone = evaluate(folder / "plain", queries=f"part={stratum.name}", resamples=40, seed=3)
        for way, estimate in stratum.hit_rates.items():
            assert estimate == alone.directions[way].measures["hit_rate@10"]
    assert by_year.strata[0].name.startswith("2000–")
    assert len(by_year.strata) == 5


def test_strata_of_what_only_images_know_hold_the_captions_too(folder: Path) -> None:
    (by_width,) = study(folder / "plain", strata=["width"], resamples=0).strata
    (stratum,) = by_width.strata
    assert stratum.name == "1"
    assert stratum.hit_rates == by_width.overall


def test_an_unknown_column_is_refused_before_anything_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.evaluation.study.study.evaluate", None)
    with pytest.raises(
        QueryError, match="no column colour to make strata of; there are article_id, width, height, part"
    ):
        study(folder / "plain", strata=["colour"])


def test_an_index_against_itself_differs_by_nothing(folder: Path) -> None:
    found = study(folder / "plain", against=[folder / "plain"], resamples=20)
    for way, its in found.against[0].paired.items():
        assert its.queries == found.report.directions[way].queries
        assert (its.only_first, its.only_second) == (0, 0)
        assert its.first == its.second == {n: m for n, m in found.report.directions[way].measures.items()}
        assert {difference.value for difference in its.differences.values()} == {0.0}
        assert {difference.p_value for difference in its.differences.values()} == {1.0}


def test_a_worse_encoder_is_told_from_a_better_one(studied: Study) -> None:
    for its in studied.against[0].paired.values():
        difference = its.differences["mrr"]
        assert difference.value is not None
        assert difference.value > 0
        assert difference.interval is not None
        assert difference.interval[0] > 0
        assert difference.p_value == pytest.approx(2 / 41)
        first, second = its.first["mrr"].value, its.second["mrr"].value
        assert first is not None
        assert second is not None
        assert difference.value == pytest.approx(first - second)


def test_figures_that_only_one_index_has_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    figures = colours(60)
    index_of(tmp_path / "fewer", [*figures[::-1][:40], figure("another", (9, 9, 9), "1 2 3")], columns=COLUMNS)
    its = study(folder / "plain", against=[tmp_path / "fewer"], resamples=0).against[0].paired
    captions = [len(each.captions) for each in figures]
    assert (its["t2i"].queries, its["t2i"].only_first, its["t2i"].only_second) == (
        sum(captions[20:]),
        sum(captions[:20]),
        1,
    )
    assert (its["i2t"].queries, its["i2t"].only_first, its["i2t"].only_second) == (40, 20, 1)
    assert its["i2t"].galleries == (sum(captions), sum(captions[20:]) + 1)
    chosen = ",".join(each.figure_id for each in figures[20:])
    alone = evaluate(folder / "plain", queries=f"figure_id in {chosen}", resamples=0)
    assert {n: m.value for n, m in its["t2i"].first.items()} == {
        n: m.value for n, m in alone.directions["t2i"].measures.items()
    }


def test_indexes_of_other_captions_or_other_figures_are_refused(folder: Path, tmp_path: Path) -> None:
    changed = colours(60)[:20]
    changed[7] = figure("f7#1", (1, 2, 3), "3 2 1")
    index_of(tmp_path / "changed", changed)
    with pytest.raises(
        QueryError, match=r"changed: figure f7#1 has other captions than in .*plain; compare indexes of"
    ):
        study(folder / "plain", against=[tmp_path / "changed"], resamples=0)
    index_of(tmp_path / "strange", [figure("x", (1, 2, 3), "3 2 1")])
    with pytest.raises(QueryError, match=r"strange: shares no query with .*plain; compare indexes of the same figures"):
        study(folder / "plain", against=[tmp_path / "strange"], resamples=0)


def test_the_best_are_furthest_ahead_and_the_worst_are_last(folder: Path, studied: Study) -> None:
    found = studied.examples
    assert found is not None
    for way in ("t2i", "i2t"):
        best = [example for example in found.best if example.direction == way]
        worst = [example for example in found.worst if example.direction == way]
        assert len(best) == len(worst) == 4
        assert {example.rank for example in best} == {1}
        margins = [example.margin for example in best]
        assert margins == sorted(margins, reverse=True)
        assert min(margins) >= 0
        ranks = [example.rank for example in worst]
        assert ranks == sorted(ranks, reverse=True)
        histogram = studied.histograms[way]
        assert ranks[0] >= max(low for low, number in zip(histogram.first, histogram.queries, strict=False) if number)
        assert found.looked_at[way] == histogram.queries[0]


def test_an_example_says_who_asked_what_came_and_where_its_own_stands(studied: Study) -> None:
    assert studied.examples is not None
    texts = {caption: each.figure_id for each in colours(60) for caption in each.captions}
    for example in (*studied.examples.best, *studied.examples.worst):
        assert example.answer.figure_id == example.asked.figure_id
        assert example.answer.rank == example.rank
        assert [hit.rank for hit in example.hits] == [1, 2, 3]
        owned = [hit.figure_id == example.asked.figure_id for hit in example.hits]
        assert list(example.relevant) == owned
        assert any(owned) == (example.rank <= 3)
        others = [hit.score for hit, own in zip(example.hits, owned, strict=True) if not own]
        assert example.margin == pytest.approx(example.answer.score - max(others), abs=1e-6)
        if example.direction == "t2i":
            assert texts[example.asked.caption] == example.asked.figure_id
            assert all(hit.modality == "image" and hit.thumbnail for hit in example.hits)
        else:
            assert example.asked.thumbnail
            assert all(hit.modality == "text" and hit.caption for hit in example.hits)


def test_examples_come_from_as_many_articles_as_there_are() -> None:
    clusters = np.array([0, 0, 0, 1, 1, 2])
    assert spread(np.array([0, 1, 3, 4, 5]), clusters, 3).tolist() == [0, 3, 5]
    assert spread(np.array([0, 1, 2]), clusters, 2).tolist() == [0, 1]
    assert spread(np.array([], np.int64), clusters, 2).tolist() == []


def test_the_clearest_are_sought_among_a_sample_of_a_large_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.evaluation.study.examples.LOOKED_AT", 5)
    found, again = (study(folder / "plain", examples=2, resamples=0, seed=1) for _ in range(2))
    assert found == again
    assert found.examples is not None
    assert found.examples.looked_at == {"t2i": 5, "i2t": 5}


def test_another_corpus_that_asks_is_kept_until_it_is_described(folder: Path) -> None:
    asked = [figure("f3#1", (200, 10, 10), "9 200 9"), figure("stranger", (1, 1, 1), "9 9 9")]
    found = study(
        folder / "plain", queries=ListedCorpus(asked), encoder=PlainEncoder(), strata=["part"], examples=2, resamples=0
    )
    assert found.examples is not None
    shown = [*found.examples.best, *found.examples.worst]
    assert [example.asked.figure_id for example in shown if example.direction == "t2i"] == ["f3#1"]
    assert [example.asked.caption for example in shown if example.direction == "t2i"] == ["9 200 9"]
    assert [(stratum.name, stratum.hit_rates["t2i"].queries) for stratum in found.strata[0].strata] == [
        ("a", 1),
        ("not known", 0),
    ]


def test_where_nothing_comes_first_there_are_no_clearest_answers(tmp_path: Path) -> None:
    index_of(tmp_path, [figure("a", (255, 0, 0), "0 1 0"), figure("b", (0, 255, 0), "1 0 0")])
    found = study(tmp_path, examples=3, resamples=0)
    assert found.examples is not None
    assert (found.examples.best, found.examples.looked_at) == ([], {"t2i": 0, "i2t": 0})
    assert [example.rank for example in found.examples.worst] == [2, 2, 2, 2]
    assert found.curves["t2i"].hit_rates == [Estimate(0.0, None, 2, 2), Estimate(1.0, None, 2, 2)]
