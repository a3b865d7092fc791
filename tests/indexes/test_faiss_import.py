"""FAISS is told which kernels suit the processor, and nobody else is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from retrieval.indexes.faiss_import import CORETYPE, HASWELL, SKYLAKEX, _flags, openblas_core


@pytest.mark.parametrize(
    ("flags", "core"),
    [
        (SKYLAKEX | HASWELL | {"sse2"}, "SkylakeX"),
        (HASWELL | {"avx512f"}, "Haswell"),  # a Knights Landing has some of AVX-512 only
        ({"avx2"}, None),
        ({"sse2", "avx"}, None),
        (set(), None),
    ],
)
def test_kernels_are_named_only_where_the_processor_has_all_they_use(flags: set[str], core: str | None) -> None:
    assert openblas_core(flags) == core


def run(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name != CORETYPE}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(openblas_core(_flags()) is None, reason="OpenBLAS chooses its kernels itself on this processor")
def test_the_openblas_of_faiss_uses_them_and_the_environment_stays_as_it_was() -> None:
    core = openblas_core(_flags())
    said = run(f"import os, retrieval.indexes.faiss_import; print({CORETYPE!r} in os.environ)", OPENBLAS_VERBOSE="2")
    assert said.count(f"Core: {core}") >= 1
    assert "Prescott" not in said
    assert "False" in said


def test_what_the_user_chose_is_left_alone() -> None:
    said = run(f"import os, retrieval.indexes; print(os.environ[{CORETYPE!r}])", **{CORETYPE: "Nehalem"})
    assert "Nehalem" in said
