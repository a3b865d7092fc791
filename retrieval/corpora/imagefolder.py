"""Folders that a table in them describes: Hugging Face's imagefolder, and captions.jsonl beside images/."""

from __future__ import annotations

import os
from pathlib import Path

from retrieval.corpora.columns import first_of, plain
from retrieval.corpora.table_files import SUFFIXES, looks_like_table, open_rows, roles_in

STEMS = ("metadata", "captions")
"""A table of this name describes the images of its folder; the first is Hugging Face's."""


def describing_tables(root: Path) -> list[Path]:
    """The table named so in `root`, or, where it has none, those one or two folders below (one for each split)."""
    level = [root]
    for _ in range(3):
        tables: list[Path] = []
        below: list[Path] = []
        for folder in level:
            table, folders = _look_into(folder)
            tables += [table] if table else []
            below += folders
        if tables:
            return tables
        level = below
    return []


def is_imagefolder(table: Path) -> bool:
    """A metadata table with the column `file_name`, as `datasets.load_dataset("imagefolder")` wants it."""
    if not plain(table.name).startswith("metadata"):
        return False
    return first_of(("file_name",), open_rows(table).columns) is not None


def _look_into(folder: Path) -> tuple[Path | None, list[Path]]:
    """The table that describes `folder`, and the folders in it."""
    with os.scandir(folder) as items:
        inside = {item.name: item.is_dir() for item in items if not item.name.startswith(".")}
    folders = [folder / name for name in sorted(inside) if inside[name]]
    for name in (f"{stem}{suffix}" for stem in STEMS for suffix in SUFFIXES):
        if inside.get(name) is False and looks_like_table(folder / name):
            roles = roles_in(folder / name)
            if roles is not None and roles.image is not None:
                return folder / name, folders
    return None, folders
