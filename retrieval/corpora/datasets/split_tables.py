"""A table for each split: train.csv, valid.csv, test.csv in one folder, as PMC-OA and others have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from retrieval.corpora.datasets.folder_listing import Listing
from retrieval.corpora.tables.open_rows import open_rows, roles_in
from retrieval.corpora.tables.table import TableRows
from retrieval.corpora.tables.text_rows import Row

_SPLIT = re.compile(r"(train|valid|val|validation|dev|test)\.(jsonl|ndjson|csv|tsv)(\.gz)?", re.I)


class RowsOfSplit:
    """The rows of a table with the column `split`."""

    def __init__(self, rows: TableRows, split: str) -> None:
        self._rows = rows
        self._split = split
        self.path = rows.path
        self.columns: Sequence[str] = [*rows.columns, "split"]
        self.text = rows.text
        self.file_columns = rows.file_columns
        self.types: Mapping[str, str] | None = rows.types
        self.digest = ""

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        yield from map(self._marked, self._rows.scan(columns))
        self.digest = self._rows.digest

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        return map(self._marked, self._rows.fetch(rows))

    def _marked(self, row: Row | str) -> Row | str:
        return row if isinstance(row, str) else row | {"split": self._split}


def find_split_tables(listing: Listing) -> list[TableRows]:
    """At least two such tables in the folder, each with columns of images and captions and none of splits."""
    tables: list[TableRows] = []
    for name in listing.files.get("", []):
        split = _SPLIT.fullmatch(name)
        if split:
            path = listing.path("", name)
            roles = roles_in(path)
            rows = open_rows(path) if roles is not None and roles.image and roles.captions else None
            if rows is None or "split" in rows.columns:
                return []
            tables.append(RowsOfSplit(rows, split[1].lower()))
    return tables if len(tables) > 1 else []
