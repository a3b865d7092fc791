"""The rows of an index: those of its shards and of the steps that added more, without those withdrawn since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.errors import ShardError
from retrieval.files import sha256_file
from retrieval.once import Once
from retrieval.shards.changes import Change, Part, check_step, read_changes, read_part, step_folder, way_back, withdrawn
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.tables import VECTORS, Table, record_path, schema, shard_path
from retrieval.shards.vectors import to_vectors

OPEN_FILES = 64


class Shards:
    """The committed shards of a folder, read-only: whole columns, vectors in order, single rows by number.

    Rows are counted over those that were not withdrawn, the oldest first. Columns are those of every part; where a part
    has not got one, its rows hold null. `stored` rows are counted over all that were ever written.
    """

    def __init__(self, folder: Path, steps: int | None = None) -> None:
        """As it is, or as it was after so many `steps`.

        Raises ShardError where there is no plan, shards are missing, or a step was made on other shards.
        """
        self.folder = folder
        import_again = Plan.read(folder).kind == VECTORS
        base = read_part(folder, f"run retrieval {'vectors import' if import_again else 'index'} again to continue")
        self.changes: list[Change] = read_changes(folder)[:steps]
        self.digests = [base.digest, *(change.digest for change in self.changes)]
        self._parts = [base, *self._parts_of_steps()]
        self._pieces = [(part, record) for part in self._parts for record in part.records]
        self.records: list[ShardRecord] = [record for _, record in self._pieces]
        self._starts: Once[Table, NDArray[np.int64]] = Once()
        self._dead: Once[Table, NDArray[np.int64]] = Once()
        self._files: Once[tuple[int, Table], pq.ParquetFile] = Once(OPEN_FILES)
        self._reading = Lock()  # an open Parquet file gives wrong answers to two threads at once

    def close(self) -> None:
        """Close the open Parquet files; the next reading opens them again."""
        with self._reading:
            for file in self._files.clear():
                file.close()

    @property
    def digest(self) -> str:
        """Of the plan, every record and every step: two folders with the same digest hold the same rows."""
        return self.digests[-1]

    @cached_property
    def plan(self) -> Plan:
        """The plan that the index was made by, with the columns of later steps."""
        plan = self._parts[0].plan
        columns = {name: kind for part in reversed(self._parts) for name, kind in part.plan.columns.items()}
        more = {name: kind for name, kind in columns.items() if name not in plan.columns}
        return replace(plan, columns={**plan.columns, **more}) if more else plan

    @property
    def pieces(self) -> Sequence[tuple[Part, ShardRecord]]:
        """Every shard, in the order of stored rows, and the part that it belongs to."""
        return self._pieces

    def count(self, table: Table) -> int:
        return self.stored_count(table) - sum(change.rows.get(table, 0) for change in self.changes)

    def stored_count(self, table: Table) -> int:
        return sum(record.rows[table] for record in self.records)

    def stored_rows(self, table: Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows stand among all that were ever written."""
        dead = self._dead.get(table, self._read_dead)
        stored: NDArray[np.int64] = rows + np.searchsorted(dead - np.arange(len(dead)), rows, side="right")
        return stored

    def rows_before(self, table: Table, steps: int) -> NDArray[np.int64]:
        """Of every row as they were after so many steps, which row it is now; -1 where it was withdrawn since."""
        before = Shards(self.folder, steps)
        then = before.stored_rows(table, np.arange(before.count(table)))
        now = self.stored_rows(table, np.arange(self.count(table)))
        rows = np.searchsorted(now, then)
        there = now[np.minimum(rows, len(now) - 1)] == then if len(now) else np.zeros(len(then), dtype=bool)
        return np.where(there, rows, -1)

    def check(self) -> None:
        """Read every byte of every shard and step. Raises ShardError where one differs from its record."""
        for number, change in enumerate(self.changes, 1):
            check_step(step_folder(self.folder, number), change)
        for part, record in self._pieces:
            for name, expected in record.sha256.items():
                path = shard_path(part.folder, record.number, name)  # type: ignore[arg-type]
                if not path.is_file():
                    raise ShardError(f"{path}: missing; {self._mend(part, record)}")
                if sha256_file(path) != expected:
                    raise ShardError(f"{path}: differs from its record; {self._mend(part, record)}")

    def vectors(self, table: Table) -> Iterator[NDArray[np.float16]]:
        """The embeddings of one table, a block (n, dim) per row group, in row order."""
        for block in self.blocks(table, ["embedding"]):
            for chunk in block.column(0).chunks:
                yield to_vectors(chunk, self.plan.dim)

    def blocks(self, table: Table, names: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of one table, a row group at a time, in row order."""
        dead, start = self._dead.get(table, self._read_dead), 0
        for piece in range(len(self._pieces)):
            file = self._files.get((piece, table), self._open)
            for group in range(file.num_row_groups):
                with self._reading:
                    block = file.read_row_group(group, columns=list(names), use_threads=False)
                block = self._fitted(block, file.metadata.row_group(group).num_rows, names, table)
                yield _without_rows(block, dead, start)
                start += block.num_rows

    def columns(self, table: Table, names: Sequence[str]) -> pa.Table:
        """Whole columns of one table, in row order."""
        files = [self._files.get((piece, table), self._open) for piece in range(len(self._pieces))]
        with self._reading:
            read = [file.read(columns=list(names)) for file in files]
        blocks = [
            self._fitted(block, file.metadata.num_rows, names, table) for block, file in zip(read, files, strict=True)
        ]
        if not blocks:
            return schema(table, self.plan).empty_table().select(list(names))
        return _without_rows(pa.concat_tables(blocks), self._dead.get(table, self._read_dead), 0)

    def take(self, table: Table, rows: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
        """Single rows by their number in the whole table, in the order asked for."""
        starts = self._starts.get(table, self._add_up)
        wanted: list[int] = self.stored_rows(table, np.asarray(rows, dtype=np.int64)).tolist()
        found: dict[int, dict[str, Any]] = {}
        for piece, members in _by_piece(wanted, starts).items():
            file = self._files.get((piece, table), self._open)
            groups = starts[piece] + _group_starts(file)
            for group, some in _by_piece(members, groups).items():
                with self._reading:  # a group is too small for threads to gain anything; on a busy machine they lose
                    block = file.read_row_group(group, columns=list(names), use_threads=False)
                block = self._fitted(block, file.metadata.row_group(group).num_rows, names, table)
                taken = block.take([row - int(groups[group]) for row in some]).to_pylist()
                found.update(zip(some, taken, strict=True))
        return [found[row] for row in wanted]

    def _parts_of_steps(self) -> Iterator[Part]:
        for change, before in zip(self.changes, self.digests, strict=False):
            step = step_folder(self.folder, change.number)
            if change.parent != before:
                raise ShardError(f"{step}: was made on other shards than are there now; {way_back(step)}")
            if change.added is not None:
                part = read_part(step, way_back(step))
                if part.digest != change.added:
                    raise ShardError(f"{step}: its shards are not those that change.json names; {way_back(step)}")
                yield part

    def _add_up(self, table: Table) -> NDArray[np.int64]:
        """The first row of each shard among all that were ever written."""
        return np.cumsum([0, *(record.rows[table] for record in self.records[:-1])], dtype=np.int64)

    def _read_dead(self, table: Table) -> NDArray[np.int64]:
        """The rows withdrawn, in order, counted over all that were ever written."""
        steps = [step_folder(self.folder, change.number) for change in self.changes if change.rows.get(table)]
        return np.sort(np.concatenate([np.empty(0, np.int64), *(withdrawn(step, table) for step in steps)]))

    def _fitted(self, block: pa.Table, rows: int, names: Sequence[str], table: Table) -> pa.Table:
        """A block with the columns asked for, as they are in every part: null where its own has none."""
        if len(self._parts) == 1:
            return block
        types = {field.name: field.type for field in schema(table, self.plan)}
        there = {
            name: block[name] if name in block.column_names else pa.chunked_array([pa.nulls(rows, types[name])])
            for name in names
        }
        return pa.table(there)  # without the schema's metadata and its notes on nulls, which differ between parts

    def _open(self, place: tuple[int, Table]) -> pq.ParquetFile:
        piece, table = place
        part, record = self._pieces[piece]
        path = shard_path(part.folder, record.number, table)
        try:
            return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise ShardError(f"{path}: cannot be read ({error}); {self._mend(part, record)}") from error

    def _mend(self, part: Part, record: ShardRecord) -> str:
        if part is not self._parts[0]:
            return way_back(part.folder)
        return f"delete {record_path(part.folder, record.number)} and encode again"


def _without_rows(block: pa.Table, dead: NDArray[np.int64], start: int) -> pa.Table:
    """A block that begins at the stored row `start`, without the rows withdrawn."""
    first, stop = np.searchsorted(dead, [start, start + block.num_rows])
    if first == stop:
        return block
    alive = np.ones(block.num_rows, dtype=bool)
    alive[dead[first:stop] - start] = False
    return block.filter(pa.array(alive))


def _by_piece(rows: Iterable[int], starts: NDArray[np.int64]) -> dict[int, list[int]]:
    """Row numbers by the piece that holds them, where pieces begin at `starts`."""
    grouped: dict[int, list[int]] = {}
    for row in rows:
        grouped.setdefault(int(np.searchsorted(starts, row, side="right")) - 1, []).append(row)
    return grouped


def _group_starts(file: pq.ParquetFile) -> NDArray[np.int64]:
    """The first row of each row group in its file: groups are as large as whoever wrote them made them."""
    metadata = file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups - 1)]
    return np.cumsum([0, *sizes], dtype=np.int64)
