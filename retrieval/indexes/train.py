"""Training and filling a FAISS index from the stored vectors: streaming, and resumed where it was killed."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import QueryError
from retrieval.files import replacing
from retrieval.indexes.exact import Stored, release
from retrieval.indexes.factory import empty_index, inverted_lists
from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.ladder import training_rows
from retrieval.memory import half_of_the_machine
from retrieval.shards.vectors import unit
from retrieval.types import Progress, Silent, Vectors

log = logging.getLogger("retrieval")

ADD_ROWS = 1 << 16
TRAIN_ROWS = 1 << 16  # for an index without lists
PASSES = 10  # of k-means, as in FAISS
CHECKPOINT_SECONDS = 300.0
SAY_SECONDS = 10.0
WORTH_TELLING = 4 * ADD_ROWS  # fewer rows are added in a moment


def build_index(
    stored: Stored,
    factory: str,
    path: Path,
    *,
    seed: int = 0,
    memory: int | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FaissIndex:
    """Train and fill a FAISS index of the kind `factory` names and write it to `path`, whole or not at all.

    Training rows are a seeded random sample, as many as a quarter of `memory` (bytes) holds; the same seed, vectors
    and threads give the same index. What is trained and filled so far is kept in the file `checkpoint`, every few
    minutes, and taken up from there; the caller gives that file a name that only the same vectors and seed have.

    Raises QueryError where FAISS does not know the factory or cannot train it on so few rows.
    """
    index = _begun(checkpoint, stored) or _trained(stored, factory, seed, memory)
    resumable = checkpoint if inverted_lists(index) is not None else None  # a graph's random state is not written
    _save(index, resumable)
    fill_index(index, stored, resumable, progress if progress and len(stored) > WORTH_TELLING else Silent())
    with replacing(path) as temporary:
        faiss.write_index(index, str(temporary))
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return FaissIndex(index, stored)


def _begun(checkpoint: Path | None, stored: Stored) -> Any:
    """The index as an earlier build left it, or None."""
    if checkpoint is None or not checkpoint.exists():
        return None
    try:
        index = faiss.read_index(str(checkpoint))
    except RuntimeError:  # damaged: nothing is lost but time
        return None
    return index if index.d == stored.shape[1] and index.ntotal <= len(stored) else None


def _trained(stored: Stored, factory: str, seed: int, memory: int | None) -> Any:
    index = empty_index(factory, *stored.shape)
    if index.is_trained:
        return index
    ivf = inverted_lists(index)
    wanted = TRAIN_ROWS if ivf is None else training_rows(ivf.nlist, stored.shape[1], memory or half_of_the_machine())
    rows = np.sort(np.random.default_rng(seed).permutation(len(stored))[:wanted])
    sample = _sampled(stored, rows)
    try:
        if isinstance(index, faiss.IndexIVF):
            _train_lists(index, sample)
        index.train(sample)
    except RuntimeError as error:  # such as a codec that wants more rows than the lists do
        raise QueryError(
            f"{factory}: FAISS cannot train it on {len(sample)} of {len(stored)} rows; use Flat or IVF...,Flat"
        ) from error
    return index


def _sampled(stored: Stored, rows: np.ndarray[Any, Any]) -> Vectors:
    """Some rows, in order, read a block at a time."""
    sample = np.empty((len(rows), stored.shape[1]), np.float32)
    for start in range(0, len(rows), ADD_ROWS):
        sample[start : start + ADD_ROWS] = unit(np.asarray(stored[rows[start : start + ADD_ROWS]]))
        release(stored)
    return sample


def _train_lists(ivf: Any, sample: Vectors) -> None:
    """The centroids of an IVF index by k-means, pass by pass, so that there is something to tell; FAISS's own in the
    end, with its seed and its way to split empty lists."""
    if not isinstance(faiss.downcast_index(ivf.quantizer), faiss.IndexFlat):
        return  # FAISS trains it
    parameters = faiss.ClusteringParameters()
    parameters.niter, parameters.spherical, parameters.seed = 1, ivf.cp.spherical, ivf.cp.seed
    parameters.min_points_per_centroid, parameters.max_points_per_centroid = 1, len(sample)
    centroids = np.empty(0, np.float32)  # none yet: FAISS draws them from the sample
    began = said = time.monotonic()
    for done in range(1, PASSES + 1):
        clustering = faiss.Clustering(ivf.d, ivf.nlist, parameters)
        faiss.copy_array_to_vector(centroids, clustering.centroids)
        clustering.train(sample, faiss.IndexFlat(ivf.d, ivf.metric_type))
        centroids = faiss.vector_to_array(clustering.centroids)
        now = time.monotonic()
        if now - said > SAY_SECONDS:
            left = (now - began) / done * (PASSES - done)
            log.info(f"  {ivf.nlist} lists: pass {done} of {PASSES} over {len(sample)} rows, {left:.0f} s left")
            said = now
    ivf.quantizer.reset()
    ivf.quantizer.add(centroids.reshape(ivf.nlist, ivf.d))  # FAISS then trains the codes only


def fill_index(index: Any, stored: Stored, checkpoint: Path | None, progress: Progress) -> None:
    """Add the rows of `stored` that come after those in the index."""
    saved = time.monotonic()
    progress.start(len(stored), index.ntotal)
    try:
        for start in range(index.ntotal, len(stored), ADD_ROWS):
            index.add(unit(np.asarray(stored[start : start + ADD_ROWS])))
            release(stored)
            progress.advance(min(ADD_ROWS, len(stored) - start))
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                _save(index, checkpoint)
                saved = time.monotonic()
    finally:
        progress.finish()


def _save(index: Any, checkpoint: Path | None) -> None:
    if checkpoint is not None:
        with replacing(checkpoint) as temporary:
            faiss.write_index(index, str(temporary))
