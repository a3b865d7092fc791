"""Columns of embeddings, whatever their type, as unit float16 rows; a bad one is left out with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.indexes.cosine import unit

MISSING = "no embedding"
ANOTHER_LENGTH = "embedding has another length"
NOT_FINITE = "embedding is not finite"
ZERO = "embedding is zero"
UNIT = 1e-3
"""A row whose length is as near to 1 is taken as it is: float16 moves lengths by up to 1e-4, and scaling would round it
again, so that vectors exported from an index would not come back as they were."""


def unit_rows(values: pa.ChunkedArray | NDArray[Any], dim: int) -> tuple[NDArray[np.float16], NDArray[np.object_]]:
    """Vectors (n, dim) brought to length 1, and for each row (n,) None or why it has none (its vector is then zero)."""
    reasons = np.full(len(values), None, dtype=object)
    if isinstance(values, np.ndarray):
        there, numbers = np.arange(len(values)), values
    else:
        column = values.combine_chunks()
        reasons[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        column = column.drop_null()
        there = np.flatnonzero(reasons == None)  # noqa: E711 (elementwise)
        fits, numbers = _numbers(column, dim)
        reasons[there[~fits]] = ANOTHER_LENGTH
        there = there[fits]
    with np.errstate(over="ignore"):  # a float64 that is too large becomes infinite, and is told below
        rows = np.asarray(numbers).astype(np.float32)
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    reasons[there[~np.isfinite(lengths)]] = NOT_FINITE
    reasons[there[lengths == 0]] = ZERO
    scaled = np.isfinite(lengths) & (np.abs(lengths - 1) > UNIT)
    rows[scaled] = unit(rows[scaled].astype(np.float64) / np.maximum(lengths[scaled, None], 1e-300))
    rows[~np.isfinite(lengths)] = 0
    vectors = np.zeros((len(values), dim), dtype="<f2")
    vectors[there] = rows
    return vectors, reasons


def _numbers(column: pa.Array, dim: int) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Which rows (n,) hold `dim` numbers, and these numbers (rows that do, dim). Bytes are float16 or float32."""
    if pa.types.is_fixed_size_list(column.type):
        fits = np.full(len(column), column.type.list_size == dim)
        return fits, column.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    if not pa.types.is_binary(column.type) and not pa.types.is_fixed_size_binary(column.type):
        fits = pc.list_value_length(column).to_numpy() == dim
        return fits, column.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    sizes = pc.binary_length(column).to_numpy()
    size = next((size for size in sizes.tolist() if size in (2 * dim, 4 * dim)), 2 * dim)
    fits = sizes == size
    there = column.filter(pa.array(fits)).cast(pa.binary(size))
    dtype = {2: "<f2", 4: "<f4"}[size // dim]
    return fits, np.frombuffer(
        there.buffers()[1] or b"", dtype, count=len(there) * dim, offset=there.offset * size
    ).reshape(-1, dim)
