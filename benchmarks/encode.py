"""Encoding a collection beside the obvious loop: same encoder, same files, in turn in one process.

The obvious loop is what open_clip's own examples do: open and transform one image after another, a batch through the
model, captions padded to the context length, arrays at the end. Ours reads, decodes ahead of the model, hashes, makes
thumbnails, sorts captions by length and writes committed Parquet shards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import open_clip
import torch
from environment import describe_machine
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.encode import encode
from retrieval.encoders import open_encoder
from retrieval.encoders.parts import make
from retrieval.encoders.sources import read, resolve
from retrieval.files import write_json
from retrieval.types import Figure


def obvious_loop(source: Path, name: str, batch_size: int) -> float:
    """Seconds to encode all images and captions of `source`; the model is loaded before the clock starts."""
    model, tokenizer = make(read(resolve(name)))
    config = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    corpus = open_corpus(source)
    figures = [f for split in corpus.split(1 << 30) for f in corpus.read(split) if isinstance(f, Figure)]
    begun = time.perf_counter()
    images, texts = [], []
    with torch.inference_mode():
        for start in range(0, len(figures), batch_size):
            batch = [transform(Image.open(source / f.uri)) for f in figures[start : start + batch_size]]
            images.append(model.encode_image(torch.stack(batch), normalize=True).numpy())
        captions = [caption for figure in figures for caption in figure.captions]
        for start in range(0, len(captions), batch_size):
            texts.append(model.encode_text(tokenizer(captions[start : start + batch_size]), normalize=True).numpy())
    np.concatenate(images), np.concatenate(texts)
    return time.perf_counter() - begun


def ours(source: Path, name: str, batch_size: int) -> float:
    encoder = open_encoder(name)
    with tempfile.TemporaryDirectory() as temporary:
        begun = time.perf_counter()
        encode(source, Path(temporary) / "index", encoder, batch_size=batch_size)
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a collection of figures, such as collections/demo")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/encode.json"))
    args = parser.parse_args()
    corpus = open_corpus(args.source)
    count = sum(split.stop - split.start for split in corpus.split(1 << 30))
    rounds = []
    for number in range(args.rounds + 1):
        theirs = obvious_loop(args.source, args.encoder, args.batch_size)
        mine = ours(args.source, args.encoder, args.batch_size)
        if number:  # the first round warms the page cache and the libraries
            rounds.append({"obvious_s": round(theirs, 2), "ours_s": round(mine, 2), "ratio": round(theirs / mine, 2)})
            print(rounds[-1], flush=True)
    ratio = median(entry["ratio"] for entry in rounds)
    print(f"{count} figures: ours takes 1/{ratio} of the obvious loop's time")
    result = {"machine": describe_machine(), "source": str(args.source), "figures": count, "encoder": args.encoder}
    write_json(args.out, result | {"rounds": rounds, "ratio": ratio})


if __name__ == "__main__":
    main()
