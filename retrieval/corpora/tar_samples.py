"""The members of an archive put together into figures, by WebDataset's rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden
from retrieval.corpora.tables.columns import CAPTIONS, IMAGE, plain_name
from retrieval.corpora.tars import Member, is_tar

IMAGES = {suffix[1:] for suffix in IMAGE_SUFFIXES}
TEXTS = {"txt", "text", "caption", "captions", "cap"}
VALUES = {"cls", "cls2", "id", "index", "inx", "label", "url", "transcript"}
"""Fields of one short text or number."""
NOT_READ = {
    *("heic", "heif", "avif", "jp2", "j2k", "jpx", "jxl", "svg", "eps", "ps", "pdf", "ai", "wmf", "emf", "psd"),
    *("dcm", "dicom", "nii", "nrrd", "mha", "svs", "ndpi", "czi", "exr", "dng", "cr2", "nef"),
}
"""Images that are not decoded: what is said about them is no figure without them."""
PACKED = (".zip", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")

UNSUPPORTED = "image kind is not supported"
REPEATED = "key comes again and it is unclear what belongs together"
NO_SUFFIX = "name has no suffix"
NO_FIGURE = "belongs to no figure"
NESTED = "archives inside of archives are not read"
OF_DATASET = "metadata of the whole data set"

_OF_DATASET = re.compile(r"__[^/]*__($|/)")
_NUMBERED = re.compile(r"[a-z]{0,2}\d+")
_MANY = 1000  # groups of one key; what comes after so many is put together with none of them


@dataclass(slots=True)
class Sample:
    """One figure to be. `texts` hold captions (a JSON file several), `values` all else that is said, by field."""

    key: str
    image: Member | None = None
    texts: list[Member] = field(default_factory=list)
    json: Member | None = None
    values: dict[str, Member] = field(default_factory=dict)
    refused: str | None = None
    """Why it is no figure."""
    unclear: bool = False
    """Some of its key may belong to another sample of this key."""

    @property
    def members(self) -> list[Member]:
        return [member for member in (self.image, *self.texts, self.json, *self.values.values()) if member is not None]


@dataclass(slots=True)
class Grouping:
    """The samples in the order of their first members; how many members were taken for what; and those left over."""

    samples: list[Sample] = field(default_factory=list)
    roles: Counter[str] = field(default_factory=Counter)
    strays: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """Members of one key by their fields (what follows the first dot of a name, in lower case)."""

    key: str
    fields: dict[str, Member] = field(default_factory=dict)
    unclear: bool = False
    has: set[tuple[str, str]] = field(default_factory=set)
    """Of which stems it has an image, a text, ...: filled where the key comes again."""


def key_and_field(name: str) -> tuple[str, str] | None:
    """A name cut at the first dot of its last part, as `webdataset` cuts it; None where nothing is before or behind."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    key, dot, rest = base.partition(".")
    return (folder + slash + key, rest.lower()) if key and dot and rest else None


def group_members(members: Iterable[Member]) -> Grouping:
    """All samples of an archive."""
    found = Grouping()
    for group in _joined(_runs(members, found)):
        _split_group(group, found)
    _tell_apart(found.samples)
    return found


def _runs(members: Iterable[Member], found: Grouping) -> Iterator[_Group]:
    """Members that follow each other and have one key; a field that comes again begins another group."""
    run: _Group | None = None
    for member in members:
        name = member.name
        cut = key_and_field(name)
        if (name.startswith(".") or "/." in name or "__MACOSX" in name) and is_hidden(name):
            found.roles["hidden file"] += 1
        elif name.startswith("__") and _OF_DATASET.match(name):
            found.strays.append((member.name, OF_DATASET))
        elif cut is None:
            found.strays.append((member.name, NO_SUFFIX))
        else:
            if run is None or cut[0] != run.key or cut[1] in run.fields:
                if run is not None:
                    yield run
                run = _Group(cut[0])
            run.fields[cut[1]] = member
    if run is not None:
        yield run


def _joined(runs: Iterable[_Group]) -> list[_Group]:
    """The runs, and one that only adds what is missing in an earlier one of its key put together with it."""
    groups: list[_Group] = []
    of_key: dict[str, list[_Group]] = {}
    for run in runs:
        known = of_key.setdefault(run.key, [])
        fits: list[_Group] = []
        if known:
            for group in (run, known[0]):
                group.has = group.has or {(stem, _sort_of(kind)) for stem, kind in map(_cut, group.fields)}
            fits = [group for group in known if not group.has & run.has] if len(known) < _MANY else []
        if len(fits) == 1:
            fits[0].fields |= run.fields
            fits[0].has |= run.has
            continue
        if fits:
            for group in (run, *fits):
                group.unclear = True
        known.append(run)
        groups.append(run)
    return groups


def _cut(name: str) -> tuple[str, str]:
    """A field as the stem before its last dot, and the kind behind it."""
    stem, _, kind = name.rpartition(".")
    return stem, kind


def _sort_of(kind: str) -> str:
    return _SORTS.get(kind, kind)


_SORTS = {**dict.fromkeys(IMAGES, "image"), **dict.fromkeys(TEXTS, "text")}


