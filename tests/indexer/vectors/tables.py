"""Tables of embeddings as tests write them, and the vectors that became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.shards.reader import Shards


def table(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def lists(rows: Any, type_: pa.DataType | None = None) -> pa.Array:
    return pa.array([None if row is None else list(map(float, row)) for row in rows], type_ or pa.list_(pa.float32()))


def stored(folder: Path, of: Any = "images") -> np.ndarray:
    return np.concatenate(list(Shards(folder).vectors(of)))
