"""Figures on their way to the model: read, tokenized, decoded and prepared ahead of it, over the borders of shards."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from retrieval.encoders.captions import ReadCaptions, captions_of, read_captions
from retrieval.images.decode import decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.images.thumbnails import thumbnail
from retrieval.prefetch import map_ahead
from retrieval.shards.plan import Plan
from retrieval.types import Corpus, Encoder, Figure, Pixels, Skip

NOTHING_THERE = "neither image nor caption"
UNREADABLE = "no caption, and the encoder reads captions only"
BLOCK = 64  # figures whose captions are tokenized in one call: a call for each costs more than its caption


class Stopwatch:
    """Seconds per stage. Several threads may measure at once, each its own stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard under way."""

    number: int
    clock: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image ready for the encoder, and what the shard keeps of it."""

    pixels: Pixels
    width: int
    height: int
    thumbnail: bytes | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A figure ready for the encoder.

    `captions` are those that are not blank, stripped, and `read` is what the encoder reads of them. `digest` is the
    sha256 of an image that it can read, else None. `picture` is None where there is no such image or its bytes occurred
    before in the shard or are known, and the reason where they are no picture.
    """

    figure: Figure
    captions: tuple[str, ...]
    read: ReadCaptions
    digest: str | None = None
    picture: Picture | str | None = None
    seconds: float = 0.0


def prepared_ahead(
    numbers: Iterable[int],
    plan: Plan,
    corpus: Corpus,
    encoder: Encoder,
    *,
    workers: int,
    ahead: int,
    known: Container[str] = (),
) -> Generator[tuple[Shard, Prepared | Skip | None], None, None]:
    """The figures of some shards in order, and None at the end of each shard.

    One thread reads and tokenizes, `workers` threads decode, and at most `ahead` figures wait, with their pixels, and
    one block of BLOCK that is read. Reading goes on into the next shard while the last one is with the model. Images
    whose sha256 is `known` are not looked at.
    """

    def prepare(item: tuple[Shard, Prepared | Skip | None, bool]) -> tuple[Shard, Prepared | Skip | None]:
        shard, figure, look = item
        return shard, _prepare_image(figure, plan, encoder) if look and isinstance(figure, Prepared) else figure

    return map_ahead(prepare, _read_ahead(numbers, plan, corpus, encoder, known), workers=workers, ahead=ahead)


def _read_ahead(
    numbers: Iterable[int], plan: Plan, corpus: Corpus, encoder: Encoder, known: Container[str]
) -> Iterator[tuple[Shard, Prepared | Skip | None, bool]]:
    """Figures with their captions tokenized, and whether their image is to be looked at."""
    for number in numbers:
        shard = Shard(number)
        figures = corpus.read(plan.splits[number])
        # across shards, repeated images are encoded again: a shard's bytes must not depend on which others there are
        seen: set[str] = set()
        while True:
            with shard.clock("read"):
                block = list(islice(figures, BLOCK))
            if not block:
                break
            with shard.clock("tokenize"):
                texts = [() if isinstance(figure, Skip) else captions_of(figure) for figure in block]
                together = [caption for captions in texts for caption in captions]
                read = read_captions(encoder, together, in_windows=plan.long_captions == "chunk")
            start = 0
            for figure, captions in zip(block, texts, strict=True):
                if isinstance(figure, Skip):
                    yield shard, figure, False
                    continue
                rows = np.arange(start, start + len(captions))
                start += len(captions)
                if figure.image is not None and encoder.reads_images:
                    with shard.clock("read"):
                        digest = hashlib.sha256(figure.image).hexdigest()
                    look = digest not in seen and digest not in known
                    yield shard, Prepared(figure, captions, read.take(rows), digest), look
                    seen.add(digest)
                elif captions:
                    yield shard, Prepared(figure, captions, read.take(rows)), False
                else:
                    reason = NOTHING_THERE if figure.image is None else UNREADABLE
                    yield shard, Skip(figure.figure_id, figure.uri, reason), False
        yield shard, None, False


def _prepare_image(item: Prepared, plan: Plan, encoder: Encoder) -> Prepared:
    begun = time.perf_counter()
    picture: Picture | str
    try:
        image = decode(item.figure.image or b"", plan.max_pixels)
    except UnreadableImage as error:
        picture = error.reason
    else:
        small = thumbnail(image, plan.thumbnail) if plan.thumbnail else None
        picture = Picture(encoder.prepare(image), image.width, image.height, small)
    return replace(item, picture=picture, seconds=time.perf_counter() - begun)
