"""A folder of images, or a zip archive of one, with sidecar .txt and .json files of the same stem."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from retrieval.corpora.file_kinds import ARCHIVE, PDF, commonest, could_hold_captions, reason_of
from retrieval.corpora.folder_files import FolderFiles, Read, TooLargeError, ZipFiles
from retrieval.corpora.naming import cut_evenly, printable
from retrieval.corpora.pairing import Entry, pair_files
from retrieval.corpora.sidecars import BadSidecar, Sidecar, keys_of_texts, observe, read_caption, read_sidecar
from retrieval.corpora.tables.column_types import ColumnTypes
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Figure, Skip, Split, counted, name_first

SAMPLE = 1000
"""Sidecars that are read to declare the metadata columns; a later value that does not fit stays in `extra`."""

MAX_BYTES = 2**30
"""A larger image file is skipped unread."""
MAX_SIDECAR = 2**24
"""A larger caption or JSON file is skipped unread."""


class FolderCorpus:
    """Images below `root`, a folder or a zip archive, each with the captions of `stem.txt` or `stem.json` beside it.

    A .txt file is one caption, line breaks and all. Without it the caption is in the JSON object. A figure's id is its
    path without the suffix; where that would name two figures both keep their suffixes. Captions without any image are
    figures of their own. `encoding` is that of texts which are not UTF-8, `caption_keys` are those under which JSON
    sidecars hold captions. `pairing.py` says which caption belongs to which image, `account` what became of each file.
    """

    kind = "folder"

    def __init__(
        self,
        root: Path,
        images_only: bool = False,
        encoding: str | None = None,
        caption_keys: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._keys = tuple(caption_keys)
        self._encoding = encoding
        self._files = FolderFiles(root) if root.is_dir() else ZipFiles(root)
        found = self._files.found
        paired = pair_files([*found.sizes, *found.irregular], self._files.unnamed_images())
        self._entries = paired.entries
        listed = {name for entry in self._entries for name in (entry.image, entry.text, entry.json) if name}
        left = self._files.why_tables_are_left(name for name in found.sizes if name not in listed)
        images = {entry.image for entry in self._entries}
        roles = {name: "image" if name in images else "sidecar" for name in listed}
        self.account = found.account(roles, {**left, **paired.left})
        if not any(entry.readable for entry in self._entries):
            raise CorpusError(
                f"{root}: no images and no captions in this {self._files.noun}{commonest(found.sizes)}; give a folder "
                "of images with .txt or .json files beside them, a table of images and captions, or .tar shards",
                self.account,
            )
        listed_sizes = sorted((printable(name), found.sizes.get(name, -1)) for name in listed)
        self.fingerprint = sha256_json([self.kind, listed_sizes, *filter(None, [encoding, self._keys])])
        self.columns: Mapping[str, str] = self._declared()
        if self._keys and not any(entry.json for entry in self._entries):
            raise CorpusError(
                f"{root}: columns of captions are for tables and JSON sidecars, and this is a {self._files.noun} "
                "without them; leave them out or give the table's own path"
            )
        if not images_only:
            self._refuse_without_captions()

    def split(self, size: int) -> list[Split]:
        return cut_evenly(len(self._entries), size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        with self._files.opened() as read:
            for entry in self._entries[split.start : split.stop]:
                yield self._figure(entry, read)

    def _figure(self, entry: Entry, read: Read) -> Figure | Skip:
        uri = printable(entry.image or entry.text or entry.json or "")
        if entry.image is not None and not entry.readable:
            return Skip(entry.figure_id, uri, reason_of(entry.image))
        try:
            image = None if entry.image is None else read(entry.image, MAX_BYTES)
        except OSError:
            return Skip(entry.figure_id, uri, "image cannot be read")
        except TooLargeError:
            return Skip(entry.figure_id, uri, "image file is too large")
        try:
            caption = None if entry.text is None else read_caption(read(entry.text, MAX_SIDECAR), self._encoding)
            data = None if entry.json is None else read(entry.json, MAX_SIDECAR)
            side = (
                Sidecar(metadata=dict.fromkeys(self.columns))
                if data is None
                else read_sidecar(data, self.columns, caption, self._keys)
            )
        except BadSidecar as error:
            return Skip(entry.figure_id, uri, error.reason)
        except OSError:
            return Skip(entry.figure_id, uri, "caption cannot be read")
        except TooLargeError:
            return Skip(entry.figure_id, uri, "caption file is too large")
        captions = side.captions if caption is None else (caption,)
        if image is None and not captions:
            return Skip(entry.figure_id, uri, "neither image nor caption")
        return Figure(entry.figure_id, image, captions, uri, side.article_id, side.metadata, side.extra)

    def _declared(self) -> dict[str, str]:
        types = ColumnTypes()
        with_json = (entry.json for entry in self._entries if entry.json is not None)
        with self._files.opened() as read:
            for name in islice(with_json, SAMPLE):
                with contextlib.suppress(OSError, BadSidecar, TooLargeError):
                    observe(types, read(name, MAX_SIDECAR), self._keys)
        return types.declared()

    def _refuse_without_captions(self) -> None:
        """Raises CorpusError where no image has a caption and something beside them could hold captions, or where
        captions have no images and something beside them could hold those."""
        if all(entry.image is None for entry in self._entries):
            return self._refuse_without_images()
        if any(entry.text is not None or entry.image is None for entry in self._entries):
            return
        with_json = [entry for entry in self._entries if entry.json is not None][:SAMPLE]
        with self._files.opened() as read:
            for entry in with_json:
                found = self._figure(entry, read)
                if isinstance(found, Skip) or found.captions:
                    return
            self._refuse_keys((entry.json for entry in with_json if entry.json is not None), read)
        stems = {os.path.splitext(entry.image or "")[0] for entry in self._entries}
        candidates = [skip for skip in self.account.unread if could_hold_captions(skip, stems)]
        if not candidates:
            return
        way = self._files.way_out(skip.uri for skip in candidates)
        raise CorpusError(
            f"{self._bare} without any caption, and beside them what could hold captions: "
            f"{name_first(candidates, len(candidates))}; {way} (docs/corpora.md), or say --images-only if no captions "
            "are meant",
            self.account,
        )

    @property
    def _bare(self) -> str:
        return f"{self._root}: {counted(len(self._entries), 'image')}"

    def _refuse_keys(self, names: Iterable[str], read: Read) -> None:
        """Raises CorpusError where JSON sidecars hold texts, none of them under a key that is known for captions."""
        for name in names:
            with contextlib.suppress(OSError, BadSidecar, TooLargeError):
                if keys := keys_of_texts(read(name, MAX_SIDECAR)):
                    raise CorpusError(
                        f"{self._bare} without any caption, and JSON files of their names "
                        f"whose texts are under {', '.join(map(repr, keys[:5]))} ({name}); name the key of captions "
                        "with --caption-column, or say --images-only if no captions are meant",
                        self.account,
                    )

    def _refuse_without_images(self) -> None:
        """Raises CorpusError where archives or documents beside captions may hold their images."""
        holding = [skip for skip in self.account.unread if skip.reason in (ARCHIVE, PDF)]
        if holding:
            raise CorpusError(
                f"{self._root}: {len(self._entries)} captions without any image, but what could hold images: "
                f"{name_first(holding, len(holding))}; put the images beside the captions, or move it away",
                self.account,
            )
