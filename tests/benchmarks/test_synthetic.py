"""Synthetic pairs: the same however they are cut, and hard to search across modalities as real ones are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from synthetic import BLOCK, VARIANTS, Pairs, statistics


@pytest.fixture(scope="module", params=list(VARIANTS))
def pairs(request: pytest.FixtureRequest) -> Pairs:
    return Pairs(request.param)


def test_a_row_is_the_same_however_the_rows_are_cut() -> None:
    pairs, again = Pairs(dim=64, seed=3), Pairs(dim=64, seed=3)
    for draw, redraw in ((pairs.images, again.images), (pairs.captions, again.captions)):
        whole = draw(BLOCK - 50, 2 * BLOCK + 50)
        cuts = [BLOCK - 50, BLOCK - 49, BLOCK + 7, 2 * BLOCK, 2 * BLOCK + 50]
        parts = [redraw(start, stop) for start, stop in pairwise(cuts)]
        assert np.array_equal(whole, np.concatenate(parts))


def test_rows_are_unit_vectors_of_any_dimension() -> None:
    for dim in (16, 100, 512):
        rows = Pairs(dim=dim).captions(0, 20)
        assert rows.shape == (20, dim)
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_another_seed_is_another_collection() -> None:
    assert not np.allclose(Pairs(dim=64, seed=0).images(0, 5), Pairs(dim=64, seed=1).images(0, 5))


def test_the_statistics_are_those_of_clip_embeddings(pairs: Pairs) -> None:
    found = statistics(pairs, 2 * BLOCK)
    assert found["image-image"] == pytest.approx(0.53, abs=0.02)
    assert found["text-text"] == pytest.approx(0.40, abs=0.02)
    assert found["image-text"] == pytest.approx(0.14, abs=0.02)
    assert found["gap"] == pytest.approx(0.80, abs=0.02)
    assert 0.28 < found["matched"] < 0.41
    assert found["lid_ood"] > 2 * found["lid_id"]
    assert 0.3 < found["hit_rate@1"] < found["hit_rate@5"] < found["hit_rate@10"] < 0.95


def test_captions_have_to_look_at_more_lists_than_images_to_find_their_nearest(pairs: Pairs) -> None:
    base, lists = pairs.images(0, 2 * BLOCK), 256
    centres = base[np.random.default_rng(0).permutation(len(base))[:lists]]
    list_of = np.argmax(base @ centres.T, axis=1)
    found = {}
    for name, queries in (("ood", pairs.captions(0, 200)), ("id", pairs.images(4 * BLOCK, 4 * BLOCK + 200))):
        nearest = np.argsort(-(queries @ base.T), axis=1)[:, :10]
        probed = np.argsort(-(queries @ centres.T), axis=1)[:, : lists // 16]
        found[name] = np.mean((list_of[nearest][:, :, None] == probed[:, None, :]).any(axis=2))
    assert found["ood"] < found["id"] - 0.05
