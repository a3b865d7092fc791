"""Vectors in memory and on disk: rows of length 1, and the float16 bytes of the embedding column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import ShardError
from retrieval.types import Vectors


def unit(rows: NDArray[Any]) -> Vectors:
    """Rows (n, dim) as float32 of length 1: storing float16 has moved lengths by up to 1e-4. Zero rows stay zero."""
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return result


def to_bytes(vectors: NDArray[np.floating[Any]]) -> pa.Array:
    """Vectors (n, dim) as the float16 bytes of the embedding column."""
    half = np.ascontiguousarray(vectors, dtype="<f2")
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * half.shape[1]), len(half), [None, pa.py_buffer(half)])


def to_vectors(column: pa.Array, dim: int) -> NDArray[np.float16]:
    """The embedding column as (n, dim) float16: without a copy as it is written here, decoded where it holds lists.

    Raises ShardError where it holds anything else than n times dim numbers.
    """
    if column.type == pa.binary(2 * dim) and not column.null_count:
        start = column.offset * 2 * dim
        buffer = column.buffers()[1]
        return np.frombuffer(buffer, dtype="<f2", count=len(column) * dim, offset=start).reshape(-1, dim)
    if holds_lists(column.type) and not column.null_count:
        numbers = column.flatten().to_numpy(zero_copy_only=False)
        if len(numbers) == len(column) * dim and (pc.list_value_length(column).to_numpy() == dim).all():
            half: NDArray[np.float16] = numbers.astype("<f2", copy=False).reshape(-1, dim)
            return half
    raise ShardError(f"an embedding column of {column.type} does not hold {dim} numbers a row; encode again")


def holds_lists(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists of floating-point numbers, as other programs write embeddings."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and bool(pa.types.is_floating(kind.value_type))
