"""Put a trained bundle into the package, after checking that it answers as it did in training."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import bundle
import torch
from PIL import Image
from student import Student

FILES = ["open_clip_config.json", "config.json", "tokenizer.json", "tokenizer_config.json"]
FILES += ["special_tokens_map.json", "vocab.txt"]
TEXTS = ["A chest X-ray.", "(A) Western blot of three samples; (B) bar chart.", "cell " * 300, "é"]


@torch.inference_mode()
def worst_cosine(trained: Any, folder: Path) -> float:
    """The least cosine between vectors of the float16 bundle in `folder` and of the float32 training weights."""
    shipped, transform, tokenizer = bundle.load(folder)
    colours = [(0, 0, 0), (255, 255, 255), (200, 40, 90)]
    pixels = torch.stack([transform(Image.new("RGB", (300, 100), colour)) for colour in colours])
    generator = torch.Generator().manual_seed(0)
    pixels = torch.cat([pixels, torch.rand(5, 3, bundle.SIZE, bundle.SIZE, generator=generator) * 2 - 1])
    ids = tokenizer(TEXTS)
    images = (bundle.encode(trained, pixels) * bundle.encode(shipped, pixels)).sum(1)
    texts = (bundle.encode(trained, ids=ids) * bundle.encode(shipped, ids=ids)).sum(1)
    padded = torch.nn.functional.normalize(shipped.encode_text(ids).float(), dim=-1)
    unpadded = (padded * bundle.encode(shipped, ids=ids)).sum(1)
    return float(torch.cat([images, texts, unpadded]).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="a finished run of train.py")
    parser.add_argument("bundle", type=Path)
    options = parser.parse_args()
    student = Student(options.work / "skeleton")
    student.load_state_dict(torch.load(options.work / "joint.pt", map_location="cpu", weights_only=True))
    trained = student.clip.eval()
    options.bundle.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(options.work / "skeleton" / name, options.bundle / name)
    bundle.save(trained, options.bundle)
    worst = worst_cosine(trained, options.bundle)
    print(f"{options.bundle}: least cosine to the training weights {worst:.6f}")
    if worst < 0.9999:
        raise SystemExit("float16 weights change the vectors")


if __name__ == "__main__":
    main()
