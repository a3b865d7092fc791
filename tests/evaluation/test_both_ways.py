"""Ranks of both directions at once, by every way of counting, against the ranks of each direction alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.ranks import both_ways as both
from retrieval.evaluation.ranks import both_ways as fastest
from retrieval.evaluation.ranks.both_ways import both_ranks
from retrieval.evaluation.ranks.one_way import relevant_ranks
from retrieval.evaluation.ranks.order import TIE
from retrieval.evaluation.ranks.tiles import Float32, Tiles
from retrieval.evaluation.ranks.torch_tiles import TorchTiles

WAYS: list[Any] = [Float32, TorchTiles]
try:
    from retrieval.evaluation.ranks import int8 as rough
    from retrieval.evaluation.ranks.int8 import Int8

    class Halved(Int8):
        """Half of the directions wherever that is right, whether or not it is fast."""

        def __init__(self, *samples: Any) -> None:
            super().__init__(*samples)
            self._affordable = 1.0

    WAYS += [Int8, Halved]
except ImportError:  # numba is an extra
    rough = Int8 = None  # type: ignore[assignment, misc]

needs_numba = pytest.mark.skipif(Int8 is None, reason="numba is not installed")
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
Sides = tuple[NDArray[np.float32], NDArray[np.float32]]


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def coned_pairs(size: int, dim: int, seed: int = 0) -> Sides:
    """Captions and images in two cones, some alike and some not."""
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((size, dim))
    captions = images + 4 * rng.random((size, 1)) * rng.standard_normal((size, dim))
    return unit(captions + rng.standard_normal(dim)), unit(images + 2 * rng.standard_normal(dim))


def decaying_pairs(size: int, dim: int, seed: int = 0) -> Sides:
    """As encoders make them: most of what differs lies in few directions, most captions are near their own image."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.standard_normal((dim, dim)))[0] * np.arange(1, dim + 1) ** -0.6
    images = rng.standard_normal((size, dim)) @ turned
    captions = images + 1.5 * rng.random((size, 1)) * (rng.standard_normal((size, dim)) @ turned)
    return unit(captions + rng.standard_normal(dim) / 20), unit(images + rng.standard_normal(dim) / 20)


def small_tiles(way: Any, height: int, width: int, threads: int = 2) -> type[Tiles]:
    return type(way.__name__, (way,), {"shape": (height, width), "__init__": _threaded(way, threads)})


def _threaded(way: Any, threads: int) -> Callable[..., None]:
    def make(self: Any, rows: Any, columns: Any) -> None:
        way.__init__(self, rows, columns)
        self.threads = threads

    return make


def agrees(captions: Any, images: Any, caption_codes: Any, image_codes: Any, **options: Any) -> None:
    t2i, i2t = both_ranks(captions, images, caption_codes, image_codes, **options)
    for ranks, expected in (
        (t2i, relevant_ranks(captions, images, caption_codes, image_codes)),
        (i2t, relevant_ranks(images, captions, image_codes, caption_codes)),
    ):
        assert ranks.offsets.tolist() == expected.offsets.tolist()
        assert ranks.ranks.tolist() == expected.ranks.tolist()


@pytest.mark.slow
@every_way
@pytest.mark.parametrize("dim", [7, 96, 512])
def test_pairs_have_the_ranks_of_each_direction_alone(way, dim):
    captions, images = coned_pairs(700, dim)
    agrees(captions, images, np.arange(700), np.arange(700), tiles=small_tiles(way, 128, 96))


@pytest.mark.slow
@every_way
@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1), captions=st.integers(0, 90), images=st.integers(1, 60), figures=st.integers(1, 70)
)
def test_several_answers_and_none_and_sides_of_unequal_size(way, seed, captions, images, figures):
    rng = np.random.default_rng(seed)
    palette = unit(rng.standard_normal((40, 24)) + rng.standard_normal(24))
    sides = [palette[rng.integers(0, 40, size)] for size in (captions, images)]
    codes = [rng.integers(-1, figures, size) for size in (captions, images)]
    agrees(*sides, *codes, tiles=small_tiles(way, 16, 24))


@every_way
def test_ranks_are_those_of_a_full_float64_matrix(way):
    captions, images = coned_pairs(400, 64, seed=3)
    scores = captions.astype(np.float64) @ images.astype(np.float64).T
    bars = np.diagonal(scores) - TIE
    t2i, i2t = both_ranks(captions, images, np.arange(400), np.arange(400), tiles=way)
    np.fill_diagonal(scores, -np.inf)
    assert t2i.ranks.tolist() == (1 + (scores >= bars[:, None]).sum(axis=1)).tolist()
    assert i2t.ranks.tolist() == (1 + (scores >= bars).sum(axis=0)).tolist()


