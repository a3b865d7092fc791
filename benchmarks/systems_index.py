"""The indexes that frontier.py compares: how each is built and opened.

Each runs in an environment of its own (frontier_child.py), so only its own library is imported, and nothing of this
project except for `ours`. Settings are each library's defaults but for what is swept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
EF = (16, 32, 64, 128, 256, 512, 1024, 2048)
K_FACTORS = (10, 20, 50)
ROWS_AT_ONCE = 1 << 16


class Opened(NamedTuple):
    """An index to ask: `search(queries, k)` gives rows (queries, k), `choose` sets parameters that are swept."""

    search: Callable[[np.ndarray, int], np.ndarray]
    choose: Callable[[dict[str, Any]], None]
    sweep: Sequence[dict[str, Any]]
    own_choice: dict[str, Any] | None = None


def unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def blocks(data: Path) -> Any:
    """The rows to index as float32, a block at a time."""
    base = np.load(data / "image.npy", mmap_mode="r")
    for start in range(0, len(base), ROWS_AT_ONCE):
        yield start, unit(base[start : start + ROWS_AT_ONCE])


def build_faiss(factory: str, data: Path, place: Path) -> None:
    import faiss

    dim = np.load(data / "image.npy", mmap_mode="r").shape[1]
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    for _, rows in blocks(data):
        index.add(rows)
    faiss.write_index(index, str(place / "index.faiss"))


def open_flat(data: Path, place: Path, threshold: int | None = None) -> Opened:
    import faiss

    if threshold is not None:
        faiss.cvar.distance_compute_blas_threshold = threshold
    index = faiss.read_index(str(place / "index.faiss"))
    return Opened(lambda queries, k: index.search(queries, k)[1], lambda chosen: None, [{}])


def open_hnsw(data: Path, place: Path) -> Opened:
    import faiss

    index = faiss.read_index(str(place / "index.faiss"))

    def choose(chosen: dict[str, Any]) -> None:
        index.hnsw.efSearch = chosen["efSearch"]

    return Opened(lambda queries, k: index.search(queries, k)[1], choose, [{"efSearch": ef} for ef in EF])


def build_autofaiss(data: Path, place: Path) -> None:
    """autofaiss reads a folder of nothing but .npy files, and tunes itself when it has built."""
    from autofaiss import build_index

    (place / "embeddings").mkdir(exist_ok=True)
    link = place / "embeddings" / "0.npy"
    if not link.exists():
        link.symlink_to((data / "image.npy").resolve())
    build_index(
        embeddings=str(place / "embeddings"),
        index_path=str(place / "index.faiss"),
        index_infos_path=str(place / "infos.json"),
        nb_cores=THREADS,
    )


def open_autofaiss(data: Path, place: Path) -> Opened:
    """Parameters are set as autofaiss says they were tuned; efSearch is swept too where it chose a graph."""
    import faiss

    index = faiss.read_index(str(place / "index.faiss"))
    infos = json.loads((place / "infos.json").read_text())
    own = {"index_key": infos["index_key"], "index_param": infos["index_param"]}
    graph = [{"index_param": f"efSearch={ef}"} for ef in EF] if infos["index_key"].startswith("HNSW") else []
    space = faiss.ParameterSpace()

    def choose(chosen: dict[str, Any]) -> None:
        space.set_index_parameters(index, chosen["index_param"])

    return Opened(lambda queries, k: index.search(queries, k)[1], choose, [own, *graph], own)


def build_hnswlib(data: Path, place: Path) -> None:
    import hnswlib

    base = np.load(data / "image.npy", mmap_mode="r")
    index = hnswlib.Index(space="ip", dim=base.shape[1])
    index.init_index(max_elements=len(base), M=16, ef_construction=200)
    for start, rows in blocks(data):
        index.add_items(rows, np.arange(start, start + len(rows)), num_threads=THREADS)
    index.save_index(str(place / "index.hnswlib"))


def open_hnswlib(data: Path, place: Path) -> Opened:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=np.load(data / "image.npy", mmap_mode="r").shape[1])
    index.load_index(str(place / "index.hnswlib"))
    index.set_num_threads(1)
    return Opened(
        lambda queries, k: index.knn_query(queries, k)[0].astype(np.int64),
        lambda chosen: index.set_ef(chosen["ef"]),
        [{"ef": ef} for ef in EF],
    )


def build_usearch(data: Path, place: Path) -> None:
    from usearch.index import Index

    dim = np.load(data / "image.npy", mmap_mode="r").shape[1]
    index = Index(ndim=dim, metric="ip", dtype="bf16")
    for start, rows in blocks(data):
        index.add(np.arange(start, start + len(rows)), rows, threads=THREADS)
    index.save(str(place / "index.usearch"))


def open_usearch(data: Path, place: Path) -> Opened:
    from usearch.index import Index

    index = Index.restore(str(place / "index.usearch"))

    def search(queries: np.ndarray, k: int) -> np.ndarray:
        found = index.search(queries, k, threads=1)
        return np.asarray(found.keys, dtype=np.int64).reshape(len(queries), k)

    def choose(chosen: dict[str, Any]) -> None:
        index.expansion_search = chosen["expansion"]

    return Opened(search, choose, [{"expansion": ef} for ef in EF])


def build_ours(data: Path, place: Path) -> None:
    """From shards to a built index, as a user does; the shards hold captions to tune with that are not asked here."""
    from retrieval.indexes.build import build

    build(place / "index")


def open_ours(data: Path, place: Path) -> Opened:
    from retrieval.indexes.opened_index import OpenedIndex

    index = OpenedIndex(place / "index").index("image")
    own = dict(index.parameters)

    def choose(chosen: dict[str, Any]) -> None:
        index.parameters.clear()
        index.parameters.update(chosen)

    depths = [] if index.exact else [2**n for n in range(4, 12) if 2**n <= index.deepest]
    sweep = [own, *({index.depth: depth, "k_factor": k_factor} for depth in depths for k_factor in K_FACTORS)]
    return Opened(lambda queries, k: index.search(queries, k).rows, choose, sweep, own)


class System(NamedTuple):
    """How an index is built and opened by the module `library`, which `package` installs; `builds` names the system
    whose build it shares."""

    title: str
    package: str
    library: str
    build: Callable[[Path, Path], None] | None
    open: Callable[[Path, Path], Opened]
    builds: str = ""


SYSTEMS = {
    "ours": System("this project", "retrieval", "retrieval.indexes.opened_index", build_ours, open_ours),
    "flat": System("faiss Flat", "faiss-cpu", "faiss", partial(build_faiss, "Flat"), open_flat),
    "flat-blas": System(
        "faiss Flat, BLAS from 3 queries on", "faiss-cpu", "faiss", None, partial(open_flat, threshold=1025), "flat"
    ),
    "hnsw": System("faiss HNSW32", "faiss-cpu", "faiss", partial(build_faiss, "HNSW32"), open_hnsw),
    "autofaiss": System("autofaiss", "autofaiss", "faiss", build_autofaiss, open_autofaiss),
    "hnswlib": System("hnswlib M=16, efConstruction=200", "hnswlib", "hnswlib", build_hnswlib, open_hnswlib),
    "usearch": System("usearch bf16", "usearch", "usearch.index", build_usearch, open_usearch),
}
