"""Tuning: what is promised is found again by who counts it another way, on queries that had no part in the choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.indexes import tune as tuning
from retrieval.indexes.exact import Stored, search_rows
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.train import build_index
from retrieval.indexes.tune import QUERIES, tune
from retrieval.shards.vectors import unit


def pairs(rows: int, seed: int = 0) -> tuple[Stored, Stored]:
    """Images and captions of 32 dimensions in clusters, with a gap between the two."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, 32))
    shared = centres[rng.integers(40, size=rows)] + 0.7 * rng.standard_normal((rows, 32))
    gap = 2 * rng.standard_normal((2, 32))
    images, captions = (unit(shared + g + 0.9 * rng.standard_normal((rows, 32))) for g in gap)
    return images.astype(np.float16), captions.astype(np.float16)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaissIndex, Stored]:
    images, captions = pairs(8000)
    return build_index(images, "IVF128,PQ16x4fsr", tmp_path_factory.mktemp("tuned") / "i.faiss"), captions


def recall(index: FaissIndex, queries: np.ndarray) -> float:
    found, exact = index.search(queries, 10).rows.tolist(), search_rows(queries, index.stored, 10).rows.tolist()
    return float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(found, exact, strict=True)]))


@pytest.mark.parametrize("target", [0.7, 0.9, 0.99])
def test_queries_that_nobody_tuned_on_find_what_was_promised(made: tuple[FaissIndex, Stored], target: float) -> None:
    index, captions = made
    tuned = tune(index, captions, target=target, floor=False, other_modality=True)
    assert index.parameters == tuned.parameters
    assert tuned.recall >= target
    low, high = tuned.interval
    assert low <= tuned.recall <= high
    assert tuned.queries == QUERIES
    fresh = unit(pairs(8000)[1][np.random.default_rng(99).permutation(8000)[:1000]])
    assert low - 0.02 <= recall(index, fresh) <= high + 0.02
    chosen = next(point for point in tuned.curve if point.parameters == tuned.parameters)
    assert chosen.low <= chosen.recall
    assert tuned.within is not None
    assert tuned.within > tuned.recall - 0.05  # a query of the index's own kind is the easier one


def test_a_modest_target_reads_less_and_the_floor_reads_all_of_a_small_index(
    made: tuple[FaissIndex, Stored],
) -> None:
    index, captions = made
    modest = tune(index, captions, target=0.7, floor=False, other_modality=True)
    strict = tune(index, captions, target=0.99, floor=False, other_modality=True)
    assert modest.parameters["nprobe"] < strict.parameters["nprobe"]
    floored = tune(index, captions, target=0.5, floor=True, other_modality=True)
    assert floored.parameters["nprobe"] == 128
    assert floored.recall > 0.99


def test_the_curve_rises_with_depth_and_goes_beyond_the_target(made: tuple[FaissIndex, Stored]) -> None:
    index, captions = made
    curve = tune(index, captions, target=0.8, floor=False, other_modality=True).curve
    deep = sorted((p for p in curve if p.parameters["k_factor"] == 50), key=lambda point: point.parameters["nprobe"])
    recalls = [point.recall for point in deep]
    assert recalls == sorted(recalls)
    assert recalls[-1] >= 0.99
    assert all(point.single_ms > 0 and point.batch_ms > 0 for point in curve)


def test_where_there_is_one_modality_a_row_is_not_its_own_neighbour(tmp_path: Path) -> None:
    images, _ = pairs(3000)
    index = build_index(images, "IVF64,SQ8", tmp_path / "i.faiss")
    tuned = tune(index, images, target=0.9, floor=False, other_modality=False)
    assert tuned.within is None
    index.parameters["nprobe"] = 1
    rows = np.arange(0, 3000, 5)
    alone = index.search(unit(images[rows]), 11).rows
    exact = search_rows(unit(images[rows]), images, 11).rows
    others = [
        len({*a} & {*b} - {r}) / 10 for a, b, r in zip(alone.tolist(), exact.tolist(), rows.tolist(), strict=True)
    ]
    assert np.mean(others) < 0.8  # one list holds the row itself and few of its neighbours
    assert tuned.parameters["nprobe"] > 1


def test_codes_that_lose_much_are_made_up_for_by_candidates_and_a_target_out_of_reach_is_not_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, captions = pairs(2000)
    index = build_index(images, "PQ4x4fs", tmp_path / "i.faiss")
    tuned = tune(index, captions, target=1.0, floor=False, other_modality=True)
    assert tuned.parameters["k_factor"] > 50
    assert tuned.recall == 1.0
    monkeypatch.setattr(tuning, "LARGEST_K_FACTOR", 1)
    reached = tune(index, captions, target=1.0, floor=False, other_modality=True)
    assert reached.recall < 1.0
    assert reached.recall == pytest.approx(recall(index, unit(captions)), abs=0.02)


def test_few_queries_and_few_rows_will_do(tmp_path: Path) -> None:
    images, captions = pairs(30)
    index = build_index(images[:7], "IVF2,Flat", tmp_path / "i.faiss")
    tuned = tune(index, captions[:3], target=0.9, floor=False, other_modality=True)
    assert (tuned.k, tuned.queries) == (7, 3)
    one = build_index(images[:1], "IVF1,Flat", tmp_path / "one.faiss")
    assert tune(one, images[:1], target=0.9, floor=False, other_modality=False).queries == 1


def test_the_same_seed_chooses_the_same(made: tuple[FaissIndex, Stored]) -> None:
    index, captions = made
    first, second = (tune(index, captions, target=0.9, floor=False, other_modality=True, seed=4) for _ in range(2))
    assert (first.parameters, first.recall, first.within) == (second.parameters, second.recall, second.within)


def test_of_rows_without_the_querys_own_the_first_stay() -> None:
    rows, own = np.array([[4, 7, 9], [4, 7, 9]]), np.array([5, 7])
    assert tuning._without_own(rows, own).tolist() == [[4, 7], [4, 9]]
