"""WebDataset: tar shards in which files of one key are one figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import IO

from retrieval.corpora.compression import UNREADABLE, open_unpacked
from retrieval.corpora.listing import files_below
from retrieval.corpora.naming import cut_evenly, printable, shortest_names
from retrieval.corpora.sidecars import BadSidecar, Sidecar, read_caption, read_sidecar
from retrieval.corpora.tables.values import sorted_out
from retrieval.corpora.tar_samples import Sample
from retrieval.corpora.tar_survey import LARGEST_FILE, Survey, field_value, list_contents
from retrieval.corpora.tars import DAMAGED, Member, is_tar
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Account, Figure, Skip, Split

DEEPER = "archive in a folder below the others: give its path"


@dataclass(frozen=True, slots=True)
class _Shard:
    """What is kept in memory of one archive; its contents are listed again when it is read."""

    name: str
    path: Path
    prefix: str
    count: int


class WebDatasetCorpus:
    """The figures of tar archives: key.jpg with key.txt or key.caption and key.json.

    A name is cut at its first dot, as WebDataset does; what has an image and a text of the same longer stem is a figure
    of its own (`tar_samples.py`). Ids are the keys, after the archive's name where there are several archives; a key
    that comes again is numbered. A split never spans two archives. What follows a break in an archive is one Skip.
    """

    kind = "webdataset"

    def __init__(
        self,
        root: Path,
        tars: Sequence[Path],
        *,
        whole_folder: bool = False,
        images_only: bool = False,
        caption_keys: Sequence[str] = (),
    ) -> None:
        self._keys = tuple(caption_keys)
        names = [path.relative_to(root).as_posix() for path in tars]
        prefixes = [f"{name}/" for name in _prefixes(names)] if len(tars) > 1 else [""]
        listed = []
        self._shards: list[_Shard] = []
        survey = Survey(self._keys)
        for name, path, prefix in zip(names, tars, prefixes, strict=True):
            contents = list_contents(path)
            shard = _Shard(printable(name), path, printable(prefix), len(contents))
            self._shards.append(shard)
            listed.append([shard.name, contents.digest])
            survey.add(shard.name, path, contents)
        survey.refuse_nothing(root, len(tars))
        self.columns: Mapping[str, str] = survey.types.declared()
        self.fingerprint = sha256_json([self.kind, listed, *filter(None, [self._keys])])
        account = _account_of_folder(root, tars) if whole_folder else Account(len(tars), {"archive": len(tars)})
        self.account = replace(account, inside=survey.account())
        if not images_only:
            survey.refuse_without_captions(root, self.account)

    def split(self, size: int) -> list[Split]:
        splits: list[Split] = []
        for shard in self._shards:
            splits += cut_evenly(shard.count, size, len(splits), shard.name)
        return splits

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        shard = next(shard for shard in self._shards if shard.name == split.source)
        try:
            contents, archive = list_contents(shard.path), open_unpacked(shard.path)
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
        members = sample.members
        uri = f"{shard.name}/{members[0].name}"
        if sample.refused:
            return Skip(figure_id, uri, sample.refused)
        if too_large := [member for member in members if member.size > LARGEST_FILE]:
            return Skip(figure_id, uri, "image is too large" if too_large[0] is sample.image else "text is too large")
        try:
            data = None if sample.image is None else sample.image.read(file)
            captions = tuple(dict.fromkeys(text for member in sample.texts for text in _captions(member, file)))
            side = Sidecar(metadata=dict.fromkeys(self.columns))
            if sample.json is not None:
                document = sample.json.read(file)
                if data is None and not captions and document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                    return Skip(figure_id, uri, "neither image nor caption")  # a list of many figures
                side = read_sidecar(document, self.columns, captions[0] if captions else None, self._keys)
            more = {name: field_value(name, member.read(file)) for name, member in sample.values.items()}
        except BadSidecar as error:
            return Skip(figure_id, uri, error.reason)
        except UNREADABLE:
            return Skip(figure_id, uri, DAMAGED)
        captions = captions or side.captions
        if data is None and not captions:
            return Skip(figure_id, uri, "neither image nor caption")
        metadata, extra = side.metadata, side.extra
        if more:
            there = {name for name, value in metadata.items() if value is not None} | set(extra)
            own, rest = sorted_out({name: more[name] for name in more if name not in there}, self.columns, ())
            metadata = {name: value if own[name] is None else own[name] for name, value in metadata.items()}
            extra = {**extra, **rest}
        return Figure(figure_id, data, captions, uri, side.article_id, metadata, extra)


def _captions(member: Member, file: IO[bytes]) -> tuple[str, ...]:
    """What a text file says, or the captions in a JSON file."""
    data = member.read(file)
    return read_sidecar(data, {}).captions if member.name.lower().endswith(".json") else (read_caption(data),)


def _account_of_folder(root: Path, tars: Sequence[Path]) -> Account:
    """What became of all files below `root`, of which `tars` are read."""
    found = files_below(root)
    used = {path.relative_to(root).as_posix(): "archive" for path in tars}
    deeper = {name: DEEPER for name in found.sizes if name not in used and is_tar(Path(name))}
    return found.account(used, deeper)


def _prefixes(names: Sequence[str]) -> list[str]:
    """The archives' names without suffixes, or with them where ids could be mistaken for those of another archive."""
    plain = [name.removesuffix(".gz") for name in names]
    short = shortest_names(plain) if len(set(plain)) == len(plain) else list(names)
    nested = any(after.startswith(f"{before}/") for before, after in pairwise(sorted(short)))
    return list(names) if nested else short
