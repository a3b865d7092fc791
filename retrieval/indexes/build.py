"""Shards to indexes: memory-mapped vectors, FAISS, and a measured recall. Everything written here is derived."""

from __future__ import annotations

import logging
import platform
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import QueryError, ShardError, StaleIndexError
from retrieval.files import locked, replacing, sha256_file, sha256_json, sweep, write_json
from retrieval.indexer.panels_index import add_again, panels_folder, without_panels
from retrieval.indexer.remove import withdraw_orphans
from retrieval.indexes.bm25.bm25_index import BYTES_A_CAPTION, write_lexical
from retrieval.indexes.checkpoint import BEGUN, Checkpoint, asked_settings, begin, changed_since, forget_others
from retrieval.indexes.exact import Stored
from retrieval.indexes.factory import empty_index
from retrieval.indexes.faiss_index import FaissIndex, open_index
from retrieval.indexes.ladder import choose_factory
from retrieval.indexes.measured_recall import measured_recall, recall_measured_before
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.percentiles import write_background
from retrieval.indexes.train import build_index
from retrieval.indexes.update import change_index
from retrieval.keywords import whole_number
from retrieval.memory import half_of_the_machine
from retrieval.shards.figure_numbers import figure_numbers
from retrieval.shards.plan import FORMAT
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality, Progress

log = logging.getLogger("retrieval")

AUTO = "auto"
TARGET_RECALL = 0.95
KNOWN = ("sha256", "trained_on", "changed", "moved")
"""Of a FAISS file: what it is, the rows it was trained on, how many were withdrawn or added since then, and how many of
those since the last build that ended."""


