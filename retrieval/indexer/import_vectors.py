"""Shards of vectors that were computed elsewhere. Safe to kill and run again, as encoding is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Unpack

from retrieval.encoders import load_encoder
from retrieval.errors import CorpusError, EncoderError, PlanMismatchError, TooManySkipsError
from retrieval.files import locked, sha256_json, sweep
from retrieval.indexer.import_options import ImportKeywords, ImportOptions
from retrieval.indexer.vector_shard import commit
from retrieval.indexer.vector_tables import VectorSource, fingerprint, open_sources, possible_dims, read_vectors
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.tables import VECTORS, read_record
from retrieval.types import Encoder, Progress, Silent, Split


@dataclass(frozen=True)
class Imported:
    """What an import left behind, over all shards. `unopened` says why the encoder's weights could not be named."""

    rows: int
    images: int
    captions: int
    skips: Counter[str]
    notes: Counter[str]
    shards: int
    resumed: int
    left_out: tuple[str, ...]
    encoder: str
    unopened: str | None


def import_vectors(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    encoder: str | Encoder | None = None,
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[ImportKeywords],
) -> Imported:
    """Write shards of embeddings that are there already: Parquet tables, or folders that clip-retrieval wrote.

    A row of a table is an image's where it has a vector in the column of image embeddings, a caption's where it has one
    in the column of caption embeddings, and may be both. Rows with one figure id belong together, in whichever tables
    they stand; a figure has one image at most. Vectors are brought to length 1 and stored as float16. `encoder` is the
    one that they come from (default: the one that a table exported from an index names), opened with `resize` where it
    can be opened, so that words and images can be asked with it and with no other. `options` says which columns are
    read; or give its fields as keywords: `image_embedding="v"`.

    Killed anywhere and called again, it goes on with the first missing shard. Raises CorpusError where a table cannot
    be read or its vectors have another dimension than the encoder's, EncoderError where no encoder is named or it is
    not the one that the vectors come from, PlanMismatchError where `out` was begun with other vectors,
    TooManySkipsError when more than `max_skips` of the rows have no usable vector.
    """
    options, folder = ImportOptions.of(options, keywords), Path(out)
    tables = open_sources(
        [sources] if isinstance(sources, str | Path) else sources,
        image_embedding=options.image_embedding,
        caption_embedding=options.caption_embedding,
        caption_column=options.caption_column,
    )
    origin, unopened = _origin(tables, encoder, options.resize)
    plan = _plan(tables, origin, options.shard_size)
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if not (folder / "plan.json").exists():
            plan.write(folder)
        elif (frozen := Plan.read(folder)).digest != plan.digest:
            raise PlanMismatchError(
                f"{folder}: begun with {frozen.source}, encoder {frozen.encoder} and {frozen.shard_size} rows a shard, "
                "and this is something else; go on with the former or import into a new folder"
            )
        sweep(folder)
        sweep(folder / "shards")
        records = {s.number: record for s in plan.splits if (record := read_record(folder, s.number)) is not None}
        resumed = len(records)
        progress = progress or Silent()
        progress.start(plan.total, sum(s.stop - s.start for s in plan.splits if s.number in records))
        try:
            _refuse_skips(folder, plan, records.values(), options.max_skips)
            splits = iter(plan.splits)
            for source in tables:
                its_own = islice(splits, ceil(source.rows / options.shard_size))
                for piece in read_vectors(source, [split for split in its_own if split.number not in records]):
                    records[piece.split.number] = commit(folder, plan, source, piece)
                    progress.advance(piece.rows.num_rows)
                    _refuse_skips(folder, plan, records.values(), options.max_skips)
        finally:
            progress.finish()
    total = {name: _sum(records.values(), name) for name in ("rows", "skips", "notes")}
    return Imported(
        rows=plan.total,
        images=total["rows"]["images"],
        captions=total["rows"]["texts"],
        skips=total["skips"],
        notes=total["notes"],
        shards=len(records),
        resumed=resumed,
        left_out=tuple(dict.fromkeys(name for source in tables for name in source.left_out)),
        encoder=plan.encoder,
        unopened=unopened,
    )


