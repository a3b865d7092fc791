"""How building and asking an index grow with the number of rows: seconds, memory, disk, recall.

For each size: synthetic shards are written (synthetic.py; images, and some captions to tune with), built as a user
builds them, and asked captions and images that are not among them. Every step is a process of its own, whose resident
memory is sampled. A size that stands in the results is not measured again, and a step that is done is not repeated.

python benchmarks/scale.py FOLDER --rows 100k 1M 5M 15M --memory 8G
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_machine
from numpy.typing import NDArray
from synthetic import VARIANTS, Pairs
from synthetic_files import K, sampled_captions, sampled_rows, unseen_images, write_shards

from retrieval.files import read_json, write_json

TUNING_CAPTIONS = 4000
QUERIES = 1000  # captions, and as many images, that the index was not tuned with
HIGH_RECALL = 0.99
SAMPLE_EVERY = 0.1  # seconds
THREADS_OF = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TWO_SIDED = 1.96  # standard errors of a 95 % interval


def in_rows(text: str) -> int:
    """`100k`, `15M`: a number of rows."""
    units = {"k": 1_000, "M": 1_000_000}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1:] in units else int(text)


def resident(pid: int) -> dict[str, float]:
    """MB of a process and its children: pages of their own, and pages of files, which the system drops when it must."""
    found = {"anonymous": 0.0, "mapped": 0.0}
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines())
        found = {
            "anonymous": int(values["RssAnon"].split()[0]) / 1e3,
            "mapped": int(values["RssFile"].split()[0]) / 1e3,
        }
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
        for child in children.split():
            found = {name: value + resident(int(child))[name] for name, value in found.items()}
    except (OSError, KeyError):  # it ended, or ends just now
        pass
    return found


def in_a_process(step: Callable[..., Any], *args: Any, threads: int | None = None) -> dict[str, Any]:
    """What `step` returns when run in a new process, its wall and CPU seconds and the most memory it held."""
    before = dict(os.environ)
    os.environ.update({} if threads is None else dict.fromkeys(THREADS_OF, str(threads)))
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_run, args=(step, args, theirs))
    process.start()
    os.environ.clear()
    os.environ.update(before)
    theirs.close()
    peak = {"anonymous": 0.0, "mapped": 0.0, "together": 0.0}
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_EVERY):
            now = resident(process.pid)  # type: ignore[arg-type]
            for name, value in {**now, "together": sum(now.values())}.items():
                peak[name] = max(peak[name], value)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        measured: dict[str, Any] = ours.recv()
    except EOFError:
        raise SystemExit(f"{step.__name__}: its process ended without an answer") from None
    finally:
        ended.set()
        sampler.join()
        process.join()
    return measured | {"peak_mb": {name: round(value, 1) for name, value in peak.items()}}


def _run(step: Callable[..., Any], args: tuple[Any, ...], answer: Any) -> None:
    begun, cpu = time.perf_counter(), time.process_time()
    value = step(*args)
    answer.send(
        {"value": value, "s": round(time.perf_counter() - begun, 2), "cpu_s": round(time.process_time() - cpu, 2)}
    )


def build_step(folder: Path, memory: int | None) -> dict[str, Any]:
    """The facts of index.json without the curve, and the seconds of each stage."""
    from retrieval.indexes.build import build

    facts = build(folder, memory=memory)
    image = {name: value for name, value in facts["image"].items() if name not in ("tuning", "sha256")}
    return {"stages_s": facts["seconds"], "image": image}


def queries_step(folder: Path, pairs: Pairs, rows: int) -> None:
    """Held-out captions and images, and their exact nearest rows, beside the index."""
    from retrieval.indexes.exact import search_rows
    from retrieval.indexes.opened_index import OpenedIndex

    stored = OpenedIndex(folder).vectors("image")
    captions = sampled_captions(pairs, sampled_rows(rows, min(QUERIES, rows // 4)))
    asked = {"ood": captions, "id": unseen_images(pairs, rows, len(captions))}
    exact = search_rows(np.concatenate(list(asked.values())), stored, K).rows
    half = len(captions)
    np.savez(folder / "asked.npz", **asked, ood_exact=exact[:half], id_exact=exact[half:])  # type: ignore[arg-type]


def search_step(folder: Path) -> list[dict[str, Any]]:
    """At the parameters that were tuned, and at the least that find 0.99 of what is nearest while tuning."""
    from retrieval.indexes.opened_index import OpenedIndex

    asked = np.load(folder / "asked.npz")
    built = OpenedIndex(folder)
    index = built.index("image")
    curve = sorted(built.facts["image"]["tuning"] or [], key=lambda point: point["single_ms"])
    reaching = [point for point in curve if point["low"] >= HIGH_RECALL] or curve[-1:]
    points = {"tuned": dict(index.parameters), "0.99": reaching[0]["parameters"] if reaching else {}}
    measured = []
    for name, parameters in points.items():
        index.parameters.clear()
        index.parameters.update(parameters)
        measured.append({"point": name, "parameters": parameters, **_measure(index, asked)})
    return measured


def _measure(index: Any, asked: Any) -> dict[str, Any]:
    first, again = (_one_by_one(index, asked["ood"]) for _ in range(2))
    begun = time.perf_counter()
    found = index.search(asked["ood"], K).rows
    batch = 1000 * (time.perf_counter() - begun) / len(found)
    return {
        "ood": recall(found, asked["ood_exact"]),
        "id": recall(index.search(asked["id"], K).rows, asked["id_exact"]),
        "first_ms": first,  # the rows that a query ranks exactly may have to be read from disk
        "warm_ms": again,
        "batch_ms": round(batch, 3),
    }


def _one_by_one(index: Any, queries: NDArray[np.float32]) -> dict[str, float]:
    times = []
    for query in queries:
        begun = time.perf_counter()
        index.search(query[None], K)
        times.append(1000 * (time.perf_counter() - begun))
    return {"p50": round(float(np.median(times)), 3), "p95": round(float(np.quantile(times, 0.95)), 3)}


def recall(found: NDArray[np.int64], exact: NDArray[np.int64]) -> dict[str, Any]:
    """The share of the exact nearest rows that were found, with its 95 % interval over queries."""
    shares = (exact[:, :, None] == found[:, None, :]).any(axis=2).mean(axis=1)
    half = TWO_SIDED * float(shares.std(ddof=1)) / len(shares) ** 0.5
    value = float(shares.mean())
    return {"value": round(value, 4), "interval": [round(max(0.0, value - half), 4), round(min(1.0, value + half), 4)]}


def measure(folder: Path, rows: int, variant: str, dim: int, memory: int | None) -> dict[str, Any]:
    """All steps of one size; what each measured is kept beside the index until the size is done."""
    pairs = Pairs(variant, dim)
    done_path = folder / "steps.json"
    done: dict[str, Any] = read_json(done_path) if done_path.exists() else {}

    def step(name: str, function: Callable[..., Any], *args: Any, threads: int | None = None) -> None:
        if name not in done:
            print(f"{rows} rows: {name}", flush=True)
            done[name] = in_a_process(function, *args, threads=threads)
            write_json(done_path, done)

    if "write" not in done:
        shutil.rmtree(folder, ignore_errors=True)
    step("write", write_shards, folder, pairs, rows, min(TUNING_CAPTIONS, rows // 4))
    step("build", build_step, folder, memory)
    step("queries", queries_step, folder, pairs, rows)
    step("search", search_step, folder, threads=1)
    sizes = {"shards": "shards/*", "vectors": "image.npy", "index": "image.faiss"}
    disk = {name: sum(file.stat().st_size for file in folder.glob(pattern)) for name, pattern in sizes.items()}
    return {"rows": rows, "disk_bytes": disk, **done, "load": round(os.getloadavg()[0], 1)}


def main() -> None:
    from retrieval.memory import in_bytes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where shards and indexes are while they are measured")
    parser.add_argument("--rows", type=in_rows, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="M")
    parser.add_argument("--memory", type=in_bytes, help="passed to the build, such as 8G (default: the build's own)")
    parser.add_argument("--keep", action="store_true", help="leave shards and indexes where they are")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/scale.json"))
    args = parser.parse_args()
    heading = {"dim": args.dim, "variant": args.variant, "memory": args.memory}
    result = read_json(args.out) if args.out.exists() else {"machine": describe_machine(), **heading, "sizes": []}
    if any(result[key] != value for key, value in heading.items()):
        raise SystemExit(f"{args.out} holds other measurements; name another file with --out")
    for rows in args.rows:
        if rows in [size["rows"] for size in result["sizes"]]:
            continue
        folder = args.folder / str(rows)
        result["sizes"].append(measure(folder, rows, args.variant, args.dim, args.memory))
        result["sizes"].sort(key=lambda size: size["rows"])
        write_json(args.out, result)
        print(json.dumps(result["sizes"][-1]["search"], indent=1))
        if not args.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