@pytest.mark.slow
@every_way
def test_scores_a_hair_above_and_below_the_bar_are_told_apart(way):
    """Every image scores the bar of every caption, give or take up to a few float32 roundings."""
    rng = np.random.default_rng(1)
    size, dim = 300, 48
    captions = unit(rng.standard_normal((size, dim)) * 0.05 + np.eye(dim)[0])
    images = unit(np.eye(dim)[0] + rng.standard_normal((size, dim)) * 1e-3)
    agrees(captions, images, np.arange(size), np.arange(size), tiles=small_tiles(way, 64, 64))


@pytest.mark.slow
@every_way
@pytest.mark.parametrize("direction", ["equal coordinates", "random", "two clusters"])
def test_a_collapsed_encoder_finds_nothing(way, direction):
    rng = np.random.default_rng(2)
    rows = np.ones((600, 128)) if direction == "equal coordinates" else np.tile(rng.standard_normal(128), (600, 1))
    if direction == "two clusters":
        rows[300:] = rng.standard_normal(128)
    same = unit(rows)
    t2i, i2t = both_ranks(same, same, np.arange(600), np.arange(600), tiles=small_tiles(way, 128, 128))
    worst = 300 if direction == "two clusters" else 600
    assert set(t2i.ranks) == set(i2t.ranks) == {worst}


@every_way
def test_stored_float16_rows_are_read_as_they_are(way):
    captions, images = (side.astype(np.float16) for side in coned_pairs(300, 32))
    wide = captions.astype(np.float32), images.astype(np.float32)
    codes = np.arange(300) // 2, np.arange(300) // 3
    for ranks, expected in zip(both_ranks(captions, images, *codes, tiles=way), both_ranks(*wide, *codes), strict=True):
        assert ranks.ranks.tolist() == expected.ranks.tolist()


@every_way
def test_blocks_of_columns_give_the_same_ranks(way):
    captions, images = coned_pairs(500, 40)
    codes = np.arange(500) // 2, np.arange(500) // 2
    agrees(captions, images, *codes, tiles=small_tiles(way, 64, 32), memory=30_000)


