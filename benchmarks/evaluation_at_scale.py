"""Ranks of both directions beside faiss, a NumPy loop and CLIP_benchmark's method, and how each grows with the pairs.

    python benchmarks/evaluation_at_scale.py            # up to 131,072 pairs: about 20 minutes on 2 cores
    python benchmarks/evaluation_at_scale.py --quick    # up to 16,384 pairs, under 3 minutes
    python benchmarks/evaluation_at_scale.py --full     # and 725,739 pairs, the pool of the BiomedCLIP paper

Captions and figures are synthetic (`pairs.py`), 512 dimensions, stored as float16. Every method is given float32 in
memory and says for both directions how many queries find their own among the first 1, 5 and 10:

* both_ranks     `retrieval.ranking.both_ranks`: every rank, from one product.
* numpy loop     Strips of scores, in each direction, and a comparison with the own figure's score.
* faiss          `faiss.knn`, k = 10, in each direction, as the wheel comes.
* faiss, tuned   The same with OPENBLAS_CORETYPE=SkylakeX, without which its own BLAS may not know the processor.
* topk one-hot   Score and relevance matrices, `torch.topk` and one-hot vectors, as CLIP_benchmark does, for k = 10.

Each run is a process of its own; sizes double until the next would take more than --seconds or --memory. Time is that
of the method alone, without start, reading, and (for both_ranks) compilation, given apart. Memory is what the
process grows by. The full run reads stored float16; its memory is the whole process. Its ranks are checked against
`relevant_ranks` for 2,000 random queries of each direction.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_machine
from memory import peak_bytes
from pairs import DIM, write_pairs

from retrieval.files import write_json

PAPER = 725_739
KS = (1, 5, 10)
FIRST = 8192
CHECKED = 2000
GROWTH = 4  # of time and memory, when the pairs double
Sides = tuple[np.ndarray, np.ndarray]


def both_ranks(captions: np.ndarray, figures: np.ndarray) -> dict[str, Any]:
    from retrieval.evaluation.ranks.both_ways import both_ranks

    made: list[Any] = []
    make = _maker(len(captions))
    codes = np.arange(len(captions))
    ways = both_ranks(captions, figures, codes, codes, tiles=lambda a, b: made.append(make(a, b)) or made[-1])
    doubts = np.array(getattr(made[0], "settled", [0]))
    return {
        "found": [[float((ranks.ranks <= k).mean()) for k in KS] for ranks in ways],
        "median_rank": [float(np.median(ranks.ranks)) for ranks in ways],
        "mean_rank": [float(ranks.ranks.mean()) for ranks in ways],
        "tiles": type(made[0]).__name__,
        "in_doubt": float(doubts[doubts > 0].sum() / len(captions) ** 2),
        "tiles_by_half": float(np.mean(getattr(made[0], "halved", [0]))),
        "tiles_in_float32": float((doubts < 0).mean()),
        "ranks": [ranks.ranks for ranks in ways],
    }


def _maker(size: int) -> Any:
    """The way that a large run takes, so that one method is measured at all sizes."""
    from retrieval.evaluation.ranks.both_ways import SMALL, fastest

    return fastest(max(size, SMALL), max(size, SMALL), DIM)


def numpy_loop(captions: np.ndarray, figures: np.ndarray) -> dict[str, Any]:
    found = []
    for queries, gallery in ((captions, figures), (figures, captions)):
        ranks = []
        for start in range(0, len(queries), 512):
            scores = queries[start : start + 512] @ gallery.T
            own = scores[np.arange(len(scores)), np.arange(start, start + len(scores))]
            ranks.append((scores >= own[:, None]).sum(axis=1))
        found.append([float((np.concatenate(ranks) <= k).mean()) for k in KS])
    return {"found": found}


def faiss_knn(captions: np.ndarray, figures: np.ndarray) -> dict[str, Any]:
    import faiss

    found = []
    for queries, gallery in ((captions, figures), (figures, captions)):
        rows = faiss.knn(queries, gallery, max(KS), metric=faiss.METRIC_INNER_PRODUCT)[1]
        own = rows == np.arange(len(queries))[:, None]
        found.append([float(own[:, :k].any(axis=1).mean()) for k in KS])
    return {"found": found}


def topk_one_hot(captions: np.ndarray, figures: np.ndarray) -> dict[str, Any]:
    import torch

    k = max(KS)
    scores = torch.from_numpy(captions) @ torch.from_numpy(figures).t()
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), torch.arange(len(scores))] = True
    found = []
    for ours, relevant in ((scores, positive), (scores.T, positive.T)):
        shares = []
        for start in range(0, len(ours), 64):
            best = torch.topk(ours[start : start + 64], k, dim=1)[1]
            chosen = torch.nn.functional.one_hot(best, num_classes=ours.shape[1])
            hits = (chosen * relevant[start : start + 64].unsqueeze(1)).sum(dim=(1, 2))
            shares.append(hits / relevant[start : start + 64].sum(dim=1))
        found.append([None, None, float((torch.cat(shares) > 0).float().mean())])
    return {"found": found}


METHODS: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, str]]] = {
    "both_ranks": (both_ranks, {}),
    "numpy loop": (numpy_loop, {}),
    "faiss": (faiss_knn, {}),
    "faiss, tuned": (faiss_knn, {"OPENBLAS_CORETYPE": "SkylakeX"}),
    "topk one-hot": (topk_one_hot, {}),
}


def child(method: str, folder: Path, size: int) -> dict[str, Any]:
    """In the process of one method: a small run that loads and compiles everything, then the run."""
    run = METHODS[method][0]
    stored = [np.load(folder / f"{name}.npy", mmap_mode="r")[:size] for name in ("captions", "figures")]
    begun = time.perf_counter()
    run(*(_unit(side[:256]) for side in stored))
    warm = time.perf_counter() - begun
    sides = [_unit(side) for side in stored]
    before, begun, cpu = peak_bytes(), time.perf_counter(), time.process_time()
    result = run(*sides)
    result |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu, "load": warm}
    result.pop("ranks", None)
    return result | {"bytes": peak_bytes() - before}


def _unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float32)
    wide /= np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
    return wide


def full_run(folder: Path) -> dict[str, Any]:
    """Stored float16 to measures with intervals, as `retrieval evaluate` does it; the ranks stay in the folder."""
    from retrieval.evaluation.bootstrap import estimates
    from retrieval.evaluation.metrics import per_query
    from retrieval.evaluation.queries import UnitRows
    from retrieval.evaluation.ranks.both_ways import both_ranks
    from retrieval.indexer.progress import watcher

    sides = [UnitRows(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("captions", "figures")]
    size, made = len(sides[0]), []
    codes, make, begun = np.arange(size), _maker(size), time.perf_counter()
    ways = both_ranks(*sides, codes, codes, progress=watcher(), tiles=lambda a, b: made.append(make(a, b)) or made[-1])
    seconds, begun = time.perf_counter() - begun, time.perf_counter()
    articles = codes // 3
    measures = [{name: e.value for name, e in estimates(per_query(way), articles).items()} for way in ways]
    np.save(folder / "ranks.npy", np.array([way.ranks for way in ways]))
    doubts = np.array(getattr(made[0], "settled", [0]))
    return {
        "pairs": size,
        "seconds": seconds,
        "seconds_of_measures": time.perf_counter() - begun,
        "gflops": 2 * DIM * size**2 / seconds / 1e9,
        "peak_bytes": peak_bytes(),
        "tiles": type(made[0]).__name__,
        "in_doubt": float(doubts[doubts > 0].sum() / size**2),
        "tiles_by_half": float(np.mean(getattr(made[0], "halved", [0]))),
        "tiles_in_float32": float((doubts < 0).mean()),
        "measures": dict(zip(("t2i", "i2t"), measures, strict=True)),
    }


def check_run(folder: Path, seed: int = 0) -> dict[str, Any]:
    """How many of some random queries have another rank by brute force."""
    from retrieval.evaluation.queries import UnitRows
    from retrieval.evaluation.ranks.one_way import relevant_ranks

    captions, figures = (
        UnitRows(np.load(folder / f"{name}.npy", mmap_mode="r"))[:] for name in ("captions", "figures")
    )
    ranks, codes = np.load(folder / "ranks.npy"), np.arange(len(captions))
    rows = np.sort(np.random.default_rng(seed).choice(len(codes), min(CHECKED, len(codes)), replace=False))
    begun = time.perf_counter()
    differing = [
        int((relevant_ranks(queries[rows], gallery, rows, codes).ranks != way[rows]).sum())
        for queries, gallery, way in ((captions, figures, ranks[0]), (figures, captions, ranks[1]))
    ]
    return {"checked": 2 * len(rows), "differing": differing, "seconds_of_check": time.perf_counter() - begun}


def process(task: list[str], environment: dict[str, str]) -> dict[str, Any] | None:
    """What a child prints last; None where it was killed, as for want of memory."""
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    command = [sys.executable, __file__, "--task", *task]
    done = subprocess.run(command, env=inherited | environment, stdout=subprocess.PIPE, check=False, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def grow(folder: Path, largest: int, seconds: float, memory: float) -> list[dict[str, Any]]:
    """Every method at doubling sizes, the methods in turns, each until it would take too long or too much."""
    runs: list[dict[str, Any]] = []
    going, size = list(METHODS), FIRST
    while going and size <= largest:
        for method in list(going):
            run = process([method, str(folder), str(size)], METHODS[method][1])
            if run is not None:
                runs.append({"method": method, "pairs": size} | run)
                gflops = 2 * DIM * size**2 / run["seconds"] / 1e9
                print(
                    f"{size:>8} {method:<14}{run['seconds']:>9.2f} s{run['bytes'] / 2**20:>9.0f} MiB{gflops:>8.0f} GF/s"
                )
            if run is None or GROWTH * run["seconds"] > seconds or GROWTH * run["bytes"] > memory:
                going.remove(method)
        size *= 2
    return runs


def compared(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each other method at its largest size, as a multiple of ours at the same size in the same run."""
    ours = {run["pairs"]: run for run in runs if run["method"] == "both_ranks"}
    rows = []
    for method in list(METHODS)[1:]:
        at = max((run for run in runs if run["method"] == method), key=lambda run: run["pairs"], default=None)
        if at is not None and at["pairs"] in ours:
            mine = ours[at["pairs"]]
            rows.append(
                {
                    "method": method,
                    "pairs": at["pairs"],
                    "time_ratio": at["seconds"] / mine["seconds"],
                    "memory_ratio": at["bytes"] / max(mine["bytes"], 1),
                }
            )
    return rows


