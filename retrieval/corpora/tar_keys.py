"""The keys of an archive's members: cut from their names as WebDataset cuts them, and members put together by them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retrieval.corpora.file_kinds import NO_SUFFIX, TEXT_SUFFIXES
from retrieval.corpora.listing import HIDDEN
from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden
from retrieval.corpora.tars import Member

OF_DATASET = "metadata of the whole data set"

_OF_DATASET = re.compile(r"__[^/]*__($|/)")
_MANY = 1000  # groups of one key; what comes after so many is put together with none of them


@dataclass(slots=True)
class KeyGroup:
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


def key_groups(members: Iterable[Member], roles: Counter[str], strays: list[tuple[str, str]]) -> list[KeyGroup]:
    """Members put together by key: those that follow each other, and of those elsewhere what adds only what is missing.

    Nothing replaces anything: a field that comes again begins another group. Counts hidden ones in `roles` and appends
    those without a key to `strays`.
    """
    groups: list[KeyGroup] = []
    of_key: dict[str, list[KeyGroup]] = {}
    for run in _runs(members, roles, strays):
        known = of_key.setdefault(run.key, [])
        fits: list[KeyGroup] = []
        if known:
            for group in (run, known[0]):
                group.has = group.has or {(stem, sort_of(kind)) for stem, kind in map(cut_field, group.fields)}
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


def _runs(members: Iterable[Member], roles: Counter[str], strays: list[tuple[str, str]]) -> Iterator[KeyGroup]:
    """Members that follow each other and have one key; a field that comes again begins another group."""
    run: KeyGroup | None = None
    for member in members:
        name = member.name
        cut = key_and_field(name)
        if (name.startswith(".") or "/." in name or "__MACOSX" in name) and is_hidden(name):
            roles[HIDDEN] += 1
        elif name.startswith("__") and _OF_DATASET.match(name):
            strays.append((member.name, OF_DATASET))
        elif cut is None:
            strays.append((member.name, NO_SUFFIX))
        else:
            if run is None or cut[0] != run.key or cut[1] in run.fields:
                if run is not None:
                    yield run
                run = KeyGroup(cut[0])
            run.fields[cut[1]] = member
    if run is not None:
        yield run


def cut_field(name: str) -> tuple[str, str]:
    """A field as the stem before its last dot, and the kind behind it."""
    stem, _, kind = name.rpartition(".")
    return stem, kind


def sort_of(kind: str) -> str:
    """Image, text, or the kind itself."""
    return _SORTS.get(kind, kind)


_SORTS = {suffix[1:]: "image" for suffix in IMAGE_SUFFIXES} | {suffix[1:]: "text" for suffix in TEXT_SUFFIXES}
