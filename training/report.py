"""What a bundle is worth: hit rates on the held-out figures, overall and per corpus, and on held-out generated ones."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bundle
import numpy as np
import torch
from corpora import read_pairs
from numpy.typing import NDArray
from pack import open_rgb
from PIL.Image import Image
from ranks import ranks, summary

from retrieval.demo.figure import draw_figure, plan_figure
from retrieval.files import sha256_file


def encode_pool(
    loaded: tuple[Any, Callable[[Image], torch.Tensor], Any], images: Iterable[Image], texts: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(image vectors, text vectors) through the bundle's own transform and tokenizer."""
    model, transform, tokenizer = loaded
    pixels = torch.stack([transform(image) for image in images])
    return bundle.encode(model, pixels).numpy(), bundle.encode(model, ids=tokenizer(texts)).numpy()


def both_ways(images: NDArray[np.float32], texts: NDArray[np.float32]) -> dict[str, NDArray[np.int64]]:
    return {"t2i": ranks(texts, images), "i2t": ranks(images, texts)}


def heldout_report(loaded: Any, data: Path) -> dict[str, Any]:
    """The 1,000 held-out pairs as one pool; per corpus the same ranks of its queries, and in its own pool."""
    wanted = json.loads((data / "heldout_1000.json").read_text())
    keys = {f"{corpus}/{name}" for corpus, names in wanted.items() for name in names}
    pairs = [pair for pair in read_pairs(data) if pair.key in keys]
    assert len(pairs) == len(keys) == 1000
    images, texts = encode_pool(loaded, [open_rgb(pair.image) for pair in pairs], [pair.texts[0] for pair in pairs])
    found = both_ways(images, texts)
    corpora = np.array([pair.corpus for pair in pairs])
    report: dict[str, Any] = {"all": {way: summary(value, 1000) for way, value in found.items()}, "corpora": {}}
    for corpus in sorted(set(corpora)):
        mine = corpora == corpus
        own = both_ways(images[mine], texts[mine])
        report["corpora"][corpus] = {
            way: {"whole_pool": summary(found[way][mine], 1000), "own_pool": summary(own[way], int(mine.sum()))}
            for way in found
        }
    return report


def drawn_report(loaded: Any, count: int = 500) -> dict[str, Any]:
    """The first `count` generated figures of the demo's seed whose combination of attributes is held out."""
    numbers = [n for n in range(20 * count) if plan_figure(n, 0).heldout][:count]
    drawn = [draw_figure(n, 0) for n in numbers]
    captions = [figure.captions[0] for figure in drawn]
    images, texts = encode_pool(loaded, [figure.image.convert("RGB") for figure in drawn], captions)
    found = both_ways(images, texts)
    kinds = np.array([figure.kind for figure in drawn])
    report: dict[str, Any] = {"all": {way: summary(value, len(drawn)) for way, value in found.items()}, "kinds": {}}
    for kind in sorted(set(kinds)):
        mine = kinds == kind
        report["kinds"][kind] = {"n": int(mine.sum())} | {way: float((found[way][mine] <= 10).mean()) for way in found}
    return report


def table(report: dict[str, Any]) -> str:
    """The main numbers as a Markdown table."""
    lines = [
        "| queries | N | pool | direction | hit@1 | hit@5 | hit@10 (95%) | median rank |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [("held-out figures", report["heldout_1000"]["all"])]
    for corpus, ways in report["heldout_1000"]["corpora"].items():
        rows.append((corpus, {way: value["whole_pool"] for way, value in ways.items()}))
    rows.append(("held-out generated", report["generated"]["all"]))
    for name, ways in rows:
        for way, facts in ways.items():
            one, five, ten = (facts[f"hit_rate@{k}"] for k in (1, 5, 10))
            low, high = ten["interval"]
            hits = f"{one['value']:.3f} | {five['value']:.3f} | {ten['value']:.3f} ({low:.3f}-{high:.3f})"
            lines.append(
                f"| {name} | {facts['queries']} | {facts['pool']} | {way} | {hits} | {facts['median_rank']:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="the folder of corpora")
    parser.add_argument("out", type=Path, help="results as JSON")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = bundle.load(options.bundle)
    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "weights_sha256": sha256_file(options.bundle / bundle.WEIGHTS),
        "bytes": sum(path.stat().st_size for path in options.bundle.iterdir()),
        "parameters": sum(value.numel() for value in loaded[0].parameters()),
        "heldout_1000": heldout_report(loaded, options.data),
        "generated": drawn_report(loaded),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


if __name__ == "__main__":
    main()
