"""Tune how deep an approximate index is searched, measured on queries of the other modality."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from retrieval.indexes.exact import Stored, search_rows
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.ladder import FLOOR_K_FACTOR, floor_rows
from retrieval.shards.vectors import unit
from retrieval.types import Vectors

log = logging.getLogger("retrieval")

K = 10
QUERIES = 500  # to choose by, as many to measure what was chosen, as many of the index's own modality
TIMED = 50  # single queries
SPLIT_FROM = 200  # queries; of fewer all have a part in the choice and in its measurement
K_FACTOR = 50  # while the depth is sought; smaller ones are tried afterwards
SMALLER = (10, 20)
LARGEST_K_FACTOR = 1600
ENOUGH = 0.99  # the curve goes on to here, for who asks more of the index later
ONE_SIDED = 1.645  # standard errors below the mean of 95 % confidence that the truth lies above
TWO_SIDED = 1.96


@dataclass(frozen=True)
class Point:
    """What some parameters find of the exact `K` nearest: `recall` on queries of the other modality, at least `low`
    with 95 % confidence, `within` on queries of the same one; milliseconds of one query alone and in a batch."""

    parameters: Mapping[str, int]
    recall: float
    low: float
    within: float | None
    single_ms: float
    batch_ms: float


@dataclass(frozen=True)
class Tuned:
    """The parameters chosen, and their recall with its 95 % interval on queries that had no part in the choice."""

    parameters: Mapping[str, int]
    recall: float
    interval: tuple[float, float]
    within: float | None
    queries: int
    k: int
    curve: tuple[Point, ...]


def tune(
    index: FaissIndex,
    pool: Stored,
    *,
    target: float,
    floor: bool,
    other_modality: bool,
    seed: int = 0,
) -> Tuned:
    """Deepen the search of `index` until queries from `pool` find `target` of their exact nearest rows.

    `pool` holds vectors of the other modality, or where there is none (`other_modality` False) the index's own, each
    of which is then not counted as its own neighbour. With `floor` a search looks at `floor_rows` rows at least.
    The parameters are left set in the index.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(pool))[: 2 * QUERIES]
    choosing, measuring = (chosen[::2], chosen[1::2]) if len(chosen) >= SPLIT_FROM else (chosen, chosen)
    own = rng.permutation(len(index))[:QUERIES] if other_modality else np.empty(0, np.int64)
    log.info(f"  finding the exact neighbours of {len(np.union1d(choosing, measuring)) + len(own)} queries")
    samples = [
        _sample(index, pool, choosing, own=not other_modality),
        _sample(index, pool, measuring, own=not other_modality) if measuring is not choosing else None,
        _sample(index, index.stored, own, own=True) if other_modality else None,
    ]
    asked, again, within = samples
    assert asked is not None
    curve: list[Point] = []

    def try_out(parameters: Mapping[str, int]) -> Point:
        known = next((point for point in curve if point.parameters == parameters), None)
        if known is not None:
            return known
        index.parameters.clear()
        index.parameters.update(parameters)
        begun = time.perf_counter()
        values = asked.recalls(index)
        batch_ms = 1000 * (time.perf_counter() - begun) / len(values)
        low = float(values.mean() - ONE_SIDED * values.std() / sqrt(len(values)))
        point = Point(
            dict(parameters),
            round(float(values.mean()), 4),
            round(low, 4),
            None if within is None else round(float(within.recalls(index).mean()), 4),
            round(_single_ms(index, asked.queries), 3),
            round(batch_ms, 3),
        )
        curve.append(point)
        return point

    ladder = list(_deeper(index, floor))
    at = next((i for i, parameters in enumerate(ladder) if try_out(parameters).low >= target), len(ladder) - 1)
    best = _with_fewer_candidates(try_out, ladder[at], target, least=FLOOR_K_FACTOR if floor else SMALLER[0])
    for parameters in ladder[at + 1 :]:  # the rest of the curve
        if try_out(parameters).low >= max(target, ENOUGH):
            break
    for parameters in _shallower(index, ladder[0]):
        try_out(parameters)
    while True:
        index.parameters.clear()
        index.parameters.update(best)
        values = (again or asked).recalls(index)
        if values.mean() >= target or at == len(ladder) - 1:
            break
        at += 1  # luck had a part in the choice
        best = ladder[at]
    half = TWO_SIDED * float(values.std()) / sqrt(len(values))
    mean = float(values.mean())
    return Tuned(
        dict(best),
        round(mean, 4),
        (round(max(0.0, mean - half), 4), round(min(1.0, mean + half), 4)),
        None if within is None else round(float(within.recalls(index).mean()), 4),
        len(values),
        asked.k,
        tuple(curve),
    )


