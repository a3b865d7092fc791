"""Which figures leave an index, and one file or folder that appears whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.export.attribution import UNKNOWN
from retrieval.export.export_vectors import encoder_metadata
from retrieval.export.figure_rows import OURS, Row, figure_rows
from retrieval.export.originals import Originals
from retrieval.export.writers import FORMATS, WITH_IMAGES, WRITERS, Layout
from retrieval.files import replacing, replacing_folder
from retrieval.indexes.opened_index import OpenedIndex, borrowed
from retrieval.shards.filters import Where, as_clauses
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Hit, Progress, Silent


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """Counts of an export: figures, their images (originals or thumbnails), captions, unknown licences."""

    format: str
    figures: int
    originals: int
    thumbnails: int
    captions: int
    without_licence: int

    def __repr__(self) -> str:
        counts = ((self.originals, "original images"), (self.thumbnails, "thumbnails"), (self.captions, "captions"))
        told = "".join(f", {count:,} {name}" for count, name in counts if count)
        unknown = f", {self.without_licence:,} without a known licence" if self.without_licence else ""
        return f"<Exported {self.format}: {self.figures:,} figure{'s' * (self.figures != 1)}{told}{unknown}>"


def export(
    index: str | Path | OpenedIndex,
    out: str | Path,
    *,
    where: Where = (),
    ids: str | Iterable[str] | None = None,
    hits: Sequence[Hit] | None = None,
    format: str | None = None,
    embeddings: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write figures of an index to `out`, which must not exist: those that fulfil every `where` clause and are named
    in `ids` (default: all), in the order of the index; or those of `hits`, best first, with rank and score. The index
    is a folder, or open already.

    The format follows from the name: .csv, .jsonl, .parquet, .tar (a WebDataset shard), without a suffix a folder of
    images and captions.jsonl that can be indexed again. Images are the originals where the index's sources still hold
    them (same sha256), else thumbnails; `image_from` says which. CSV and JSON lines hold no images. Every figure has an
    attribution line. `embeddings` adds the image's to a Parquet table, which `import_vectors` reads. `out` appears
    whole or not at all; the rows of about a thousand figures and a few originals are in memory at a time.

    Raises QueryError where `out` exists, its format is not known, an id is not in the index or no figure is left;
    FilterError for a clause that is not understood.
    """
    out = Path(out)
    where = as_clauses(where)
    ids = (ids,) if isinstance(ids, str) else ids
    layout_name = _format_name(out, format)
    if out.exists():
        raise QueryError(f"{out}: exists; export to a new name")
    if embeddings and layout_name != "parquet":
        raise QueryError(f"{out}: embeddings go into a .parquet table only; or use retrieval vectors export")
    with borrowed(index) as built:
        chosen = _of_hits(built, hits) if hits is not None else _chosen(built, where, ids)
        if not len(chosen):
            values = built.nearest_values(where)
            raise QueryError(
                f"{built.folder}: no figure is left to export{f' ({values})' if values else ''}; ask for others"
            )
        best = {hit.figure_id: hit for hit in reversed(hits or ())}
        originals = Originals(built.shards) if layout_name in WITH_IMAGES else None
        rows = figure_rows(built, chosen, originals, tuple(best[name] for name in _in_order(hits or ())))
        columns = {name: type_ for name, type_ in built.plan.columns.items() if name not in OURS}
        layout = Layout(columns, hits is not None)
        if embeddings:
            layout = replace(
                layout, vectors=built.vectors("image"), schema_metadata=encoder_metadata(built.plan, "float32")
            )
        counts: Counter[str] = Counter()
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(out) if layout_name == "folder" else replacing(out) as temporary:
            WRITERS[layout_name](temporary, _counted(rows, counts, len(chosen), progress or Silent()), layout)
    return Exported(
        layout_name, len(chosen), *(counts[name] for name in ("original", "thumbnail", "captions", "unknown"))
    )


def _format_name(out: Path, asked: str | None) -> str:
    told = asked or (out.suffix.lower().removeprefix(".") or "folder")
    if told not in FORMATS:
        raise QueryError(f"{out}: no format is called {told}; name it .csv, .jsonl, .parquet or .tar, or give --format")
    return told


def _chosen(built: OpenedIndex, where: Where, ids: Iterable[str] | None) -> NDArray[np.int32]:
    """The numbers of the figures that fulfil every clause, by their image or by any of their captions."""
    numbers = {kind: np.asarray(built.figures(kind)) for kind in TABLE_OF}
    keep = np.zeros(1 + max((int(some.max()) for some in numbers.values() if len(some)), default=-1), dtype=bool)
    if where:
        keep[built.matching_figures(where)] = True
    else:
        for some in numbers.values():
            keep[some] = True
    if ids is not None:
        named = np.zeros_like(keep)
        named[_numbers(built, list(dict.fromkeys(ids)))] = True
        keep &= named
    return np.flatnonzero(keep).astype(np.int32)


def _numbers(built: OpenedIndex, ids: Sequence[str]) -> NDArray[np.int32]:
    """The number of each figure. Raises QueryError where one is not there."""
    places = built.find(ids)
    missing = [name for name in ids if name not in places]
    if missing:
        raise QueryError(
            f"{built.folder}: {len(missing)} of {len(ids)} figure ids are not in it, first {missing[0]!r}; "
            "take them out, or name the index that has them"
        )
    return np.array([built.figures(kind)[row] for kind, row in (places[name] for name in ids)], dtype=np.int32)


def _in_order(hits: Sequence[Hit]) -> list[str]:
    """The figures of hits, each once, where its best hit is."""
    return list(dict.fromkeys(hit.figure_id for hit in hits))


def _of_hits(built: OpenedIndex, hits: Sequence[Hit]) -> NDArray[np.int32]:
    return _numbers(built, _in_order(hits))


def _counted(rows: Iterable[Row], counts: Counter[str], total: int, progress: Progress) -> Iterator[Row]:
    progress.start(total, 0)
    try:
        for row in rows:
            counts.update([row.image_from or "none"])
            counts["captions"] += len(row.captions)
            counts["unknown"] += row.attribution.endswith(UNKNOWN)
            yield row
            progress.advance(1)
    finally:
        progress.finish()
