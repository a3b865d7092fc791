"""TREC files: trec_eval computes our measures from them, to the last digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.errors import QueryError
from retrieval.evaluation import metrics
from retrieval.evaluation.ranks.one_way import relevant_ranks, top
from retrieval.evaluation.ranks.order import Positives
from retrieval.evaluation.trec import decreasing, read_qrels, read_run, write_qrels, write_run
from retrieval.types import Hits

KS = (1, 5, 10)


def hits(rows: list[list[int]], scores: list[list[float]]) -> Hits:
    return Hits(np.array(rows, np.int64), np.array(scores, np.float32))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("encoder", ["random", "tied", "constant"])
def test_trec_eval_reproduces_every_measure_to_the_last_digit(tmp_path: Path, encoder, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((120, 32))
    if encoder == "tied":
        vectors = vectors[rng.integers(0, 15, 120)]
    if encoder == "constant":
        vectors[:] = 1
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    queries, query_codes, gallery_codes = vectors[:50], rng.integers(-1, 25, 50), rng.integers(-1, 25, 120)
    self_rows = np.where(rng.random(50) < 0.5, np.arange(50), -1)

    ranks = relevant_ranks(queries, vectors, query_codes, gallery_codes, self_rows)
    found = top(queries, vectors, query_codes, gallery_codes, 120, self_rows)
    query_ids, row_ids = (
        [f"figure {n} of 50" for n in range(50)],
        [f"PMC%{rng.integers(10**6)}/{n}" for n in range(120)],
    )
    write_run(tmp_path / "a.run", query_ids, row_ids, found)
    write_qrels(tmp_path / "a.qrels", query_ids, row_ids, Positives(query_codes, gallery_codes, self_rows))

    names = {f"success_{k}": metrics.hit_rate(ranks, k) for k in KS} | {
        **{f"recall_{k}": metrics.recall(ranks, k) for k in KS},
        "recip_rank": metrics.reciprocal_rank(ranks),
        "Rprec": metrics.r_precision(ranks),
        "map": metrics.average_precision(ranks),
    }
    asked = {"success.1,5,10", "recall.1,5,10", "recip_rank", "Rprec", "map"}
    theirs = pytrec_eval.RelevanceEvaluator(read_qrels(tmp_path / "a.qrels"), asked).evaluate(
        read_run(tmp_path / "a.run")
    )
    for name, ours in names.items():
        answered = {query_ids[query]: value for query, value in enumerate(ours) if not np.isnan(value)}
        assert answered == {query: measured[name] for query, measured in theirs.items()}, name


def test_map_at_r_is_the_average_precision_of_trec_eval_cut_at_r(tmp_path: Path):
    rng = np.random.default_rng(9)
    vectors = rng.standard_normal((60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    code = np.arange(60) // 5
    ranks = relevant_ranks(vectors, vectors, code, code)
    ids = [str(n) for n in range(60)]
    write_run(tmp_path / "a.run", ids, ids, top(vectors, vectors, code, code, 10))
    write_qrels(tmp_path / "a.qrels", ids, ids, Positives(code, code))
    evaluator = pytrec_eval.RelevanceEvaluator(read_qrels(tmp_path / "a.qrels"), {"map_cut.5"})
    theirs = evaluator.evaluate(read_run(tmp_path / "a.run"))
    assert metrics.average_precision_at_r(ranks).tolist() == [theirs[query]["map_cut_5"] for query in ids]


def test_a_run_has_one_line_a_hit_with_rank_and_falling_score(tmp_path: Path):
    write_run(tmp_path / "a.run", ["q"], ["x", "y", "z"], hits([[2, 0, -1]], [[0.5, 0.5, -np.inf]]), tag="bio clip")
    assert (tmp_path / "a.run").read_text() == "q Q0 z 1 0.5 bio%20clip\nq Q0 x 2 0.49999997 bio%20clip\n"


def test_qrels_have_one_line_a_relevant_row(tmp_path: Path):
    write_qrels(tmp_path / "a.qrels", ["p", "q"], ["x", "y", "z"], Positives(np.array([1, 9]), np.array([1, 0, 1])))
    assert (tmp_path / "a.qrels").read_text() == "p 0 x 1\np 0 z 1\n"


@settings(deadline=None, max_examples=40)  # each writes, and flushes, two files
@given(st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True))
def test_any_id_comes_back_as_it_was(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("ids") / "a"
    codes = np.arange(len(ids))
    write_qrels(path, ids, ids, Positives(codes, codes))
    assert read_qrels(path) == {identifier: {identifier: 1} for identifier in ids}
    write_run(path, ids, ids, hits([[row] for row in codes], [[0.25]] * len(ids)))
    assert read_run(path) == {identifier: {identifier: 0.25} for identifier in ids}
    assert all(len(line.split()) == 6 for line in path.read_text(encoding="utf-8").splitlines())


def test_a_file_name_that_is_not_utf_8_comes_back_as_it_was(tmp_path: Path):
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    write_qrels(tmp_path / "a", [name], [name], Positives(np.array([0]), np.array([0])))
    assert read_qrels(tmp_path / "a") == {name: {name: 1}}


@settings(deadline=None)
@given(arrays(np.float32, st.integers(0, 30), elements=st.floats(-1, 1, width=32, allow_subnormal=False)))
def test_written_scores_fall_strictly_and_never_exceed_the_cosines(scores):
    written = decreasing(scores)
    assert written.dtype == np.float32
    assert (np.diff(written) < 0).all()
    assert (written <= scores).all()
    assert [np.float32(f"{score:.9g}") for score in written] == written.tolist()


def test_scores_that_fall_already_are_written_as_they_are():
    scores = np.array([1, 0.5, 1e-6, 0, -1e-6, -0.5, -1], np.float32)
    assert decreasing(scores).tolist() == scores.tolist()


def test_equal_scores_are_nudged_to_the_next_float32_even_across_zero():
    one_below = np.nextafter(np.float32(1), np.float32(0))
    assert decreasing(np.array([1, 1], np.float32)).tolist() == [1, one_below]
    smallest = np.finfo(np.float32).tiny
    assert decreasing(np.array([smallest, smallest, 0, -0.0], np.float32)).tolist() == [
        *(smallest, 0, -smallest),
        np.nextafter(-smallest, np.float32(-1)),
    ]


def test_ids_that_would_break_the_file_are_refused(tmp_path: Path):
    found = hits([[0], [1]], [[1], [1]])
    with pytest.raises(QueryError, match="gallery id x stands for several rows"):
        write_run(tmp_path / "a", ["p", "q"], ["x", "x"], found)
    with pytest.raises(QueryError, match="empty id"):
        write_run(tmp_path / "a", ["p", ""], ["x", "y"], found)
    with pytest.raises(QueryError, match="2 queries have 1 ids"):
        write_run(tmp_path / "a", ["p"], ["x", "y"], found)
    with pytest.raises(QueryError, match="2 queries and 2 gallery rows have 2 and 3 ids"):
        write_qrels(tmp_path / "a", ["p", "q"], ["x", "y", "z"], Positives(np.arange(2), np.arange(2)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["q Q0 x 1 high tag", "q 0 x 1", "q Q0 x y 1 0.5 tag"])
def test_a_line_that_is_not_of_a_run_is_refused_with_its_number(tmp_path: Path, line):
    (tmp_path / "a.run").write_text(f"q Q0 x 1 0.5 tag\n{line}\n")
    with pytest.raises(QueryError, match=r"a\.run line 2 is not `query Q0 row rank score tag`"):
        read_run(tmp_path / "a.run")


def test_a_run_is_not_read_as_qrels(tmp_path: Path):
    (tmp_path / "a.run").write_text("q Q0 x 1 0.5 tag\n")
    with pytest.raises(QueryError, match="line 1 is not `query 0 row relevance`"):
        read_qrels(tmp_path / "a.run")
