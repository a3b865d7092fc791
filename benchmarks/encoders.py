"""Every kind of published encoder at full size: by hub name and by path, without a network, beside its authors' code.

One system after the other is published into a temporary folder and into a hub cache (published.py), and opened in
processes of their own, in which asking the network fails. Vectors are compared with those of the authors' path
(open_clip, transformers), from images and captions on. Loads and single queries are timed in turn, ours and theirs.

python benchmarks/encoders.py                          # all; needs 6 GB of memory and 6 GB under the temporary folder
python benchmarks/encoders.py --missing                # those that benchmarks/results/encoders.json has no row of yet
python benchmarks/encoders.py --only biomedclip        # one; the other rows stay, if they are of this machine
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_machine
from opening import Opened, ours
from published import lay_in_cache
from systems import System, systems

from retrieval.files import write_json

RESULTS = Path(__file__).parent / "results" / "encoders.json"
FIGURES = CAPTIONS = 8  # compared
ROUNDS = 3  # of loads
QUERIES = 5  # single ones, timed in turn
PRELOADED = [  # imported once; the measured processes are forks of one that has made no model
    *("retrieval.encoders.clip_encoder", "retrieval.encoders.layouts.hf_clip", "retrieval.encoders.layouts.openai"),
    *(
        "retrieval.encoders.layouts.open_clip_tags",
        "retrieval.encoders.layouts.text_only",
        "transformers.models.clip.modeling_clip",
    ),
    *("transformers.models.clip.image_processing_pil_clip", "transformers.models.bert.modeling_bert", "torchvision"),
]
NOTES = [
    "Weights are random, seeded, of the published names, shapes, precisions and files; none was downloaded.",
    "CLIP's byte pairs are OpenAI's. BERT's vocabulary of 28,895 and SigLIP's of 32,000 words are made up around the "
    "words of the captions.",
    "The file names of open-pmc, medpmc-clip and bmc-clip are assumed: open_clip's usual ones.",
    "memory_mb: peak of a process's resident memory from opening to the vectors of 8 captions and 2 batches of 4 "
    "figures, above what it had after opening the starter. Files mapped into memory count as far as they were read.",
    "difference: of the vectors of the same pixels and of the same captions. figures_prepared_alike: of 8, those whose "
    "pixels agree to 1e-5 when each side prepares the figure itself.",
    "apart: the least of the largest differences of two figures' (captions') vectors, what a difference is small to.",
]


def publish(name: str, folder: str) -> float:
    """Make one system and lay it in the hub's cache; gives its megabytes."""
    system = systems()[name]
    system.make(Path(folder))
    if system.repository:
        lay_in_cache(Path(folder), system.repository)
    return sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6


def opener(name: str, way: str, folder: str) -> Callable[[], Opened]:
    """`way` is hub, path or theirs."""
    system = systems()[name]
    if way == "theirs":
        return lambda: system.theirs(folder)
    named = system.hub if way == "hub" else system.path.format(folder=folder)
    return lambda: ours(named, system.trust)


def look(
    name: str, way: str, folder: str, figures: int = FIGURES, captions: int = CAPTIONS, pixels: Any = None
) -> dict[str, Any]:
    """Open a system in this fresh process and encode; gives arrays, times, memory, and who asked the network.

    With `pixels` these are encoded, so that vectors can be compared even where images are prepared otherwise.
    """
    from retrieval.encoders import load_encoder, probes

    asked = refuse_network()
    load_encoder("starter")
    gc.collect()
    before = forget_peak()
    begun = time.perf_counter()
    opened = opener(name, way, folder)()
    first = time.perf_counter() - begun
    texts = opened.texts(probes.captions()[:captions])
    prepared, vectors, image_seconds = [], [], None
    drawn = probes.images()[:figures] if opened.reads_images else []
    for start in range(0, len(drawn), 4):
        begun = time.perf_counter()  # what stays is the second four's, when all is warm
        four = [opened.prepare(image) for image in drawn[start : start + 4]]
        vectors.append(opened.images(four if pixels is None else list(pixels[start : start + 4])))
        image_seconds = (time.perf_counter() - begun) / len(four)
        prepared += four
    memory = (resident("VmHWM") - before) / 1e6
    begun = time.perf_counter()
    if way == "path":
        opened.texts(probes.captions(32)[16:])
    return {
        "texts": texts,
        "images": np.concatenate(vectors) if vectors else None,
        "pixels": np.stack(prepared) if prepared else None,
        "first_load_s": round(first, 2),
        "memory_mb": round(memory),
        "image_seconds": image_seconds,
        "text_seconds": (time.perf_counter() - begun) / 16,
        "precision": opened.precision,
        "fingerprint": opened.fingerprint,
        "asked": asked,
    }


def in_turn(name: str, folder: str) -> dict[str, Any]:
    """Warm loads and single queries, ours and theirs alternating: seconds and milliseconds of each."""
    from retrieval.encoders import probes

    refuse_network()
    loads: dict[str, list[float]] = {"path": [], "theirs": []}
    queries: dict[str, list[float]] = {"path": [], "theirs": []}
    opened: dict[str, Opened] = {}
    for _ in range(ROUNDS):
        for way, seconds in loads.items():
            opened.pop(way, None)
            gc.collect()
            begun = time.perf_counter()
            opened[way] = opener(name, way, folder)()
            seconds.append(round(time.perf_counter() - begun, 2))
    for number, caption in enumerate(probes.captions()[: QUERIES + 1]):
        for way, milliseconds in queries.items():
            begun = time.perf_counter()
            opened[way].texts([caption])
            if number:  # the first is to warm up
                milliseconds.append(round((time.perf_counter() - begun) * 1000, 1))
    return {"load_s": _named(loads), "query_ms": _named(queries)}


