"""Choose the index that suits so many vectors: exact while that is fast, then ever smaller codes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log2, sqrt

from retrieval.errors import QueryError
from retrieval.memory import in_words

EXACT_BYTES = 128 * 2**20
"""Of float32 vectors that one query may scan: 5 ms at 24 GB/s (two cores of a Zen 4), 13 ms at 10 GB/s."""

FLOOR_K_FACTOR = 20

TRAIN_ROWS_PER_LIST = 64  # FAISS asks for 39 at least; more than 256 it would throw away itself
FEWEST_TRAIN_ROWS_PER_LIST = 8
ID_BYTES = 8  # FAISS stores the row number beside each code
BLOCK_ROWS = 32  # fast-scan codes are stored in blocks of so many rows, the last one of each list half empty
WORKING_BYTES = 512 * 2**20
"""What a build holds beside its index and training rows: a block of vectors, its products with the centroids."""


@dataclass(frozen=True)
class Rung:
    """An index for a number of rows: its FAISS factory, and the bytes that it holds in memory."""

    factory: str
    bytes: int

    @property
    def exact(self) -> bool:
        return self.factory == "Flat"


def rungs(rows: int, dim: int) -> list[Rung]:
    """From the largest to the smallest. Codes of 4 bits for 2, 4 and 8 dimensions take dim/4, dim/8, dim/16 bytes."""
    ladder = [Rung("Flat", 4 * rows * dim)] if rows <= floor_rows(dim) else []
    nlist = lists(rows)
    for per_code in (2, 4, 8):
        # fast-scan wants an even number of codes, and FAISS a dimension that they divide
        if dim % (2 * per_code) == 0:
            codes = dim // per_code
            padded = rows + nlist * BLOCK_ROWS // 2
            held = padded * (codes // 2 + ID_BYTES) + 4 * nlist * dim
            ladder.append(Rung(f"IVF{nlist},PQ{codes}x4fsr", held))
    return ladder or [Rung(f"IVF{nlist},SQ8", rows * (dim + ID_BYTES) + 4 * nlist * dim)]


def floor_rows(dim: int) -> int:
    """Rows that a search looks at, however modest the target: as many as the largest exact index has, so that nothing
    is lost by one row more than that."""
    return EXACT_BYTES // (4 * dim)


def lists(rows: int) -> int:
    """The power of two at or below 4·√rows. Twice as many need fewer codes to be read for the same recall and as many
    more centroids: the same time a query (200,000 rows, 512 to 2,048 lists), and four times the training."""
    return int(2 ** floor(log2(4 * sqrt(max(1, rows)))))


def training_rows(lists: int, dim: int, memory: int) -> int:
    """How many rows the lists are trained on: as many as a quarter of the memory holds in float32, within reason."""
    fitting = memory // 4 // (4 * dim)
    return max(FEWEST_TRAIN_ROWS_PER_LIST * lists, min(TRAIN_ROWS_PER_LIST * lists, fitting))


def choose_factory(rows: int, dim: int, memory: int) -> Rung:
    """The best index that can be built and held in so many bytes. Raises QueryError where there is none."""
    needed = []
    for rung in rungs(rows, dim):
        need = rung.bytes
        if not rung.exact:
            need += WORKING_BYTES + 4 * dim * FEWEST_TRAIN_ROWS_PER_LIST * lists(rows)
        if need <= memory:
            return rung
        needed.append(need)
    least = in_words(ceil(min(needed) * 1.01))
    raise QueryError(f"{rows} vectors of {dim} do not fit into {in_words(memory)} of memory; give --memory {least}")
