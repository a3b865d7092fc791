"""The comparisons and numbers of README.md and docs/scale.md from benchmarks/results: `tables.py` puts them there."""

from __future__ import annotations

from typing import Any

from rendering import load, measured_on


def speed() -> str:
    """What is faster than the obvious way, and by how much, each within one run."""
    encode, search, ranks, kill = load("encode"), load("search"), load("evaluation"), load("kill")
    scale, paper = load("scale"), load("evaluation-at-scale")
    one, many, approximate = (entry | {"ms": f"{entry['ours_ms']:.1f} ms"} for entry in search["search"][:3])
    largest = max(ranks["sizes"], key=lambda entry: entry["pairs"])
    large = encode["biomedclip_sized"]
    encoded = f"encoding {encode['figures']} figures with `{encode['encoder']}`, shards and thumbnails included"
    times, memory = largest["time_ratio"]["argsort"], largest["memory_ratio"]["argsort"]
    exact = f"{search['rows']:,} × {search['dim']} exact, one query"
    in_batches = f"{many['ratio']:.1f} times in batches of {many['queries']}"
    look_up = search["whole_columns_ms"] / search["look_up_ms"]
    rows = [
        (encoded, "open_clip's own loop over the same files", _times(encode, "obvious")),
        ("the same", "clip-retrieval's way of reading and encoding", _times(encode, "clip_retrieval")),
        (f"{large['figures']} figures with {large['encoder']}", "open_clip's own loop", _times(large, "obvious")),
        (
            f"exact ranks of {largest['pairs']:,} pairs",
            "a sorted score matrix",
            f"{times:.1f} times as fast, 1/{memory:.0f} of the memory",
        ),
        (exact, "product and full sort in numpy", f"{one['ms']}, {one['ratio']:.1f} times as fast; {in_batches}"),
        (
            f"the same with `{approximate['factory']}`",
            "exact",
            f"{approximate['ms']} at recall {approximate['recall']:.3f}",
        ),
        _autofaiss(load("frontier")),
        _at_scale(scale["sizes"][-1]),
        (
            f"exact ranks of {paper['full']['pairs']:,} pairs, both directions",
            "",
            f"{paper['full']['seconds']:.0f} s, {paper['full']['peak_bytes'] / 1e9:.1f} GB for the whole process",
        ),
        (
            "captions and thumbnails of 10 hits",
            "reading the columns",
            f"{search['look_up_ms']:.0f} ms, {look_up:.0f} times as fast",
        ),
        (
            f"`retrieval index` killed with SIGKILL at {len(kill['moments'])} random moments, then run again",
            "an undisturbed run",
            "every file the same, every time",
        ),
    ]
    lines = ["| what | beside | result |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    lines.append(f"\nRatios within one run each ({measured_on(search)}); raw values in `benchmarks/results/`.")
    return "\n".join(lines)


def _times(encode: dict[str, Any], whom: str) -> str:
    faster = encode["times_as_fast_as"][whom]
    return f"figures {faster['figures']:.1f} times as fast, captions {faster['captions']:.1f} times"


def _autofaiss(result: dict[str, Any]) -> tuple[str, str, str]:
    """What it chose for itself, and the fastest of ours that finds as much, as a row."""
    theirs, ours = result["systems"]["autofaiss"], result["systems"]["ours"]
    chosen = next(point for point in theirs["points"] if point["parameters"] == theirs["own_choice"])
    enough = [point for point in ours["points"] if point["recall_ood"] >= chosen["recall_ood"]]
    point = min(enough, key=lambda point: point["single_p50_ms"])
    single, batch = (chosen[latency] / point[latency] for latency in ("single_p50_ms", "batch_ms"))
    memory = (system["memory"]["searched_mb"]["anonymous"] for system in (theirs, ours))
    return (
        f"{result['rows']:,} × {result['dim']}, captions ask images, recall {point['recall_ood']:.3f}, one thread",
        f"autofaiss, as it tunes itself ({chosen['recall_ood']:.3f})",
        f"{point['single_p50_ms']:.1f} ms, {single:.1f} times as fast; {batch:.1f} times in batches; "
        f"1/{next(memory) / next(memory):.0f} of the memory",
    )


def _at_scale(size: dict[str, Any]) -> tuple[str, str, str]:
    """The largest index that was built, as a row."""
    tuned, build = size["search"]["value"][0], size["build"]
    low, high = tuned["ood"]["interval"]
    own = size["search"]["peak_mb"]["anonymous"] / 1e3
    return (
        f"{size['rows']:,} images with `{build['value']['image']['factory']}`, one caption asked, one thread",
        "exact",
        f"{tuned['warm_ms']['p50']:.0f} ms at recall {tuned['ood']['value']:.3f} [{low:.3f}, {high:.3f}]; built in "
        f"{build['s'] / 60:.0f} minutes, searched with {own:.1f} GB of its own",
    )


def beside() -> str:
    """Other programs at the same task on the same machine, as the README compares."""
    encode, ranks = load("encode"), load("evaluation")
    largest = max(ranks["sizes"], key=lambda entry: entry["pairs"])
    usual = ("argsort", "topk one-hot")  # the ways of open_clip and of CLIP_benchmark: benchmarks/evaluation.py
    faster = " and ".join(f"{largest['time_ratio'][way]:.1f}" for way in usual)
    smaller = " and ".join(f"1/{largest['memory_ratio'][way]:.0f}" for way in usual)
    figures = f"encode {encode['figures']:,} figures with the same model, `{encode['encoder']}`"
    task, tuned, result = _autofaiss(load("frontier"))
    rows = [
        ("clip-retrieval's way of reading and encoding", figures, _times(encode, "clip_retrieval")),
        ("open_clip's own loop", "the same", _times(encode, "obvious")),
        (
            "recall as open_clip and CLIP_benchmark compute it",
            f"rank {largest['pairs']:,} pairs",
            f"{faster} times as fast, {smaller} of the memory",
        ),
        (tuned, f"search {task}", result),
    ]
    lines = ["| beside | task | retrieval |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    lines.append(f"\nRatios within one run each, {measured_on(encode)}. More, and how: [docs/scale.md](docs/scale.md).")
    return "\n".join(lines)


def four_numbers() -> str:
    """The README's four numbers: finding, finding with words, size, survival."""
    heldout, words, runs = load("heldout"), load("hybrid"), len(load("kill")["moments"])
    size = load("scale")["sizes"][-1]
    direction = heldout["reports"]["all"]["directions"]["t2i"]
    found, pool = 100 * direction["measures"]["hit_rate@10"]["value"], direction["gallery"]
    tuned, minutes = size["search"]["value"][0], size["build"]["s"] / 60
    modes = words["directions"]["t2i"]["all"]
    dense, lexical, both = (100 * modes[mode]["hit_rate@10"]["value"] for mode in ("dense", "lexical", "hybrid"))
    return "\n".join(
        [
            f"- **{found:.0f} %** of held-out captions of 12 real corpora find their figure among the first 10 of "
            f"{pool:,} with `starter`, which was trained from random weights (chance: {1000 / pool:.0f} %).",
            f"- **{both:.0f} %** of alternative texts find their textbook figure among the first 10 of "
            f"{words['figures']:,} in mode hybrid: {lexical:.0f} % by words alone, {dense:.0f} % by vectors alone.",
            f"- **{tuned['warm_ms']['p50']:.0f} ms** for a caption asked of {size['rows']:,} images, one thread, "
            f"recall {tuned['ood']['value']:.3f} of exact search; built in {minutes:.0f} minutes on two cores.",
            f"- **{runs} of {runs}** runs that were killed at random moments and started again wrote the same files as "
            "an undisturbed run.",
        ]
    )
