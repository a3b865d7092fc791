"""The tables of docs/scale.md from benchmarks/results/*.json: `tables.py` puts them there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from rendering import NOT_MEASURED, chosen, duration, gigabytes, load, measured_on

from retrieval.indexes.ladder import choose_factory, lists, training_rows
from retrieval.indexes.train import PASSES

ON_PAPER = (24_000_000, 100_000_000)  # all figures of PMC's open subset, and beyond
LARGE = 1_000_000  # rows; a search of fewer looks at a number that does not grow (retrieval/indexes/ladder.py)
PAPER_MEMORY = 32 * 2**30  # of a machine on paper, for the index
STATISTICS = {
    "image-image": "mean cosine of two images",
    "text-text": "of two captions",
    "image-text": "of an image and another's caption",
    "matched": "of an image and its caption",
    "gap": "distance of the modalities' means",
    "participation": "participation ratio of the images' covariance",
    "dimensions of 90 %": "dimensions that hold 90 % of their variance",
    "lid_id": "local intrinsic dimension, image among images",
    "lid_ood": "caption among images",
    "hit_rate@1": "hit_rate@1, captions → images",
    "hit_rate@10": "hit_rate@10",
}


def exponent(rows: Sequence[float], values: Sequence[float]) -> float:
    """b of values ≈ a · rows^b, by least squares on logarithms."""
    return float(np.polyfit(np.log(rows), np.log(values), 1)[0])


def pairs() -> str:
    """What the synthetic pairs are like."""
    result = load("synthetic")
    if result is None:
        return NOT_MEASURED.format("synthetic")
    columns = result["statistics"]
    lines = [
        "| | " + " | ".join(f"{column['variant']}, {column['rows']:,}" for column in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for key, title in STATISTICS.items():
        lines.append(
            f"| {title} | " + " | ".join(f"{column[key]:.{2 if column[key] < 2 else 0}f}" for column in columns) + " |"
        )
    return "\n".join(lines)


def building() -> str:
    """Seconds, memory and disk of a build against the number of rows."""
    result = load("scale")
    if result is None:
        return NOT_MEASURED.format("scale")
    sizes = result["sizes"]
    lines = [
        "| images | index | index s (CPU s) | tuning s | all s | peak memory, own | with mapped files | index on disk "
        "| vectors on disk |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        build = size["build"]
        stages, peak, disk = build["value"]["stages_s"], build["peak_mb"], size["disk_bytes"]
        cells = (
            f"{size['rows']:,}",
            f"`{build['value']['image']['factory']}`",
            f"{stages['image index']:,.0f} ({build['cpu_s']:,.0f} in all)",
            f"{stages['image tuning']:,.0f}",
            f"{build['s']:,.0f}",
            gigabytes(peak["anonymous"] * 1e6),
            gigabytes(peak["together"] * 1e6),
            gigabytes(disk["index"]),
            gigabytes(disk["vectors"] + disk["shards"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    fitted = growth(sizes, BUILD_COSTS)
    return "\n".join([*lines, "", f"Fitted exponents: {fitted}.", "", described(result)])


def searching() -> str:
    """Recall and latency against the number of rows, as tuned and at 0.99."""
    result = load("scale")
    if result is None:
        return NOT_MEASURED.format("scale")
    lines = [
        "| images | point | parameters | recall@10, captions → images (95 %) | images → images | p50 ms (first) "
        "| p95 ms (first) | batch ms | memory, own |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in result["sizes"]:
        for point in size["search"]["value"]:
            low, high = point["ood"]["interval"]
            cells = (
                f"{size['rows']:,}",
                point["point"],
                chosen(point["parameters"]) or "exact",
                f"{point['ood']['value']:.3f} [{low:.3f}, {high:.3f}]",
                f"{point['id']['value']:.3f}",
                *(f"{point['warm_ms'][name]:.1f} ({point['first_ms'][name]:.1f})" for name in ("p50", "p95")),
                f"{point['batch_ms']:.1f}",
                gigabytes(size["search"]["peak_mb"]["anonymous"] * 1e6),
            )
            lines.append(f"| {' | '.join(cells)} |")
    fitted = growth(result["sizes"], SEARCH_COSTS)
    return "\n".join([*lines, "", f"Fitted exponents: {fitted}.", "", described(result)])


def _point(size: Any, name: str) -> Any:
    return next(point for point in size["search"]["value"] if point["point"] == name)


Costs = dict[str, Callable[[Any], float]]
BUILD_COSTS: Costs = {
    "index seconds": lambda size: size["build"]["value"]["stages_s"]["image index"],
    "seconds in all": lambda size: size["build"]["s"],
    "own memory": lambda size: size["build"]["peak_mb"]["anonymous"],
    "index on disk": lambda size: size["disk_bytes"]["index"],
}
SEARCH_COSTS: Costs = {
    "p50 as tuned": lambda size: _point(size, "tuned")["warm_ms"]["p50"],
    "p50 at 0.99": lambda size: _point(size, "0.99")["warm_ms"]["p50"],
    "batch as tuned": lambda size: _point(size, "tuned")["batch_ms"],
    "own memory": lambda size: size["search"]["peak_mb"]["anonymous"],
}


def growth(sizes: Sequence[Any], costs: Costs) -> str:
    """The exponents of some costs over the sizes whose index is approximate."""
    some = approximate(sizes)
    if len(some) < 2:
        return "two sizes with an approximate index are needed"
    rows = [size["rows"] for size in some]
    fitted = (f"{name} N^{exponent(rows, [cost(size) for size in some]):.2f}" for name, cost in costs.items())
    return f"{', '.join(fitted)} (over {len(rows)} sizes from {rows[0]:,} to {rows[-1]:,})"


def approximate(sizes: Sequence[Any]) -> list[Any]:
    """The sizes that exponents are fitted over: not those where constant costs weigh, if there are enough others."""
    some = [size for size in sizes if size["build"]["value"]["image"]["factory"] != "Flat"]
    large = [size for size in some if size["rows"] >= LARGE]
    return large if len(large) >= 2 else some


def evaluating() -> str:
    """Seconds and memory of exact ranks against the number of pairs."""
    result = load("evaluation-at-scale")
    if result is None:
        return NOT_MEASURED.format("evaluation_at_scale")
    lines = ["| pairs | exact ranks both ways | memory |", "|---|---|---|"]
    for run in ranks_runs(result):
        held = gigabytes(run["bytes"]) if "bytes" in run else f"{gigabytes(run['peak_bytes'])}, the whole process"
        lines.append(f"| {run['pairs']:,} | {run['seconds']:,.1f} s | {held} |")
    runs = ranks_runs(result)
    slope = exponent([run["pairs"] for run in runs], [run["seconds"] for run in runs])
    fitted = (
        f"Fitted exponent: seconds N^{slope:.2f}, less than 2 as preparing and the first compilation weigh at first."
    )
    return "\n".join([*lines, "", fitted, "", f"{result['dim']} dimensions; {measured_on(result)}."])


def ranks_runs(result: Any) -> list[Any]:
    """Our runs by size, the full one last if there was one."""
    ours = [run for run in result["runs"] if run["method"] == "both_ranks"]
    return ours + [result["full"]] * ("full" in result)


def on_paper() -> str:
    """What collections would take that were not built: bytes by formula, times by the fitted exponents."""
    scale, encode, ranks = load("scale"), load("encode"), load("evaluation-at-scale")
    sizes = approximate(scale["sizes"]) if scale else []
    dim = scale["dim"] if scale else 512
    known = [size["rows"] for size in sizes]
    lines = ["| | " + " | ".join(f"{rows / 1e6:.0f}M" for rows in ON_PAPER) + " |", "|---" * (len(ON_PAPER) + 1) + "|"]

    def line(name: str, cell: Callable[[int], str]) -> None:
        lines.append(f"| {name} | {' | '.join(cell(rows) for rows in ON_PAPER)} |")

    line("index of one modality", lambda rows: f"`{choose_factory(rows, dim, PAPER_MEMORY).factory}`")
    line("its memory", lambda rows: gigabytes(choose_factory(rows, dim, PAPER_MEMORY).bytes))
    line("vectors in shards, and once more for exact ranking", lambda rows: f"2 × {gigabytes(2 * rows * dim)}")
    line("k-means, floating-point operations", lambda rows: f"{kmeans_work(rows, dim):.1e}")
    line("assigning rows to lists, the same", lambda rows: f"{2.0 * rows * lists(rows) * dim:.1e}")
    if len(sizes) >= 2:
        for name, cost in {"index seconds": BUILD_COSTS["index seconds"], **SEARCH_COSTS}.items():
            values = [cost(size) for size in sizes]
            slope = exponent(known, values)
            unit = duration if name == "index seconds" else f"{{:,.0f}} {'MB' if 'memory' in name else 'ms'}".format
            line(
                f"{name}, from N^{slope:.2f}",
                lambda rows, v=values, s=slope, u=unit: u(v[-1] * (rows / known[-1]) ** s),  # type: ignore[misc]
            )
    for run in (encode, encode and encode.get("biomedclip_sized")):
        if run and "per_second" in run:  # measured with its stages overlapping
            rate = run["figures"] / median(seconds["ours"]["both"] for seconds in run["rounds"])
            line(f"encoding here, {run['encoder']}, proportional", lambda rows, r=rate: duration(rows / r))  # type: ignore[misc]
    if ranks:
        largest = ranks_runs(ranks)[-1]
        line(
            f"exact ranks both ways, from {largest['pairs']:,} pairs by N²",
            lambda rows: duration(largest["seconds"] * (rows / largest["pairs"]) ** 2),
        )
    return "\n".join(lines)


def kmeans_work(rows: int, dim: int) -> float:
    """Multiply-adds count twice; each pass compares every training row with every list."""
    return 2.0 * dim * lists(rows) * training_rows(lists(rows), dim, PAPER_MEMORY) * PASSES


def described(result: Any) -> str:
    memory = f"`--memory` of {gigabytes(result['memory'])}" if result["memory"] else "the default `--memory`"
    return f"{result['dim']} dimensions, variant {result['variant']}, {memory}; {measured_on(result)}."
