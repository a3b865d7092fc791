"""What became of the files below a folder that tables describe."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.file_kinds import OTHERS, TABLE, reason_of
from retrieval.corpora.listing import files_below
from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.image_paths import NamedImages
from retrieval.corpora.tables.open_rows import DOCUMENTS, open_rows, roles_in, suffix_of
from retrieval.corpora.tables.scan import hashed
from retrieval.corpora.tables.table import Row, Table
from retrieval.errors import CorpusError
from retrieval.types import Account

UNREADABLE = "table cannot be read"
OTHER = "table beside what was read: give its own path"
LABELS = "table without captions"
IMAGELESS = "table without a column that is known to name images"
UNNAMED = "image that no row names"
NO_PART = "file that this layout does not use"
LISTINGS = frozenset(
    ("state.json", "dataset_info.json", "dataset_dict.json", "_SUCCESS", "_metadata", "_common_metadata")
)
"""What Hugging Face's datasets and Spark write beside their tables, about these alone."""
SOME = 20
"""Other tables that are opened to say why they are not read."""


def account_of_tables(
    root: Path,
    tables: Sequence[Table],
    named: NDArray[np.bytes_],
    rows: NDArray[np.int64],
    fetch: Callable[[NDArray[np.int64]], Iterator[tuple[int, Table, Row | str]]],
    beside: Mapping[str, str] | None = None,
) -> Account:
    """The account of all files below `root`. `named` are the hashes of the images that rows name, in order, and `rows`
    the number of a row that names each; `fetch` gives rows of ascending numbers. `beside` are the roles of the other
    files of a published layout, and None for tables of no layout."""
    found = files_below(root)
    used = {table.name: "table" for table in tables} | dict(beside or {})
    used |= {name: "listing" for name in found.sizes if posixpath.basename(name) in LISTINGS}
    images = [name for name in found.sizes if posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES]
    missing = np.ones(len(named), bool)
    for start, folder in {(_inside(table, root), table.folder) for table in tables if _direct(table)}:
        if start == (f"{folder}/" if folder else ""):  # paths may lead out of the table's folder: ../images/1.png
            here, hashes = images, np.array([hashed(name) for name in images], "S16")
        else:
            here = [name for name in images if name.startswith(start)]
            hashes = np.array([hashed(posixpath.join(folder, name[len(start) :])) for name in here], "S16")
        used |= {name: "image" for name, there in zip(here, np.isin(hashes, named), strict=True) if there}
        missing &= ~np.isin(named, hashes)
    below = f"{os.path.normpath(root).replace(os.sep, '/')}/"
    if any(table.roles.image and not table.embedded for table in tables):
        for _, table, row in fetch(np.sort(rows[missing])):
            file = None if isinstance(row, str) else table.image_of(row)
            path = "" if file is None else os.path.normpath(file).replace(os.sep, "/")
            if path.startswith(below):
                used[path.removeprefix(below)] = "image"
    left = [name for name in found.sizes if name not in used]
    why = left_tables(root, left) if beside is None else {n: NO_PART for n in left if reason_of(n) not in OTHERS}
    return found.account(used, why | {name: UNNAMED for name in images if name not in used})


def left_tables(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Why the first few tables of these files are not read."""
    tables = (name for name in names if suffix_of(Path(name)) not in (None, ".txt", *DOCUMENTS))
    return {name: reason for name, _ in zip(tables, range(SOME), strict=False) if (reason := why_not(root / name))}


def why_not(path: Path) -> str:
    """Why a table is left out: it cannot be read, its columns say nothing, or it is not the one that was taken."""
    try:
        open_rows(path)
    except CorpusError:
        return UNREADABLE
    roles = roles_in(path)
    if roles is None:
        return TABLE
    return LABELS if not roles.captions else OTHER if roles.image else IMAGELESS


def _direct(table: Table) -> bool:
    """Its paths start from one folder as they are."""
    return not (table.images.dropped or isinstance(table.images, NamedImages))


def _inside(table: Table, root: Path) -> str:
    """The folder of its images, relative to the corpus, to begin a path."""
    place = os.path.relpath(table.images.root, root).replace(os.sep, "/")
    return "" if place == "." else f"{place}/"