def build(
    folder: str | Path,
    *,
    factory: str = AUTO,
    target_recall: float = TARGET_RECALL,
    memory: int | None = None,
    seed: int = 0,
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
    if not (isinstance(target_recall, Real) and 0 < target_recall <= 1):
        raise QueryError(f"target_recall is {target_recall}; give a share between 0 and 1, such as 0.95")
    if memory is not None and whole_number("memory", memory) < 1:
        raise QueryError(f"memory is {memory}; give at least 1 byte")
    asked = {"factory": factory, "target_recall": target_recall, "memory": memory, "seed": seed}
    withdrawn = withdraw_orphans(folder)
    if withdrawn:
        log.info(f"withdrew {withdrawn} panels of figures that were removed")
    shards = Shards(folder)
    if not shards.changes and not any(shards.count(table) for table in TABLE_OF.values()):
        raise ShardError(
            f"{folder}: there is nothing to build, no image and no caption was encoded; "
            f"see why with: retrieval info {folder} --skips"
        )
    facts = _build(folder, shards, asked, progress)
    panels = panels_folder(folder)
    if panels is not None:
        log.info("building the index of the panels")
        behind = without_panels(folder)
        if behind:
            log.warning(add_again(folder, behind))
        facts_of_panels = _build(panels, Shards(panels), {**asked, "factory": AUTO}, progress)
        return {**facts, "panels": {modality: facts_of_panels[modality] for modality in TABLE_OF}}
    return facts


def _build(folder: Path, shards: Shards, asked: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Check the shards, write what is derived from them, and last of all index.json."""
    memory = asked["memory"] or half_of_the_machine()
    factories = {
        modality: _factory(asked["factory"], shards.count(table), shards.plan.dim, memory)
        for modality, table in TABLE_OF.items()
    }  # asked before anything is taken away: a refused build leaves the old one
    clock = _Clock()
    with locked(folder):
        sweep(folder)
        checkpoint = begin(folder, shards.digest, asked)
        log.info(f"checking {len(shards.records)} shards")
        shards.check()
        clock.lap("check")
        vectors = {modality: _write_vectors(folder, shards, modality, checkpoint.goes_on) for modality in TABLE_OF}
        _write_figures(folder, shards)
        clock.lap("vectors")
        facts: dict[str, Any] = {
            "format": FORMAT,
            "digest": shards.digest,
            "encoder": {"name": shards.plan.encoder, "fingerprint": shards.plan.encoder_fingerprint},
            "dim": shards.plan.dim,
            "asked": asked,
        }
        for modality in TABLE_OF:
            made = {"factory": factories[modality], "seed": asked["seed"], "memory": memory}
            facts[modality] = _dense(folder, shards, modality, vectors, checkpoint, made, asked, progress, clock)
        facts["background"] = {
            modality: write_background(folder, modality, stored, asked["seed"]) for modality, stored in vectors.items()
        }
        facts |= _words(folder, shards, memory)
        clock.lap("words")
        facts["versions"] = _versions()
        facts["seconds"] = clock.seconds
        write_json(folder / "index.json", facts)
        (folder / BEGUN).unlink()
    return facts


class _Clock:
    """Seconds by stage, each since the one before it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._at, 3)
        self._at = now


def _dense(
    folder: Path,
    shards: Shards,
    modality: Modality,
    vectors: Mapping[Modality, Stored],
    checkpoint: Checkpoint,
    made: dict[str, Any],
    asked: Mapping[str, Any],
    progress: Progress | None,
    clock: _Clock,
) -> dict[str, Any]:
    """The FAISS index of one modality, tuned and measured; gives what index.json says of it."""
    stored = vectors[modality]
    log.info(f"indexing {len(stored)} {modality} vectors ({made['factory']})")
    index, made = _index(folder, shards, modality, stored, checkpoint, made, progress)
    clock.lap(f"{modality} index")
    target = float(asked["target_recall"])
    measured = recall_measured_before(checkpoint, modality, made, target)
    if measured is None:
        measured = measured_recall(index, modality, vectors, target, asked["factory"] == AUTO, asked["seed"])
        measured = {"parameters": index.parameters, **measured}
    clock.lap(f"{modality} tuning")
    made.pop("moved", None)
    return {"rows": len(stored), **made, **measured}


def _words(folder: Path, shards: Shards, memory: int) -> dict[str, Any]:
    """The BM25 index of the captions, left out where it would take more than the memory."""
    count = shards.count("texts")
    if count * BYTES_A_CAPTION <= memory:
        log.info(f"reading the words of {count} captions")
        captions = (block.column(0).to_pylist() for block in shards.blocks("texts", ["caption"]))
        return {"lexical": write_lexical(folder / "lexical", captions, shards.digest)}
    needed = count * BYTES_A_CAPTION / 2**30
    log.info(f"the words of the captions are left out: they take {needed:.1f} GiB; give more --memory to have them")
    shutil.rmtree(folder / "lexical", ignore_errors=True)
    return {}


def is_stale(folder: Path) -> bool:
    """Whether the derived files of an index, or of its panels, are missing or not of its shards."""
    try:
        for place in filter(None, (folder, panels_folder(folder))):
            OpenedIndex(place).close()
    except StaleIndexError:
        return True
    return False


def rebuild(folder: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Build again as the last build was asked to, which is soon done where few rows changed. Raises what it does."""
    return build(folder, **asked_settings(Path(folder)), progress=progress)


def _index(
    folder: Path,
    shards: Shards,
    modality: Modality,
    stored: Stored,
    checkpoint: Checkpoint,
    made: dict[str, Any],
    progress: Progress | None,
) -> tuple[FaissIndex, dict[str, Any]]:
    """The FAISS index of one modality, and what is known of its file: as an earlier build left it, or that one brought
    up to date, or a new one. `made` names its factory, seed and memory."""
    path, factory, seed, memory = folder / f"{modality}.faiss", made["factory"], made["seed"], made["memory"]
    whole = checkpoint.made.get(modality, {})
    if whole.items() >= made.items():
        return open_index(path, stored), made | {name: whole[name] for name in KNOWN if name in whole}
    index = None
    since = changed_since(checkpoint, folder, shards, modality, factory, seed)
    if since is not None:
        index = change_index(path, shards.rows_before(TABLE_OF[modality], since[0]), stored, progress)
    if index is not None and since is not None:
        log.info(f"  brought up to date: {since[1]} rows were withdrawn or added")
        before, moved = checkpoint.before[modality], since[1]
        trained_on, changed = before.get("trained_on", before["rows"]), before.get("changed", 0) + moved
        made = made | {"trained_on": trained_on, "changed": changed, "moved": moved}
    else:
        part = folder / f"{modality}.{sha256_json([shards.digest, factory, seed, memory])[:16]}.part"
        forget_others(folder, modality, part)
        index = build_index(stored, factory, path, seed=seed, memory=memory, checkpoint=part, progress=progress)
        made = made | {"trained_on": len(stored), "changed": 0}
    made = made | {"sha256": sha256_file(path)}
    if not index.exact:
        checkpoint.note(folder, modality, made)
    return index, made


def _factory(factory: str, rows: int, dim: int, memory: int) -> str:
    """The factory to use, which FAISS can make. Raises QueryError."""
    if not rows:
        return "Flat"
    chosen = choose_factory(rows, dim, memory).factory if factory == AUTO else factory
    empty_index(chosen, rows, dim)
    return chosen


def _write_vectors(folder: Path, shards: Shards, modality: Modality, goes_on: bool) -> Stored:
    path = folder / f"{modality}.npy"
    shape = (shards.count(TABLE_OF[modality]), shards.plan.dim)
    if not (goes_on and path.exists()):
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            # written, not memory-mapped: a full disk is then an error that can be told rather than a bus error
            np.lib.format.write_array_header_1_0(file, header)
            for block in shards.vectors(TABLE_OF[modality]):
                file.write(np.ascontiguousarray(block).data)
    stored: Stored = np.load(path, mmap_mode=None if 0 in shape else "r")
    return stored


def _write_figures(folder: Path, shards: Shards) -> None:
    for modality, numbers in figure_numbers(shards).items():
        with replacing(folder / f"{modality}.figures.npy") as temporary, open(temporary, "wb") as file:
            np.save(file, numbers)


def _versions() -> dict[str, str]:
    packages = ("retrieval", "faiss-cpu", "numpy", "open_clip_torch", "pyarrow", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
