"""Corpora to arrays: small squashed images, crops with the distillation teacher's features, texts and splits."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from corpora import Pair, read_pairs, split_pairs
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

STORED = 224  # pixels; crops of it are trained at 96 to 160
TEACHER_SIZE = 256  # above the 224 it was trained at: figures have fine lines, and its 8 x 8 map pools evenly to 4 x 4
CELLS = 4
VIEWS = 5  # the whole figure and four crops
CHUNK = 64  # figures a worker packs at a time
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


def shrink(path: Path, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """One figure → stored pixels (224, 224, 3), the teacher's views (VIEWS, 256, 256, 3), their boxes (VIEWS, 4)."""
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
    """(n, side, side, 3) → (n, 4, 4, 1280): the maps before pooling and classifier, averaged to 4 x 4 cells."""
    maps = []
    for part in torch.from_numpy(views).permute(0, 3, 1, 2).split(32):
        pixels = part.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = teacher.forward_features(pixels)
        maps.append(torch.nn.functional.adaptive_avg_pool2d(found.float(), CELLS).permute(0, 2, 3, 1).half())
    return torch.cat(maps).numpy()


class Arrays:
    """images.npy (n, STORED, STORED, 3) and teacher.npy (n, views, 4, 4, 1280), filled by several processes."""

    def __init__(self, folder: Path, count: int, views: int) -> None:
        self.folder = folder
        open_memmap = np.lib.format.open_memmap
        open_memmap(folder / "images.npy", "w+", np.uint8, (count, STORED, STORED, 3))
        open_memmap(folder / "teacher.npy", "w+", np.float16, (count, views, CELLS, CELLS, 1280))

    def put(self, start: int, images: NDArray[np.uint8], features: NDArray[np.float16]) -> None:
        stop = start + len(images)
        for name, value in (("images", images), ("teacher", features)):
            stored = np.lib.format.open_memmap(self.folder / f"{name}.npy", "r+")
            stored[start:stop] = value.reshape(len(images), *stored.shape[1:])
            stored.flush()


def worker_begins(teacher: Path) -> None:
    """One thread and one teacher for each process."""
    global _teacher
    torch.set_num_threads(1)
    _teacher = load_teacher(teacher)


def pack_chunk(arrays: Arrays, start: int, tasks: list[tuple[Path, int]]) -> tuple[int, NDArray[np.float32]]:
    """Pack some figures; their first row and the boxes of their views (n, VIEWS, 4)."""
    images, views, boxes = zip(*(shrink(path, seed) for path, seed in tasks), strict=True)
    arrays.put(start, np.stack(images), teacher_features(_teacher, np.concatenate(views)))
    return start, np.stack(boxes)


def pack(pairs: list[Pair], side: dict[str, str], data: Path, out: Path, seed: int) -> None:
    """Write images.npy, boxes.npy, teacher.npy, rows.jsonl and manifest.json to `out`; test pairs are not packed."""
    out.mkdir(parents=True, exist_ok=True)
    kept = [pair for pair in pairs if side[pair.key] in ("train", "validation")]
    arrays = Arrays(out, len(kept), VIEWS)
    boxes = np.zeros((len(kept), VIEWS, 4), np.float32)
    tasks = [(pair.image, seed + row) for row, pair in enumerate(kept)]
    with ProcessPoolExecutor(2, initializer=worker_begins, initargs=(data / TEACHER,)) as pool:
        starts = range(0, len(kept), CHUNK)
        futures = [pool.submit(pack_chunk, arrays, start, tasks[start : start + CHUNK]) for start in starts]
        for done, future in enumerate(as_completed(futures), 1):
            start, found = future.result()
            boxes[start : start + len(found)] = found
            print(f"{done} of {len(futures)} chunks", end="\r", flush=True)
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
    options = parser.parse_args()
    pairs = read_pairs(options.data)
    side = split_pairs(pairs, options.data, seed=options.seed)
    pack(pairs, side, options.data, options.out, options.seed)


if __name__ == "__main__":
    main()
