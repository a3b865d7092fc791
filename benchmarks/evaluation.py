"""Exact ranks beside the usual ways to compute recall: time, memory, and what a collapsed encoder is told.

    python benchmarks/evaluation.py [--sizes 2000 5000 10000] [--out benchmarks/results/evaluation.json]

Three methods score captions against figures, one figure to a caption, on random unit vectors that are alike in pairs:

* ranking        `retrieval.ranking.relevant_ranks`: blocks of scores, every rank counted.
* argsort        The full score matrix and `torch.argsort` of it, as open_clip's `get_clip_metrics` does.
* topk one-hot   The full score and relevance matrices, `torch.topk`, and one-hot vectors in batches of 64, as
                 CLIP_benchmark's `zeroshot_retrieval` does; for its default, k = 5 alone.

Every run has a process of its own. The methods take turns, up to three times or until one has used five seconds of CPU,
and the best turn counts. Time is CPU time, because other work disturbs it less. Memory is what the process grows by at
its peak, beyond the vectors themselves.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from environment import describe_machine
from memory import peak_bytes
from numpy.typing import NDArray

from retrieval.evaluation import metrics
from retrieval.evaluation.ranks.one_way import relevant_ranks
from retrieval.files import write_json

DIM = 512
KS = (1, 5, 10)
TURNS = 3
ENOUGH_SECONDS = 5
NEAR_TIES = 2  # queries on which the methods may differ: they round a cosine within TIE of another to either side

Vectors = NDArray[np.float32]
Recall = dict[str, float]


def ranking(captions: Vectors, figures: Vectors) -> Recall:
    codes = np.arange(len(figures))
    ranks = relevant_ranks(captions, figures, codes, codes)
    return {f"hit_rate@{k}": float(metrics.hit_rate(ranks, k).mean()) for k in KS}


def argsort(captions: Vectors, figures: Vectors) -> Recall:
    scores = torch.from_numpy(captions) @ torch.from_numpy(figures).t()
    order = torch.argsort(scores, descending=True)
    places = torch.where(order == torch.arange(len(figures)).view(-1, 1))[1].numpy()
    return {f"hit_rate@{k}": float(np.mean(places < k)) for k in KS}


def topk_one_hot(captions: Vectors, figures: Vectors) -> Recall:
    scores = torch.from_numpy(captions) @ torch.from_numpy(figures).t()
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), torch.arange(len(scores))] = True

    def recall_at_k(scores: torch.Tensor, positive: torch.Tensor, k: int) -> torch.Tensor:
        best = torch.topk(scores, k, dim=1)[1]
        chosen = torch.nn.functional.one_hot(best, num_classes=scores.shape[1])
        found = (chosen * positive.view(len(scores), 1, scores.shape[1])).sum(dim=(1, 2))
        return found / positive.sum(dim=1)

    starts = range(0, len(scores), 64)
    found = [recall_at_k(scores[i : i + 64], positive[i : i + 64], 5) > 0 for i in starts]
    return {"hit_rate@5": torch.cat(found).float().mean().item()}


METHODS: dict[str, Callable[[Vectors, Vectors], Recall]] = {
    "ranking": ranking,
    "argsort": argsort,
    "topk one-hot": topk_one_hot,
}


def pairs(size: int, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Captions and figures (size, DIM) whose pairs are alike enough that about half are found first."""
    rng = np.random.default_rng(seed)
    figures = rng.standard_normal((size, DIM), dtype=np.float32)
    captions = rng.standard_normal((size, DIM), dtype=np.float32)
    captions *= 6
    captions += figures
    for side in (captions, figures):
        side /= np.sqrt(np.einsum("nd,nd->n", side, side))[:, None]  # np.linalg.norm would raise the peak memory first
    return captions, figures


def collapsed(size: int) -> tuple[Vectors, Vectors]:
    """An encoder that gives everything the same vector."""
    one = np.full((size, DIM), DIM**-0.5, np.float32)
    return one, one


def measure(method: str, data: str, size: int) -> dict[str, object]:
    """In the process of one method: run it once, after a small run that loads everything."""
    run = METHODS[method]
    run(*pairs(128))
    vectors = collapsed(size) if data == "collapsed" else pairs(size)
    before, wall, cpu = peak_bytes(), time.perf_counter(), time.process_time()
    recall = run(*vectors)
    return {
        "recall": recall,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "bytes": peak_bytes() - before,
    }


def in_a_process(method: str, data: str, size: int) -> dict[str, object]:
    fork = "fork" in multiprocessing.get_all_start_methods()  # spares each process the import of torch
    with multiprocessing.get_context("fork" if fork else "spawn").Pool(1) as pool:
        return pool.apply(measure, (method, data, size))


def compare(size: int) -> dict[str, object]:
    """All methods on `size` pairs, with their times and memory as multiples of ours."""
    turns: dict[str, list[dict[str, object]]] = {method: [] for method in METHODS}
    for _ in range(TURNS):
        for method, runs in turns.items():
            if sum(run["cpu_seconds"] for run in runs) < ENOUGH_SECONDS:
                runs.append(in_a_process(method, "pairs", size))
    best = {method: min(runs, key=lambda run: run["cpu_seconds"]) for method, runs in turns.items()}
    ours = best["ranking"]
    for method, run in best.items():
        for name, value in run["recall"].items():
            if abs(value - ours["recall"][name]) * size > NEAR_TIES + 0.5:
                raise SystemExit(f"{method} finds {name} = {value} at {size} pairs, ranking {ours['recall'][name]}")
    return {
        "pairs": size,
        "recall": ours["recall"],
        "time_ratio": {method: run["cpu_seconds"] / ours["cpu_seconds"] for method, run in best.items()},
        "memory_ratio": {method: run["bytes"] / max(ours["bytes"], 1) for method, run in best.items()},
        "turns": turns,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10000], help="pairs of figure and caption")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "evaluation.json")
    asked = parser.parse_args()
    sizes = []
    print(f"{'pairs':>7} {'method':<14}{'time':>8}{'memory':>9}   (multiples of ranking)")
    for size in asked.sizes:
        sizes.append(compare(size))
        for method in METHODS:
            time_ratio, memory_ratio = sizes[-1]["time_ratio"][method], sizes[-1]["memory_ratio"][method]
            print(f"{size:>7} {method:<14}{time_ratio:>7.1f}x{memory_ratio:>8.1f}x")
    size = min(asked.sizes)
    nothing = {method: in_a_process(method, "collapsed", size)["recall"] for method in METHODS}
    print(f"hit_rate@5 of a collapsed encoder, {size} pairs:", {m: r["hit_rate@5"] for m, r in nothing.items()})
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": describe_machine(), "dim": DIM, "sizes": sizes}
    write_json(asked.out, {**result, "collapsed": {"pairs": size, "recall": nothing}})


if __name__ == "__main__":
    main()
