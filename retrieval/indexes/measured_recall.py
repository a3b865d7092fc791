"""Measure what an index finds of the exact nearest rows, unless it hardly changed since that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from retrieval.indexes.checkpoint import Checkpoint
from retrieval.indexes.exact import Stored
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.tune import K, tune
from retrieval.types import OTHER, Modality

MEASURE_AGAIN = 0.01
"""Share of the rows that may change before recall is measured again. Each query's 10 nearest then hold a tenth of a row
that was withdrawn or added, and measuring costs 500 s of 2,700 for 15 million rows (docs/scale.md)."""


def recall_measured_before(
    checkpoint: Checkpoint, modality: Modality, made: Mapping[str, Any], target: float
) -> dict[str, Any] | None:
    """What was measured of an index that hardly changed since; None where it is to be measured."""
    before = checkpoint.before.get(modality, {})
    recall = before.get("recall") or {}
    if "moved" not in made or recall.get("target") != target:
        return None
    changed = recall.get("changed", 0) + made["moved"]
    if changed > MEASURE_AGAIN * before["rows"]:
        return None
    return {
        "parameters": before["parameters"],
        "recall": {**recall, "changed": changed},
        "tuning": before["tuning"],
    }


def measured_recall(
    index: FaissIndex,
    modality: Modality,
    vectors: Mapping[Modality, Stored],
    target: float,
    chosen_here: bool,
    seed: int,
) -> dict[str, Any]:
    """What an index finds of the exact nearest rows, and how it was tuned to do so."""
    other_modality = len(vectors[OTHER[modality]]) > 0
    queries_of = OTHER[modality] if other_modality else modality
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
