"""A folder of images with sidecar .txt and .json files of the same stem."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from retrieval.corpora.listing import commonest, could_hold_captions, files_below, is_picture, reason_of
from retrieval.corpora.naming import IMAGE_SUFFIXES, cut_evenly, printable
from retrieval.corpora.pairing import Entry, pair
from retrieval.corpora.sidecars import BadSidecar, Sidecar, observe, read_caption, read_sidecar
from retrieval.corpora.tables.open_rows import refusal_of, suffix_of
from retrieval.corpora.tables.table_account import left_tables
from retrieval.corpora.tables.values import ColumnTypes
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Figure, Skip, Split, name_first

SAMPLE = 1000
"""Sidecars that are read to declare the metadata columns; a later value that does not fit stays in `extra`."""

MAX_BYTES = 2**30
"""A larger image file is skipped unread."""
MAX_SIDECAR = 2**24
"""A larger caption or JSON file is skipped unread."""


class FolderCorpus:
    """Images below `root`, each with the captions of `stem.txt` or `stem.json` beside it.

    A .txt file is one caption, line breaks and all. Without it the caption is in the JSON object. A figure's id is its
    path without the suffix; where that would name two figures both keep their suffixes. Captions without any image are
    figures of their own. `pairing.py` says which caption belongs to which image, `account` what became of each file.
    """

    kind = "folder"

    def __init__(self, root: Path, images_only: bool = False) -> None:
        self._root = root
        self._found = files_below(root)
        paired = pair([*self._found.sizes, *self._found.irregular])
        self._entries = paired.entries
        listed = {name for entry in self._entries for name in (entry.image, entry.text, entry.json) if name}
        left = left_tables(root, (name for name in self._found.sizes if name not in listed))
        self.account = self._found.account({name: _role(name) for name in listed}, {**left, **paired.left})
        if all(entry.image is not None and is_picture(entry.image) for entry in self._entries):
            raise CorpusError(
                f"{root}: no images and no captions in this folder{commonest(self._found.sizes)}; give a folder of "
                "images with .txt or .json files beside them, a table with image and caption columns, or .tar shards",
                self.account,
            )
        sizes = self._found.sizes
        self.fingerprint = sha256_json([self.kind, sorted((printable(name), sizes.get(name, -1)) for name in listed)])
        self.columns: Mapping[str, str] = self._declared()
        if not images_only:
            self._refuse_without_captions()

    def split(self, size: int) -> list[Split]:
        return cut_evenly(len(self._entries), size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        for entry in self._entries[split.start : split.stop]:
            yield self._figure(entry)

    def _figure(self, entry: Entry) -> Figure | Skip:
        uri = printable(entry.image or entry.text or entry.json or "")
        if entry.image is not None and is_picture(entry.image):
            return Skip(entry.figure_id, uri, reason_of(entry.image))
        try:
            image = None if entry.image is None else self._bytes(entry.image, MAX_BYTES)
        except OSError:
            return Skip(entry.figure_id, uri, "image cannot be read")
        except _TooLargeError:
            return Skip(entry.figure_id, uri, "image file is too large")
        try:
            caption = None if entry.text is None else read_caption(self._bytes(entry.text, MAX_SIDECAR))
            data = None if entry.json is None else self._bytes(entry.json, MAX_SIDECAR)
            side = (
                Sidecar(metadata=dict.fromkeys(self.columns))
                if data is None
                else read_sidecar(data, self.columns, caption)
            )
        except BadSidecar as error:
            return Skip(entry.figure_id, uri, error.reason)
        except OSError:
            return Skip(entry.figure_id, uri, "caption cannot be read")
        except _TooLargeError:
            return Skip(entry.figure_id, uri, "caption file is too large")
        captions = side.captions if caption is None else (caption,)
        if image is None and not captions:
            return Skip(entry.figure_id, uri, "neither image nor caption")
        return Figure(entry.figure_id, image, captions, uri, side.article_id, side.metadata, side.extra)

    def _bytes(self, name: str, limit: int) -> bytes:
        """The bytes of a regular file: a pipe would be waited for, a device has no end."""
        with open(self._root / name, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{name}: not a regular file")
            if status.st_size > limit:
                raise _TooLargeError
            return file.read()

    def _declared(self) -> dict[str, str]:
        types = ColumnTypes()
        with_json = (entry.json for entry in self._entries if entry.json is not None)
        for name in islice(with_json, SAMPLE):
            try:
                observe(types, self._bytes(name, MAX_SIDECAR))
            except (OSError, BadSidecar, _TooLargeError):
                continue
        return types.declared()

    def _refuse_without_captions(self) -> None:
        """Raises CorpusError where no image has a caption and something beside them could hold captions."""
        if any(entry.text is not None or entry.image is None for entry in self._entries):
            return
        candidates = [skip for skip in self.account.unread if could_hold_captions(skip)]
        if not candidates:
            return
        for entry in islice((entry for entry in self._entries if entry.json is not None), SAMPLE):
            found = self._figure(entry)
            if isinstance(found, Skip) or found.captions:
                return
        tables = [self._root / skip.uri for skip in candidates if suffix_of(Path(skip.uri)) not in (None, ".txt")]
        way = next(filter(None, map(refusal_of, tables)), "mend their names")
        raise CorpusError(
            f"{self._root}: {len(self._entries)} images without any caption, and beside them what could hold captions: "
            f"{name_first(candidates, len(candidates))}; {way} (docs/corpora.md), or say --images-only if no captions "
            "are meant",
            self.account,
        )


class _TooLargeError(Exception):
    """A file is larger than its kind may be."""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _role(name: str) -> str:
    suffix = os.path.splitext(name)[1].lower()
    return "image" if suffix in IMAGE_SUFFIXES or is_picture(name) else "sidecar"
