"""FAISS behind the contract: what is refused, what is written, what an approximate index may and may not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import QueryError, StaleIndexError
from retrieval.indexes.exact import Stored, cosines, search_rows
from retrieval.indexes.faiss_index import FaissIndex, open_index
from retrieval.indexes.train import build_index
from retrieval.shards.vectors import unit


def vectors(rows: int, dim: int = 16, seed: int = 0) -> Stored:
    return unit(np.random.default_rng(seed).standard_normal((rows, dim))).astype(np.float16)


@pytest.mark.parametrize(
    "factory",
    ["", "Nonsense", "IVF", "IVFx,Flat", "IVF4,Nonsense", "IVF-4,Flat", "IVF99999999999999999999,Flat", "IVF4,PQ7"],
)
def test_a_factory_that_is_none_is_refused(tmp_path: Path, factory: str) -> None:
    with pytest.raises(QueryError, match="not a factory string"):
        build_index(vectors(100), factory, tmp_path / "i.faiss")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factory", ["IVF4,Flat,RFlat", "PQ4x4fs,Refine(SQfp16)", "IDMap,Flat", "IDMap2,HNSW8"])
def test_indexes_that_number_or_rank_rows_themselves_are_refused(tmp_path: Path, factory: str) -> None:
    with pytest.raises(QueryError, match="leave Refine and IDMap out"):
        build_index(vectors(100), factory, tmp_path / "i.faiss")
    assert list(tmp_path.iterdir()) == []


ANY = ["HNSW8,Flat", "HNSW8,SQ8", "PQ8x4", "PQ8x4fs", "SQ8", "OPQ8,IVF8,PQ8x4fsr", "IVF8_HNSW8,SQ8", "PCA8,Flat"]


@pytest.mark.slow
@pytest.mark.parametrize("factory", [*ANY, "IVF8,PQ8x4fsr", "RR16,IVF8,RaBitQ", "NSG8,Flat"])
def test_any_other_factory_ranks_exactly_what_it_proposes_and_filters(tmp_path: Path, factory: str) -> None:
    stored = vectors(3000)
    index = build_index(stored, factory, tmp_path / "i.faiss")
    index.parameters.update({index.depth: index.deepest} if index.depth else {}, k_factor=300)
    queries = unit(vectors(20, seed=2))
    everything = search_rows(queries, stored, 10)
    hits = index.search(queries, 10)
    np.testing.assert_array_equal(hits.scores, cosines(queries, stored, hits.rows))
    assert np.mean(hits.rows == everything.rows) > 0.99
    for keep in (np.arange(0, 3000, 2), np.arange(0, 3000, 100)):
        kept = index.search(queries, 10, keep)
        assert np.isin(kept.rows, keep).all()
        assert np.mean(kept.rows == search_rows(queries, stored, 10, keep).rows) > 0.99
    opened = open_index(tmp_path / "i.faiss", stored, index.parameters)
    np.testing.assert_array_equal(opened.search(queries, 10).rows, hits.rows)


def test_behind_a_filter_the_search_goes_deeper_so_that_it_finds_as_much(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    stored = unit(rng.standard_normal((20_000, 32))).astype(np.float16)
    index = build_index(stored, "IVF64,PQ16x4fsr", tmp_path / "i.faiss")
    index.parameters.update(nprobe=24, k_factor=20)
    queries = unit(rng.standard_normal((100, 32)))

    def recall(keep: np.ndarray | None) -> float:
        found, exact = index.search(queries, 10, keep).rows, search_rows(queries, stored, 10, keep).rows
        return float(np.mean([len(np.intersect1d(*rows)) / 10 for rows in zip(found, exact, strict=True)]))

    assert recall(None) < 0.99
    for share in (0.15, 0.4, 0.8):
        assert recall(np.flatnonzero(rng.random(20_000) < share)) > recall(None) - 0.02
    assert recall(np.flatnonzero(rng.random(20_000) < 0.05)) == 1.0


def test_fewer_rows_than_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="IVF64,Flat: 63 rows cannot train 64 lists; use Flat or fewer lists"):
        build_index(vectors(63), "IVF64,Flat", tmp_path / "i.faiss")


def test_a_codec_that_wants_more_rows_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="IVF4,PQ4: FAISS cannot train it on 100 of 100 rows"):
        build_index(vectors(100), "IVF4,PQ4", tmp_path / "i.faiss")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "IVF8,SQ8", "IVF8,SQfp16"])
def test_an_index_opened_again_answers_as_before(tmp_path: Path, factory: str) -> None:
    stored = vectors(500)
    built = build_index(stored, factory, tmp_path / "i.faiss")
    built.parameters.update({} if built.exact else {"nprobe": 3})
    opened = open_index(tmp_path / "i.faiss", stored, built.parameters)
    queries = unit(vectors(9, seed=1))
    np.testing.assert_array_equal(opened.search(queries, 8).rows, built.search(queries, 8).rows)


def test_the_same_seed_and_vectors_give_the_same_index(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_index(vectors(400), "IVF8,Flat", tmp_path / name, seed=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("factory", ["IVF32,Flat", "IVF32,SQ8"])
def test_an_approximate_index_returns_true_cosines_in_order_and_no_row_twice(tmp_path: Path, factory: str) -> None:
    stored = vectors(2000)
    index = build_index(stored, factory, tmp_path / "i.faiss")
    index.parameters["nprobe"] = 2
    queries = unit(vectors(50, seed=2))
    for keep in (None, np.arange(0, 2000, 3)):
        hits = index.search(queries, 12, keep)
        np.testing.assert_array_equal(hits.scores, cosines(queries, stored, hits.rows))
        assert (np.diff(hits.scores, axis=1) <= 0).all()
        assert all(len(set(rows)) == 12 for rows in hits.rows.tolist())
        assert keep is None or np.isin(hits.rows, keep).all()
    found, exact = index.search(queries, 12).rows, search_rows(queries, stored, 12).rows
    overlap = np.mean([len(np.intersect1d(*rows)) / 12 for rows in zip(found, exact, strict=True)])
    assert 0.05 < overlap < 1


def test_k_hits_come_back_even_where_the_probed_lists_hold_fewer(tmp_path: Path) -> None:
    stored = vectors(300)
    index = build_index(stored, "IVF64,Flat", tmp_path / "i.faiss")
    index.parameters["nprobe"] = 1
    queries = unit(vectors(20, seed=3))
    assert (index.search(queries, 50).rows >= 0).all()
    keep = np.arange(0, 300, 4)
    kept = index.search(queries, 60, keep)
    assert (kept.rows >= 0).all()
    assert np.isin(kept.rows, keep).all()


def test_one_list_without_parameters_is_searched_at_faiss_own_depth(tmp_path: Path) -> None:
    stored = vectors(200)
    index = build_index(stored, "IVF4,Flat", tmp_path / "i.faiss")
    assert index.parameters == {}
    assert (index.search(unit(stored[:3]), 1).rows[:, 0] == [0, 1, 2]).all()


def test_an_index_of_other_vectors_is_stale(tmp_path: Path) -> None:
    build_index(vectors(50), "Flat", tmp_path / "i.faiss")
    for other in (vectors(51), vectors(50, dim=8)):
        with pytest.raises(StaleIndexError, match="run retrieval build again"):
            open_index(tmp_path / "i.faiss", other)


@pytest.mark.parametrize("content", [None, b"", b"not an index at all"])
def test_a_missing_or_damaged_index_is_stale(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "i.faiss").write_bytes(content)
    with pytest.raises(StaleIndexError, match=r"i\.faiss: missing or damaged; run retrieval build again"):
        open_index(tmp_path / "i.faiss", vectors(50))


def test_an_index_cut_short_is_stale(tmp_path: Path) -> None:
    build_index(vectors(50), "Flat", tmp_path / "i.faiss")
    whole = (tmp_path / "i.faiss").read_bytes()
    (tmp_path / "i.faiss").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StaleIndexError, match="damaged"):
        open_index(tmp_path / "i.faiss", vectors(50))


def test_the_parameters_of_one_index_are_not_another_s(tmp_path: Path) -> None:
    stored, given = vectors(100), {"nprobe": 1}
    one = FaissIndex(build_index(stored, "IVF4,Flat", tmp_path / "i")._index, stored, given)
    one.parameters["nprobe"] = 4
    assert given == {"nprobe": 1}
