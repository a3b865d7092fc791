"""Generated figures to arrays, as pack.py writes real ones: only combinations that are not held out."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pack import STORED, TEACHER, TEACHER_SIZE, load_teacher, teacher_features
from PIL import Image

from retrieval.drawing import draw_figure, plan_figure


def draw(number: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[str, ...], str]:
    """One figure → stored pixels, the teacher's view, captions, kind."""
    drawn = draw_figure(number, seed)
    sizes = [(STORED, STORED), (TEACHER_SIZE, TEACHER_SIZE)]
    stored, view = (np.asarray(drawn.image.convert("RGB").resize(size, Image.Resampling.BICUBIC)) for size in sizes)
    return stored, view, drawn.captions, drawn.kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of corpora (for the teacher)")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1, help="collection; 0 is the demo's and stays unseen")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.seed == 0:
        parser.error("seed 0 is the demo collection, which the starter must not have seen")
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = [n for n in range(2 * options.count) if not plan_figure(n, options.seed).heldout][: options.count]
    teacher = load_teacher(options.data / TEACHER)
    images = np.lib.format.open_memmap(options.out / "images.npy", "w+", np.uint8, (len(numbers), STORED, STORED, 3))
    features = np.lib.format.open_memmap(options.out / "teacher.npy", "w+", np.float16, (len(numbers), 1, 1280))
    kinds: Counter[str] = Counter()
    with ProcessPoolExecutor(2) as pool, open(options.out / "rows.jsonl", "w", encoding="utf-8") as file:
        for start in range(0, len(numbers), 64):
            part = numbers[start : start + 64]
            done = list(pool.map(partial(draw, seed=options.seed), part, chunksize=8))
            images[start : start + len(part)] = np.stack([stored for stored, _, _, _ in done])
            features[start : start + len(part), 0] = teacher_features(
                teacher, np.stack([view for _, view, _, _ in done])
            )
            for number, (_, _, captions, kind) in zip(part, done, strict=True):
                row = {"key": f"drawn-{options.seed}/{number}", "corpus": "drawn", "split": "train", "texts": captions}
                file.write(json.dumps(row | {"kind": kind}, ensure_ascii=False) + "\n")
                kinds[kind] += 1
    images.flush()
    features.flush()
    np.save(options.out / "boxes.npy", np.tile(np.array([0, 0, 1, 1], np.float32), (len(numbers), 1, 1)))
    facts = {"seed": options.seed, "count": len(numbers), "kinds": dict(kinds)}
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
