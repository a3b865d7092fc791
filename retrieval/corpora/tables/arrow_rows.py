"""Arrow files (IPC files, streams, Feather) and the folders of them that `datasets.save_to_disk` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from retrieval.corpora.tables.columnar_rows import ColumnarRows
from retrieval.corpora.tables.row_views import WithConstants
from retrieval.corpora.tables.table import TableRows
from retrieval.errors import CorpusError
from retrieval.files import sha256_file

OF_ONE_SPLIT = "state.json"
OF_SEVERAL_SPLITS = "dataset_dict.json"


def arrow_rows(path: Path) -> ColumnarRows:
    """The rows of an Arrow file, of the kind with a footer or a stream. CorpusError where it is neither."""
    return ColumnarRows(path, _ArrowFile, sha256_file, format_name="Arrow")


class _ArrowFile:
    """An open Arrow file, mapped into memory. Each of its record batches is a group."""

    texts: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            start = file.read(6)
        if start[:4] == b"FEA1":
            raise CorpusError(f"{path}: Feather of the first version is not read; save it as Parquet")
        self._file = pa.memory_map(str(path))
        self._reader: Any = None
        if start == b"ARROW1":
            self._reader = pa.ipc.open_file(self._file)
            self.schema: pa.Schema = self._reader.schema
            groups = range(self._reader.num_record_batches)
            self.sizes: Sequence[int] = [len(self._reader.get_batch(group)) for group in groups]
        else:
            stream = pa.ipc.open_stream(self._file)
            self.schema = stream.schema
            self.sizes = [len(batch) for batch in stream]
        self._restart()

    def _restart(self) -> None:
        self._next = 0
        if self._reader is None:
            self._file.seek(0)
            self._stream = pa.ipc.open_stream(self._file)

    def batches(self, group: int, columns: Sequence[str] | None, size: int) -> Iterator[pa.RecordBatch]:
        batch = self._batch(group)
        for column in batch.columns:
            _refuse_unsound(column)
        for start in range(0, len(batch), size):
            yield batch.slice(start, size)

    def _batch(self, group: int) -> pa.RecordBatch:
        if self._reader is not None:
            return self._reader.get_batch(group)
        if group < self._next:
            self._restart()
        while True:
            batch = self._stream.read_next_batch()
            self._next += 1
            if self._next > group:
                return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _refuse_unsound(column: pa.Array) -> None:
    """Raise ArrowInvalid where a damaged column points outside of itself: reading it would end the process. A text that
    is not UTF-8 is no such damage."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
            column.view(_as_bytes(column.type)).validate(full=True)


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """A type with bytes for texts. Raises ArrowInvalid for one that is rarely met."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_as_bytes(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_as_bytes(kind.value_type)))
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
        raise pa.ArrowInvalid(f"{kind} holds texts that are not UTF-8")
    texts = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return texts.get(kind, kind)


def saved_dataset(folder: Path) -> list[TableRows] | None:
    """The rows of a folder that `save_to_disk` of Hugging Face's datasets wrote, in the order that it lists them; of a
    DatasetDict with a column `split`. None where the folder is none. CorpusError where a file of it is missing."""
    if (folder / OF_ONE_SPLIT).is_file() and (folder / "dataset_info.json").is_file():
        return list(_split_rows(folder))
    if not (folder / OF_SEVERAL_SPLITS).is_file():
        return None
    splits = _listed(folder / OF_SEVERAL_SPLITS).get("splits")
    names = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
    if not names:
        raise CorpusError(f"{folder / OF_SEVERAL_SPLITS}: names no splits; save the dataset again")
    return [WithConstants(rows, {"split": name}) for name in names for rows in _split_rows(folder / name)]


def _split_rows(folder: Path) -> Iterator[ColumnarRows]:
    files = _listed(folder / OF_ONE_SPLIT).get("_data_files")
    for file in files if isinstance(files, list) else ():
        path = folder / Path(str(file.get("filename") if isinstance(file, dict) else file)).name
        if not path.is_file():
            raise CorpusError(f"{path}: the saved dataset lists this file and it is missing; save or copy it again")
        yield arrow_rows(path)


def _listed(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: the saved dataset cannot be read ({error}); save or copy it again") from None
    return found if isinstance(found, dict) else {}
