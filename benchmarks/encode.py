"""Encoding figures and captions beside what one would otherwise run: same model, same files, in turn in one process.

The obvious loop is what open_clip's own examples do: open and transform one image after another, a batch through the
model, captions padded to the context length, arrays at the end. clip-retrieval's inference is restated by its method,
as its package needs other versions of everything: its reader (a torch DataLoader whose worker processes open, transform
and tokenize; 4 of them, batches of 256, its defaults) and its mapper (encode, normalise, float16 .npy files). Ours
reads, decodes ahead of the model, hashes, makes thumbnails, sorts captions by length and writes committed shards.

Figures and captions are timed apart, each as a corpus of its own, then ours with both beside the model alone: the same
batches, prepared beforehand. Models are loaded before the clock starts.

python benchmarks/encode.py ../shared/data/roco-radiology --figures 1000
python benchmarks/encode.py ../shared/data/roco-radiology --figures 64 --rounds 1 --biomedclip-sized
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import open_clip
import torch
from environment import describe_machine
from PIL import Image
from published import biomedclip
from torch.utils.data import DataLoader, Dataset

from retrieval.corpora import open_corpus
from retrieval.encoders import load_encoder
from retrieval.encoders.assemble import assemble_model
from retrieval.encoders.captions import encode_captions
from retrieval.encoders.resolve import STARTER, read_parts, resolve
from retrieval.files import write_json
from retrieval.images.decode import decode
from retrieval.indexer.encode import encode
from retrieval.types import Encoder, Figure

OBVIOUS, CLIP_RETRIEVAL, OURS = "obvious", "clip_retrieval", "ours"
CLIP_RETRIEVALS_BATCH, CLIP_RETRIEVALS_WORKERS = 256, 4


@dataclass(frozen=True)
class Collection:
    """The files and captions of a corpus, and the same as two corpora of images only and captions only."""

    images: list[Path]
    captions: list[str]
    images_only: Path
    captions_only: Path
    both: Path


@dataclass(frozen=True)
class Theirs:
    """A model as open_clip opens it."""

    model: Any
    transform: Callable[[Any], torch.Tensor]
    tokenizer: Any


class Items(Dataset[torch.Tensor]):
    """What clip-retrieval's reader gives: each image opened and transformed, each caption tokenized."""

    def __init__(self, items: list[Any], prepare: Callable[[Any], torch.Tensor]) -> None:
        self.items, self.prepare = items, prepare

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.prepare(self.items[row])


