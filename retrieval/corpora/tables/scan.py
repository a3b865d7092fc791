"""The first pass over the rows of tables: which rows are one figure, which ids tell figures apart, which types."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.tables.column_types import ColumnTypes
from retrieval.corpora.tables.image_paths import where_images_are
from retrieval.corpora.tables.table import Table, written_list

SAMPLE = 100
"""Images that are looked for to learn where a table's images are."""


class Scan:
    """Goes over the rows of one table after the other and keeps 33 bytes of each: hashes of its image and its id."""

    def __init__(self) -> None:
        self.types = ColumnTypes()
        self._images = bytearray()
        self._ids = bytearray()
        self._has_id = bytearray()

    def __len__(self) -> int:
        return len(self._has_id)

    def add(self, table: Table, image_root: Path | None, *, anywhere: bool) -> None:
        """Take in the rows of `table`, and tell it what only they show: written lists, and where the images are, from
        `image_root` on if somebody said so, else, `anywhere`, also in other folders than the usual ones."""
        table.first_row = len(self)
        roles = table.roles
        taken = {roles.image, *roles.captions, roles.article_id}
        if table.rows.types is None:
            observe = self.types.observe_text if table.rows.text else self.types.observe
        else:
            observe = None
            for name, kind in table.rows.types.items():
                if name not in taken:
                    self.types.declare(name, kind)
        lists = _ListColumns(roles.captions if table.rows.text else ())
        some_images: list[str] = []
        needed = [name for name in (roles.image, roles.figure_id) if name]
        for row in table.rows.scan(needed):
            path = own_id = None
            if not isinstance(row, str):
                path, own_id = table.image_path(row), table.own_id(row)
                if path is not None and len(some_images) < SAMPLE:
                    some_images.append(path)
                if observe is not None:
                    for name, value in row.items():
                        if name not in taken:
                            observe(name, value)
                lists.observe(row)
            image = hashed(path if path is not None else table.place(len(self)))
            self._images += image
            self._ids += hashed(own_id) if own_id is not None else image
            self._has_id.append(own_id is not None)
        table.list_columns = lists.found
        here = [table.inside(path) for path in some_images if "://" not in path]
        table.images = where_images_are(table.rows.path.parent, here, image_root, anywhere=anywhere)

    def figures(self) -> tuple[bool, NDArray[np.int64], NDArray[np.int64], NDArray[np.bytes_]]:
        """Whether the id column tells figures apart; the row numbers, figure by figure in the order of their first
        rows; the figures' bounds in those (one more than figures); and the hashes of the figures' images."""
        images = np.frombuffer(self._images, "S16")
        _, first, group = np.unique(images, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        of_figure = rank[group]
        order = np.argsort(of_figure, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(of_figure))])
        ids = np.frombuffer(self._ids, "S16")
        id_of_figure = ids[np.sort(first)]
        tell = any(self._has_id) and bool((ids == id_of_figure[of_figure]).all())
        return tell and len(np.unique(id_of_figure)) == len(first), order, bounds, images[np.sort(first)]


class _ListColumns:
    """Finds the caption columns of a text table of which every cell that is not blank is a written list."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._maybe = set(columns)
        self._lists: set[str] = set()

    def observe(self, row: dict[str, str]) -> None:
        for name in tuple(self._maybe):
            if written_list(row[name]) is not None:
                self._lists.add(name)
            elif row[name].strip():
                self._maybe.discard(name)

    @property
    def found(self) -> set[str]:
        return self._lists & self._maybe


def hashed(text: str) -> bytes:
    """128 bits that stand for `text`: two of 15 million texts coincide with probability 3e-25."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
