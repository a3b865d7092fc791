"""What lies in the archives of a corpus, learnt in one go over them: samples, columns, what is left out, captions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from retrieval.corpora.compression import UNREADABLE, open_unpacked
from retrieval.corpora.file_kinds import ARCHIVE, CAPTIONED, could_hold_captions, reason_of
from retrieval.corpora.sidecars import BadSidecar, keys_of_texts, observe, read_sidecar
from retrieval.corpora.tables.column_types import ColumnTypes
from retrieval.corpora.tar_samples import Sample, group_members
from retrieval.corpora.tars import DAMAGED, TRUNCATED, list_members
from retrieval.errors import CorpusError
from retrieval.types import Account, Skip, counted, name_first

SAMPLE = 1000
"""Figures whose JSON is read to declare the metadata columns; a later value that does not fit stays in `extra`."""

LARGEST_FILE = 1 << 30
"""Bytes of one member; a header that promises more is not believed."""
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


class Survey:
    """What the archives of a corpus hold together. `types` are those of the columns that their samples declare."""

    def __init__(self, caption_keys: Sequence[str]) -> None:
        self.types = ColumnTypes()
        self._caption_keys = caption_keys
        self._looked_at = 0
        self._samples = 0
        self._roles: Counter[str] = Counter()
        self._strays: list[Skip] = []
        self._faults: list[str] = []
        self._alone: list[Skip] = []
        self._other_keys: dict[str, None] = {}  # of texts in JSON, none of which is known for captions
        self._captioned = False  # an image has a text or JSON of its key
        self._told = False  # one of these is known to hold a caption

    def add(self, name: str, path: Path, contents: ShardContents) -> None:
        """Learn from one archive, whose `name` stands in what is told of it."""
        samples = contents.samples
        self._samples += len(samples)
        self._learn(path, samples[: SAMPLE - self._looked_at])
        self._told = self._told or any(sample.image and sample.texts for sample in samples)
        self._captioned = self._captioned or any(sample.image and (sample.texts or sample.json) for sample in samples)
        texts = (sample.members[0].name for sample in samples if sample.image is None)
        room = 0 if self._captioned else NAMED - len(self._alone)
        self._alone += [Skip("", f"{name}/{text}", ALONE) for text in islice(texts, room)]
        self._faults += [f"{name} ({contents.fault})"] if contents.fault else []
        self._roles.update(contents.roles)
        for member, reason in contents.strays:
            if len(self._strays) < NAMED:
                self._strays.append(Skip("", f"{name}/{member}", reason))
            else:
                self._roles[f"unused {os.path.splitext(member)[1].lower()} file"] += 1

    def _learn(self, path: Path, samples: Sequence[Sample]) -> None:
        """Learn columns from what is said of `samples` beside captions, and whether their JSON holds captions."""
        found = [sample for sample in samples if sample.json is not None or sample.values]
        self._looked_at += len(found)
        if not found:
            return
        with open_unpacked(path) as file:
            for sample in found:
                with contextlib.suppress(BadSidecar, *UNREADABLE):
                    if sample.json is not None and sample.json.size <= LARGEST_FILE:
                        document = sample.json.read(file)
                        observe(self.types, document, self._caption_keys)
                        self._look_for_captions(document)
                    for name, member in sample.values.items():
                        if "." not in name and member.size <= LARGEST_FILE:
                            self.types.observe(name, field_value(name, member.read(file)))

    def _look_for_captions(self, document: bytes) -> None:
        if not self._told:
            self._told = bool(read_sidecar(document, {}, None, self._caption_keys).captions)
        if not self._told:
            self._other_keys.update(dict.fromkeys(keys_of_texts(document)))

    def account(self) -> Account:
        """What became of the members of all archives."""
        return Account(self._roles.total() + len(self._strays), self._roles, tuple(self._strays))

    def refuse_nothing(self, root: Path, archives: int) -> None:
        """Raises CorpusError where no archive holds an image or a caption."""
        if self._samples:
            return
        found = self._faults + [f"{skip.uri} ({skip.reason})" for skip in self._strays]
        only = f", only {', '.join(found[:3])}" if found else ""
        raise CorpusError(f"{root}: no images and no captions in {archives} archives{only}; look into one with tar -tf")

    def refuse_without_captions(self, root: Path, account: Account) -> None:
        """Raises CorpusError where no image has a caption, and something in the archives could hold captions."""
        images = self._roles["image"]
        if not images:
            return
        unused = [role for role in self._roles if role.startswith("unused ") and _could_hold_captions(role)]
        if (self._other_keys or unused) and not self._told:
            keys = ", ".join(map(repr, self._other_keys))
            held = [f"texts under {keys} of JSON"] if keys else []
            held += [counted(self._roles[role], role) for role in unused]
            way = "name the key of captions with --caption-column" if keys else "unpack them and give the folder"
            raise _without_captions(root, images, ", ".join(held), way, account)
        candidates = list(filter(could_hold_captions, [*self._alone, *self._strays]))
        if candidates and not self._captioned:
            told = name_first(candidates, len(candidates))
            raise _without_captions(root, images, told, "unpack them and give the folder", account)


def _without_captions(root: Path, images: int, held: str, way: str, account: Account) -> CorpusError:
    return CorpusError(
        f"{root}: {counted(images, 'image')} without any caption, and in the archives what could hold captions: "
        f"{held}; {way}, or say --images-only if no captions are meant",
        account,
    )


def field_value(name: str, data: bytes) -> Any:
    """A field that is neither image nor caption: JSON, a number or a text."""
    text = data.decode("utf-8-sig", "replace").strip()
    if name.endswith(".json"):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text else text


def _could_hold_captions(role: str) -> bool:
    """Whether files of a role (unused .yaml file) are of a kind that captions are kept in."""
    return reason_of(f"a{role.split()[1]}") in (*CAPTIONED, ARCHIVE)
