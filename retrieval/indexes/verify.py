"""Check every digest, count and derived file of an index against its shards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from retrieval.errors import StaleIndexError
from retrieval.files import sha256_file
from retrieval.indexer.panels_index import check_panels, panels_folder
from retrieval.indexes.bm25.bm25_index import read_about
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.percentiles import background_path
from retrieval.shards.figure_numbers import figure_numbers
from retrieval.shards.tables import TABLE_OF

log = logging.getLogger("retrieval")


def verify(folder: str | Path) -> None:
    """Read every byte of an index. Raises what `verified` does."""
    for line in verified(folder):
        log.info(line)


def verified(folder: str | Path) -> Iterator[str]:
    """Read every byte of an index, and say line by line what holds.

    Raises ShardError where a shard is missing or differs from its record, StaleIndexError where a derived file does
    not follow from the shards; the message says which and what to do.
    """
    built = OpenedIndex(folder)
    yield f"plan and {len(built.shards.records)} records: digest {built.shards.digest[:16]}"
    built.shards.check()
    yield "every table has the sum in its record"
    if built.shards.changes:
        yield f"{len(built.shards.changes)} steps, each made on what was there before it"
    for modality, table in TABLE_OF.items():
        row = 0
        stored = built.vectors(modality)
        for block in built.shards.vectors(table):
            if not np.array_equal(stored[row : row + len(block)].view(np.uint16), block.view(np.uint16)):
                raise StaleIndexError(
                    f"{modality}.npy differs from the shards near row {row}; run: retrieval build {folder}"
                )
            row += len(block)
        index = built.index(modality)
        if sha256_file(built.folder / f"{modality}.faiss") != built.facts[modality].get("sha256"):
            raise StaleIndexError(f"{modality}.faiss is not what was built; run: retrieval build {folder}")
        yield f"{len(index)} {modality} vectors: memory map equals the shards, {modality}.faiss is what was built"
    for modality, numbers in figure_numbers(built.shards).items():
        if not np.array_equal(built.figures(modality), numbers):
            raise StaleIndexError(
                f"{modality}.figures.npy does not follow from the figure ids; run: retrieval build {folder}"
            )
    yield "figure numbers follow from the figure ids of both tables"
    for path, expected in _derived(built).items():
        if not path.is_file() or sha256_file(path) != expected:
            raise StaleIndexError(
                f"{path.relative_to(built.folder)} is not what was built; run: retrieval build {folder}"
            )
    if "lexical" in built.facts and read_about(built.folder / "lexical") != built.facts["lexical"]:
        raise StaleIndexError(f"lexical/lexical.json is not what was built; run: retrieval build {folder}")
    yield "the words of the captions and the background of percentiles are what was built"
    check_panels(built.folder)
    panels = panels_folder(built.folder)
    if panels is not None:
        yield from (f"panels: {line}" for line in verified(panels))


def _derived(built: OpenedIndex) -> dict[Path, str]:
    """The other derived files with their sums, as far as this index was built with them."""
    words = built.facts.get("lexical", {}).get("sha256", {})
    samples = built.facts.get("background", {})
    return {built.folder / "lexical" / name: expected for name, expected in words.items()} | {
        background_path(built.folder, modality): facts["sha256"] for modality, facts in samples.items()
    }
