"""Advice to the kernel about memory-mapped vectors, where there is a kernel that takes it."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def release(array: Any) -> None:
    """Give back the resident pages of a memory map; what is read again comes from the page cache."""
    _advise(array, "MADV_DONTNEED")


def read_here_and_there(array: Any) -> None:
    """Rows are read at random: reading ahead of each would fetch a hundred times as much."""
    _advise(array, "MADV_RANDOM")


def _advise(array: Any, advice: str) -> None:
    memory: Any = getattr(array, "_mmap", None)
    if isinstance(array, np.memmap) and memory is not None and hasattr(mmap, advice):  # not on Windows
        memory.madvise(getattr(mmap, advice))
