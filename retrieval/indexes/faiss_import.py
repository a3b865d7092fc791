"""FAISS, imported so that its matrix products use what this processor can do."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy  # noqa: F401  (its own OpenBLAS finds its kernels itself, before the variable below is set)

CORETYPE = "OPENBLAS_CORETYPE"
SKYLAKEX = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
HASWELL = {"avx2", "fma"}


def openblas_core(flags: set[str]) -> str | None:
    """The kernels that suit a processor with these flags of /proc/cpuinfo; None where OpenBLAS may choose."""
    if flags >= SKYLAKEX:
        return "SkylakeX"
    return "Haswell" if flags >= HASWELL else None


def _flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.exists():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())


# The faiss-cpu wheel brings OpenBLAS 0.3.15, which knows no processor younger than itself and falls back to SSE3: on a
# Zen 4 its products run at 29 GFLOP/s a core so, and at 93 with these kernels. Only its own copy is told, and only
# what nobody has set already.
_core = None if CORETYPE in os.environ else openblas_core(_flags())
if _core is not None:
    os.environ[CORETYPE] = _core
try:
    import faiss as _faiss
finally:
    if _core is not None:
        del os.environ[CORETYPE]

faiss: Any = _faiss  # its type stubs leave out most of the parameters

# FAISS multiplies matrices only where queries times dimension exceed this (128,000 by default): in 512 dimensions 64
# queries over 50,000 rows take 127 ms by default and 27 ms so; a single query stays a scan (two cores, one run).
faiss.cvar.distance_compute_blas_threshold = 1025

# In a fork FAISS's other threads are gone, and OpenMP would wait for them for ever (faiss issue 5206).
os.register_at_fork(after_in_child=lambda: faiss.omp_set_num_threads(1))

__all__ = ["faiss"]