def exponent(runs: list[dict[str, Any]], of: str) -> float | None:
    """Of the pairs, in a fit to the logarithms of our runs from the third size on: what starts up is over by then."""
    ours = [run for run in runs if run["method"] == "both_ranks"][2:]
    if len(ours) < 2:
        return None
    return float(np.polyfit(np.log([run["pairs"] for run in ours]), np.log([run[of] for run in ours]), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes only; written beside the results, not over them"
    )
    parser.add_argument("--full", action="store_true", help="count --pairs as well")
    parser.add_argument("--pairs", type=int, default=PAPER, help="of the full run (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="for one run of one method (default: 300; quick: 20)")
    parser.add_argument("--memory", type=float, default=16, help="GiB, for one method (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="results file (default: results/evaluation-at-scale[-quick].json)")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        task, folder = asked.task[0], Path(asked.task[1])
        whole = {"full": full_run, "check": check_run}
        print(json.dumps(whole[task](folder) if task in whole else child(task, folder, int(asked.task[2]))))
        return
    seconds = asked.seconds or (20 if asked.quick else 300)
    largest = 2 * FIRST if asked.quick else 16 * FIRST
    result: dict[str, Any] = {"machine": describe_machine(), "dim": DIM}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pairs(max(largest, asked.pairs if asked.full else 0), folder)
        result["runs"] = grow(folder, largest, seconds, asked.memory * 2**30)
    result["compared"] = compared(result["runs"])
    result["exponents"] = {of: exponent(result["runs"], of) for of in ("seconds", "bytes")}
    print(json.dumps({"compared": result["compared"], "exponents": result["exponents"]}, indent=1))
    if asked.full:
        with tempfile.TemporaryDirectory() as temporary:
            write_pairs(asked.pairs, Path(temporary))
            result["full"] = process(["full", temporary], {})
            result["full"] |= process(["check", temporary], {})
        print(json.dumps(result["full"], indent=1))
    name = f"evaluation-at-scale{'-quick' * asked.quick}.json"
    write_json(asked.out or Path(__file__).parent / "results" / name, result)


if __name__ == "__main__":
    main()
