"""A batch on a CPU: in small pieces, several of them at a time on cores of their own.

The states of a large batch leave the processor's caches after every layer, and threads that share one product wait for
the slowest of them, spinning on cores on which others want to decode (measured in docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from retrieval.types import Vectors

IMAGES, CAPTIONS = 16, 32  # in a piece; the same on every machine, whatever cores it has
LANES = 4  # more of them would wait for Python's lock between their layers; each takes its share of the cores


def in_lanes(encode: Callable[[slice], Vectors], count: int, piece: int, device: torch.device) -> Vectors:
    """The vectors of the `count` rows of a batch, at least one; on a CPU `piece` of them at a time, from threads."""
    if device.type != "cpu" or count <= piece:
        return encode(slice(0, count))
    threads = torch.get_num_threads()
    lanes = min(LANES, threads, -(-count // piece))

    def compute(start: int) -> Vectors:
        torch.get_num_threads()  # what a new thread has is settled at its first use, undoing what was set before
        torch.set_num_threads(threads // lanes)
        return encode(slice(start, min(count, start + piece)))

    try:
        return np.concatenate(list(_pool(lanes).map(compute, range(0, count, piece))))
    finally:
        torch.set_num_threads(threads)  # threads that start later would have the number of a lane


@cache
def _pool(lanes: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(lanes, "lane")
