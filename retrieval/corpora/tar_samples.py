"""The members of an archive put together into figures, by WebDataset's rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import permutations

from retrieval.corpora.file_kinds import CAPTIONED, PICTURES, REASON_OF, UNKNOWN, is_prose, reason_of
from retrieval.corpora.pairing import pair_beside
from retrieval.corpora.tables.columns import CAPTIONS, IMAGE, plain_name
from retrieval.corpora.tar_keys import KeyGroup, cut_field, key_groups, sort_of
from retrieval.corpora.tars import Member

VALUES = {"cls", "cls2", "id", "index", "inx", "label", "url", "transcript"}
"""Fields of one short text or number."""
NOT_READ = {suffix[1:] for suffix, reason in REASON_OF.items() if reason in PICTURES} | {"pdf"}
"""Images that are not decoded: what is said about them is no figure without them."""

REPEATED = "key comes again and it is unclear what belongs together"
NO_FIGURE = "belongs to no figure"

_NUMBERED = re.compile(r"[a-z]{0,2}\d+")


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


def group_members(members: Iterable[Member]) -> Grouping:
    """All samples of an archive."""
    found = Grouping()
    for group in key_groups(members, found.roles, found.strays):
        _split_group(group, found)
    _tell_apart(found.samples)
    found.samples = _with_parallel(found.samples)
    return found


def _split_group(group: KeyGroup, found: Grouping) -> None:
    """Append the samples of a group. It is one figure; but what has an image and a text of its own is one (a.2.png and
    a.2.txt), so is each image of several, and each stem where nothing has the key alone for a stem (PLOS calls its
    figures pone.0000217.g001.png)."""
    sorts = tuple(map(sort_of, group.fields))
    if sorts in _USUAL and (len(sorts) > 1 or sorts[0] == "image" or not is_prose(group.key)):
        sample = Sample(group.key, unclear=group.unclear)
        for sort, member in zip(sorts, group.fields.values(), strict=True):
            if sort == "image":
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
        unread = [group.fields[name] for name in names if cut_field(name)[1] in NOT_READ]
        if samples[stem].image is None and unread:
            samples[stem].image, samples[stem].refused = unread[0], reason_of(unread[0].name)
    figures = _figures(samples)
    if not figures or all(sort_of(cut_field(name)[1]) != "image" and is_prose(group.key) for name in group.fields):
        found.strays += [(member.name, _why(member.name)) for member in group.fields.values()]
        return
    found.samples += figures
    taken = {id(member) for sample in figures for member in sample.members}
    for name, member in group.fields.items():
        sort = sort_of(cut_field(name)[1])
        role = _ROLES.get(sort, "value")
        role = "unread image" if sort in NOT_READ else role
        found.roles[
            role if id(member) in taken else f"unused .{name if sort == 'image' else cut_field(name)[1]} file"
        ] += 1


_USUAL = {tuple(sorts) for count in (1, 2, 3) for sorts in permutations(("image", "text", "json"), count)}
_ROLES = {"image": "image", "text": "caption", "json": "JSON file"}


def _placed(names: list[str]) -> dict[str, tuple[str, str]]:
    """For each field the stem of the figure that it is of, and its sort: image, text, json, value or another one.

    `image.jpg` and `caption.txt` are the key's own, and `2.png.txt` is of the figure of `2.png`.
    """
    stems = {name: cut_field(name)[0] for name in names if sort_of(cut_field(name)[1]) == "image"}
    if "" not in stems.values():
        stems |= {name: "" for name in stems if plain_name(stems[name]) in IMAGE}
    placed: dict[str, tuple[str, str]] = {}
    for name in names:
        stem, kind = cut_field(name)
        sort = sort_of(kind)
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


def _why(name: str) -> str:
    reason = reason_of(name)
    return NO_FIGURE if reason == UNKNOWN or reason in CAPTIONED else reason


def _with_parallel(samples: list[Sample]) -> list[Sample]:
    """The samples, captions in a folder beside that of their images put to these as in a folder of files."""
    if all(sample.image for sample in samples) or all(sample.texts or sample.json for sample in samples):
        return samples
    once = Counter(member.name for sample in samples for member in sample.members)
    clear = [sample for sample in samples if not sample.refused and all(once[one.name] == 1 for one in sample.members)]
    bare = {sample.image.name: sample for sample in clear if sample.image and not sample.texts and not sample.json}
    alone = {sample.members[0].name: sample for sample in clear if sample.image is None and sample.members}
    taken, left = pair_beside(list(bare), list(alone)) if bare and alone else ({}, {})
    for image, text in taken.items():
        bare[image].texts, bare[image].json = alone[text].texts, alone[text].json
        bare[image].values |= alone[text].values
    for text, reason in left.items():
        alone[text].refused = alone[text].refused or reason
    gone = {id(alone[text]) for text in taken.values()}
    return [sample for sample in samples if id(sample) not in gone] if gone else samples


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
