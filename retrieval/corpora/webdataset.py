"""WebDataset: tar shards in which files of one stem are one figure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from retrieval.corpora.naming import cut_evenly, printable, shortest_names
from retrieval.corpora.sidecars import BadSidecar, Sidecar, observe, read_caption, read_sidecar
from retrieval.corpora.tables.values import ColumnTypes
from retrieval.corpora.tars import DAMAGED, UNREADABLE, Member, Sample, list_contents, open_archive
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Figure, Skip, Split

SAMPLE = 1000
"""Figures whose JSON is read to declare the metadata columns; a later value that does not fit stays in `extra`."""


@dataclass(frozen=True, slots=True)
class _Shard:
    """What is kept in memory of one archive; its contents are listed again when it is read."""

    name: str
    path: Path
    prefix: str
    count: int


class WebDatasetCorpus:
    """The figures of tar archives: key.jpg with key.txt or key.caption (one caption) and key.json.

    A name is cut at its first dot, as WebDataset does; where that leaves nothing that is an image or a text (PLOS calls
    its figures `pone.0000217.g001.jpg`), at the last one. Ids are the keys, after the archive's name where there are
    several archives. A split never spans two. What follows a break in an archive is one Skip.
    """

    kind = "webdataset"

    def __init__(self, root: Path, tars: Sequence[Path]) -> None:
        names = [path.relative_to(root).as_posix() for path in tars]
        prefixes = [f"{name}/" for name in _prefixes(names)] if len(tars) > 1 else [""]
        listed = []
        self._shards: list[_Shard] = []
        types = ColumnTypes()
        looked_at = 0
        found_any = False
        for name, path, prefix in zip(names, tars, prefixes, strict=True):
            contents = list_contents(path)
            self._shards.append(_Shard(printable(name), path, printable(prefix), len(contents)))
            found_any = found_any or bool(contents.samples)
            listed.append([printable(name), contents.digest])
            if looked_at < SAMPLE:
                looked_at += _observe(types, path, contents.samples[: SAMPLE - looked_at])
        if not found_any:
            raise CorpusError(f"{root}: no images and no captions in {len(tars)} archives; look into one with tar -tf")
        self.columns: Mapping[str, str] = types.declared()
        self.fingerprint = sha256_json([self.kind, listed])

    def split(self, size: int) -> list[Split]:
        splits: list[Split] = []
        for shard in self._shards:
            splits += cut_evenly(shard.count, size, len(splits), shard.name)
        return splits

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        shard = next(shard for shard in self._shards if shard.name == split.source)
        try:
            contents, archive = list_contents(shard.path), open_archive(shard.path)
        except OSError as error:
            raise CorpusError(
                f"{shard.path}: the archive cannot be read any more ({error.strerror}); restore it"
            ) from None
        with archive as file:
            for sample in contents.samples[split.start : split.stop]:
                yield self._figure(shard, file, sample)
        if contents.fault and split.stop == len(contents):
            yield Skip(shard.name, shard.name, contents.fault)

    def _figure(self, shard: _Shard, file: IO[bytes], sample: Sample) -> Figure | Skip:
        figure_id = shard.prefix + sample.key
        image, text, json = sample.image, sample.caption, sample.json
        uri = f"{shard.name}/{(image or text or json or Member('', 0, 0)).name}"
        try:
            data = None if image is None else image.read(file)
            caption = None if text is None else read_caption(text.read(file))
            side = Sidecar(metadata=dict.fromkeys(self.columns))
            if json is not None:
                side = read_sidecar(json.read(file), self.columns, caption)
        except BadSidecar as error:
            return Skip(figure_id, uri, error.reason)
        except UNREADABLE:
            return Skip(figure_id, uri, DAMAGED)
        captions = side.captions if caption is None else (caption,)
        if data is None and not captions:
            return Skip(figure_id, uri, "neither image nor caption")
        return Figure(figure_id, data, captions, uri, side.article_id, side.metadata, side.extra)


def _observe(types: ColumnTypes, path: Path, samples: Sequence[Sample]) -> int:
    """Let `types` learn from the JSON of `samples`; the number of those that have one."""
    found = [sample.json for sample in samples if sample.json is not None]
    if found:
        with open_archive(path) as file:
            for member in found:
                with contextlib.suppress(BadSidecar, *UNREADABLE):
                    observe(types, member.read(file))
    return len(found)


def _prefixes(names: Sequence[str]) -> list[str]:
    """The archives' names without suffixes, or with them where ids could be mistaken for those of another archive."""
    plain = [name.removesuffix(".gz") for name in names]
    short = shortest_names(plain) if len(set(plain)) == len(plain) else list(names)
    nested = any(after.startswith(f"{before}/") for before, after in pairwise(sorted(short)))
    return list(names) if nested else short
