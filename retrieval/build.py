"""Shards to indexes: memory-mapped vectors, FAISS, and a measured recall. Everything written here is derived."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.built import TABLE_OF, figure_numbers
from retrieval.errors import PlanMismatchError
from retrieval.files import locked, replacing, sha256_file, sweep, write_json
from retrieval.indexes import FaissIndex, build_index, empty_index
from retrieval.indexes.cosine import Stored, search_rows, unit
from retrieval.plan import FORMAT
from retrieval.shards import OTHER, Kind, Shards

TARGET_RECALL = 0.95
TUNING_QUERIES = 1000
TUNING_K = 10


@dataclass(frozen=True)
class Measured:
    """How many of the exact `k` nearest an index returns, over `queries` queries taken from `queries_of`."""

    recall: float
    k: int
    queries: int
    queries_of: Kind


def build(
    folder: str | Path,
    *,
    factory: str = "Flat",
    target_recall: float = TARGET_RECALL,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Build the indexes of `folder` from its shards and return what index.json says about them.

    Every shard is checked against its record first. `factory` is a FAISS factory string, `Flat` (exact) or
    `IVF<lists>,<codec>`; an approximate index is searched ever deeper (nprobe doubles) until queries of the other
    modality find `target_recall` of their exact 10 nearest rows, and what was reached is recorded.

    Raises ShardError where shards are missing, damaged or name a figure twice, QueryError for an impossible factory.
    """
    folder = Path(folder)
    began = time.perf_counter()
    shards = Shards(folder)
    factories = {kind: factory if shards.count(table) else "Flat" for kind, table in TABLE_OF.items()}
    for kind, table in TABLE_OF.items():  # asked before anything is taken away: a refused build leaves the old one
        empty_index(factories[kind], shards.count(table), shards.plan.dim)
    with locked(folder / ".lock") as mine:
        if not mine:
            raise PlanMismatchError(f"{folder}: another process is writing this index; wait for it to end")
        sweep(folder)
        (folder / "index.json").unlink(missing_ok=True)  # from here until the end the folder is not built
        say(f"checking {len(shards.records)} shards")
        shards.check()
        vectors = {kind: _write_vectors(folder, shards, kind) for kind in TABLE_OF}
        _write_figures(folder, shards)
        facts: dict[str, Any] = {
            "format": FORMAT,
            "digest": shards.digest,
            "encoder": {"name": shards.plan.encoder, "fingerprint": shards.plan.encoder_fingerprint},
            "dim": shards.plan.dim,
        }
        for kind, stored in vectors.items():
            say(f"indexing {len(stored)} {kind} vectors ({factories[kind]})")
            index = build_index(stored, factories[kind], folder / f"{kind}.faiss", seed=seed)
            measured = _tune(index, kind, vectors, target_recall, seed)
            facts[kind] = {
                "rows": len(stored),
                "factory": factories[kind],
                "parameters": index.parameters,
                "recall": None if measured is None else vars(measured),
                "sha256": sha256_file(folder / f"{kind}.faiss"),
            }
        facts["versions"] = _versions()
        facts["seconds"] = round(time.perf_counter() - began, 3)
        write_json(folder / "index.json", facts)
    return facts


def _write_vectors(folder: Path, shards: Shards, kind: Kind) -> Stored:
    path = folder / f"{kind}.npy"
    shape = (shards.count(TABLE_OF[kind]), shards.plan.dim)
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        # written, not memory-mapped: a full disk is then an error that can be told rather than a bus error
        np.lib.format.write_array_header_1_0(file, header)
        for block in shards.vectors(TABLE_OF[kind]):
            file.write(np.ascontiguousarray(block).data)
    stored: Stored = np.load(path, mmap_mode=None if 0 in shape else "r")
    return stored


def _write_figures(folder: Path, shards: Shards) -> None:
    for kind, numbers in figure_numbers(shards).items():
        with replacing(folder / f"{kind}.figures.npy") as temporary, open(temporary, "wb") as file:
            np.save(file, numbers)


def _tune(index: FaissIndex, kind: Kind, vectors: Mapping[Kind, Stored], target: float, seed: int) -> Measured | None:
    """Deepen the search until queries of the other modality reach the target; within the modality if it is alone."""
    queries_of = OTHER[kind] if len(vectors[OTHER[kind]]) else kind
    if not len(index) or index.exact:
        return None if not len(index) else Measured(1.0, TUNING_K, 0, queries_of)
    pool = vectors[queries_of]
    rows = np.sort(np.random.default_rng(seed).permutation(len(pool))[:TUNING_QUERIES])
    queries = unit(np.asarray(pool[rows]))
    k = min(TUNING_K, len(index))
    exact = search_rows(queries, index.stored, k).rows
    probes = 1
    while True:
        index.parameters["nprobe"] = probes
        recall = _overlap(index.search(queries, k).rows, exact)
        if recall >= target or probes >= index.lists:
            return Measured(round(recall, 4), k, len(queries), queries_of)
        probes = min(2 * probes, index.lists)


def _overlap(found: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    return float(np.mean([len(np.intersect1d(f, e)) / len(e) for f, e in zip(found, exact, strict=True)]))


def _versions() -> dict[str, str]:
    packages = ("retrieval", "faiss-cpu", "numpy", "open_clip_torch", "pyarrow", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
