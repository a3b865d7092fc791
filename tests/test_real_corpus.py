"""Answers on a real corpus (321 figures of papers, encoder starter) equal brute force: index, filters, words, sums."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.search.query import Answer
from retrieval.search.rank import DENSE_WEIGHT, FUSED, RANK
from retrieval.search.searcher import Searcher
from retrieval.shards.vectors import unit
from tests.indexes.test_bm25 import bm25

TEXTS = ("western blot of protein expression", "survival of mice over time", "map of sampling sites", "scatter plot")
KINDS: dict[str, Any] = {"images": "image", "captions": "text"}
Scores = dict[str, float]


@pytest.fixture(scope="module")
def searcher(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    folder = tmp_path_factory.mktemp("papers")
    encode(shared_data / "papers-modern", folder, "starter", precision="fp32")
    build(folder)
    return Searcher(folder)


class Corpus:
    """Every figure of the index with all that a loop over them needs; each has one image and one caption."""

    def __init__(self, searcher: Searcher) -> None:
        built = searcher.built
        self.rows = built.describe("text", list(range(built.count("text"))))
        self.ids = [row["figure_id"] for row in self.rows]
        self.captions = [row["caption"] for row in self.rows]
        vectors = {
            kind: dict(
                zip(
                    built.shards.columns(table, ["figure_id"])["figure_id"].to_pylist(),
                    unit(np.asarray(built.vectors(kind))).astype(np.float64),
                    strict=True,
                )
            )
            for kind, table in (("image", "images"), ("text", "texts"))
        }
        assert vectors["image"].keys() == vectors["text"].keys() == set(self.ids)
        self.vectors: dict[str, dict[str, Any]] = vectors

    def cosines(self, kind: str, vector: Any) -> Scores:
        return {name: float(self.vectors[kind][name] @ vector) for name in self.ids}

    def words(self, text: str) -> Scores:
        scored = zip(self.ids, bm25(self.captions, text), strict=True)
        return {name: score for name, score in scored if score > 0}

    def fulfilling(self, fulfils: Any) -> set[str]:
        return {row["figure_id"] for row in self.rows if fulfils(row["metadata"] | {"caption": row["caption"]})}


@pytest.fixture(scope="module")
def corpus(searcher: Searcher) -> Corpus:
    return Corpus(searcher)


def query(searcher: Searcher, text: str) -> Any:
    return searcher.encoder.encode_texts(searcher.encoder.tokenize([text]))[0].astype(np.float64)


def first(scores: Scores, k: int) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])[:k]


def agrees(found: Answer, expected: Scores, k: int) -> None:
    """The same scores in the same order, and the same figures wherever scores differ by more than rounding."""
    best = first(expected, k)
    assert len(found) == len(best)
    assert [hit.score for hit in found] == pytest.approx([score for _, score in best], abs=2e-5)
    for hit in found:
        assert hit.score == pytest.approx(expected[hit.figure_id], abs=2e-5)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_the_nearest_are_the_nearest(searcher: Searcher, corpus: Corpus, text: str, target: str) -> None:
    expected = corpus.cosines(KINDS[target], query(searcher, text))
    agrees(searcher.search(text, target=target, k=25), expected, 25)  # type: ignore[arg-type]


@pytest.mark.parametrize("factory", ["IVF8,Flat", "IVF8,PQ64x4fsr", "HNSW16"])
def test_an_approximate_index_finds_what_it_says_and_scores_it_exactly(
    searcher: Searcher, corpus: Corpus, factory: str, tmp_path: Path
) -> None:
    shutil.copytree(searcher.built.folder, tmp_path / "index")
    facts = build(tmp_path / "index", factory=factory, target_recall=0.9)
    approximate = Searcher(tmp_path / "index")
    found = 0
    for name in corpus.ids[::5]:
        expected = corpus.cosines("image", corpus.vectors["text"][name])
        hits = approximate.search(vector=corpus.vectors["text"][name].astype(np.float32), k=10)
        assert [hit.score for hit in hits] == pytest.approx([expected[hit.figure_id] for hit in hits], abs=2e-5)
        found += len({hit.figure_id for hit in hits} & {figure for figure, _ in first(expected, 10)})
    assert found / len(corpus.ids[::5]) / 10 >= facts["image"]["recall"]["low"] - 0.05


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize(
    ("where", "fulfils"),
    [
        (["licence~by-3"], lambda row: "by-3" in row["licence"].lower()),
        (["caption~mice"], lambda row: "mice" in row["caption"].lower()),
        (
            ["licence in CC-BY-4.0,CC0", "caption!~cell"],
            lambda row: row["licence"] in ("CC-BY-4.0", "CC0") and "cell" not in row["caption"].lower(),
        ),
        ([], lambda row: True),
    ],
)
@pytest.mark.parametrize("text", TEXTS[:2])
def test_filters_hold_exactly_in_every_mode(
    searcher: Searcher, corpus: Corpus, text: str, where: list[str], fulfils: Any, mode: str
) -> None:
    kept = corpus.fulfilling(fulfils)
    cosines = corpus.cosines("text", query(searcher, text))
    dense = {name: score for name, score in cosines.items() if name in kept}
    words = {name: score for name, score in corpus.words(text).items() if name in kept}
    fused: Counter[str] = Counter()
    for weight, ranking in ((DENSE_WEIGHT, dense), (1 - DENSE_WEIGHT, words)):
        for rank, (name, _) in enumerate(first(ranking, FUSED), 1):
            fused[name] += weight * (RANK + 1) / (RANK + rank)
    expected = {"dense": dense, "lexical": words, "hybrid": dict(fused)}[mode]
    found = searcher.search(text, target="text", k=12, where=where, mode=mode)  # type: ignore[arg-type]
    agrees(found, expected, 12)


@pytest.mark.parametrize("target", KINDS)
def test_a_sum_is_the_sum(searcher: Searcher, corpus: Corpus, target: str) -> None:
    name = corpus.ids[7]
    direction = 2 * query(searcher, "bar chart") - query(searcher, "microscopy") + 0.5 * corpus.vectors["image"][name]
    expected = corpus.cosines(KINDS[target], direction / np.linalg.norm(direction))
    del expected[name]  # what a question names is no answer
    found = searcher.search(combine=f'2 * "bar chart" - "microscopy" + 0.5 * figure:"{name}"', target=target, k=20)  # type: ignore[arg-type]
    agrees(found, expected, 20)