@dataclass(frozen=True)
class _Sample:
    """Queries with their exact neighbours; `own` (n,) is the row of the index that a query is itself, -1 for none."""

    queries: Vectors
    exact: NDArray[np.int64]
    own: NDArray[np.int64]
    k: int

    def recalls(self, index: FaissIndex) -> NDArray[np.float64]:
        """(n,) The share of each query's exact neighbours that the index finds."""
        found = _without_own(
            index.search(self.queries, self.exact.shape[1] + int((self.own >= 0).any())).rows, self.own
        )
        wanted = self.exact[:, :, None] == found[:, None, :]
        shares: NDArray[np.float64] = wanted.any(axis=2).mean(axis=1)
        return shares


def _sample(index: FaissIndex, pool: Stored, rows: NDArray[np.int64], *, own: bool) -> _Sample:
    rows = np.sort(rows)
    queries = unit(np.asarray(pool[rows]))
    selves = rows if own else np.full(len(rows), -1)
    k = max(1, min(K, len(index) - int(own)))
    exact = _without_own(search_rows(queries, index.stored, k + int(own)).rows, selves)
    return _Sample(queries, exact, selves, k)


def _without_own(rows: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows (n, k + 1) without each query's own, or without the last where it is not among them; (n, k) as they are
    where no query is a row itself."""
    if not (own >= 0).any():
        return rows
    is_own = rows == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    others: NDArray[np.int64] = rows[~is_own].reshape(len(rows), -1)
    return others


def _deeper(index: FaissIndex, floor: bool) -> Iterator[dict[str, int]]:
    """Parameters from shallow to deep: each reads half as much again as the last, in the end every row, and then
    ranks ever more candidates."""
    k_factor = K_FACTOR
    if index.depth is None:
        yield {"k_factor": k_factor}
    else:
        least = ceil(index.deepest * floor_rows(index.stored.shape[1]) / max(1, len(index)))
        depth = min(index.deepest, least) if floor else 1
        while depth < index.deepest:
            yield {index.depth: depth, "k_factor": k_factor}
            depth = ceil(1.5 * depth)
        yield {index.depth: index.deepest, "k_factor": k_factor}
    while k_factor * K < len(index) and k_factor < LARGEST_K_FACTOR:
        k_factor *= 2
        yield ({index.depth: index.deepest} if index.depth else {}) | {"k_factor": k_factor}


def _shallower(index: FaissIndex, parameters: dict[str, int]) -> Iterator[dict[str, int]]:
    """Parameters that are not up for choice, but belong to the curve: half, a quarter and an eighth as deep."""
    for part in (2, 4, 8):
        if index.depth is not None and parameters[index.depth] >= part:
            yield {**parameters, index.depth: parameters[index.depth] // part}


def _with_fewer_candidates(
    try_out: Callable[[Mapping[str, int]], Point], parameters: dict[str, int], target: float, least: int
) -> dict[str, int]:
    """The same depth with the fewest candidates that reach the target all the same."""
    for k_factor in SMALLER:
        fewer = parameters | {"k_factor": k_factor}
        if k_factor >= least and k_factor < parameters["k_factor"] and try_out(fewer).low >= target:
            return fewer
    return parameters


def _single_ms(index: FaissIndex, queries: Vectors) -> float:
    """The median time of one query alone."""
    times = []
    for number in range(min(TIMED, len(queries))):
        begun = time.perf_counter()
        index.search(queries[number : number + 1], K)
        times.append(time.perf_counter() - begun)
    return 1000 * median(times)
