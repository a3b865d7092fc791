"""Corpora to arrays: small squashed images, crops with the distillation teacher's features, texts and splits."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from corpora import Pair, read_pairs, split_pairs
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

STORED = 160  # pixels; crops of it are trained at 128
TEACHER_SIZE = 192  # between 160 and 224, the teacher's own size, at 1.7x the speed of 224
VIEWS = 3  # the whole figure and two crops
TEACHER = "teachers/mobilenetv2_100_imagenet1001_tfsame_fp16.safetensors"


def random_box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A crop (left, top, right, bottom as shares of the figure) of 40 to 100% of the area, aspect 3:4 to 4:3."""
    area = rng.uniform(0.4, 1.0)
    aspect = np.exp(rng.uniform(np.log(0.75), np.log(1.333)))
    width, height = min(1.0, float(np.sqrt(area * aspect))), min(1.0, float(np.sqrt(area / aspect)))
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return left, top, left + width, top + height


def open_rgb(path: Path) -> Image.Image:
    """The image, composited on white where it has alpha."""
    with Image.open(path) as file:
        image: Image.Image = file
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        return image.convert("RGB")


def shrink(task: tuple[Path, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """One figure → stored pixels (160, 160, 3), the teacher's views (3, 192, 192, 3), their boxes (3, 4)."""
    path, seed = task
    rng = np.random.default_rng(seed)
    image = open_rgb(path)
    boxes = [(0.0, 0.0, 1.0, 1.0)] + [random_box(rng) for _ in range(VIEWS - 1)]
    width, height = image.size
    views = [
        image.resize(
            (TEACHER_SIZE, TEACHER_SIZE),
            Image.Resampling.BICUBIC,
            box=(left * width, top * height, right * width, bottom * height),
        )
        for left, top, right, bottom in boxes
    ]
    stored = image.resize((STORED, STORED), Image.Resampling.BICUBIC)
    return np.asarray(stored), np.stack([np.asarray(view) for view in views]), np.array(boxes, np.float32)


def load_teacher(path: Path) -> torch.nn.Module:
    """MobileNetV2 trained on ImageNet, in eval mode."""
    teacher = timm.create_model("mobilenetv2_100", num_classes=1001, pad_type="same")
    weights = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    teacher.load_state_dict(weights, strict=True)
    return teacher.eval().to(memory_format=torch.channels_last)


@torch.inference_mode()
def teacher_features(teacher: Any, views: NDArray[np.uint8]) -> NDArray[np.float16]:
    """(n, side, side, 3) → (n, 1280) pooled features before the classifier."""
    pixels = torch.from_numpy(views).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = teacher.forward_head(teacher.forward_features(pixels), pre_logits=True)
    return features.float().numpy().astype(np.float16)


def pack(pairs: list[Pair], side: dict[str, str], data: Path, out: Path, seed: int) -> None:
    """Write images.npy, boxes.npy, teacher.npy, rows.jsonl and manifest.json to `out`; test pairs are not packed."""
    out.mkdir(parents=True, exist_ok=True)
    kept = [pair for pair in pairs if side[pair.key] in ("train", "validation")]
    count = len(kept)
    images = np.lib.format.open_memmap(out / "images.npy", "w+", np.uint8, (count, STORED, STORED, 3))
    features = np.lib.format.open_memmap(out / "teacher.npy", "w+", np.float16, (count, VIEWS, 1280))
    boxes = np.zeros((count, VIEWS, 4), np.float32)
    teacher = load_teacher(data / TEACHER)
    tasks = [(pair.image, seed + row) for row, pair in enumerate(kept)]
    with ProcessPoolExecutor(2) as pool:
        for start in range(0, count, 32):
            rows = slice(start, min(start + 32, count))
            done = list(pool.map(shrink, tasks[rows], chunksize=16))
            images[rows] = np.stack([stored for stored, _, _ in done])
            boxes[rows] = np.stack([found for _, _, found in done])
            views = np.concatenate([seen for _, seen, _ in done])
            features[rows] = teacher_features(teacher, views).reshape(-1, VIEWS, 1280)
            if start % 1024 == 0:
                print(f"{start} of {count}", flush=True)
    images.flush()
    features.flush()
    np.save(out / "boxes.npy", boxes)
    with open(out / "rows.jsonl", "w", encoding="utf-8") as file:
        for pair in kept:
            row = {"key": pair.key, "corpus": pair.corpus, "split": side[pair.key], "texts": pair.texts}
            file.write(json.dumps(row | {"image": str(pair.image.relative_to(data))}, ensure_ascii=False) + "\n")
    (out / "manifest.json").write_text(json.dumps(manifest(pairs, side), indent=1) + "\n")


def manifest(pairs: list[Pair], side: dict[str, str]) -> dict[str, Any]:
    """What was used: counts of each split, corpus and licence."""
    trained = [pair for pair in pairs if side[pair.key] == "train"]
    by_corpus: dict[str, Any] = {}
    for corpus in sorted({pair.corpus for pair in pairs}):
        mine = [pair for pair in pairs if pair.corpus == corpus]
        by_corpus[corpus] = {
            "splits": dict(Counter(side[pair.key] for pair in mine)),
            "train_without_text": sum(not pair.texts for pair in mine if side[pair.key] == "train"),
            "train_licences": dict(Counter(pair.licence for pair in mine if side[pair.key] == "train")),
        }
    return {
        "splits": dict(Counter(side.values())),
        "train_texts": sum(len(pair.texts) for pair in trained),
        "corpora": by_corpus,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of corpora")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = read_pairs(options.data)
    side = split_pairs(pairs, options.data, seed=options.seed)
    pack(pairs, side, options.data, options.out, options.seed)


if __name__ == "__main__":
    main()
