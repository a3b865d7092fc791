"""Synthetic pairs as files: the arrays and shards hold what was drawn, and a build reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import BLOCK, Pairs
from synthetic_files import sampled_rows, write_arrays, write_shards

from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex

PAIRS = Pairs(dim=32)


@pytest.mark.parametrize(("rows", "count"), [(10, 5), (100, 7), (1000, 16), (50_000, 4001)])
def test_captions_to_ask_with_and_to_tune_with_are_of_different_figures(rows: int, count: int) -> None:
    asked, tuned = sampled_rows(rows, count), sampled_rows(rows, count, part=1)
    together = np.concatenate([asked, tuned])
    assert len(np.unique(together)) == 2 * count
    assert together.min() >= 0
    assert together.max() < rows
    assert np.array_equal(asked, np.sort(asked))


def test_more_captions_than_figures_are_refused() -> None:
    with pytest.raises(SystemExit, match="at least 12 rows"):
        sampled_rows(11, 6)


def test_the_arrays_hold_what_was_drawn_and_the_exact_answers(tmp_path: Path) -> None:
    write_arrays(tmp_path, PAIRS, BLOCK + 100, queries=20, variant="M", captions=True)
    images, texts = np.load(tmp_path / "image.npy"), np.load(tmp_path / "text.npy")
    assert images.dtype == texts.dtype == np.float16
    assert np.array_equal(images, PAIRS.images(0, BLOCK + 100).astype(np.float16))
    pairs_of = np.load(tmp_path / "ood.pairs.npy")
    assert np.array_equal(texts[pairs_of], np.load(tmp_path / "ood.npy").astype(np.float16))
    unit = images.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for name in ("ood", "id"):
        nearest = np.argsort(-(np.load(tmp_path / f"{name}.npy") @ unit.T), axis=1)[:, :10]
        assert np.mean(nearest == np.load(tmp_path / f"{name}.exact.npy")) > 0.99  # but for ties in float32


def test_the_shards_build_into_an_index_of_the_same_vectors(tmp_path: Path) -> None:
    write_shards(tmp_path / "index", PAIRS, 3000, captions=200, shard_size=1024)
    build(tmp_path / "index")
    built = OpenedIndex(tmp_path / "index")
    assert np.array_equal(built.vectors("image"), PAIRS.images(0, 3000).astype(np.float16))
    tuned = sampled_rows(3000, 200, part=1)
    assert np.array_equal(built.figures("text"), tuned)
    assert np.array_equal(built.vectors("text"), PAIRS.captions(0, 3000)[tuned].astype(np.float16))
