"""One shard's work: read, prepare ahead of the model, encode in batches, commit."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retrieval.captions import encode_captions
from retrieval.errors import EncoderError
from retrieval.images import UnreadableImage, decode, thumbnail
from retrieval.plan import Plan, ShardRecord, can_be_written
from retrieval.prefetch import map_ahead
from retrieval.shards import Table, schema, seal, to_bytes, write_tables
from retrieval.types import Corpus, Encoder, Figure, Pixels, Progress, Skip, Vectors

EMPTY_CAPTION = "caption is empty"
NOTHING_THERE = "neither image nor caption"
UNREADABLE = "no caption, and the encoder reads captions only"
IMAGE_LEFT = "image, as the encoder reads captions only"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A figure ready for the encoder: without `pixels` and image columns where it has no image, or none it can read."""

    figure: Figure
    captions: tuple[str, ...]
    pixels: Pixels | None
    image: dict[str, Any]
    seconds: float


class Stopwatch:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun


class EncodeTask:
    """Encodes the shard of a given number. What it writes follows from the plan, whoever runs it and in which order."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        corpus: Corpus,
        encoder: Encoder,
        batch_size: int,
        workers: int,
        progress: Progress,
    ) -> None:
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        self.folder, self.plan, self.corpus, self.encoder = folder, plan, corpus, encoder
        self.batch_size, self.workers, self.progress = batch_size, workers, progress

    def __call__(self, number: int) -> ShardRecord:
        clock = Stopwatch()
        images: list[dict[str, Any]] = []
        texts: list[dict[str, Any]] = []
        skips: list[dict[str, Any]] = []
        batch: list[Pixels] = []
        image_vectors: list[Vectors] = []
        without_caption = 0
        ahead = map_ahead(self._prepare, self._read(number, clock), workers=self.workers, ahead=2 * self.batch_size)
        for item in ahead:
            self.progress.advance(1)
            if isinstance(item, Skip):
                skips.append(_skip_row(item.figure_id, item.uri, "figure", item.reason))
                continue
            clock.seconds["prepare"] += item.seconds
            figure = item.figure
            skips += [
                _skip_row(figure.figure_id, figure.uri, "caption", EMPTY_CAPTION, figure.article_id)
                for _ in range(len(figure.captions) - len(item.captions))
            ]
            if figure.image is not None and item.pixels is None:
                skips.append(_skip_row(figure.figure_id, figure.uri, "image", IMAGE_LEFT, figure.article_id))
            without_caption += not item.captions
            row = self._figure_row(figure)
            extra = self._extra(figure)
            if item.pixels is not None:
                images.append(row | item.image | {"extra": extra})
                batch.append(item.pixels)
                if len(batch) == self.batch_size:
                    image_vectors.append(self._encode_images(batch, clock))
                    batch = []
            # a figure's extra stands once: beside its image, or beside its captions where it has none
            beside = {"extra": extra if item.pixels is None else None}
            texts += [row | beside | {"caption": caption} for caption in item.captions]
        if batch:
            image_vectors.append(self._encode_images(batch, clock))
        with clock("encode"):
            read = encode_captions(
                self.encoder,
                [text["caption"] for text in texts],
                in_windows=self.plan.long_captions == "chunk",
                batch_size=self.batch_size,
            )
        stacked = _stack(image_vectors, self.plan.dim)
        self._refuse_broken(images, stacked)
        self._refuse_broken(texts, read.vectors)
        for text, cut in zip(texts, read.truncated.tolist(), strict=True):
            text["truncated"] = cut
        with clock("write"):
            tables: dict[Table, pa.Table] = {
                "images": self._table("images", images, stacked),
                "texts": self._table("texts", texts, read.vectors),
                "skips": pa.Table.from_pylist(skips, schema=schema("skips", self.plan)),
            }
            sums = write_tables(self.folder, number, tables)
        record = ShardRecord(
            number,
            rows={name: table.num_rows for name, table in tables.items()},
            skips=_count(row["reason"] for row in skips if row["part"] == "figure"),
            notes=_count(row["reason"] for row in skips if row["part"] != "figure"),
            without_caption=without_caption,
            truncated=int(read.truncated.sum()),
            windowed=int(read.windowed.sum()),
            sha256=sums,
            seconds={stage: round(value, 3) for stage, value in clock.seconds.items()},
        )
        return seal(self.folder, record)

    def _read(self, number: int, clock: Stopwatch) -> Iterator[Figure | Skip]:
        figures = self.corpus.read(self.plan.splits[number])
        while True:
            with clock("read"):
                figure = next(figures, None)
            if figure is None:
                return
            yield figure

    def _prepare(self, figure: Figure | Skip) -> Prepared | Skip:
        if isinstance(figure, Skip):
            return figure
        begun = time.perf_counter()
        captions = tuple(caption for caption in map(str.strip, figure.captions) if caption)
        if figure.image is None or not self.encoder.reads_images:
            if not captions:
                reason = NOTHING_THERE if figure.image is None else UNREADABLE
                return Skip(figure.figure_id, figure.uri, reason)
            return Prepared(figure, captions, None, {}, time.perf_counter() - begun)
        try:
            image = decode(figure.image, self.plan.max_pixels)
        except UnreadableImage as error:
            return Skip(figure.figure_id, figure.uri, error.reason)
        columns = {
            "sha256": hashlib.sha256(figure.image).hexdigest(),
            "width": image.width,
            "height": image.height,
            "thumbnail": thumbnail(image, self.plan.thumbnail) if self.plan.thumbnail else None,
        }
        return Prepared(figure, captions, self.encoder.prepare(image), columns, time.perf_counter() - begun)

    def _figure_row(self, figure: Figure) -> dict[str, Any]:
        declared = {name: figure.metadata.get(name) for name in self.plan.columns}
        return declared | {
            "figure_id": figure.figure_id,
            "article_id": figure.article_id,
            "source_uri": figure.uri,
        }

    def _extra(self, figure: Figure) -> str | None:
        """As JSON what the source says beyond the columns; names that the shards use themselves are among it."""
        undeclared = {name: value for name, value in figure.metadata.items() if name not in self.plan.columns}
        extra = undeclared | dict(figure.extra)
        if not extra:
            return None
        text = json.dumps(extra, ensure_ascii=False, sort_keys=True)
        return text if can_be_written(text) else json.dumps(extra, sort_keys=True)

    def _encode_images(self, batch: list[Pixels], clock: Stopwatch) -> Vectors:
        with clock("encode"):
            return self.encoder.encode_images(np.stack(batch))

    def _refuse_broken(self, rows: list[dict[str, Any]], vectors: Vectors) -> None:
        """A vector that is not finite would win or lose every comparison, whatever was asked."""
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise EncoderError(
                f"{self.encoder.name}: gives figure {rows[broken[0]]['figure_id']} a vector that is not finite; "
                "use another encoder, or check its weights"
            )

    def _table(self, name: Table, rows: list[dict[str, Any]], vectors: Vectors) -> pa.Table:
        layout = schema(name, self.plan)
        columns = [
            to_bytes(vectors) if column.name == "embedding" else pa.array([r[column.name] for r in rows], column.type)
            for column in layout
        ]
        return pa.Table.from_arrays(columns, schema=layout)


def _stack(batches: list[Vectors], dim: int) -> Vectors:
    return np.concatenate(batches) if batches else np.zeros((0, dim), dtype=np.float32)


def _count(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reasons))


def _skip_row(figure_id: str, uri: str, part: str, reason: str, article_id: str | None = None) -> dict[str, Any]:
    return {"figure_id": figure_id, "article_id": article_id, "source_uri": uri, "part": part, "reason": reason}
