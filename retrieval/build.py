"""Shards to indexes: memory-mapped vectors, FAISS, and a measured recall. Everything written here is derived."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.built import TABLE_OF, figure_numbers
from retrieval.errors import PlanMismatchError
from retrieval.files import locked, read_json, replacing, sha256_file, sha256_json, sweep, write_json
from retrieval.indexes import FaissIndex, build_index, empty_index, open_index
from retrieval.indexes.cosine import Stored
from retrieval.indexes.ladder import choose
from retrieval.indexes.tuning import K, tune
from retrieval.memory import half_of_the_machine
from retrieval.plan import FORMAT
from retrieval.shards import OTHER, Kind, Shards
from retrieval.types import Progress

AUTO = "auto"
TARGET_RECALL = 0.95
BEGUN = "building.json"
"""The digest of the shards that an unfinished build was of: what it left is good as long as they are the same."""


def build(
    folder: str | Path,
    *,
    factory: str = AUTO,
    target_recall: float = TARGET_RECALL,
    memory: int | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build the indexes of `folder` from its shards and return what index.json says about them.

    Every shard is checked against its record first. `factory` auto chooses by the number of rows, so that what is
    built and searched fits into `memory` bytes (half of the machine's, if None); else it is any FAISS factory string
    but those that number or re-rank rows themselves. An approximate index is searched ever deeper until queries of the
    other modality find `target_recall` of their exact 10 nearest rows with 95 % confidence; what was reached is
    measured on further queries and recorded. Killed and called again, it goes on from the last checkpoint. Built again
    with another target, it is only tuned.

    Raises ShardError where shards are missing, damaged or name a figure twice, QueryError for an impossible factory or
    too little memory.
    """
    folder = Path(folder)
    began = time.perf_counter()
    memory = memory or half_of_the_machine()
    shards = Shards(folder)
    factories = {
        kind: _factory(factory, shards.count(table), shards.plan.dim, memory) for kind, table in TABLE_OF.items()
    }  # asked before anything is taken away: a refused build leaves the old one
    with locked(folder / ".lock") as mine:
        if not mine:
            raise PlanMismatchError(f"{folder}: another process is writing this index; wait for it to end")
        sweep(folder)
        filled = _filled_before(folder, shards.digest)
        (folder / "index.json").unlink(missing_ok=True)  # from here until the end the folder is not built
        say(f"checking {len(shards.records)} shards")
        shards.check()
        seconds = {"check": time.perf_counter() - began}
        goes_on = _begin(folder, shards.digest)
        vectors = {kind: _write_vectors(folder, shards, kind, goes_on) for kind in TABLE_OF}
        _write_figures(folder, shards)
        seconds["vectors"] = time.perf_counter() - began - seconds["check"]
        facts: dict[str, Any] = {
            "format": FORMAT,
            "digest": shards.digest,
            "encoder": {"name": shards.plan.encoder, "fingerprint": shards.plan.encoder_fingerprint},
            "dim": shards.plan.dim,
        }
        for kind, stored in vectors.items():
            say(f"indexing {len(stored)} {kind} vectors ({factories[kind]})")
            path, identity = folder / f"{kind}.faiss", sha256_json([shards.digest, factories[kind], seed, memory])
            at = time.perf_counter()
            if filled.get(kind) == [factories[kind], seed, memory]:
                index = open_index(path, stored)
            else:
                checkpoint = folder / f"{kind}.{identity[:16]}.part"
                _forget_others(folder, kind, checkpoint)
                index = build_index(
                    stored,
                    factories[kind],
                    path,
                    seed=seed,
                    memory=memory,
                    checkpoint=checkpoint,
                    say=say,
                    progress=progress,
                )
            seconds[f"{kind} index"] = time.perf_counter() - at
            at = time.perf_counter()
            measured = _measured(index, kind, vectors, target_recall, factory == AUTO, seed, say)
            seconds[f"{kind} tuning"] = time.perf_counter() - at
            facts[kind] = {
                "rows": len(stored),
                "factory": factories[kind],
                "parameters": index.parameters,
                **measured,
                "seed": seed,
                "memory": memory,
                "sha256": sha256_file(path),
            }
        facts["versions"] = _versions()
        facts["seconds"] = {stage: round(value, 3) for stage, value in seconds.items()}
        write_json(folder / "index.json", facts)
        (folder / BEGUN).unlink()
    return facts


def _factory(factory: str, rows: int, dim: int, memory: int) -> str:
    """The factory to use, which FAISS can make. Raises QueryError."""
    if not rows:
        return "Flat"
    chosen = choose(rows, dim, memory).factory if factory == AUTO else factory
    empty_index(chosen, rows, dim)
    return chosen


def _filled_before(folder: Path, digest: str) -> dict[str, list[Any]]:
    """For each kind whose FAISS file is whole and of these shards: its factory, seed and memory."""
    try:
        facts = read_json(folder / "index.json")
        if facts["digest"] != digest:
            return {}
        return {
            kind: [facts[kind]["factory"], facts[kind]["seed"], facts[kind]["memory"]]
            for kind in TABLE_OF
            if sha256_file(folder / f"{kind}.faiss") == facts[kind]["sha256"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _begin(folder: Path, digest: str) -> bool:
    """Note what is being built. Gives whether an unfinished build of the same shards goes on."""
    try:
        if read_json(folder / BEGUN) == {"digest": digest}:
            return True
    except (OSError, ValueError):
        pass
    for kind in TABLE_OF:
        (folder / f"{kind}.npy").unlink(missing_ok=True)
        _forget_others(folder, kind, None)
    write_json(folder / BEGUN, {"digest": digest})
    return False


def _forget_others(folder: Path, kind: Kind, checkpoint: Path | None) -> None:
    for other in folder.glob(f"{kind}.*.part"):
        if other != checkpoint:
            other.unlink()


def _write_vectors(folder: Path, shards: Shards, kind: Kind, goes_on: bool) -> Stored:
    path = folder / f"{kind}.npy"
    shape = (shards.count(TABLE_OF[kind]), shards.plan.dim)
    if not (goes_on and path.exists()):
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


def _measured(
    index: FaissIndex,
    kind: Kind,
    vectors: Mapping[Kind, Stored],
    target: float,
    chosen_here: bool,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """What an index finds of the exact nearest rows, and how it was tuned to do so."""
    other_modality = len(vectors[OTHER[kind]]) > 0
    queries_of = OTHER[kind] if other_modality else kind
    if not len(index):
        return {"recall": None, "tuning": None}
    if index.exact:
        return {"recall": {"recall": 1.0, "k": K, "queries": 0, "queries_of": queries_of}, "tuning": None}
    tuned = tune(
        index,
        vectors[queries_of],
        target=target,
        floor=chosen_here,
        other_modality=other_modality,
        seed=seed,
        say=say,
    )
    recall = {
        "recall": tuned.recall,
        "low": tuned.interval[0],
        "high": tuned.interval[1],
        "k": tuned.k,
        "queries": tuned.queries,
        "queries_of": queries_of,
        "within": tuned.within if other_modality else tuned.recall,
        "target": target,
    }
    return {"recall": recall, "tuning": [asdict(point) for point in tuned.curve]}


def _versions() -> dict[str, str]:
    packages = ("retrieval", "faiss-cpu", "numpy", "open_clip_torch", "pyarrow", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
