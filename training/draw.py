"""Generated figures to arrays, as pack.py writes real ones: only combinations that are not held out."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pack
from pack import CHUNK, STORED, TEACHER, Arrays, teacher_features, worker_begins
from PIL import Image

from retrieval.demo.figure import draw_figure, plan_figure

Drawn = tuple[tuple[str, ...], str]
"""Captions and kind."""


def draw_chunk(arrays: Arrays, start: int, numbers: list[int], seed: int) -> tuple[int, list[Drawn]]:
    """Draw and pack some figures; their first row, and what is said of each."""
    figures = [draw_figure(number, seed) for number in numbers]
    pictures = [figure.image.convert("RGB") for figure in figures]
    stored, views = (
        np.stack([np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)) for picture in pictures])
        for side in (STORED, pack.TEACHER_SIZE)
    )
    arrays.put(start, stored, teacher_features(pack._teacher, views))
    return start, [(figure.captions, figure.kind) for figure in figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of corpora (for the teacher)")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=1, help="collection; 0 is the demo's and stays unseen")
    options = parser.parse_args()
    if options.seed == 0:
        parser.error("seed 0 is the demo collection, which the starter must not have seen")
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = [n for n in range(2 * options.count) if not plan_figure(n, options.seed).heldout][: options.count]
    arrays = Arrays(options.out, len(numbers), 1)
    rows: list[Drawn] = [((), "")] * len(numbers)
    with ProcessPoolExecutor(2, initializer=worker_begins, initargs=(options.data / TEACHER,)) as pool:
        starts = range(0, len(numbers), CHUNK)
        futures = [pool.submit(draw_chunk, arrays, i, numbers[i : i + CHUNK], options.seed) for i in starts]
        for done, future in enumerate(as_completed(futures), 1):
            start, found = future.result()
            rows[start : start + len(found)] = found
            print(f"{done} of {len(futures)} chunks", end="\r", flush=True)
    with open(options.out / "rows.jsonl", "w", encoding="utf-8") as file:
        for number, (captions, kind) in zip(numbers, rows, strict=True):
            row = {"key": f"drawn-{options.seed}/{number}", "corpus": "drawn", "split": "train", "texts": captions}
            file.write(json.dumps(row | {"kind": kind}, ensure_ascii=False) + "\n")
    np.save(options.out / "boxes.npy", np.tile(np.array([0, 0, 1, 1], np.float32), (len(numbers), 1, 1)))
    facts = {"seed": options.seed, "count": len(numbers), "kinds": dict(Counter(kind for _, kind in rows))}
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
