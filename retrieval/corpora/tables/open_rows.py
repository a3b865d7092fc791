"""Which files are tables, and the reader for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.corpora.tables.columns import Roles
from retrieval.corpora.tables.content_roles import roles_of
from retrieval.corpora.tables.delimited import delimited
from retrieval.corpora.tables.json_documents import json_table
from retrieval.corpora.tables.sheet_rows import SHEETS, sheet_rows
from retrieval.corpora.tables.table import TableRows
from retrieval.errors import CorpusError

COLUMNAR = (".parquet", ".arrow", ".feather", ".ipc", ".arrows")
SUFFIXES = (
    *(".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".psv", *COLUMNAR, ".jsonl.gz", ".ndjson.gz", ".csv.gz", ".tsv.gz"),
    *(".json", ".json.gz", ".txt", *SHEETS),
)
"""A .txt file is a table where its first line names an image column and a caption column (as Flickr8k's does), a .json
file where its rows have both."""

DOCUMENTS = (".json", ".json.gz")


def suffix_of(path: Path) -> str | None:
    """The part of the name that says which kind of table this is, None for none."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def open_rows(path: Path, encoding: str | None = None) -> TableRows:
    """The rows of a table, header read. `encoding` is that of a text that is not UTF-8 and does not say so itself.

    Raises CorpusError where it is no table or cannot be read at all.
    """
    match (suffix_of(path) or "").removesuffix(".gz"):
        case ".jsonl" | ".ndjson" | ".json":
            return json_table(path, encoding)
        case ".psv":
            return delimited(path, "|", encoding)
        case ".tsv" | ".tab":
            return delimited(path, "\t", encoding)
        case ".csv" | ".txt":
            return delimited(path, None, encoding)
        case suffix if suffix in SHEETS:
            return sheet_rows(path)
        case ".parquet":
            from retrieval.corpora.tables.parquet_rows import parquet_rows  # pyarrow takes long to import

            return parquet_rows(path)
        case ".arrow" | ".feather" | ".ipc" | ".arrows":
            from retrieval.corpora.tables.arrow_rows import arrow_rows

            return arrow_rows(path)
    raise CorpusError(f"{path}: not a table; give a .csv, .tsv, .jsonl or .parquet file")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What somebody says of tables: which columns they mean, where images start, the encoding of text."""

    image_column: str | None = None
    caption_columns: Sequence[str] = ()
    image_root: Path | None = None
    encoding: str | None = None

    @property
    def names_columns(self) -> bool:
        return self.image_column is not None or bool(self.caption_columns)

    def roles(self, path: Path) -> Roles:
        """What the columns of a table mean. CorpusError where it cannot be read, or where that cannot be told."""
        rows = open_rows(path, self.encoding)
        return roles_of(rows, self.image_column, self.caption_columns, self.image_root)[0]


UNTOLD = TableOptions()


def roles_in(path: Path, options: TableOptions = UNTOLD) -> Roles | None:
    """What the columns of a table mean; None where it cannot be read, or where that cannot be told."""
    try:
        return options.roles(path)
    except CorpusError:
        return None


def refusal_of(path: Path, options: TableOptions = UNTOLD) -> str:
    """Why a table beside images is not read, and the way out; nothing where it is read."""
    try:
        roles = options.roles(path)
        if roles.captions and roles.image:
            return ""
        columns = ", ".join(map(repr, open_rows(path, options.encoding).columns))
        if roles.captions:
            return (
                f"{path}: no column is known to name the images; name it with image_column, and their folder with "
                f"image_root, its columns are {columns}"
            )
        return f"{path}: no column looks like captions; name it with caption_columns, its columns are {columns}"
    except CorpusError as error:
        return str(error)


def looks_like_table(path: Path, options: TableOptions = UNTOLD) -> bool:
    """By its name; a .txt file by its first line, a .json file by its rows."""
    suffix = suffix_of(path)
    if suffix not in (".txt", *DOCUMENTS):
        return suffix is not None
    roles = roles_in(path, options)
    return roles is not None and roles.image is not None and bool(roles.captions)


def saved_rows(folder: Path) -> list[TableRows] | None:
    """The rows of a folder of Arrow files that Hugging Face's `save_to_disk` wrote; None for another."""
    if not any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return None
    from retrieval.corpora.tables.arrow_rows import saved_dataset  # pyarrow takes long to import

    return saved_dataset(folder)


def refuse_lake(folder: Path) -> None:
    """Refuse tables whose folder holds versions of which only some files count. Raises CorpusError."""
    delta = (folder / "_delta_log").is_dir()
    if delta or any(folder.glob("metadata/*.metadata.json")) or (folder / ".hoodie").is_dir():
        what = "a Delta Lake table" if delta else "an Iceberg or Hudi table"
        raise CorpusError(
            f"{folder}: {what}, whose files hold deleted rows too; save its current version as Parquet, or give it as"
            " an Arrow table or dataset from Python"
        )
