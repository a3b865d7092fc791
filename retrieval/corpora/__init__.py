"""Sources of figures. `open_corpus` looks at a source and says which kind it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.corpora.detect import open_path
from retrieval.corpora.folder import FolderCorpus
from retrieval.corpora.prefixed import PrefixedCorpus
from retrieval.corpora.tables.plain_text import checked_encoding
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.corpora.webdataset import WebDatasetCorpus
from retrieval.errors import CorpusError
from retrieval.types import Corpus

__all__ = ["keep_types", "open_corpus"]


def open_corpus(
    source: Any,
    *,
    image_column: str | None = None,
    caption_columns: str | Sequence[str] = (),
    image_root: str | Path | None = None,
    encoding: str | None = None,
    mentions: bool = False,
    images_only: bool = False,
    id_prefix: str | None = None,
) -> Corpus:
    """Open a source of figures: a path, rows of Python, or a Corpus, which is returned as it is.

    A path is a folder of images with captions beside them, a table (CSV, TSV, JSON lines, Parquet) or
    a folder with one, a Hugging Face image folder, JATS articles (.nxml, .xml, packages of PubMed Central as folders or
    .tar.gz), WebDataset shards (`shard-{000..012}.tar`, a glob, a folder), or a published corpus (docs/corpora.md).

    `image_column`, `caption_columns` and `image_root` are for tables whose columns have unusual names or whose images
    lie elsewhere; `encoding` is that of texts which are not UTF-8, in tables or beside images. `mentions` adds to each
    figure of a JATS article the paragraphs that point to it. `images_only` says that images without any caption are
    meant, where something beside them could hold captions. `id_prefix` stands before every id. Rows are dicts, an
    Arrow table, a pandas or polars frame or a dataset of Hugging Face (`tables/python_rows.py`).
    What is named by a URL (s3://, gs://, hf://, https://, ...) is fetched into the cache first (`remote.py`).
    Raises CorpusError where there is nothing that can be read.
    """
    if id_prefix:
        corpus = open_corpus(
            source,
            image_column=image_column,
            caption_columns=caption_columns,
            image_root=image_root,
            encoding=encoding,
            mentions=mentions,
            images_only=images_only,
        )
        return PrefixedCorpus(corpus, id_prefix)
    if isinstance(source, os.PathLike):
        source = Path(source)
    columns = (caption_columns,) if isinstance(caption_columns, str) else tuple(caption_columns)
    if not isinstance(source, str | Path):
        own = hasattr(source, "split") and hasattr(source, "read")
        of_tables = {"image_column": image_column, "caption_columns": columns, "image_root": image_root}
        meant = {"encoding": encoding, "mentions": mentions} | (of_tables if own else {})
        if unread := [name for name, value in meant.items() if value]:
            of = "a corpus of your own" if own else "rows of Python"
            raise CorpusError(f"{', '.join(unread)}: no option for {of}; leave it out")
        if own:
            given: Corpus = source
            return given
        from retrieval.corpora.tables.python_rows import PythonRows  # pyarrow takes long to import

        root = None if image_root is None else Path(image_root)
        return PythonRows(
            source, image_column=image_column, caption_columns=columns, image_root=root, images_only=images_only
        )
    if str(source).startswith("hf:") and not str(source).startswith("hf://"):
        raise CorpusError(f"{source}: write hf://datasets/OWNER/NAME, or a file of it")
    if "://" in str(source):
        from retrieval.corpora.remote import fetched  # which asks the network

        source = fetched(str(source))
    encoding = checked_encoding(encoding)
    root = None if image_root is None else Path(image_root)
    if root is not None and not root.is_dir():
        raise CorpusError(f"{root}: there is no such folder; give the folder that the table's image paths start from")
    try:
        corpus = open_path(
            str(source),
            image_column=image_column,
            caption_columns=columns,
            image_root=root,
            encoding=encoding,
            mentions=mentions,
            images_only=images_only,
        )
    except OSError as error:
        raise CorpusError(
            f"{error.filename or source}: cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    if encoding is not None and corpus.kind in ("jats", "webdataset"):
        raise CorpusError(
            f"{source}: encoding is for tables and files of text, and this is a {corpus.kind}; leave it out"
        )
    if mentions and corpus.kind != "jats":
        raise CorpusError(
            f"{source}: mentions are read from JATS articles, and this is a {corpus.kind}; leave them out"
        )
    return corpus


def keep_types(corpus: Corpus, declared: Mapping[str, str]) -> None:
    """Have the columns of `corpus` keep the types that an index declared for them, where it learns others now: from
    more rows, or by rules of a later version. Values that do not fit go to `extra`; fixed columns stay as they are."""
    if isinstance(corpus, PrefixedCorpus):
        keep_types(corpus.corpus, declared)
    elif isinstance(corpus, TableCorpus | FolderCorpus | WebDatasetCorpus):
        corpus.columns = {name: declared.get(name, kind) for name, kind in corpus.columns.items()}
