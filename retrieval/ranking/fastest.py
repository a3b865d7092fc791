"""Which way of counting is fastest here: an accelerator, int8 with compiled counting, or plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from retrieval.ranking.tiles import Float32, Tiles
from retrieval.types import Vectors

SMALL = 10**12  # multiplications that NumPy has done before torch is imported and numba has compiled: about 10 s


def fastest(rows: int, columns: int, dim: int) -> Callable[[Vectors, Vectors], Tiles]:
    """What makes the tiles for a product of this size on this machine."""
    if rows * columns * dim < SMALL:
        return Float32
    from retrieval.ranking import device

    if device.available():
        return device.OnDevice
    if find_spec("numba") is not None:
        from retrieval.ranking import rough

        if rough.int8_pays(dim):
            return rough.Int8
    return Float32
