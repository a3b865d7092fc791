"""A corpus written down in the test, and an encoder whose vectors the test chooses."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from retrieval.errors import EncoderError
from retrieval.files import sha256_json
from retrieval.indexer.encode import encode
from retrieval.indexer.resume import Summary
from retrieval.indexes.build import build
from retrieval.types import Encoder, Figure, Pixels, Skip, Split, Tokens, Vectors

Rgb = tuple[int, int, int]


class ListedCorpus:
    """The figures of a list, in its order."""

    def __init__(
        self, figures: Sequence[Figure | Skip], columns: Mapping[str, str] | None = None, source: str = "a list"
    ) -> None:
        self.kind = "listed"
        self.figures = list(figures)
        self.columns = dict(columns or {})
        self.source = source
        self.fingerprint = sha256_json(repr(self.figures))

    def split(self, size: int) -> list[Split]:
        count = len(self.figures)
        return [Split(n, start, min(start + size, count)) for n, start in enumerate(range(0, count, size))]

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        yield from self.figures[split.start : split.stop]


class PlainEncoder:
    """Says what it sees: an image's vector is its first pixel, a caption's the three numbers that it consists of."""

    dim = 3
    name = "plain"
    fingerprint = "1" * 64
    reads_images = True

    def prepare(self, image: Image.Image) -> Pixels:
        return np.asarray(image.crop((0, 0, 1, 1)), dtype=np.float32).transpose(2, 0, 1)

    def encode_images(self, pixels: Pixels) -> Vectors:
        return _unit(pixels[:, :, 0, 0])

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        ids = np.array([[int(word) for word in text.split()] for text in texts], dtype=np.int64).reshape(-1, 3)
        return Tokens(ids, np.full(len(ids), 3), np.zeros(len(ids), dtype=bool))

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return _unit(tokens.ids.astype(np.float32))


class CaptionsOnly(PlainEncoder):
    """PlainEncoder without an image tower."""

    name = "captions only"
    fingerprint = "3" * 64
    reads_images = False

    def prepare(self, image: Image.Image) -> Pixels:
        raise EncoderError(f"{self.name}: reads captions only")

    def encode_images(self, pixels: Pixels) -> Vectors:
        raise EncoderError(f"{self.name}: reads captions only")


def _unit(rows: np.ndarray) -> Vectors:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9).astype(np.float32)


def png(colour: Rgb, size: tuple[int, int] = (1, 1)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def figure(name: str, colour: Rgb | None, *captions: str, **more: Any) -> Figure:
    """A figure of one colour (None: no image) with captions for PlainEncoder: "255 0 0"."""
    return Figure(name, None if colour is None else png(colour), captions, f"{name}.png", **more)


def index_of(folder: Path, figures: Sequence[Figure | Skip], **options: Any) -> Summary:
    """Encode and build an index of some figures, with PlainEncoder unless another is given."""
    encoder: Encoder = options.pop("encoder", None) or PlainEncoder()
    columns = options.pop("columns", None)
    factory = options.pop("factory", "Flat")
    options = {"shard_size": 4, "thumbnail": 0, "max_skips": 1.0} | options
    summary = encode(ListedCorpus(figures, columns), folder, encoder, **options)
    build(folder, factory=factory)
    return summary
