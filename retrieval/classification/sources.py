"""The figures to classify: image files, and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from retrieval.corpora import open_corpus
from retrieval.corpora.naming import printable
from retrieval.errors import QueryError
from retrieval.types import Corpus, Figure, Skip

READ_AT_ONCE = 1024


def figures_at(sources: Sequence[str | Path]) -> Iterator[Figure | Skip]:
    """The figures of image files and of folders (any that `open_corpus` knows), in order; each `uri` starts with the
    path that was given. Raises QueryError where nothing is at a path, before anything is read; a file that is there
    and cannot be read is a Skip.
    """
    opened: list[tuple[str, Corpus | None]] = []
    for source in sources:
        if not os.path.exists(source):
            raise QueryError(f"{source}: there is no such file or folder; give image files or folders of them")
        opened.append((str(source), open_corpus(source) if os.path.isdir(source) else None))
    return _figures(opened)


def _figures(opened: Sequence[tuple[str, Corpus | None]]) -> Iterator[Figure | Skip]:
    for source, corpus in opened:
        if corpus is None:
            yield _file(source)
            continue
        for split in corpus.split(READ_AT_ONCE):
            for figure in corpus.read(split):
                yield replace(figure, uri=os.path.join(printable(source), figure.uri))


def _file(path: str) -> Figure | Skip:
    name = printable(path)
    try:
        return Figure(name, Path(path).read_bytes(), (), name)
    except OSError:
        return Skip(name, name, "image cannot be read")
