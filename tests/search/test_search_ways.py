"""Every way to ask, in all combinations, against the slow simple version of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import QueryError, StaleIndexError
from retrieval.files import read_json, write_json
from retrieval.images.near_duplicates import picture_hash, same_picture
from retrieval.search.expression import Term
from retrieval.search.query import Answer, Query
from retrieval.search.rank import DENSE_WEIGHT, FUSION, RANK, fuse
from retrieval.search.search_options import SearchOptions
from retrieval.search.searcher import Searcher
from retrieval.shards.digests import normalised_caption
from retrieval.shards.vectors import unit
from retrieval.types import Figure, Hit
from tests.indexes.test_bm25 import bm25
from tests.listed import PlainEncoder, figure, index_of, png

COLUMNS = {"year": "int64"}
COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 10), (128, 128, 128), (30, 20, 10))
NUMBERS = ("250", "10", "90", "128", "7")
KINDS: dict[str, Any] = {"images": "image", "captions": "text"}


def some_figures(seed: int, count: int = 36) -> list[Figure]:
    """Random figures of few colours and few words, so that there are twins, ties, long articles and missing values."""
    rng = np.random.default_rng(seed)
    figures = []
    for number in range(count):
        colour = None if rng.random() < 0.15 else COLOURS[rng.integers(len(COLOURS))]
        captions = [" ".join(rng.choice(NUMBERS, 3)) for _ in range(rng.integers(0 if colour else 1, 3))]
        article = None if rng.random() < 0.3 else f"P{rng.integers(4)}"
        metadata = {} if rng.random() < 0.3 else {"year": int(rng.integers(2000, 2004))}
        figures.append(figure(f"f{number:02d}", colour, *captions, article_id=article, metadata=metadata))
    return figures


@pytest.fixture(scope="module")
def searchers(tmp_path_factory: pytest.TempPathFactory) -> list[Searcher]:
    """Two exact indexes and an approximate one."""
    found = []
    for seed, factory in enumerate(("Flat", "Flat", "IVF4,Flat")):
        folder = tmp_path_factory.mktemp("ways")
        index_of(folder, some_figures(seed), columns=COLUMNS, thumbnail=16, factory=factory)
        found.append(Searcher(folder, PlainEncoder()))
    return found


class Slowly:
    """The rows of one table of an index, asked by loops over all of them."""

    def __init__(self, searcher: Searcher, target: str) -> None:
        built, self.kind = searcher.built, KINDS[target]
        self.vectors = unit(np.asarray(built.vectors(self.kind))).astype(np.float64)
        self.figures = np.asarray(built.figures(self.kind)).tolist()
        self.about = built.describe(self.kind, list(range(len(self.figures))))
        self.captions = built.shards.columns("texts", ["caption"])["caption"].to_pylist()
        self.of_captions = np.asarray(built.figures("text")).tolist()
        table = "images" if self.kind == "image" else "texts"
        self.years = built.shards.columns(table, ["year"])["year"].to_pylist()
        sums = built.shards.columns("images", ["figure_id", "sha256"]).to_pylist()
        self.sha256 = {row["figure_id"]: row["sha256"] for row in sums}

    def rank(self, vector: Any, words: list[tuple[str, float]], mode: str, kept: set[int]) -> list[tuple[int, float]]:
        cosines = self._ordered((self.vectors @ vector.astype(np.float64)).astype(np.float32))
        dense = [item for item in cosines if item[0] in kept]
        by_caption = np.zeros(len(self.captions))
        for text, weight in words:
            by_caption += weight * np.array(bm25(self.captions, text))
        if self.kind == "image":
            best: Counter[int] = Counter()
            for number, score in zip(self.of_captions, by_caption.tolist(), strict=True):
                best[number] = max(best[number], score)
            by_caption = np.array([best[number] for number in self.figures])
        lexical = [
            (row, score) for row, score in self._ordered(np.round(by_caption, 5)) if score > 1e-4 and row in kept
        ]
        if mode != "hybrid":
            return dense if mode == "dense" else lexical
        fused: Counter[int] = Counter()
        for weight, ranking in ((DENSE_WEIGHT, dense), (1 - DENSE_WEIGHT, lexical)):
            for rank, (row, _) in enumerate(ranking, 1):
                fused[row] += weight * (RANK + 1) / (RANK + rank)
        return sorted(fused.items(), key=lambda item: (-round(item[1], 9), item[0]))

    def percentile(self, row: int, vector: Any) -> float:
        scores = self.vectors @ vector.astype(np.float64)
        below, ties = scores < scores[row] - 1e-5, abs(scores - scores[row]) <= 1e-5
        return float(100 * (below.sum() + ties.sum() / 2) / len(scores))

    def collapsed(self, ranking: list[tuple[int, float]], choice: SearchOptions) -> list[tuple[int, float]]:
        """The first of each group, in order."""
        kept: list[tuple[int, float]] = []
        for row, score in ranking:
            articles = [self.about[other]["article_id"] for other, _ in kept]
            article = self.about[row]["article_id"]
            if choice.per_article and article and articles.count(article) >= choice.per_article:
                continue
            if choice.per_figure and self.figures[row] in [self.figures[other] for other, _ in kept]:
                continue
            if choice.unique and any(self.same(row, other) for other, _ in kept):
                continue
            kept.append((row, score))
        return kept[: choice.k]

    def same(self, one: int, other: int) -> bool:
        ours, theirs = self.about[one], self.about[other]
        if self.figures[one] == self.figures[other]:
            return True
        if self.kind == "text" and normalised_caption(ours["caption"]) == normalised_caption(theirs["caption"]):
            return True
        if None in (ours["thumbnail"], theirs["thumbnail"]):
            return False
        hashes = [picture_hash(about["thumbnail"]) for about in (ours, theirs)]
        equal = self.sha256[ours["figure_id"]] == self.sha256[theirs["figure_id"]]
        return equal or (hashes[0] is not None and hashes[1] is not None and same_picture(hashes[0], hashes[1]))

    @staticmethod
    def _ordered(scores: Any) -> list[tuple[int, float]]:
        return sorted(enumerate(scores.tolist()), key=lambda item: (-item[1], item[0]))


WHERE = {"year>=2002": lambda year: year is not None and year >= 2002, "year is missing": lambda year: year is None}
OPTIONS = st.fixed_dictionaries(
    {
        "target": st.sampled_from(["images", "captions"]),
        "mode": st.sampled_from(["dense", "lexical", "hybrid"]),
        "k": st.sampled_from([1, 3, 10, 100]),
        "per_article": st.sampled_from([None, None, 1, 2]),
        "unique": st.booleans(),
        "per_figure": st.booleans(),
        "min_percentile": st.sampled_from([None, None, 40.0, 75.0, 100.0]),
        "where": st.sampled_from(["", *WHERE]),
    }
)


@given(number=st.integers(0, 1), words=st.lists(st.sampled_from(NUMBERS), min_size=3, max_size=3), options=OPTIONS)
@settings(max_examples=150, deadline=None)
def test_every_combination_of_options_gives_what_loops_over_all_rows_give(
    searchers: list[Searcher], number: int, words: list[str], options: dict[str, Any]
) -> None:
    searcher, text = searchers[number], " ".join(words)
    asked = {**options, "where": [options["where"]] if options["where"] else []}
    if options["mode"] == "lexical" and options["min_percentile"] is not None:
        with pytest.raises(QueryError, match="percentiles are of cosines"):
            searcher.search(text, **asked)
        return
    slowly = Slowly(searcher, options["target"])
    vector = searcher.encoder.encode_texts(searcher.encoder.tokenize([text]))[0]
    keeps = WHERE.get(options["where"], lambda year: True)
    kept = {row for row, year in enumerate(slowly.years) if keeps(year)}
    ranking = slowly.rank(vector, [(text, 1.0)], options["mode"], kept)
    least = options["min_percentile"] or 0.0
    if options["mode"] != "lexical":
        ranking = [(row, score) for row, score in ranking if slowly.percentile(row, vector) >= least]
    choice = SearchOptions(**{name: options[name] for name in ("k", "per_article", "unique", "per_figure")})
    expected = slowly.collapsed(ranking, choice)
    answer = searcher.search(text, **asked)
    assert [(hit.figure_id, hit.caption) for hit in answer] == [
        (slowly.about[row]["figure_id"], slowly.about[row]["caption"]) for row, _ in expected
    ]
    np.testing.assert_allclose([hit.score for hit in answer], [score for _, score in expected], rtol=1e-4, atol=1e-5)
    shares = [None if options["mode"] == "lexical" else slowly.percentile(row, vector) for row, _ in expected]
    assert [hit.percentile for hit in answer] == pytest.approx(shares)


@given(words=st.lists(st.sampled_from(NUMBERS), min_size=3, max_size=3), options=OPTIONS)
@settings(max_examples=60, deadline=None)
def test_an_approximate_index_gives_k_hits_where_k_exist_and_none_that_was_left_out(
    searchers: list[Searcher], words: list[str], options: dict[str, Any]
) -> None:
    searcher, text = searchers[2], " ".join(words)
    given = {name: options[name] for name in ("target", "k", "per_article")}
    mode = "hybrid" if options["mode"] == "hybrid" else "dense"
    answer = searcher.search(text, mode=mode, where=[options["where"]] if options["where"] else [], **given)
    slowly = Slowly(searcher, options["target"])
    keeps = WHERE.get(options["where"], lambda year: True)
    ranking = [(row, 0.0) for row, year in enumerate(slowly.years) if keeps(year)]
    expected = slowly.collapsed(ranking, SearchOptions(k=options["k"], per_article=options["per_article"]))
    assert len(answer) == len(expected)
    assert all(keeps(hit.metadata["year"]) for hit in answer)
    of_article = Counter(hit.article_id for hit in answer if hit.article_id)
    assert max(of_article.values(), default=0) <= (options["per_article"] or 100)


def directions(searcher: Searcher, *weighted: tuple[float, Any]) -> Any:
    return unit(sum(weight * np.asarray(vector, np.float64) for weight, vector in weighted)[None])[0]


def test_a_sum_of_terms_is_the_sum_of_their_unit_vectors(searchers: list[Searcher], tmp_path: Path) -> None:
    searcher = searchers[0]
    encoder = searcher.encoder
    path = tmp_path / "image.png"
    path.write_bytes(png((10, 250, 10)))
    text, other = encoder.encode_texts(encoder.tokenize(["250 10 10", "10 10 250"]))
    image = unit(np.array([[10.0, 250.0, 10.0]]))[0]
    expected = searcher.search(vector=directions(searcher, (2, text), (1, image), (-0.5, other)), k=100)
    expression = f'"2 * 250 10 10" + {path} - 0.5 * "10 10 250"'
    for query in (
        {"combine": expression},
        {"combine": [Term(2, text="250 10 10"), Term(image=path.read_bytes()), Term(-0.5, vector=7 * other)]},
    ):
        found = searcher.search(**query, k=100)  # type: ignore[arg-type]
        assert ids(found) == ids(expected)
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-6)
    given = Query.parse(expression.replace(str(path), "upload.png"), images={"upload.png": path.read_bytes()})
    assert ids(next(searcher.search_many([given], k=100))) == ids(expected)


def test_a_text_stays_literal_however_it_looks() -> None:
    assert [term.text for term in Query("T1 - weighted").terms] == ["T1 - weighted"]
    assert [term.text for term in Query(combine="T1 - weighted").terms] == ["T1", "weighted"]


@pytest.mark.parametrize("expression", ["10 10 10 - 10 10 10", "0 * 10 10 10", "2 * 1 1 1 - 1 1 1 - 3 3 3"])
def test_terms_that_cancel_each_other_are_refused(searchers: list[Searcher], expression: str) -> None:
    with pytest.raises(QueryError, match="cancel each other out; change a weight"):
        searchers[0].search(combine=expression)


@pytest.mark.parametrize("target", ["images", "captions"])
@pytest.mark.parametrize("way", ["figure", "caption", "combine"])
def test_more_like_this_in_all_four_directions(searchers: list[Searcher], way: str, target: Any) -> None:
    searcher = searchers[0]
    built = searcher.built
    captioned = set(built.figures("text").tolist())
    row = next(row for row, number in enumerate(built.figures("image").tolist()) if number in captioned)
    number = int(built.figures("image")[row])
    name = built.describe("image", [row])[0]["figure_id"]
    captions = built.rows_of("text", np.array([number], np.int32))[number]
    kind, row = ("image", row) if way == "figure" else ("text", captions[0])
    vector = unit(np.asarray(built.vectors(kind)[row : row + 1]))[0]  # type: ignore[arg-type]
    asked = {way: f"caption:{name}" if way == "combine" else name}
    found = searcher.search(**asked, target=target, k=100)  # type: ignore[arg-type]
    everything = searcher.search(vector=vector, target=target, k=100)
    assert list(map(shown, found)) == [shown(hit) for hit in everything if hit.figure_id != name]
    assert name not in ids(found)
    assert name in ids(everything)


def shown(hit: Hit) -> tuple[str, str, float]:
    return hit.figure_id, hit.caption, hit.score


def ids(answer: Answer) -> list[str]:
    return [hit.figure_id for hit in answer]


def test_asking_by_the_caption_of_a_figure_that_has_none_is_refused(tmp_path: Path) -> None:
    index_of(tmp_path, [figure("bare", (1, 2, 3)), figure("other", (3, 2, 1), "1 2 3")])
    with pytest.raises(QueryError, match=r"bare: has no caption in .*; ask with the figure itself"):
        Searcher(tmp_path).search(caption="bare")
    with pytest.raises(QueryError, match="nobody: no such figure"):
        Searcher(tmp_path).search(combine="figure:other - caption:nobody")


def test_words_that_no_caption_holds_give_no_lexical_hits_and_the_dense_order_in_hybrid(
    searchers: list[Searcher],
) -> None:
    searcher = searchers[0]
    assert len(searcher.search("1 2 3", mode="lexical")) == 0
    dense, hybrid = (searcher.search("1 2 3", mode=mode, k=100) for mode in ("dense", "hybrid"))  # type: ignore[arg-type]
    assert ids(hybrid) == ids(dense)
    assert ids(searcher.search(image=png((1, 2, 3)), mode="hybrid")) == ids(searcher.search(image=png((1, 2, 3))))
    with pytest.raises(QueryError, match="mode lexical ranks by words, and a query has none"):
        searcher.search(image=png((1, 2, 3)), mode="lexical")


def test_lexical_search_opens_no_encoder_and_dense_search_no_words(searchers: list[Searcher]) -> None:
    fresh = Searcher(searchers[0].built.folder, "nowhere/encoder")
    assert fresh.search("250", mode="lexical")[0].percentile is None
    assert fresh.search(figure="f00", mode="dense")[0].percentile is not None
    assert "encoder" not in vars(fresh)
    dense = Searcher(searchers[0].built.folder, PlainEncoder())
    dense.search("250 10 10")
    assert "lexical" not in vars(dense._ranker)


def test_the_tuned_weight_is_taken_while_the_index_is_the_one_it_was_tuned_for(tmp_path: Path) -> None:
    index_of(tmp_path, some_figures(3), columns=COLUMNS)
    search = {"text": "250 10 7", "mode": "hybrid", "k": 100}
    plain = Searcher(tmp_path, PlainEncoder())
    lexical_first, dense_first = (
        ids(Searcher(tmp_path, PlainEncoder(), dense_weight=weight).search(**search))  # type: ignore[arg-type]
        for weight in (0.01, 0.99)
    )
    assert dense_first != lexical_first
    tuned = {"dense_weight": 0.99, "digest": plain.built.shards.digest}
    write_json(tmp_path / FUSION, tuned)
    assert ids(Searcher(tmp_path, PlainEncoder()).search(**search)) == dense_first  # type: ignore[arg-type]
    write_json(tmp_path / FUSION, {**tuned, "digest": "of other shards"})
    assert ids(Searcher(tmp_path, PlainEncoder()).search(**search)) == ids(plain.search(**search))  # type: ignore[arg-type]
    (tmp_path / FUSION).write_text("{", encoding="utf-8")
    with pytest.raises(StaleIndexError, match="damaged; delete it"):
        Searcher(tmp_path, PlainEncoder()).search(**search)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="leaves one ranking out"):
        Searcher(tmp_path, dense_weight=1.0)


def test_an_index_of_before_there_were_words_is_searched_and_says_what_to_run_for_more(tmp_path: Path) -> None:
    index_of(tmp_path, some_figures(4), columns=COLUMNS)
    facts = read_json(tmp_path / "index.json")
    write_json(tmp_path / "index.json", {name: facts[name] for name in facts if name not in ("lexical", "background")})
    searcher = Searcher(tmp_path, PlainEncoder())
    assert searcher.search("1 2 3")[0].percentile is None
    with pytest.raises(StaleIndexError, match="built without the words of its captions; run: retrieval build"):
        searcher.search("1 2 3", mode="hybrid")
    with pytest.raises(StaleIndexError, match="built without a background; run: retrieval build"):
        searcher.search("1 2 3", min_percentile=90)


def test_percentiles_of_a_sample_come_close_to_those_of_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(1, 255, (400, 3)).tolist()
    figures = [figure(f"f{n:03d}", tuple(colour)) for n, colour in enumerate(colours)]  # type: ignore[arg-type]
    index_of(tmp_path / "all", figures, shard_size=400)
    monkeypatch.setattr("retrieval.indexes.percentiles.SAMPLE", 100)
    index_of(tmp_path / "sample", figures, shard_size=400)
    facts = read_json(tmp_path / "sample" / "index.json")["background"]["image"]
    assert facts["rows"] == 100
    exact, rough = (
        {hit.figure_id: hit.percentile for hit in Searcher(tmp_path / name, PlainEncoder()).search("200 90 40", k=400)}
        for name in ("all", "sample")
    )
    assert max(abs((exact[name] or 0) - (rough[name] or 0)) for name in exact) < 15  # standard error 5 in the middle
    near = Searcher(tmp_path / "all", PlainEncoder()).search("200 90 40", k=400, min_percentile=90)
    assert len(near) == 40


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "fuzzy"}, "fuzzy: no such mode; ask for dense, lexical, hybrid"),
        ({"per_article": 0}, "per_article is 0; ask for at least 1"),
        ({"min_percentile": 101}, "min_percentile is 101; give one from 0 to 100"),
        ({"min_percentile": float("nan")}, "min_percentile is nan"),
        ({"mode": "lexical", "min_percentile": 3}, "percentiles are of cosines"),
    ],
)
def test_impossible_options_are_refused_in_one_sentence(
    searchers: list[Searcher], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        searchers[0].search("1 2 3", **options)


@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(0, 8), st.integers(0, 8))
def test_fusion_is_the_sum_of_weighted_reciprocal_ranks(
    one: list[int], other: list[int], first: int, second: int
) -> None:
    dense, lexical = one[:first], other[:second]
    rows, scores = fuse(np.array(dense, np.int64), np.array(lexical, np.int64), 0.25)
    expected = {
        row: 61
        * (
            (0.25 / (61 + dense.index(row)) if row in dense else 0)
            + (0.75 / (61 + lexical.index(row)) if row in lexical else 0)
        )
        for row in {*dense, *lexical}
    }
    assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_fused_rows_of_equal_score_come_by_row() -> None:
    rows, scores = fuse(np.array([5, 9]), np.array([3, 9]), 0.5)
    assert rows.tolist() == [9, 3, 5]
    assert scores[1] == scores[2]


def test_the_least_percentile_is_itself_near_enough(searchers: list[Searcher]) -> None:
    hits = searchers[0].search("1 2 3", k=3)
    least = hits[2].percentile
    assert least is not None
    near = searchers[0].search("1 2 3", k=3, min_percentile=least)
    assert [hit.figure_id for hit in near] == [hit.figure_id for hit in hits]
