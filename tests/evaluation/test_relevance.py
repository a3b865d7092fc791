"""What answers what: the same figure, article, caption or image, within an index and from another corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import QueryError
from retrieval.evaluation.relevance import Relevance, clusters
from retrieval.indexer.encode import encode
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.digests import normalised_caption
from retrieval.shards.reader import Shards
from retrieval.types import Figure
from tests.listed import ListedCorpus, PlainEncoder, figure, index_of

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FIGURES = [
    figure("a", RED, "1 0 0", "0 0 5", article_id="P1"),
    figure("b", GREEN, "0 1 0", article_id="P2"),
    figure("c", RED, "0  1\n0", article_id="P2"),
    figure("d", None, "0 0 5", "7 7 7"),
    figure("e", BLUE),
    figure("f", None, "1 0 0"),
]
IMAGES = "abce"
TEXTS = "aabcddf"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> OpenedIndex:
    folder = tmp_path_factory.mktemp("relevance")
    index_of(folder, FIGURES, shard_size=2)
    return OpenedIndex(folder)


def groups(relevance: Relevance) -> set[frozenset[str]]:
    """The figures that share a code, whichever table they stand in."""
    found: dict[int, set[str]] = {}
    for kind, figures in (("image", IMAGES), ("text", TEXTS)):
        for code, name in zip(relevance.codes(kind).tolist(), figures, strict=True):  # type: ignore[arg-type]
            found.setdefault(code, set()).add(name)
    return {frozenset(names) for names in found.values()}


@pytest.mark.parametrize(
    ("relevant_by", "expected"),
    [
        ("figure_id", ["a", "b", "c", "d", "e", "f"]),
        ("article_id", ["a", "bc", "d", "e", "f"]),
        ("caption", ["adf", "bc", "e"]),
        ("image", ["ac", "b", "d", "e", "f"]),
    ],
)
def test_figures_that_share_a_value_share_a_code(built: OpenedIndex, relevant_by: Any, expected: list[str]) -> None:
    relevance = Relevance(built, relevant_by)
    assert groups(relevance) == {frozenset(names) for names in expected}


def test_an_unknown_relevance_names_those_there_are(built: OpenedIndex) -> None:
    with pytest.raises(QueryError, match="doi: not a relevance; use one of figure_id, article_id, caption, image"):
        Relevance(built, "doi")  # type: ignore[arg-type]


def shards_of(folder: Path, figures: list[Figure]) -> Shards:
    encode(ListedCorpus(figures), folder, PlainEncoder(), shard_size=2, thumbnail=0)
    return Shards(folder)


def codes_of(relevance: Relevance, queries: Shards, built: OpenedIndex) -> dict[str, list[str]]:
    """For each kind the figure of the index whose code a query row has, - where it has none."""
    named = {code: name for code, name in zip(relevance.codes("text").tolist(), TEXTS, strict=True)}
    named |= {code: name for code, name in zip(relevance.codes("image").tolist(), IMAGES, strict=True)}
    return {
        kind: [named.get(code, "-") for code in relevance.codes_of(queries, kind).tolist()]  # type: ignore[arg-type]
        for kind in ("image", "text")
    }


def test_queries_of_another_corpus_get_the_codes_of_what_they_equal(built: OpenedIndex, tmp_path: Path) -> None:
    queries = shards_of(
        tmp_path,
        [
            figure("b", BLUE, "9 9 9", article_id="P1"),
            figure("zz", RED, "8 8 8", "0 1 0", article_id="P9"),
            figure("e", None, "7 7 7"),
        ],
    )
    by = {name: codes_of(Relevance(built, name), queries, built) for name in ("figure_id", "article_id")}  # type: ignore[arg-type]
    assert by["figure_id"] == {"image": ["b", "-"], "text": ["b", "-", "-", "e"]}
    assert by["article_id"] == {"image": ["a", "-"], "text": ["a", "-", "-", "-"]}
    assert codes_of(Relevance(built, "caption"), queries, built) == {"image": ["-", "c"], "text": ["-", "-", "c", "a"]}
    image = codes_of(Relevance(built, "image"), queries, built)
    assert image == {"image": ["e", "c"], "text": ["e", "c", "c", "-"]}


def test_rows_of_an_article_are_one_cluster_and_figures_without_one_are_alone(built: OpenedIndex) -> None:
    assert clusters(built.shards, "image").tolist() == [0, 1, 1, 2]
    assert clusters(built.shards, "text").tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_an_article_named_like_a_figure_is_another_cluster(tmp_path: Path) -> None:
    shards = shards_of(tmp_path, [figure("x", RED), figure("y", RED, article_id="x")])
    assert len(set(clusters(shards, "image").tolist())) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("A  CT\n scan", "a ct scan"), ("ﬁgure", "figure"), ("ＣＴ", "ct"), ("Straße", "STRASSE"), ("x²", "X2")],
)
def test_captions_that_differ_in_case_width_and_spacing_are_equal(one: str, other: str) -> None:
    assert normalised_caption(one) == normalised_caption(other)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["1 0 0", "0 1 0", "0 0 1", "1 1 0"]), max_size=3), min_size=1, max_size=8))
def test_figures_joined_by_a_chain_of_captions_are_one_group(
    tmp_path_factory: pytest.TempPathFactory, captions: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    index_of(folder, [figure(str(n), RED, *some) for n, some in enumerate(captions)])
    codes = Relevance(OpenedIndex(folder), "caption").codes("image").tolist()
    together = {n: {n} for n in range(len(captions))}
    for one, mine in enumerate(captions):
        for other, theirs in enumerate(captions[:one]):
            if set(mine) & set(theirs):
                joined = together[one] | together[other]
                for member in joined:
                    together[member] = joined
    for one in range(len(captions)):
        assert {other for other, code in enumerate(codes) if code == codes[one]} == together[one]
