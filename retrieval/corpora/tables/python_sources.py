"""Collections of Python as rows: dicts, pairs, Arrow tables, frames, datasets of Hugging Face and torch, cursors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from os import PathLike
from typing import Any, TypeAlias

import pyarrow as pa

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.python_values import holds_picture
from retrieval.errors import CorpusError

BATCH = 512
WAY_OUT = (
    "give a path, a list of dicts such as {'image': 'a.png', 'caption': '...'}, pairs of an image and a caption, an "
    "Arrow table, a pandas or polars frame, a dataset of Hugging Face or torch, or an object with split and read"
)
SPLIT = "split"

Rows: TypeAlias = Any
"""A sequence of dicts, or an Arrow table."""


def batches_of(rows: Any) -> Iterator[Rows]:
    """The rows of a collection, some hundred at a time: as dicts, or as an Arrow table where it holds one.

    Raises CorpusError for what is no collection of figures.
    """
    if splits := _splits(rows):
        for name, part in splits.items():
            for batch in batches_of(part):
                yield _of_split(batch, str(name))
    elif _is_hugging_face(rows):
        yield from rows.with_format("arrow").iter(batch_size=BATCH)  # pictures as they are stored, not decoded
    elif (reader := _reader(rows)) is not None:
        for batch in reader:
            for start in range(0, len(batch), BATCH):
                yield pa.Table.from_batches([batch.slice(start, BATCH)])
    else:
        items = iter(_rows_of_items(_items(rows)))
        while some := list(islice(items, BATCH)):
            yield some


def _splits(rows: Any) -> Mapping[str, Any] | None:
    """A dict of several datasets or frames by the names of their splits, else None."""
    if not isinstance(rows, Mapping) or not rows:
        return None
    return (
        rows if all(_is_hugging_face(part) or hasattr(part, "__arrow_c_stream__") for part in rows.values()) else None
    )


def _of_split(batch: Rows, name: str) -> Rows:
    if isinstance(batch, pa.Table):
        there = SPLIT in batch.column_names
        return batch if there else batch.append_column(SPLIT, pa.array([name] * len(batch), pa.string()))
    return [{**row, SPLIT: row.get(SPLIT, name)} for row in batch]


def _is_hugging_face(rows: Any) -> bool:
    return type(rows).__module__.partition(".")[0] == "datasets" and hasattr(rows, "with_format")


def _reader(rows: Any) -> Iterable[pa.RecordBatch] | None:
    """What speaks Arrow as a stream of it; None for the rest, and for frames of objects that Arrow has no type for."""
    if type(rows).__name__ == "LazyFrame":
        rows = rows.collect()
    if hasattr(rows, "scanner"):  # a dataset of Arrow
        rows = rows.scanner()
    if not hasattr(rows, "__arrow_c_stream__") and hasattr(rows, "to_reader"):
        return rows.to_reader()  # type: ignore[no-any-return]
    if isinstance(rows, pa.RecordBatch):
        return [rows]
    if type(rows).__name__ == "Series" or not hasattr(rows, "__arrow_c_stream__"):
        return None
    if "Object" in map(str, getattr(rows, "dtypes", ())):
        return None
    try:
        return pa.RecordBatchReader.from_stream(rows)  # type: ignore[no-any-return]
    except (pa.ArrowException, TypeError, ValueError):
        if not hasattr(rows, "columns"):
            raise
        return None


def _items(rows: Any) -> Iterable[Any]:
    """The items of a collection, one after the other."""
    if type(rows).__name__ in ("DataLoader", "WebLoader"):
        raise CorpusError(f"a {type(rows).__name__} gives batches of tensors; give the dataset that it loads")
    if type(rows).__name__ == "LazyFrame":
        rows = rows.collect()
    if hasattr(rows, "iter_rows") and hasattr(rows, "columns"):  # polars
        return rows.iter_rows(named=True)  # type: ignore[no-any-return]
    if hasattr(rows, "iloc") and hasattr(rows, "columns"):
        return _records(rows)
    if getattr(rows, "description", None) and hasattr(rows, "fetchmany"):  # the cursor of a database
        names = [column[0] for column in rows.description]
        fetched = iter(lambda: rows.fetchmany(BATCH), [])
        return (dict(zip(names, row, strict=True)) for some in fetched for row in some)
    if isinstance(rows, Mapping | str | bytes):
        raise CorpusError(f"a {type(rows).__name__} is no collection of figures; {WAY_OUT}")
    if isinstance(rows, Iterable):
        return rows
    if hasattr(rows, "__getitem__") and hasattr(rows, "__len__"):  # a dataset of torch
        return (rows[number] for number in range(len(rows)))
    raise CorpusError(f"a {type(rows).__name__} is no collection of figures; {WAY_OUT}")


def _records(frame: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a pandas frame, with its index where that says something."""
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.reset_index()
    for start in range(0, len(frame), BATCH):
        yield from frame.iloc[start : start + BATCH].to_dict("records")


def _rows_of_items(items: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        match item:
            case Mapping():
                yield _of_webdataset(item) if "__key__" in item else item
            case tuple() if hasattr(item, "_asdict"):
                yield item._asdict()
            case tuple() if len(item) > 1:
                yield _of_tuple(item)
            case _ if dataclasses.is_dataclass(item) and not isinstance(item, type):
                yield {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
            case _ if hasattr(item, "keys") and hasattr(item, "__getitem__"):  # a row of sqlite3
                yield _by_keys(item)
            case _ if holds_picture(item) or isinstance(item, PathLike):
                yield {"image": item}
            case _:
                raise CorpusError(f"a row is a dict of columns, not a {type(item).__name__}; {WAY_OUT}")


def _by_keys(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in row.keys()}  # noqa: SIM118


def _of_tuple(item: tuple[Any, ...]) -> dict[str, Any]:
    """A pair of an image and its caption or captions, either first; a number beside an image is its label."""
    image, caption, *rest = item
    if holds_picture(caption) and not holds_picture(image):
        image, caption = caption, image
    if not (holds_picture(image) or isinstance(image, str | PathLike | None)):
        raise CorpusError(
            f"a row of {type(image).__name__} and {type(caption).__name__} is no pair of image and caption"
        )
    row: dict[str, Any] = {"image": image}
    if isinstance(caption, Mapping):
        row |= caption
    else:
        row["label" if isinstance(caption, int | float) else "caption"] = caption
    for number, value in enumerate(rest, start=3):
        row |= value if isinstance(value, Mapping) else {f"column_{number}": value}
    return row


_TEXTS = ("txt", "text", "caption", "cap", "cls")


def _of_webdataset(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample of a WebDataset pipeline, decoded or not: its image, its text, and the keys of its JSON."""
    row: dict[str, Any] = {}
    objects: list[Mapping[str, Any]] = []
    for field, value in sample.items():
        suffix = field.rpartition(".")[2].lower()
        if suffix == "json":
            try:
                value = json.loads(value) if isinstance(value, bytes | str) else value
            except ValueError:
                value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            objects += [value] if isinstance(value, Mapping) else [{field: value}]
        elif f".{suffix}" in IMAGE_SUFFIXES and "image" not in row:
            row["image"] = value
        elif suffix in _TEXTS and isinstance(value, bytes):
            row["caption" if suffix in _TEXTS[:4] else field] = value.decode("utf-8", "replace")
        elif field not in ("__url__", "__local_path__"):
            row["caption" if suffix in _TEXTS[:4] else field] = value
    for one in objects:
        for name, value in one.items():
            if row.setdefault(name, value) is not value and row[name] != value:
                row[f"json.{name}"] = value
    return row
