"""A shard under construction: figures become rows, batches of them vectors, and both a committed shard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retrieval.corpora.tables.column_types import stands_for_missing
from retrieval.encoders.captions import EncodedCaptions, ReadCaptions, encode_read, join_captions
from retrieval.errors import EncoderError
from retrieval.indexer.loader import Picture, Prepared, Shard
from retrieval.shards.plan import Plan, ShardRecord, can_be_written
from retrieval.shards.reuse import Reusable
from retrieval.shards.tables import Table, schema, seal, write_tables
from retrieval.shards.vectors import to_bytes
from retrieval.types import Encoder, Figure, Pixels, Skip, Vectors

EMPTY_CAPTION = "caption is empty"
IMAGE_LEFT = "image, as the encoder reads captions only"


class Draft:
    """Takes a shard's figures in order: `add` each, `finish` what the model has to do, `commit` from any thread.

    What occurs twice is encoded once: images of the same bytes, captions of the same words; what is `reusable` not at
    all. Batches hold figures of this shard alone, so that its vectors do not depend on what was encoded before it.
    """

    def __init__(
        self, shard: Shard, plan: Plan, encoder: Encoder, batch_size: int, reusable: Reusable | None = None
    ) -> None:
        self.shard, self.plan, self.encoder, self.batch_size = shard, plan, encoder, batch_size
        self.reusable = reusable
        self._images: list[dict[str, Any]] = []
        self._texts: list[dict[str, Any]] = []
        self._skips: list[dict[str, Any]] = []
        self._misfits: Counter[str] = Counter()
        self._without_caption = 0
        self._pictures: dict[str, dict[str, Any]] = {}  # by digest, in the order of their vectors: their columns
        self._broken: dict[str, str] = {}  # by digest: what is wrong
        self._batch: list[Pixels] = []
        self._image_vectors: list[Vectors] = []
        self._read: list[ReadCaptions] = []

    def add(self, item: Prepared | Skip) -> None:
        if isinstance(item, Skip):
            self._skips.append(_skip_row(item.figure_id, item.uri, "figure", item.reason))
            return
        figure = item.figure
        self.shard.clock.seconds["prepare"] += item.seconds
        if item.digest is not None:
            if item.picture is not None:
                self._see(item.digest, item.picture)
            if item.digest in self._broken:
                self._skips.append(_skip_row(figure.figure_id, figure.uri, "figure", self._broken[item.digest]))
                return
        self._skips += [
            _skip_row(figure.figure_id, figure.uri, "caption", EMPTY_CAPTION, figure.article_id)
            for _ in range(len(figure.captions) - len(item.captions))
        ]
        if figure.image is not None and item.digest is None:
            self._skips.append(_skip_row(figure.figure_id, figure.uri, "image", IMAGE_LEFT, figure.article_id))
        self._without_caption += not item.captions
        row, extra = self._figure_row(figure), self._extra(figure)
        if item.digest is not None:
            self._images.append(row | {"sha256": item.digest, "extra": extra})
        # a figure's extra stands once: beside its image, or beside its captions where it has none
        beside = {"extra": extra if item.digest is None else None}
        self._texts += [row | beside | {"caption": caption} for caption in item.captions]
        self._read.append(item.read)

    def finish(self) -> None:
        """Raises EncoderError where a vector is not finite."""
        self._reused: Counter[str] = Counter()
        self._encode_batch()
        vectors = self._all_pictures()
        number_of = {digest: number for number, digest in enumerate(self._pictures)}
        for image in self._images:
            image |= self._pictures[image["sha256"]]
        numbers = [number_of[image["sha256"]] for image in self._images]
        self._image_table_vectors = vectors[np.array(numbers, dtype=np.int64)]
        self._refuse_broken(self._images, self._image_table_vectors)
        first: dict[str, int] = {}
        numbers = [first.setdefault(text["caption"], len(first)) for text in self._texts]
        self._repeated = {
            "images": len(self._images) - len(vectors),
            "captions": len(self._texts) - len(first),
        }
        self._text_table_vectors = np.zeros((0, self.plan.dim), dtype=np.float32)
        self._truncated = self._windowed = 0
        if self._texts:
            read = join_captions(self._read).take(np.unique(numbers, return_index=True)[1])
            captions = self._all_captions(read, first)
            self._text_table_vectors = captions.vectors[numbers]
            truncated = captions.truncated[numbers]
            self._truncated, self._windowed = int(truncated.sum()), int(captions.windowed[numbers].sum())
            for text, cut in zip(self._texts, truncated.tolist(), strict=True):
                text["truncated"] = cut
        self._refuse_broken(self._texts, self._text_table_vectors)
        self._read.clear()

    def _all_pictures(self) -> Vectors:
        """The vectors of all images that differ, in the order of `_pictures`: those encoded, and those reused."""
        encoded = [np.zeros((0, self.plan.dim), dtype=np.float32), *self._image_vectors]
        there = [d for d in dict.fromkeys(image["sha256"] for image in self._images) if d not in self._pictures]
        if self.reusable is not None and there:
            columns, vectors = self.reusable.pictures(there)
            self._pictures |= zip(there, columns, strict=True)
            self._reused["images"] = len(there)
            encoded.append(vectors)
        return np.concatenate(encoded)

    def _all_captions(self, read: ReadCaptions, number_of: dict[str, int]) -> EncodedCaptions:
        """The captions that differ, encoded or reused, by their number."""
        vectors = np.zeros((len(read), self.plan.dim), dtype=np.float32)
        truncated = np.zeros(len(read), dtype=bool)
        there = self.reusable.captions(number_of) if self.reusable is not None else []
        if self.reusable is not None and there:
            numbers = [number_of[caption] for caption in there]
            rows, vectors[numbers] = self.reusable.read(there)
            truncated[numbers] = [row["truncated"] for row in rows]
            self._reused["captions"] = len(there)
        new = np.setdiff1d(np.arange(len(read)), [number_of[caption] for caption in there])
        if len(new):
            with self.shard.clock("encode"):
                encoded = encode_read(self.encoder, read.take(new), batch_size=self.batch_size)
            vectors[new], truncated[new] = encoded.vectors, encoded.truncated
        return EncodedCaptions(vectors, truncated, read.counts > 1)

    def commit(self, folder: Path) -> ShardRecord:
        with self.shard.clock("write"):
            tables: dict[Table, pa.Table] = {
                "images": self._table("images", self._images, self._image_table_vectors),
                "texts": self._table("texts", self._texts, self._text_table_vectors),
                "skips": pa.Table.from_pylist(self._skips, schema=schema("skips", self.plan)),
            }
            sums = write_tables(folder, self.shard.number, tables)
        record = ShardRecord(
            self.shard.number,
            rows={name: table.num_rows for name, table in tables.items()},
            skips=_counts(row["reason"] for row in self._skips if row["part"] == "figure"),
            notes={**_counts(row["reason"] for row in self._skips if row["part"] != "figure"), **self._misfits},
            without_caption=self._without_caption,
            truncated=self._truncated,
            windowed=self._windowed,
            repeated={what: count for what, count in self._repeated.items() if count},
            reused=dict(self._reused),
            sha256=sums,
            seconds={stage: round(value, 3) for stage, value in self.shard.clock.seconds.items()},
        )
        return seal(folder, record)

    def _see(self, digest: str, picture: Picture | str) -> None:
        if isinstance(picture, str):
            self._broken[digest] = picture
            return
        self._pictures[digest] = {
            "width": picture.width,
            "height": picture.height,
            "thumbnail": picture.thumbnail,
        }
        self._batch.append(picture.pixels)
        if len(self._batch) == self.batch_size:
            self._encode_batch()

    def _encode_batch(self) -> None:
        if self._batch:
            with self.shard.clock("encode"):
                self._image_vectors.append(self.encoder.encode_images(np.stack(self._batch)))
            self._batch = []

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
        self._misfits.update(
            misfit(name, value, self.plan.columns[name])
            for name, value in figure.extra.items()
            if name in self.plan.columns
        )
        if not extra:
            return None
        text = json.dumps(extra, ensure_ascii=False, sort_keys=True)
        return text if can_be_written(text) else json.dumps(extra, sort_keys=True)

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


def misfit(name: str, value: Any, kind: str) -> str:
    """Why a declared column does not have a value that its source has, which is kept beside the figure."""
    if isinstance(value, str) and stands_for_missing(value):
        return f'"{" ".join(value.split())}" in column {name}, taken for a missing value'
    return f"value of column {name} that is no {kind}, kept beside it"


def _counts(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reasons))


def _skip_row(figure_id: str, uri: str, part: str, reason: str, article_id: str | None = None) -> dict[str, Any]:
    return {"figure_id": figure_id, "article_id": article_id, "source_uri": uri, "part": part, "reason": reason}