def collect(source: Path, figures: int, folder: Path) -> Collection:
    corpus = open_corpus(source)
    found = (f for split in corpus.split(1 << 30) for f in corpus.read(split) if isinstance(f, Figure) and f.image)
    chosen = list(found)
    chosen = chosen[:: max(1, len(chosen) // figures)][:figures]
    images, rows = [], []
    for number, figure in enumerate(chosen):
        images.append(folder / f"{number:06d}{Path(figure.uri).suffix}")
        images[-1].write_bytes(figure.image or b"")
        rows += [(number, caption) for caption in figure.captions if caption.strip()]
    captions = dict(rows)

    def table(name: str, with_image: bool, with_caption: bool) -> Path:
        path = folder / f"{name}.jsonl"
        lines = []
        for number, image in enumerate(images):
            row: dict[str, str] = {"id": str(number)}
            row |= {"image": str(image)} if with_image else {}
            row |= {"caption": captions[number]} if with_caption and number in captions else {}
            lines += [json.dumps(row)] if len(row) > 1 else []
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return Collection(
        images,
        list(captions.values()),
        table("images", True, False),
        table("captions", False, True),
        table("both", True, True),
    )


def open_theirs(name: str) -> Theirs:
    model, tokenizer = assemble_model(read_parts(resolve(name)))
    config = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    return Theirs(model, open_clip.transform.image_transform_v2(config, is_train=False), tokenizer)


def obvious(theirs: Theirs, collection: Collection, batch_size: int) -> dict[str, float]:
    images, texts = [], []
    with torch.inference_mode():
        with timed() as figures:
            for start in range(0, len(collection.images), batch_size):
                files = collection.images[start : start + batch_size]
                batch = torch.stack([theirs.transform(Image.open(file)) for file in files])
                images.append(theirs.model.encode_image(batch, normalize=True).numpy())
            np.concatenate(images)
        with timed() as captions:
            for start in range(0, len(collection.captions), batch_size):
                tokens = theirs.tokenizer(collection.captions[start : start + batch_size])
                texts.append(theirs.model.encode_text(tokens, normalize=True).numpy())
            np.concatenate(texts)
    return {"figures": figures[0], "captions": captions[0]}


def clip_retrieval(theirs: Theirs, collection: Collection, folder: Path) -> dict[str, float]:
    def run(items: list[Any], prepare: Callable[[Any], torch.Tensor], encode: Callable[[Any], Any], name: str) -> float:
        loader = DataLoader(
            Items(items, prepare), batch_size=CLIP_RETRIEVALS_BATCH, num_workers=CLIP_RETRIEVALS_WORKERS
        )
        vectors = []
        with timed() as seconds, torch.inference_mode():
            for batch in loader:
                features = encode(batch)
                features /= features.norm(dim=-1, keepdim=True)
                vectors.append(features.to(torch.float16).numpy())
            np.save(folder / name, np.concatenate(vectors))
        return seconds[0]

    return {
        "figures": run(
            collection.images, lambda file: theirs.transform(Image.open(file)), theirs.model.encode_image, "images.npy"
        ),
        "captions": run(
            collection.captions, lambda text: theirs.tokenizer([text])[0], theirs.model.encode_text, "texts.npy"
        ),
    }


def ours(encoder: Encoder, collection: Collection, batch_size: int, folder: Path) -> dict[str, float]:
    seconds = {}
    for what in ("images_only", "captions_only", "both"):
        with timed() as taken:
            encode(getattr(collection, what), folder / what, encoder, batch_size=batch_size)
        seconds[what] = taken[0]
    return {"figures": seconds["images_only"], "captions": seconds["captions_only"], "both": seconds["both"]}


def forward(encoder: Encoder, collection: Collection, batch_size: int) -> Callable[[], float]:
    """The model alone over the batches that `ours` gives it, prepared now; gives what times them."""
    prepared = [encoder.prepare(decode(file.read_bytes())) for file in collection.images]
    batches = [np.stack(prepared[start : start + batch_size]) for start in range(0, len(prepared), batch_size)]
    del prepared
    recorder = _Recorder(encoder)
    encode_captions(recorder, list(dict.fromkeys(collection.captions)), in_windows=False, batch_size=batch_size)

    def run() -> float:
        with timed() as seconds:
            for batch in batches:
                encoder.encode_images(batch)
            for tokens in recorder.batches:
                encoder.encode_texts(tokens)
        return seconds[0]

    return run


class _Recorder:
    """Keeps the batches of tokens that an encoder is given, and encodes nothing."""

    def __init__(self, encoder: Encoder) -> None:
        self.dim, self.tokenize = encoder.dim, encoder.tokenize
        self.batches: list[Any] = []

    def encode_texts(self, tokens: Any) -> Any:
        self.batches.append(tokens)
        return np.zeros((len(tokens), self.dim), np.float32)


@contextmanager
def timed() -> Iterator[list[float]]:
    seconds: list[float] = []
    begun = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - begun)


def measure(name: str, collection: Collection, batch_size: int, rounds: int, folder: Path) -> dict[str, Any]:
    theirs, encoder = open_theirs(name), load_encoder(name, precision="auto", preprocessing="auto")
    model_alone = forward(encoder, collection, batch_size)
    found = []
    for number in range(rounds + 1):
        place = folder / str(number)
        place.mkdir()
        seconds = {
            OBVIOUS: obvious(theirs, collection, batch_size),
            CLIP_RETRIEVAL: clip_retrieval(theirs, collection, place),
            OURS: ours(encoder, collection, batch_size, place),
            "forward": {"both": model_alone()},
        }
        if number:  # the first round warms the page cache and the libraries
            found.append({who: {what: round(s, 3) for what, s in some.items()} for who, some in seconds.items()})
            print(found[-1], flush=True)
    counts = {"figures": len(collection.images), "captions": len(collection.captions)}

    def middle(ratio: Callable[[Any], float]) -> float:
        return round(median(map(ratio, found)), 2)

    rates = {
        who: {what: middle(lambda s, w=who, k=what: counts[k] / s[w][k]) for what in counts}
        for who in (OBVIOUS, CLIP_RETRIEVAL, OURS)
    }
    ratios = {
        who: {what: middle(lambda s, w=who, k=what: s[w][k] / s[OURS][k]) for what in counts}
        for who in (OBVIOUS, CLIP_RETRIEVAL)
    }
    return {
        **counts,
        "precision": getattr(encoder, "precision", "fp32"),
        "threads": torch.get_num_threads(),
        "batch_size": batch_size,
        "rounds": found,
        "per_second": rates,
        "times_as_fast_as": ratios,
        "over_forward": middle(lambda s: s[OURS]["both"] / s["forward"]["both"]),
        "ratio": middle(lambda s: (s[OBVIOUS]["figures"] + s[OBVIOUS]["captions"]) / s[OURS]["both"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a collection of figures, such as collections/demo")
    parser.add_argument("--figures", type=int, default=600, help="evenly spaced ones of the collection")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument(
        "--biomedclip-sized", action="store_true", help="a model of BiomedCLIP's size with random weights instead"
    )
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/encode.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "files").mkdir()
        collection = collect(args.source, args.figures, folder / "files")
        name = args.encoder
        if args.biomedclip_sized:
            name = str(folder / "biomedclip")
            Path(name).mkdir()
            biomedclip(Path(name), "open_clip_pytorch_model.bin")
            # words that captions have: of made-up ones alone they would have three times as many tokens
            shutil.copy(STARTER / "vocab.txt", Path(name) / "vocab.txt")
        measured = measure(name, collection, args.batch_size, args.rounds, folder)
    result = {"machine": describe_machine(), "source": args.source.name, "encoder": args.encoder} | measured
    for who, times in result["times_as_fast_as"].items():
        print(f"beside {who}: {times['figures']} times the figures, {times['captions']} times the captions a second")
    print(f"all of it takes {result['over_forward']} times as long as the model alone")
    if args.biomedclip_sized:  # beside the encoder that the document's table is about
        result["encoder"] = "random weights of BiomedCLIP's size"
        kept = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
        result = kept | {"biomedclip_sized": result}
    elif args.out.exists():
        kept = json.loads(args.out.read_text(encoding="utf-8"))
        result |= {key: kept[key] for key in ("biomedclip_sized",) if key in kept}
    write_json(args.out, result)


if __name__ == "__main__":
    main()
