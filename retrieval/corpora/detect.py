"""What kind of corpus a path is, found out by looking at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from retrieval.corpora.datasets import open_layout, open_tables_of_splits
from retrieval.corpora.file_kinds import reason_of
from retrieval.corpora.folder import FolderCorpus
from retrieval.corpora.jats.detect_articles import is_jats
from retrieval.corpora.jats.jats_corpus import JatsCorpus
from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden
from retrieval.corpora.patterns import expanded
from retrieval.corpora.tables.columns import first_of, plain_name
from retrieval.corpora.tables.open_rows import (
    COLUMNAR,
    DOCUMENTS,
    SUFFIXES,
    UNTOLD,
    TableOptions,
    looks_like_table,
    open_rows,
    refusal_of,
    refuse_lake,
    roles_in,
    saved_rows,
    suffix_of,
)
from retrieval.corpora.tables.sheet_rows import SHEETS
from retrieval.corpora.tables.table import TableRows
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.corpora.tars import is_tar
from retrieval.corpora.webdataset import WebDatasetCorpus
from retrieval.errors import CorpusError
from retrieval.types import Corpus

KINDS = "a folder of images with captions, a .csv, .tsv, .jsonl or .parquet table, JATS articles, or .tar shards"
FEW = 5
NO_TABLES = (None, ".txt", *DOCUMENTS)
"""Suffixes of files that need not be tables."""
MANY = 20
"""Files of JSON and text in a folder that may be looked into: more are captions, each of one figure."""


def open_path(
    source: str,
    *,
    image_column: str | None,
    caption_columns: Sequence[str],
    image_root: Path | None,
    encoding: str | None = None,
    mentions: bool = False,
    images_only: bool = False,
) -> Corpus:
    """The corpus at a path, a glob or a brace pattern. CorpusError where nothing is there or it is of no known kind."""
    paths = expanded(source)
    if not paths:
        raise CorpusError(f"{source}: there is no such file or folder; give {KINDS}")
    options = TableOptions(image_column, caption_columns, image_root, encoding)
    named = options.names_columns or image_root is not None

    def table(root: Path, tables: Sequence[Path | TableRows], kind: str = "table") -> Corpus:
        return TableCorpus(
            root,
            [open_rows(table, encoding) if isinstance(table, Path) else table for table in tables],
            kind=kind,
            image_column=image_column,
            caption_columns=caption_columns,
            image_root=image_root,
            images_only=images_only,
            whole_folder=root.as_posix() == Path(source).as_posix(),
        )

    def refuse_options(corpus: Corpus) -> Corpus:
        if named:
            raise CorpusError(
                f"{source}: image_column, caption_columns and image_root are for tables, and this is a {corpus.kind};"
                " leave them out or give the table's own path"
            )
        return corpus

    def refuse_for_tables(corpus: Corpus) -> Corpus:
        return corpus if image_column is None and image_root is None else refuse_options(corpus)

    if len(paths) == 1 and (saved := saved_rows(paths[0])):
        return table(paths[0], saved)
    # layouts with files and keys of their own come before the general ones; who names columns means a table
    if len(paths) == 1 and not options.names_columns:
        published = open_layout(paths[0], image_root)
        if published is not None:
            return published
    if not named and (articles := _articles(paths, mentions)):
        return articles
    if all(path.is_file() for path in paths):
        root = Path(os.path.commonpath([path.parent for path in paths]))
        if all(is_tar(path) for path in paths):
            return refuse_for_tables(
                WebDatasetCorpus(root, paths, images_only=images_only, caption_keys=caption_columns)
            )
        if all(
            looks_like_table(path, options) or (suffix_of(path) and (named or suffix_of(path) in DOCUMENTS))
            for path in paths
        ):
            return table(root, paths)
        if len(paths) == 1 and paths[0].suffix.lower() == ".zip":
            return refuse_for_tables(FolderCorpus(paths[0], images_only, encoding, caption_columns))
        if len(paths) == 1 and paths[0].suffix.lower() in IMAGE_SUFFIXES:
            raise CorpusError(f"{source}: is one image; give the folder that it lies in")
        why = next((f" ({why})" for path in paths if ":" in (why := reason_of(path.name))), "")
        raise CorpusError(f"{source}: not a kind of corpus that can be read{why}; give {KINDS}")
    if len(paths) > 1:
        raise CorpusError(f"{source}: names several folders; give one of them, or {KINDS}")

    (folder,) = paths
    refuse_lake(folder)
    if tables := describing_tables(folder, options):
        return table(folder, tables, "imagefolder" if all(map(is_imagefolder, tables)) else "table")
    if not options.names_columns and (corpus := open_tables_of_splits(folder, image_root)):
        return corpus
    has_images = _holds_images(folder)
    if not has_images and (tars := _inside(folder, is_tar, deep=True)):
        return refuse_for_tables(
            WebDatasetCorpus(folder, tars, whole_folder=True, images_only=images_only, caption_keys=caption_columns)
        )
    if tables := _tables_in(folder, options, has_images):
        return table(folder, tables)
    if options.names_columns and (others := _inside(folder, lambda path: suffix_of(path) not in NO_TABLES, deep=False)):
        raise CorpusError(refusal_of(others[0], options))
    return refuse_for_tables(FolderCorpus(folder, images_only, encoding, caption_columns))


def _articles(paths: Sequence[Path], mentions: bool) -> Corpus | None:
    """The corpus of JATS articles at `paths`, where there are some and no table describes them. Of many files that a
    glob names, a few are looked into."""
    if len(paths) == 1 and paths[0].is_dir():
        found = not describing_tables(paths[0]) and is_jats(paths[0])
        return JatsCorpus(paths[0], paths, mentions=mentions) if found else None
    if not any(map(is_jats, paths[:FEW])):
        return None
    return JatsCorpus(Path(os.path.commonpath([path.parent for path in paths])), paths, mentions=mentions)


def _tables_in(folder: Path, options: TableOptions, has_images: bool) -> list[Path]:
    """The one table with image and caption columns in `folder` (of captions alone, where there are no images), or its
    Parquet or Arrow files."""

    @cache
    def names_in(place: Path) -> tuple[int, set[str]]:
        """How many files of JSON and text there are in a folder, and the stems of its images."""
        names = [os.path.splitext(name) for name in os.listdir(place)]
        stems = {stem for stem, suffix in names if suffix.lower() in IMAGE_SUFFIXES}
        return sum(suffix.lower() in (".json", ".txt") for _, suffix in names), stems

    def alone(path: Path) -> bool:
        """No sidecar of an image, and not one of many."""
        count, stems = names_in(path.parent)
        return count <= MANY and path.stem not in stems

    def fits(path: Path) -> bool:
        if suffix_of(path) is None or (suffix_of(path) in NO_TABLES and not alone(path)):
            return False
        if suffix_of(path) == ".txt" and not looks_like_table(path, options):
            return False
        roles = roles_in(path, options)
        if roles is None or options.names_columns or options.image_root is not None:
            return roles is not None
        return bool(roles.captions) and (roles.image is not None or not has_images)

    found = _inside(folder, fits, deep=not has_images)
    found = [path for path in found if suffix_of(path) not in SHEETS] or found  # the same is often there as CSV
    if len(found) > 1 and not all(suffix_of(path) in COLUMNAR for path in found):
        names = ", ".join(path.name for path in found[:5])
        suffixes = {path.suffix for path in found}
        every = f", or '{found[0].parent / '*'}{found[0].suffix}' for all" if len(suffixes) == 1 else ""
        raise CorpusError(f"{folder}: holds several tables ({names}); give the path of one of them{every}")
    return found


def _inside(folder: Path, fits: Callable[[Path], bool], *, deep: bool) -> list[Path]:
    """The fitting files of `folder`; where there are none and `deep`, those of all folders below it."""
    found = [path for path in sorted(folder.iterdir()) if not is_hidden(path.name) and fits(path) and path.is_file()]
    if found or not deep:
        return found
    below = (path for path in sorted(folder.rglob("*")) if not is_hidden(path.relative_to(folder).as_posix()))
    return [path for path in below if fits(path) and path.is_file()]


def _holds_images(folder: Path) -> bool:
    visible = ((at, name) for at, _, names in os.walk(folder) for name in names if not name.startswith("."))
    images = ((at, name) for at, name in visible if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES)
    return any(os.path.isfile(os.path.join(at, name)) for at, name in images)


STEMS = ("metadata", "captions")
"""A table of this name describes the images of its folder; the first is Hugging Face's."""