def _named(times: dict[str, Any]) -> dict[str, Any]:
    return {"ours": times["path"], "theirs": times["theirs"]}


def refuse_network() -> list[str]:
    """From now on, whoever asks the network in this process fails; gives the list of those who did."""
    asked: list[str] = []
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family == socket.AF_UNIX:
            return connect(self, address)
        asked.append(str(address))
        raise OSError("the network is off")

    def refuse_name(host: Any, *_: Any, **__: Any) -> Any:
        asked.append(str(host))
        raise OSError("the network is off")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = refuse_name
    return asked


def resident(key: str) -> int:
    """VmRSS, or VmHWM, its peak, of this process in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident now
    return resident("VmRSS")


def measure(name: str, system: System, work: Path) -> dict[str, Any]:
    """The row of one system, or why it has none."""
    folder = work / "published"
    folder.mkdir()
    row: dict[str, Any] = {"name": name, "layout": system.layout, "hub": system.hub, "path": _shown(system.path)}
    row["against"] = system.against
    try:
        row["file_mb"] = round(alone(publish, name, str(folder)))
        path = alone(look, name, "path", str(folder))
        theirs = alone(look, name, "theirs", str(folder), pixels=path["pixels"])
        row |= compared(path, theirs)
        if system.hub:
            hub = alone(look, name, "hub", str(folder), 1, 2)
            row["hub_difference"] = max(
                difference(hub[side], path[side][: len(hub[side])])
                for side in ("images", "texts")
                if hub[side] is not None
            )
            row["hub_has_same_fingerprint"] = hub["fingerprint"] == path["fingerprint"]
            row["asked_network"] += len(hub["asked"])
        row |= alone(in_turn, name, str(folder))
    except Exception as error:  # whatever a library raises: the row says it, the other systems go on
        row["reason"] = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(Path(os.environ["HF_HOME"]) / "hub", ignore_errors=True)
    return row


def compared(path: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """What the processes of one system say together. Differences are the largest in a component of a unit vector."""
    read = {side: path[side] is not None for side in ("images", "texts")}
    alike = FIGURES
    if read["images"]:
        alike = int((np.abs(path["pixels"] - theirs["pixels"]).max(axis=(1, 2, 3)) < 1e-5).sum())
    return {
        "difference": {side: difference(path[side], theirs[side]) for side in read if read[side]},
        "figures_prepared_alike": alike,
        "apart": {side: apart(theirs[side]) for side in ("images", "texts") if read[side]},
        "precision": path["precision"],
        "asked_network": len(path["asked"]),
        "memory_mb": {"ours": path["memory_mb"], "theirs": theirs["memory_mb"]},
        "first_load_s": {"ours": path["first_load_s"], "theirs": theirs["first_load_s"]},
        "texts_per_second": round(1 / path["text_seconds"], 1),
        "images_per_second": round(1 / path["image_seconds"], 1) if read["images"] else None,
    }


def difference(one: Any, other: Any) -> float:
    return float(f"{np.abs(one - other).max():.1e}")


def apart(vectors: Any) -> float:
    pairs = np.abs(vectors[:, None] - vectors[None]).max(axis=2)
    return float(f"{pairs[~np.eye(len(vectors), dtype=bool)].min():.1e}")


def alone(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result of a function in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments, **options).result()


def _shown(path: str) -> str:
    return path.replace("{folder}/", "").replace("{folder}", "folder")


def kept_rows(machine: dict[str, Any], threads: int) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run, if they were measured on this machine with these versions and as many threads."""
    with suppress(OSError):
        before = json.loads(RESULTS.read_text(encoding="utf-8"))
        same = ("processor", "cores", "python", "versions")
        if before.get("threads") == threads and all(before["machine"][key] == machine[key] for key in same):
            return {row["name"]: row for row in before["rows"]}
    return {}


def main() -> None:
    known = systems()
    authors = {name: version(name) for name in ("open_clip_torch", "timm", "transformers")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--missing", action="store_true", help="leave out what has a row of numbers already")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count(),
        help="1 where other work is going on: two would wait for each other",
    )
    args = parser.parse_args()
    rows = kept_rows(describe_machine(), args.threads)
    wanted = [name for name in args.only or known if not (args.missing and "load_s" in rows.get(name, {}))]
    with tempfile.TemporaryDirectory() as temporary:
        os.environ |= {
            "HF_HOME": f"{temporary}/huggingface",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": str(args.threads),
        }
        os.environ.pop("HF_HUB_CACHE", None)
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
        for name in wanted:
            begun = time.perf_counter()
            rows[name] = measure(name, known[name], Path(temporary))
            rows[name] |= {"took_s": round(time.perf_counter() - begun), "load_average": round(os.getloadavg()[1], 1)}
            print(json.dumps(rows[name]), flush=True)
            ordered = [rows[name] for name in known if name in rows]
            result = {"machine": describe_machine(), "threads": args.threads, "authors": authors, "notes": NOTES}
            write_json(RESULTS, result | {"rows": ordered})
    failed = [name for name in wanted if "reason" in rows[name]]
    print(f"{len(wanted) - len(failed)} measured; {', '.join(failed) or 'none'} failed")


if __name__ == "__main__":
    main()
