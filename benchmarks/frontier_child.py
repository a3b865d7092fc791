"""One system of frontier.py in a process of its own.

python frontier_child.py build|search SYSTEM DATA PLACE OUT: `build` makes an index of DATA/image.npy in PLACE, `search`
opens it and asks it; both write what they measured to OUT as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from systems_index import SYSTEMS, THREADS, Opened, unit

SINGLE, WARM = 500, 50  # queries asked one by one, after some that do not count
BATCH = 100


def memory() -> dict[str, float]:
    """Resident MB of this process: its own pages, and pages of files that the system can drop."""
    with open("/proc/self/status", encoding="ascii") as file:
        values = dict(line.split(":", 1) for line in file)
    return {name: int(values[key].split()[0]) / 1024 for name, key in (("anonymous", "RssAnon"), ("mapped", "RssFile"))}


def measure_build(name: str, data: Path, place: Path) -> dict[str, Any]:
    build = SYSTEMS[name].build
    assert build is not None, f"{name} shares a build"
    before = _bytes(place)
    begun, cpu = time.perf_counter(), time.process_time()
    build(data, place)
    return {
        "wall_s": round(time.perf_counter() - begun, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "threads": THREADS,
        "disk_mb": round((_bytes(place) - before) / 1e6, 1),
    }


def _bytes(place: Path) -> int:
    return sum(file.stat().st_size for file in place.rglob("*") if not file.is_symlink() and file.is_file())


def measure_search(name: str, data: Path, place: Path) -> dict[str, Any]:
    ood, own = unit(np.load(data / "ood.npy")), unit(np.load(data / "id.npy"))
    exact = {"ood": np.load(data / "ood.exact.npy"), "id": np.load(data / "id.exact.npy")}
    import_module(SYSTEMS[name].library)  # its code is not counted
    before = memory()
    opened = SYSTEMS[name].open(data, place)
    opened.search(ood[:1], exact["ood"].shape[1])
    growth = {"opened_mb": _growth(before)}
    points = []
    for chosen in opened.sweep:
        opened.choose(chosen)
        points.append({"parameters": chosen, **_measure_point(opened, ood, own, exact)})
        print(name, points[-1], flush=True)
    growth["searched_mb"] = _growth(before)
    versions = {package: version(package) for package in (SYSTEMS[name].package, "numpy")}
    return {"memory": growth, "own_choice": opened.own_choice, "points": points, "versions": versions}


def _growth(before: dict[str, float]) -> dict[str, float]:
    return {key: round(value - before[key], 1) for key, value in memory().items()}


def _measure_point(opened: Opened, ood: np.ndarray, own: np.ndarray, exact: dict[str, np.ndarray]) -> dict[str, Any]:
    k = exact["ood"].shape[1]
    single = []
    for query in ood[np.arange(SINGLE + WARM) % len(ood)]:
        begun = time.perf_counter()
        opened.search(query[None], k)
        single.append(1000 * (time.perf_counter() - begun))
    begun, cpu = time.perf_counter(), time.process_time()
    found = np.concatenate([opened.search(ood[start : start + BATCH], k) for start in range(0, len(ood), BATCH)])
    batch, batch_cpu = time.perf_counter() - begun, time.process_time() - cpu
    point = {
        "recall_ood": recall(found, exact["ood"]),
        "recall_id": recall(opened.search(own, k), exact["id"]),
        "single_p50_ms": float(np.median(single[WARM:])),
        "single_p95_ms": float(np.quantile(single[WARM:], 0.95)),
        "batch_ms": 1000 * batch / len(ood),
        "batch_cpu_ms": 1000 * batch_cpu / len(ood),
    }
    return {key: round(value, 4) for key, value in point.items()}


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """The share of the exact nearest rows that were found; a row named twice counts once."""
    return float(np.mean([len(np.intersect1d(f, e)) / len(e) for f, e in zip(found, exact, strict=True)]))


def main() -> None:
    what, name = sys.argv[1:3]
    data, place, out = map(Path, sys.argv[3:])
    measured = {"build": measure_build, "search": measure_search}[what](name, data, place)
    out.write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