def describing_tables(root: Path, options: TableOptions = UNTOLD) -> list[Path]:
    """The table named so in `root`, or, where it has none, those one or two folders below (one for each split)."""
    level = [root]
    for _ in range(3):
        tables: list[Path] = []
        below: list[Path] = []
        for folder in level:
            table, folders = _look_into(folder, options)
            tables += [table] if table else []
            below += folders
        if tables:
            return tables
        level = below
    return []


def is_imagefolder(table: Path) -> bool:
    """A metadata table with the column `file_name`, as `datasets.load_dataset("imagefolder")` wants it."""
    if not plain_name(table.name).startswith("metadata"):
        return False
    return first_of(("file_name",), open_rows(table).columns) is not None


def _look_into(folder: Path, options: TableOptions) -> tuple[Path | None, list[Path]]:
    """The table that describes `folder`, and the folders in it."""
    with os.scandir(folder) as items:
        inside = {item.name: item.is_dir() for item in items if not item.name.startswith(".")}
    folders = [folder / name for name in sorted(inside) if inside[name]]
    for name in (f"{stem}{suffix}" for stem in STEMS for suffix in SUFFIXES):
        if inside.get(name) is False and looks_like_table(folder / name, options):
            roles = roles_in(folder / name, options)
            if roles is not None and roles.image is not None:
                return folder / name, folders
    return None, folders
