"""WebDataset: tar shards in which files of one key are one figure."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any

from retrieval.corpora.compression import UNREADABLE, open_unpacked
from retrieval.corpora.file_kinds import ARCHIVE, CAPTIONED, could_hold_captions, reason_of
from retrieval.corpora.listing import files_below
from retrieval.corpora.naming import cut_evenly, printable, shortest_names
from retrieval.corpora.sidecars import BadSidecar, Sidecar, keys_of_texts, observe, read_caption, read_sidecar
from retrieval.corpora.tables.values import ColumnTypes, sorted_out
from retrieval.corpora.tar_samples import Sample, group_members
from retrieval.corpora.tars import DAMAGED, TRUNCATED, Member, is_tar, list_members
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Account, Figure, Skip, Split, counted, name_first

SAMPLE = 1000
"""Figures whose JSON is read to declare the metadata columns; a later value that does not fit stays in `extra`."""

LARGEST_FILE = 1 << 30
"""Bytes of one member; a header that promises more is not believed."""
DEEPER = "archive in a folder below the others: give its path"
ALONE = "text of no image of this key"
NAMED = 1000
"""Members of no figure that are named; further ones are counted by their suffix."""


@dataclass(frozen=True, slots=True)
class ShardContents:
    """The samples of an archive, in the order of their first members, and what broke it off, if anything did; how many
    of its members were taken for what, and those of no figure with the reason."""

    samples: list[Sample]
    fault: str | None
    digest: str
    roles: Mapping[str, int]
    strays: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.samples) + (self.fault is not None)


def list_contents(path: Path) -> ShardContents:
    """What lies where in an archive. OSError where it cannot be opened."""
    status = path.stat()
    return _list_contents(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)  # the splits of an archive are mostly read one after the other
def _list_contents(path: Path, size: int, changed: int) -> ShardContents:
    with open_unpacked(path) as file:
        listing = list_members(file)
    digest = hashlib.sha256(str(size).encode())
    for member in listing.members:
        digest.update(f"\n{member.name}\t{member.size}".encode())
    cut = listing.cut
    found = group_members([*listing.members, cut] if cut else listing.members)
    samples = found.samples
    if cut is not None:
        # A figure whose caption or image was cut off is not that figure.
        samples = [sample for sample in samples if cut not in sample.members]
    elif listing.fault in (TRUNCATED, DAMAGED) and samples:
        # The break hides even the name of what follows, and the last figure lacks what others have.
        *others, last = samples
        if not {"image", "text"} <= _fields(last) and not any(_fields(last) == _fields(other) for other in others):
            samples = others
    return ShardContents(samples, listing.fault, digest.hexdigest(), found.roles, listing.strays + found.strays)


def _fields(sample: Sample) -> set[str]:
    return {name for name, there in (("image", sample.image), ("text", sample.texts), ("json", sample.json)) if there}


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
        types = ColumnTypes()
        looked_at = 0
        found_any = False
        roles: Counter[str] = Counter()
        strays: list[Skip] = []
        faults: list[str] = []
        captioned = told = False
        keys: dict[str, None] = {}
        alone: list[Skip] = []
        for name, path, prefix in zip(names, tars, prefixes, strict=True):
            contents = list_contents(path)
            shard = _Shard(printable(name), path, printable(prefix), len(contents))
            self._shards.append(shard)
            found_any = found_any or bool(contents.samples)
            listed.append([shard.name, contents.digest])
            if looked_at < SAMPLE:
                some = contents.samples[: SAMPLE - looked_at]
                looked_at += _observe(types, path, some, self._keys)
                if not (captioned or told or images_only):
                    told = _told(path, some, self._keys, keys)
            roles.update(contents.roles)
            told = told or any(sample.image and sample.texts for sample in contents.samples)
            captioned = captioned or any(sample.image and (sample.texts or sample.json) for sample in contents.samples)
            texts = (sample.members[0].name for sample in contents.samples if sample.image is None)
            alone += [
                Skip("", f"{shard.name}/{name}", ALONE)
                for name in islice(texts, 0 if captioned else NAMED - len(alone))
            ]
            faults += [f"{shard.name} ({contents.fault})"] if contents.fault else []
            for member, reason in contents.strays:
                if len(strays) < NAMED:
                    strays.append(Skip("", f"{shard.name}/{member}", reason))
                else:
                    roles[f"unused {os.path.splitext(member)[1].lower()} file"] += 1
        if not found_any:
            found = faults + [f"{skip.uri} ({skip.reason})" for skip in strays]
            only = f", only {', '.join(found[:3])}" if found else ""
            raise CorpusError(
                f"{root}: no images and no captions in {len(tars)} archives{only}; look into one with tar -tf"
            )
        self.columns: Mapping[str, str] = types.declared()
        self.fingerprint = sha256_json([self.kind, listed, *filter(None, [self._keys])])
        inside = Account(roles.total() + len(strays), roles, tuple(strays))
        account = _account_of_folder(root, tars) if whole_folder else Account(len(tars), {"archive": len(tars)})
        self.account = replace(account, inside=inside)
        unused = [role for role in roles if role.startswith("unused ") and _could_hold_captions(role)]
        if roles["image"] and (keys or unused) and not (told or images_only):
            under = [f"texts under {', '.join(map(repr, keys))} of JSON"] if keys else []
            held = ", ".join([*under, *(counted(roles[role], role) for role in unused)])
            name = "name the key of captions with --caption-column" if keys else "unpack them and give the folder"
            raise CorpusError(
                f"{root}: {counted(roles['image'], 'image')} without any caption, and in the archives what could hold "
                f"captions: {held}; {name}, or say --images-only if no captions are meant",
                self.account,
            )
        candidates = list(filter(could_hold_captions, [*alone, *strays]))
        if roles["image"] and candidates and not (captioned or images_only):
            raise CorpusError(
                f"{root}: {roles['image']} images without any caption, and in the archives what could hold captions: "
                f"{name_first(candidates, len(candidates))}; unpack them and give the folder, or say --images-only if "
                "no captions are meant",
                self.account,
            )

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
            more = {name: _value(name, member.read(file)) for name, member in sample.values.items()}
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


def _value(name: str, data: bytes) -> Any:
    """A field that is neither image nor caption: JSON, a number or a text."""
    text = data.decode("utf-8-sig", "replace").strip()
    if name.endswith(".json"):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text else text


def _could_hold_captions(role: str) -> bool:
    """Whether files of a role (unused .yaml file) are of a kind that captions are kept in."""
    return reason_of(f"a{role.split()[1]}") in (*CAPTIONED, ARCHIVE)


def _told(path: Path, samples: Sequence[Sample], caption_keys: Sequence[str], keys: dict[str, None]) -> bool:
    """Whether the JSON of one of `samples` has a caption. The keys of other texts in JSON are put to `keys`."""
    with_json = [sample.json for sample in samples if sample.json is not None and sample.json.size <= LARGEST_FILE]
    if with_json:
        with open_unpacked(path) as file:
            for member in with_json:
                with contextlib.suppress(BadSidecar, *UNREADABLE):
                    document = member.read(file)
                    if read_sidecar(document, {}, None, caption_keys).captions:
                        return True
                    keys.update(dict.fromkeys(keys_of_texts(document)))
    return False


def _observe(types: ColumnTypes, path: Path, samples: Sequence[Sample], caption_keys: Sequence[str]) -> int:
    """Let `types` learn from what is said of `samples` beside captions; the number of those of which something is."""
    found = [sample for sample in samples if sample.json is not None or sample.values]
    if found:
        with open_unpacked(path) as file:
            for sample in found:
                with contextlib.suppress(BadSidecar, *UNREADABLE):
                    if sample.json is not None and sample.json.size <= LARGEST_FILE:
                        observe(types, sample.json.read(file), caption_keys)
                    for name, member in sample.values.items():
                        if "." not in name and member.size <= LARGEST_FILE:
                            types.observe(name, _value(name, member.read(file)))
    return len(found)


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
