"""A folder of images with sidecar .txt and .json files of the same stem."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.corpora.naming import IMAGE_SUFFIXES, cut_evenly, printable, shortest_names
from retrieval.corpora.sidecars import BadSidecar, Sidecar, observe, read_caption, read_sidecar
from retrieval.corpora.tables.values import ColumnTypes
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Figure, Skip, Split

SAMPLE = 1000
"""Sidecars that are read to declare the metadata columns; a later value that does not fit stays in `extra`."""

SORTS = 3  # of files that are not read, named in the refusal of a folder
UNREAD = {
    (".pdf",): "figures are not taken out of PDFs",
    (".zip", ".gz", ".tgz", ".7z", ".rar"): "archives have to be unpacked first",
    (".dcm", ".svg", ".heic", ".heif", ".eps", ".ai", ".nii", ".czi", ".svs"): "such images have to be converted to "
    "PNG or JPEG first",
}
"""The way out for files that people take for figures, by suffix."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One figure to be: paths relative to the folder."""

    figure_id: str
    image: str | None
    text: str | None
    json: str | None


class FolderCorpus:
    """Images below `root`, each with the captions of `stem.txt` or `stem.json` beside it.

    A .txt file is one caption, line breaks and all. Without it the caption is in the JSON object. A figure's id is its
    path without the suffix; where that would name two figures both keep their suffixes. Text without an image is a
    figure of captions only. Hidden files and what macOS puts into archives are not looked at.
    """

    kind = "folder"

    def __init__(self, root: Path, images_only: bool = False) -> None:
        self._root = root
        files = dict(_files(root))
        self._entries = _paired(list(files))
        if not self._entries:
            raise CorpusError(
                f"{root}: no images and no captions in this folder{_unread(files)}; give a folder of images with .txt "
                "or .json files beside them, a table with image and caption columns, or .tar shards"
            )
        listed = {name for entry in self._entries for name in (entry.image, entry.text, entry.json) if name}
        self.fingerprint = sha256_json([self.kind, sorted((printable(name), files[name]) for name in listed)])
        self.columns: Mapping[str, str] = self._declared()

    def split(self, size: int) -> list[Split]:
        return cut_evenly(len(self._entries), size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        for entry in self._entries[split.start : split.stop]:
            yield self._figure(entry)

    def _figure(self, entry: _Entry) -> Figure | Skip:
        uri = printable(entry.image or entry.text or entry.json or "")
        image = None
        if entry.image is not None:
            try:
                image = (self._root / entry.image).read_bytes()
            except OSError:
                return Skip(entry.figure_id, uri, "image cannot be read")
        try:
            caption = None if entry.text is None else read_caption((self._root / entry.text).read_bytes())
            data = None if entry.json is None else (self._root / entry.json).read_bytes()
            side = (
                Sidecar(metadata=dict.fromkeys(self.columns))
                if data is None
                else read_sidecar(data, self.columns, caption)
            )
        except BadSidecar as error:
            return Skip(entry.figure_id, uri, error.reason)
        except OSError:
            return Skip(entry.figure_id, uri, "caption cannot be read")
        captions = side.captions if caption is None else (caption,)
        if image is None and not captions:
            return Skip(entry.figure_id, uri, "neither image nor caption")
        return Figure(entry.figure_id, image, captions, uri, side.article_id, side.metadata, side.extra)

    def _declared(self) -> dict[str, str]:
        types = ColumnTypes()
        with_json = (entry.json for entry in self._entries if entry.json is not None)
        for name, _ in zip(with_json, range(SAMPLE), strict=False):
            try:
                observe(types, (self._root / name).read_bytes())
            except (OSError, BadSidecar):
                continue
        return types.declared()


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """(path relative to `root` with slashes, size) of every file that is not hidden. Links to folders are followed, and
    each folder is entered once, so that a link to a parent does not lead in circles."""
    entered = set()
    waiting = [("", str(root))]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            inside = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError as error:
            raise CorpusError(
                f"{folder}: the folder cannot be read ({error.strerror}); check its permissions"
            ) from None
        folders = []
        for item in inside:
            if item.name.startswith(".") or item.name == "__MACOSX":
                continue
            if item.is_dir():
                folders.append((f"{prefix}{item.name}/", item.path))
            else:
                yield prefix + item.name, _size(item)
        waiting.extend(reversed(folders))


def _unread(names: Iterable[str]) -> str:
    """The commonest sorts of files in a folder of none that are read, and the way out for those that are known."""
    sorts = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in names).most_common(SORTS)
    if not sorts:
        return ""
    counts = ", ".join(f"{count} {sort}" for sort, count in sorts)
    ways = [way for suffixes, way in UNREAD.items() if any(sort in suffixes for sort, _ in sorts)]
    return f" ({counts}{''.join(f'; {way}' for way in ways)})"


def _size(item: os.DirEntry[str]) -> int:
    try:
        return item.stat().st_size
    except OSError:  # a link to nowhere: reading it gives the skip
        return -1


def _paired(names: list[str]) -> list[_Entry]:
    """Files of one stem put together: an entry for each image, or for the text where a stem has no image."""
    images: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    jsons: dict[str, str] = {}
    for name in sorted(names):
        stem, suffix = os.path.splitext(name)
        kind = suffix.lower()
        if kind in IMAGE_SUFFIXES:
            images.setdefault(stem, []).append(name)
        elif kind == ".txt":
            texts.setdefault(stem, name)
        elif kind == ".json":
            jsons.setdefault(stem, name)
    found: list[tuple[str, str | None, str | None, str | None]] = []
    tables = {name.removesuffix(".parquet") for name in names if name.endswith(".parquet")}
    statistics = {f"{table}_stats" for table in tables}  # as img2dataset writes them beside the table of a shard
    for stem in sorted({*images, *texts, *(jsons.keys() - statistics)}):
        text, json = texts.get(stem), jsons.get(stem)
        for image in images.get(stem, [None]):
            found.append((image or text or json or "", image, text, json))
    ids = shortest_names([printable(name) for name, *_ in found])
    return [_Entry(figure_id, *rest) for figure_id, (_, *rest) in zip(ids, found, strict=True)]
