"""This project's index beside autofaiss, faiss HNSW and Flat, hnswlib and usearch: recall against latency.

Captions ask for images, and images for images (synthetic.py); each system runs in processes of its own, one that builds
with all cores and one that opens the index afresh and answers with one thread. Systems are measured one after another
and merged into one result, so that a long run can be cut into pieces:

python benchmarks/frontier.py FOLDER --rows 1000000 --system ours
python benchmarks/frontier.py FOLDER --rows 1000000 --system hnswlib --python OTHER_ENVIRONMENT/bin/python
python benchmarks/frontier.py FOLDER --plot benchmarks/results/frontier.png

autofaiss needs an environment with numpy < 2 (pip install autofaiss 'numpy<2' 'pyarrow<22'), hnswlib and usearch any.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from environment import describe_machine
from frontier_child import BATCH, SINGLE
from synthetic import VARIANTS, Pairs
from synthetic_files import write_arrays, write_shards
from systems_index import SYSTEMS

from retrieval.files import read_json, write_json

CHILD = Path(__file__).with_name("frontier_child.py")
TUNING_CAPTIONS = 4000
LEAST_LOSS = 0.0005  # where the plot puts a recall of 1
TICKS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1)
ENVIRONMENT = {"flat-blas": {"OPENBLAS_CORETYPE": "SkylakeX"}}  # the wheel's BLAS takes new processors for old ones


def make_data(folder: Path, rows: int, variant: str, dim: int, queries: int) -> dict[str, Any]:
    """What about.json says of the arrays in `folder`, which are written where there are none."""
    if not (folder / "about.json").exists():
        print(f"writing {rows} rows to {folder}", flush=True)
        write_arrays(folder, Pairs(variant, dim), rows, queries, variant)
    about: dict[str, Any] = read_json(folder / "about.json")
    if (about["rows"], about["dim"], about["variant"]) != (rows, dim, variant):
        raise SystemExit(f"{folder} holds {about['rows']} rows of {about['dim']} ({about['variant']}); name another")
    return about


def measure(name: str, folder: Path, about: dict[str, Any], python: Path) -> dict[str, Any]:
    """Build and search one system in processes of their own; a build that is there already is not repeated."""
    system = SYSTEMS[name]
    place = folder / (system.builds or name)
    built = place / "built.json"
    if not built.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if name == "ours":
            pairs = Pairs(about["variant"], about["dim"], about["seed"])
            write_shards(place / "index", pairs, about["rows"], min(TUNING_CAPTIONS, about["rows"] // 4))
        write_json(built, _child("build", system.builds or name, folder, place, python, os.cpu_count() or 1))
    searched = _child("search", name, folder, place, python, 1)
    load = round(os.getloadavg()[0], 1)
    return {"title": system.title, "build": read_json(built), **searched, "date": str(date.today()), "load": load}


def _child(what: str, name: str, folder: Path, place: Path, python: Path, threads: int) -> dict[str, Any]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "OPENBLAS_", "PYTHON"))}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "measured.json"
        command = [python, CHILD, what, name, folder, place, out]
        subprocess.run(command, env=clean | counts | ENVIRONMENT.get(name, {}), check=True)
        return json.loads(out.read_text())  # type: ignore[no-any-return]


def frontier(points: list[dict[str, Any]], latency: str) -> list[tuple[float, float]]:
    """(recall, latency) of the points that no other beats on both, by recall."""
    best: list[tuple[float, float]] = []
    for recall, ms in sorted(((p["recall_ood"], p[latency]) for p in points), key=lambda pair: (-pair[0], pair[1])):
        if not best or ms < best[-1][1]:
            best.append((recall, ms))
    return best[::-1]


def loss(recall: float) -> float:
    """What is missed: on a logarithmic axis, so that 0.99 and 0.999 are told apart."""
    return max(1 - recall, LEAST_LOSS)


def plot(result: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # colours of Okabe and Ito (2008), told apart by every kind of colour vision; markers tell them apart in grey
    colours = ["#0072B2", "#000000", "#999999", "#E69F00", "#D55E00", "#009E73", "#CC79A7"]
    styles = dict(zip(SYSTEMS, zip(colours, "osvD^PX", strict=True), strict=True))
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 5.2), sharey=True, layout="constrained")
    titles = {"single_p50_ms": "one query at a time (median)", "batch_ms": f"batches of {BATCH}"}
    for panel, (latency, title) in zip(panels, titles.items(), strict=True):
        for name, system in result["systems"].items():
            colour, marker = styles[name]
            points = [(loss(recall), ms) for recall, ms in frontier(system["points"], latency)]
            label = f"{system['title']} ({_mb(system):,.0f} MB)"
            panel.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label, linewidth=1.4)
            for chosen in (p for p in system["points"] if p["parameters"] == system["own_choice"]):
                panel.plot(loss(chosen["recall_ood"]), chosen[latency], "o", ms=13, mfc="none", mec=colour)
        panel.set(xlabel="recall@10 of captions asking for images", title=title, xscale="log", yscale="log")
        panel.set_xlim(0.25, LEAST_LOSS / 1.3)
        panel.set_xticks([loss(recall) for recall in TICKS], [f"{recall:g}" for recall in TICKS])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("ms a query, one thread")
    lines, labels = panels[0].get_legend_handles_labels()
    title = "in brackets: memory of its own, after searching"
    figure.legend(lines, labels, loc="outside lower center", ncols=4, fontsize=8, title=title, title_fontsize=8)
    figure.suptitle(f"{result['rows']:,} × {result['dim']}, variant {result['variant']}; rings: what a system chose")
    figure.savefig(path, dpi=130)


def _mb(system: dict[str, Any]) -> float:
    return float(system["memory"]["searched_mb"]["anonymous"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where arrays and indexes are kept between runs")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="M")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--system", choices=tuple(SYSTEMS), action="append", default=[], help="may be given often")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment it runs in")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/frontier.json"))
    parser.add_argument("--plot", type=Path, help="draw the results into this file")
    args = parser.parse_args()
    heading = {"rows": args.rows, "dim": args.dim, "variant": args.variant, "k": 10, "single": SINGLE, "batch": BATCH}
    result = read_json(args.out) if args.out.exists() else {"machine": describe_machine(), **heading, "systems": {}}
    if any(result[key] != value for key, value in heading.items()):
        raise SystemExit(f"{args.out} holds another comparison; name another file with --out")
    for name in args.system:
        about = make_data(args.folder, args.rows, args.variant, args.dim, args.queries)
        result["systems"][name] = measure(name, args.folder, about, args.python)
        write_json(args.out, result)
    if args.plot:
        plot(result, args.plot)


if __name__ == "__main__":
    main()