def _origin(
    sources: Sequence[VectorSource], encoder: str | Encoder | None, resize: str | None
) -> tuple[dict[str, Any], str | None]:
    """What the plan says of the encoder, `dim` None where it was not opened, and why it could not be."""
    told = next((source.about for source in sources if source.about), {})
    if any(source.about and source.about != told for source in sources):
        raise EncoderError(
            "the tables were exported from indexes of different encoders; import each into its own folder"
        )
    values = {"encoder_fingerprint": "", "resize": None, "dim": None} | dict(told)
    if resize is not None:
        values["resize"] = resize
    if encoder is None:
        if not told:
            raise EncoderError(
                f"{sources[0].table}: does not say which encoder made its vectors; name it: --encoder NAME"
            )
        return values, None
    try:
        model = load_encoder(encoder, resize=values["resize"], precision="fp32")
    except EncoderError as error:
        return values | {"encoder": str(encoder)}, str(error)
    if told and model.fingerprint != values["encoder_fingerprint"]:
        raise EncoderError(
            f"{sources[0].table}: made by encoder {values['encoder']} ({values['encoder_fingerprint'][:8]}), which "
            f"{model.name} ({model.fingerprint[:8]}) is not; leave the encoder out, or name that one"
        )
    return values | {"encoder": model.name, "encoder_fingerprint": model.fingerprint, "dim": model.dim}, None


def _plan(sources: Sequence[VectorSource], origin: dict[str, Any], shard_size: int) -> Plan:
    dim = origin.pop("dim")
    for source in sources:
        for kind, where in source.vectors.items():
            dims = possible_dims(source, kind)
            dim = dim or (dims[0] if dims else None)
            if dims and dim not in dims:
                raise CorpusError(
                    f"{source.table}: {where} holds vectors of {dims[0]} numbers, and those of encoder "
                    f"{origin['encoder']} have {dim}; name the encoder and the column that belong together"
                )
    if dim is None:
        raise CorpusError(f"{sources[0].table}: every row is without embedding; give tables that have them")
    columns: dict[str, str] = {}
    for source in sources:
        for name, type_ in source.columns.items():
            if columns.setdefault(name, type_) != type_:
                raise CorpusError(
                    f"{source.table}: column {name} is {type_}, and {columns[name]} in a table before; write them alike"
                )
    splits: list[Split] = []
    for source in sources:
        for start in range(0, source.rows, shard_size):
            splits.append(Split(len(splits), start, min(start + shard_size, source.rows), source.table.name))
    return Plan(
        source=", ".join(str(source.table) for source in sources),
        kind=VECTORS,
        options={"embeddings": [{k: Path(where).name for k, where in s.vectors.items()} for s in sources]},
        corpus_fingerprint=sha256_json([fingerprint(source) for source in sources]),
        columns=columns,
        dim=dim,
        thumbnail=0,
        max_pixels=0,
        shard_size=shard_size,
        splits=tuple(splits),
        **origin,
    )


def _refuse_skips(folder: Path, plan: Plan, records: Iterable[ShardRecord], max_skips: float) -> None:
    """Stop as soon as the share of skips over all rows cannot come down to `max_skips` any more."""
    skips = _sum(records, "skips")
    if skips.total() / max(1, plan.total) > max_skips:
        reasons = ", ".join(f"{count} {reason}" for reason, count in skips.most_common(3))
        raise TooManySkipsError(
            f"{folder}: {skips.total()} of {plan.total} rows have no usable vector ({reasons}), more than --max-skips "
            f"{max_skips:g} allows; mend the tables, or run again with a larger --max-skips to keep what was imported"
        )


def _sum(records: Iterable[ShardRecord], name: str) -> Counter[str]:
    return sum((Counter(getattr(record, name)) for record in records), Counter())