def test_so_many_answers_that_counting_would_be_slow_are_sorted(monkeypatch):
    captions, images = coned_pairs(120, 16)
    monkeypatch.setattr(both, "_Run", None)  # not used
    agrees(captions, images, np.arange(120) // 40, np.arange(120) // 40)


def test_nothing_relevant_has_no_ranks():
    captions, images = coned_pairs(20, 8)
    for ranks in both_ranks(captions, images, np.full(20, -1), np.arange(20)):
        assert ranks.counts.tolist() == [0] * 20


@needs_numba
def test_a_tile_with_too_many_doubts_is_counted_in_float32(monkeypatch):
    captions, images = coned_pairs(300, 64)
    monkeypatch.setattr(rough, "IN_DOUBT", 0.0)
    made = []

    class Watched(Int8):
        def __init__(self, *samples: Any) -> None:
            super().__init__(*samples)
            made.append(self)

    agrees(captions, images, np.arange(300), np.arange(300), tiles=Watched)
    assert -1 in made[0].settled


@pytest.mark.slow
@needs_numba
@pytest.mark.parametrize("which", ["whole", "half"])
def test_int8_scores_keep_within_their_bounds(which):
    captions, images = decaying_pairs(900, 512)
    tiles = Int8(images[::3], captions[::3])
    rows, columns = tiles.row_side(images), tiles.column_side(captions)
    ours, theirs = getattr(rows, which), getattr(columns, which)
    products = ours.codes.astype(np.float64) @ theirs.codes.T.astype(np.float64)
    scores = products * ours.factors[:, None] * theirs.factors + rows.side.terms[:, None] + columns.side.terms
    off = np.abs(scores - images.astype(np.float64) @ captions.astype(np.float64).T)
    row_bounds, column_bounds = rough.bounds(ours, theirs)
    exact = (
        ours.spread[:, None] * theirs.lengths
        + ours.lengths[:, None] * theirs.spread
        + ours.errors[:, None] * theirs.errors
        + ours.rest[:, None] * theirs.rest
    )
    assert (off <= exact + 1e-6).all()
    assert (exact <= row_bounds[:, None] + column_bounds).all()
    assert np.median(row_bounds[:, None] + column_bounds) < (0.02 if which == "whole" else 0.2)
    cauchy_schwarz = ours.errors[:, None] * theirs.lengths + ours.lengths[:, None] * theirs.errors
    assert (exact - ours.rest[:, None] * theirs.rest < (0.7 if which == "whole" else 0.9) * cauchy_schwarz).all()


def counting_in_doubt(affordable: float) -> Any:
    """`Int8` with that share of doubts allowed where half of the directions are tried; its instances are in `made`."""

    class Watched(Int8):
        made: ClassVar[list[Any]] = []

        def __init__(self, *samples: Any) -> None:
            super().__init__(*samples)
            self._affordable = affordable
            self.made.append(self)

    return Watched


@needs_numba
def test_half_of_the_directions_do_where_bars_are_far_above_most_scores():
    captions, images = decaying_pairs(1000, 256)
    shares = []
    for affordable in (0.0, 0.02, 1.0):
        tiles = counting_in_doubt(affordable)
        agrees(captions, images, np.arange(1000), np.arange(1000), tiles=small_tiles(tiles, 100, 100))
        shares.append(np.mean(tiles.made[0].halved))
    assert shares == sorted(set(shares))
    assert shares[2] > 0.9


@needs_numba
def test_most_pairs_are_certain_without_a_dot_product():
    captions, images = coned_pairs(1000, 256)
    made = []

    class Watched(Int8):
        def __init__(self, *samples: Any) -> None:
            super().__init__(*samples)
            made.append(self)

    both_ranks(captions, images, np.arange(1000), np.arange(1000), tiles=Watched)
    assert 0 < sum(made[0].settled) < 0.3 * 1000 * 1000


def test_a_small_problem_is_left_to_numpy():
    assert fastest.fastest(1000, 1000, 512) is Float32


@needs_numba
@pytest.mark.parametrize("broken", ["gone", "refuses", "wrong"])
def test_a_torch_without_its_int8_product_is_left_to_float32(monkeypatch, broken):
    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("not for this processor")

    def wrong(*_: Any, out: Any) -> None:
        out.fill_(1)

    if broken == "gone":
        monkeypatch.delattr(rough.torch, "_int_mm")
    else:
        monkeypatch.setattr(rough.torch, "_int_mm", refuses if broken == "refuses" else wrong)
    monkeypatch.setattr("retrieval.evaluation.ranks.torch_tiles.available", lambda: False)
    assert not rough.has_int8_product()
    assert fastest.fastest(10**6, 10**6, 512) is Float32


def test_memory_does_not_grow_with_the_product():
    captions, images = coned_pairs(4000, 16)
    tracemalloc.start()
    both_ranks(captions, images, np.arange(4000), np.arange(4000), tiles=small_tiles(Float32, 256, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20  # the scores alone would be 64 MB


def test_progress_adds_up_to_all_images_whatever_the_blocks():
    said: list[int] = []

    class Listening:
        def start(self, total: int, done: int) -> None:
            said.append(total)

        def advance(self, figures: int) -> None:
            said.append(-figures)

        def finish(self) -> None:
            said.append(0)

    captions, images = coned_pairs(333, 16)
    both_ranks(
        captions,
        images,
        np.arange(333),
        np.arange(333),
        tiles=small_tiles(Float32, 50, 20),
        memory=4000,
        progress=Listening(),
    )
    assert said[0] == 333
    assert said[-1] == 0
    assert sum(said) == 0


def test_a_failure_in_a_thread_is_raised_and_ends_the_run():
    class Broken(Float32):
        def count(self, *anything: Any) -> Any:
            raise MemoryError("no more")

    captions, images = coned_pairs(100, 8)
    with pytest.raises(MemoryError, match="no more"):
        both_ranks(captions, images, np.arange(100), np.arange(100), tiles=Broken)


@pytest.mark.parametrize(("side", "name"), [(0, "caption"), (1, "image")])
def test_vectors_that_are_not_finite_are_refused_by_row(side, name):
    sides = coned_pairs(30, 8)
    sides[side][7, 2] = np.nan
    with pytest.raises(QueryError, match=f"{name} row 7 holds a value that is not finite"):
        both_ranks(*sides, np.arange(30), np.arange(30))


def test_vectors_and_codes_that_do_not_fit_are_refused():
    captions, images = coned_pairs(30, 8)
    with pytest.raises(QueryError, match="not vectors of one length"):
        both_ranks(captions, images[:, :4], np.arange(30), np.arange(30))
    with pytest.raises(QueryError, match="30 queries and 30 gallery rows have 30 and 29 codes"):
        both_ranks(captions, images, np.arange(30), np.arange(29))


@needs_numba
def test_torch_has_its_threads_back_afterwards():
    import torch

    before = torch.get_num_threads()
    captions, images = coned_pairs(300, 32)
    both_ranks(captions, images, np.arange(300), np.arange(300), tiles=small_tiles(Int8, 64, 64))
    assert torch.get_num_threads() == before
