"""The figures to classify: image files, and folders of them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.corpora.naming import printable
from retrieval.errors import QueryError
from retrieval.images.pictures import Picture, open_picture
from retrieval.types import Corpus, Figure, Skip

READ_AT_ONCE = 1024


def figures_of(images: Picture | Iterable[Figure | Skip | Picture]) -> Iterable[Figure | Skip]:
    """The figures of pictures as people hold them, one or many: paths and folders, bytes, PIL images, arrays, Figures.

    Raises QueryError where nothing is at a path, and while reading for what is no picture.
    """
    if isinstance(images, str | Path | bytes | Image.Image | np.ndarray):
        images = [images]
    if isinstance(images, list) and images and all(isinstance(image, str | Path) for image in images):
        return figures_at(images)
    return chain.from_iterable(map(_of_picture, count(1), images))


def _of_picture(number: int, image: Figure | Skip | Picture) -> Iterable[Figure | Skip]:
    name = f"image-{number}"
    match image:
        case Figure() | Skip():
            return (image,)
        case str() | Path():
            return figures_at([image])
        case bytes():
            return (Figure(name, image, (), name),)
    file = io.BytesIO()
    open_picture(image).save(file, "PNG")
    return (Figure(name, file.getvalue(), (), name),)


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
    return _read_sources(opened)


def _read_sources(opened: Sequence[tuple[str, Corpus | None]]) -> Iterator[Figure | Skip]:
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