def _split_group(group: _Group, found: Grouping) -> None:
    """Append the samples of a group. It is one figure; but what has an image and a text of its own is one (a.2.png and
    a.2.txt), so is each image of several, and each stem where nothing has the key alone for a stem (PLOS calls its
    figures pone.0000217.g001.png)."""
    sorts = sorted(map(_sort_of, group.fields))
    if sorts in _USUAL:
        sample = Sample(group.key, unclear=group.unclear)
        for name, member in group.fields.items():
            if (sort := _sort_of(name)) == "image":
                sample.image = member
            elif sort == "text":
                sample.texts.append(member)
            else:
                sample.json = member
            found.roles[_ROLES[sort]] += 1
        found.samples.append(sample)
        return
    samples: dict[str, Sample] = {}
    unused: dict[str, list[str]] = {}
    for name, (stem, sort) in _placed(list(group.fields)).items():
        key = f"{group.key}.{stem}" if stem else group.key
        sample, member = samples.setdefault(stem, Sample(key, unclear=group.unclear)), group.fields[name]
        if sort == "image" and sample.image is None:
            sample.image = member
        elif sort == "text":
            sample.texts.append(member)
        elif sort == "json" and sample.json is None:
            sample.json = member
        elif sort == "value":
            sample.values[name] = member
        else:
            unused.setdefault(stem, []).append(name)
    for stem, names in unused.items():
        unread = [group.fields[name] for name in names if _cut(name)[1] in NOT_READ]
        if samples[stem].image is None and unread:
            samples[stem].image, samples[stem].refused = unread[0], UNSUPPORTED
    figures = _figures(samples)
    if not figures:
        found.strays += [(member.name, _why_stray(member.name)) for member in group.fields.values()]
        return
    found.samples += figures
    taken = {id(member) for sample in figures for member in sample.members}
    for name, member in group.fields.items():
        sort = _sort_of(_cut(name)[1])
        role = _ROLES.get(sort, "value")
        role = "unread image" if sort in NOT_READ else role
        found.roles[role if id(member) in taken else f"unused .{name if sort == 'image' else _cut(name)[1]} file"] += 1


_USUAL = [["image", "text"], ["image", "json", "text"], ["image", "json"], ["image"], ["text"]]
_ROLES = {"image": "image", "text": "caption", "json": "JSON file"}


def _placed(names: list[str]) -> dict[str, tuple[str, str]]:
    """For each field the stem of the figure that it is of, and its sort: image, text, json, value or another one.

    `image.jpg` and `caption.txt` are the key's own, and `2.png.txt` is of the figure of `2.png`.
    """
    stems = {name: _cut(name)[0] for name in names if _cut(name)[1] in IMAGES}
    if "" not in stems.values():
        stems |= {name: "" for name in stems if plain_name(stems[name]) in IMAGE}
    placed: dict[str, tuple[str, str]] = {}
    for name in names:
        stem, kind = _cut(name)
        sort = _sort_of(kind)
        if name in stems:
            stem = stems[name]
        elif sort in ("text", "json") and stem in stems:
            stem = stems[stem]
        elif sort in ("text", "json") and ("caption" in stem or plain_name(stem) in CAPTIONS):
            stem, sort = "", "text"
        elif kind in VALUES:
            sort = "value"
        placed[name] = stem, sort
    return placed


def _figures(samples: dict[str, Sample]) -> list[Sample]:
    """Of the samples of a group by stem those that are figures; the others give what they say to these."""
    known = {stem: s for stem, s in samples.items() if s.image or s.texts or s.json or s.refused}
    own = known.get("")
    if own is None:
        return list(known.values())
    further = {
        stem: sample
        for stem, sample in known.items()
        if stem and sample.image and (sample.texts or own.image is None or _NUMBERED.fullmatch(stem))
    }
    for stem, sample in samples.items():
        if stem and stem not in further:
            as_captions = stem.isdigit() or not own.texts
            for member in sample.texts:
                if as_captions:
                    own.texts.append(member)
                else:
                    own.values[stem if stem not in own.values else member.name] = member
            if sample.json is not None:
                own.values[f"{stem}.json"] = sample.json
            own.values |= sample.values
    poor = [sample for sample in further.values() if not sample.texts]
    if own.image is None and poor:  # several images of one key: each has its captions
        for sample in poor:
            sample.texts, sample.json = list(own.texts), sample.json or own.json
            sample.values = own.values | sample.values
        return list(further.values())
    return [sample for stem, sample in known.items() if stem in further or sample is own]


def _why_stray(name: str) -> str:
    packed = name.lower().endswith(PACKED)
    return NESTED if packed or is_tar(PurePosixPath(name)) else NO_FIGURE


def _tell_apart(samples: list[Sample]) -> None:
    """Number the samples of one key from the second on, and refuse those that may lack what another one has."""
    same: dict[str, list[Sample]] = {}
    for sample in samples:
        same.setdefault(sample.key, []).append(sample)
    if len(same) == len(samples):
        return
    keys = set(same)
    for key, ones in same.items():
        if len(ones) == 1:
            continue
        pictured = any(sample.image for sample in ones)
        unclear = any(sample.unclear for sample in ones)
        number = 1
        for sample in ones:
            if unclear or (pictured and sample.image is None):
                sample.refused = sample.refused or REPEATED
            if sample is not ones[0]:
                while f"{key}/{number}" in keys or number == 1:
                    number += 1
                sample.key = f"{key}/{number}"
                keys.add(sample.key)
