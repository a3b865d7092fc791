"""Rows of files that are stored by columns, with images as paths or as bytes in the file: Parquet and Arrow."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from retrieval.corpora.tables.arrow_values import holds_files, is_bytes, kind_of, python_rows_of, unique_names
from retrieval.corpora.tables.arrow_values import without_bytes as paths_alone
from retrieval.corpora.tables.columns import CAPTIONS, plain_name
from retrieval.errors import CorpusError

Row = dict[str, Any]

UNREADABLE = "row cannot be read"
"""The reason for each row of a damaged row group."""

NOT_READABLE = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises over a damaged file; texts that are not UTF-8 are a ValueError."""

FIRST = 16
"""Rows that are looked at to tell texts that are stored as bytes."""

IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\0\x0cjP")


class ColumnarFile(Protocol):
    """An open file of row groups."""

    schema: pa.Schema
    sizes: Sequence[int]
    """The number of rows of each group."""
    texts: Sequence[str]
    """Columns of bytes that are read as texts."""

    def batches(self, group: int, columns: Sequence[str] | None, size: int) -> Iterator[pa.RecordBatch]:
        """The rows of one group, `size` at a time; of some columns where it can read these alone."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class ColumnarRows:
    """The rows of one file. Only what is asked for is read: columns in `scan`, row groups in `fetch`.

    A row is reached by decoding its group from the start, so groups of some thousand rows (of some hundred where
    images are embedded, as Hugging Face writes them) are much faster to read than one huge group.
    """

    text = False

    def __init__(
        self,
        path: Path,
        open_file: Callable[[Path], ColumnarFile],
        digest_of: Callable[[Path], str],
        *,
        format_name: str,
    ) -> None:
        self.path = path
        self._open, self._format = open_file, format_name
        self._texts: Sequence[str] = ()
        with self._opened() as file:
            kinds = dict(zip(unique_names(file.schema), file.schema.types, strict=True))
            self._starts = [0, *accumulate(file.sizes)]
        self.digest = digest_of(path)
        self._texts = self._texts_as_bytes([name for name, kind in kinds.items() if is_bytes(kind)])
        kinds |= dict.fromkeys(self._texts, pa.string())
        self.file_columns: Sequence[str] = [name for name, kind in kinds.items() if holds_files(kind)]
        self.columns: Sequence[str] = list(kinds)
        self.types: Mapping[str, str] | None = {name: kind for name in kinds if (kind := kind_of(kinds[name]))}
        if len(self.file_columns) > 1:
            self.file_columns = sorted(self.file_columns, key=lambda name: not self.holds_images(name))

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        """All rows, of an embedded image only the path."""
        with self._opened() as file:
            for group, size in enumerate(file.sizes):
                yield from _picked(file, group, range(size), columns, 4096, self.file_columns)

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        """The rows of these numbers (from 0), which must ascend."""
        batch_size = 64 if self.file_columns else 1024  # 64 figures of a megabyte are held at once
        with self._opened() as file:
            for group, numbers in groupby(rows, key=lambda row: bisect_right(self._starts, row) - 1):
                start = self._starts[group]
                yield from _picked(file, group, [number - start for number in numbers], None, batch_size)

    def _opened(self) -> ColumnarFile:
        try:
            file = self._open(self.path)
            unique_names(file.schema), [holds_files(kind) for kind in file.schema.types]  # names may be no text
        except NOT_READABLE as error:
            reason = " ".join(str(error).split())
            sentence = f"{self.path}: not a readable {self._format} file ({reason}); write or download it again"
            raise CorpusError(sentence) from None
        file.texts = self._texts
        return file

    def _texts_as_bytes(self, names: Sequence[str]) -> Sequence[str]:
        """Of columns of bytes those that are texts, which Hive, Impala and older Spark store without saying so."""
        if not names or not self._starts[-1]:
            return ()
        with self._opened() as file:
            group = next(group for group, size in enumerate(file.sizes) if size)
            first = list(_picked(file, group, range(min(FIRST, file.sizes[group])), None, FIRST))
        values = {name: [row[name] for row in first if isinstance(row, dict) and row.get(name)] for name in names}
        texts = {name: sum(map(_is_text, values[name])) for name in names}
        return [
            name
            for name in names
            if texts[name] * 2 > len(values[name]) or (texts[name] and plain_name(name) in CAPTIONS)
        ]

    def holds_images(self, name: str) -> bool:
        """Tell whether the first file in a column begins as an image does."""
        some = self.fetch(range(min(8, self._starts[-1])))
        return next((begins_as_image(row[name]) for row in some if isinstance(row, dict) and row[name]), False)


def _is_text(data: bytes) -> bool:
    """Bytes that are a text; those of a drawing (SVG), of which the file is text, are none."""
    try:
        text = data.decode()
    except ValueError:
        return False
    return not text.lstrip().startswith("<") and all(letter.isprintable() or letter.isspace() for letter in text)


def begins_as_image(value: Any) -> bool:
    """Tell whether the bytes in a value of a file column, a list of them or not, begin as an image does."""
    if isinstance(value, list):
        return any(map(begins_as_image, value))
    data = value.get("bytes") if isinstance(value, Mapping) else value
    return isinstance(data, bytes) and data.startswith(IMAGE_STARTS)


def _picked(
    file: ColumnarFile,
    group: int,
    rows: Sequence[int],
    columns: Sequence[str] | None,
    batch_size: int,
    without_bytes: Sequence[str] = (),
) -> Iterator[Row | str]:
    """Rows of one group, numbered from its start and ascending. One that is not there is the reason."""
    at = done = 0
    try:
        for stored in file.batches(group, columns, batch_size):
            batch = _as_texts(stored, file.texts)
            upto = bisect_left(rows, at + len(batch))
            for first, last in _runs(rows[done:upto]):
                yield from python_rows_of(_light(batch.slice(first - at, last - first), columns, without_bytes))
                done += last - first
            at += len(batch)
            if done == len(rows):
                return
    except NOT_READABLE:
        pass
    yield from [UNREADABLE] * (len(rows) - done)


def _as_texts(batch: pa.RecordBatch, texts: Sequence[str]) -> pa.RecordBatch:
    """A batch with these columns of bytes as texts, which need not be UTF-8."""
    names = unique_names(batch.schema)
    if not set(texts).intersection(names):
        return batch
    made = [
        pa.array(column.to_pylist(), pa.binary()).cast(pa.string(), safe=False) if name in texts else column
        for name, column in zip(names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(made, names=names)


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges of consecutive ones."""
    for _, run in groupby(enumerate(rows), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        yield numbers[0], numbers[-1] + 1


def _light(batch: pa.RecordBatch, columns: Sequence[str] | None, without_bytes: Sequence[str]) -> pa.RecordBatch:
    """The columns of a batch that are asked for, of files only the paths."""
    if columns is None:
        return batch
    asked = [(name, batch.column(number)) for number, name in enumerate(unique_names(batch.schema)) if name in columns]
    if not asked:
        return batch.select([])
    made = [paths_alone(column) if name in without_bytes else column for name, column in asked]
    return pa.RecordBatch.from_arrays(made, names=[name for name, _ in asked])
