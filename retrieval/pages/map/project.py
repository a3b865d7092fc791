"""Vectors of both modalities to places in the plane, near where they are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.types import Progress, Silent, Vectors

METHOD = "t-SNE (openTSNE) of 50 principal components"
COMPONENTS = 50
PERPLEXITY = 30
STEPS, TOLD = 750, 50  # openTSNE's own: 250 with early exaggeration and 500 without; how many between two reports
FEW = 10  # fewer points have no neighbourhoods to keep: their first two components are the map


def project(
    images: Vectors,
    captions: Vectors,
    *,
    keep_gap: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Places (n + m, 2) of n images and then m captions (each (n, dim)).

    Without `keep_gap` each modality's mean is taken away and lengths are made 1 again, so that only directions within
    a modality are compared. The same vectors and seed give the same places. Raises QueryError without the extra.
    """
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise QueryError(f"a map needs {error.name}; run: pip install 'retrieval[map]'") from error
    progress = progress or Silent()
    vectors = np.concatenate([images, captions] if keep_gap else [_centred(images), _centred(captions)])
    components = _principal(vectors)
    if len(vectors) < FEW:
        return components[:, :2]
    # one thread: the sum of forces depends on how it is shared out, and the page must not depend on the machine
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
        initialization=_start(components),
        neighbors="exact" if len(vectors) < 2000 else "annoy",
        n_jobs=1,
        random_state=seed,
        callbacks=lambda *_: progress.advance(TOLD),
        callbacks_every_iters=TOLD,
    )
    progress.start(STEPS, 0)
    places = np.asarray(tsne.fit(components), dtype=np.float32)
    progress.finish()
    return places


def modality_gap(images: Vectors, captions: Vectors) -> float:
    """How far the mean of images (n, dim) lies from that of captions (m, dim); 0 where one of them is missing."""
    if not len(images) or not len(captions):
        return 0.0
    apart = images.mean(axis=0, dtype=np.float64) - captions.mean(axis=0, dtype=np.float64)
    return float(np.linalg.norm(apart))


def _centred(vectors: Vectors) -> Vectors:
    if not len(vectors):
        return vectors
    rest = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    centred: Vectors = rest / np.where(lengths > 1e-6, lengths, 1.0)
    return centred


def _principal(vectors: Vectors) -> NDArray[np.float32]:
    """The first components (n, 50 or fewer, at least 2), greatest first; a sign that does not depend on LAPACK."""
    rest = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(rest.T @ rest)
    axes = axes[:, ::-1][:, :COMPONENTS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    components = rest @ axes
    missing = max(0, 2 - components.shape[1])
    return np.pad(components, ((0, 0), (0, missing))).astype(np.float32)


def _start(components: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where the points begin: at their first two components, so small that neighbours can still pass each other."""
    first = components[:, :2].astype(np.float64)
    return first / (np.std(first[:, 0]) or 1.0) * 1e-4
