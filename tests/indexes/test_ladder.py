"""Which index is chosen: exact while it is fast, then what the memory holds, and never a cliff between two rungs."""

from __future__ import annotations

import pytest

from retrieval.errors import QueryError
from retrieval.indexes.factory import empty_index
from retrieval.indexes.ladder import choose_factory, floor_rows, lists, rungs, training_rows
from retrieval.memory import in_bytes

PLENTY = 1 << 40
DIMS = [256, 512, 640, 768, 1024]


@pytest.mark.parametrize("dim", DIMS)
def test_small_collections_are_exact_and_larger_ones_take_less_memory(dim: int) -> None:
    edge = floor_rows(dim)
    assert choose_factory(edge, dim, PLENTY).factory == "Flat"
    above = choose_factory(edge + 1, dim, PLENTY)
    assert above.factory.endswith(f"PQ{dim // 2}x4fsr")
    assert above.bytes < choose_factory(edge, dim, PLENTY).bytes  # and takes no more memory


@pytest.mark.parametrize("rows", [70_000, 1_000_000, 15_282_336, 100_000_000])
@pytest.mark.parametrize("dim", [*DIMS, 30, 35, 2])
def test_every_rung_is_an_index_that_faiss_can_make(rows: int, dim: int) -> None:
    for rung in rungs(rows, dim):
        assert empty_index(rung.factory, rows, dim).d == dim


def test_less_memory_takes_smaller_codes_and_at_last_is_refused_with_what_would_do() -> None:
    chosen = [choose_factory(15_000_000, 512, in_bytes(memory)).factory for memory in ("12G", "2.5G", "1.5G")]
    assert chosen == ["IVF8192,PQ256x4fsr", "IVF8192,PQ128x4fsr", "IVF8192,PQ64x4fsr"]
    with pytest.raises(QueryError, match=r"do not fit into 500M of memory; give --memory 1\.\dG") as refused:
        choose_factory(15_000_000, 512, in_bytes("500M"))
    enough = str(refused.value).split()[-1]
    assert choose_factory(15_000_000, 512, in_bytes(enough)).factory == "IVF8192,PQ64x4fsr"


def test_small_collections_that_do_not_fit_exactly_are_compressed() -> None:
    assert choose_factory(60_000, 512, in_bytes("1G")).factory == "Flat"
    assert "PQ" in choose_factory(200_000, 512, in_bytes("700M")).factory


def test_lists_and_training_rows_grow_with_the_collection_and_within_memory() -> None:
    assert [lists(rows) for rows in (1, 100_000, 1_000_000, 5_000_000, 15_000_000)] == [4, 1024, 2048, 8192, 8192]
    assert training_rows(2048, 512, PLENTY) == 64 * 2048
    assert training_rows(2048, 512, in_bytes("512M")) == 65536
    assert training_rows(2048, 512, 1) == 8 * 2048
